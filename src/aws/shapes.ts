/**
 * What the input of an operation must look like, as data, and the check of an input against it. Types follow from
 * shapes (`ShapeValue`), so a constraint and its type are written once.
 *
 * The checks of step 1 and 2 of R-031: a wrong JSON type anywhere is a SerializationException before any
 * constraint is looked at; then the first member that is missing or breaks a constraint, in the order of the shape.
 * Unknown members are ignored and null is the same as absent, except as an element of a list.
 */
import { characterCount } from '../core/characters.ts'
import { quote } from '../core/errors.ts'
import { type Plane, ServiceError, VALIDATION_CODES } from './service-error.ts'

export interface TextShape<V extends string = string> {
  readonly kind: 'text'
  /** Characters. */
  readonly min?: number
  readonly max?: number
  /** Of the whole text. */
  readonly pattern?: RegExp
  /** An enumeration. */
  readonly values?: readonly V[]
}

export interface IntegerShape {
  readonly kind: 'integer'
  readonly min?: number
  readonly max?: number
}

/** Seconds since 1970, with a fraction. */
export interface TimestampShape {
  readonly kind: 'timestamp'
}

export interface BooleanShape {
  readonly kind: 'boolean'
}

export interface ListShape<E = unknown> {
  readonly kind: 'list'
  readonly of: E
  readonly min?: number
  readonly max?: number
}

/** An element of a list that may be null: a rule of the operation says what of it. */
export interface NullableShape<E = unknown> {
  readonly kind: 'nullable'
  readonly of: E
}

export interface StructureShape<R = ShapeMembers, O = ShapeMembers> {
  readonly kind: 'structure'
  readonly required: R
  readonly optional: O
  /** Of a tagged union exactly one member is present. */
  readonly isUnion?: boolean
}

/** Expressions of a search nest; a shape that holds itself is named by a function, and its type is written out. */
export interface LazyShape<V = unknown> {
  readonly kind: 'lazy'
  readonly shape: () => Shape
  /** Only for the compiler. */
  readonly value?: V
}

export type Shape =
  | TextShape
  | IntegerShape
  | TimestampShape
  | BooleanShape
  | ListShape
  | NullableShape
  | StructureShape
  | LazyShape
export type ShapeMembers = Readonly<Record<string, Shape>>

/** The TypeScript type of what satisfies a shape. */
export type ShapeValue<S> =
  S extends TextShape<infer V>
    ? V
    : S extends IntegerShape | TimestampShape
      ? number
      : S extends BooleanShape
        ? boolean
        : S extends ListShape<infer E>
          ? readonly ShapeValue<E>[]
          : S extends NullableShape<infer E>
            ? ShapeValue<E> | null
            : S extends StructureShape<infer R, infer O>
              ? { readonly [K in keyof R]: ShapeValue<R[K]> } & { readonly [K in keyof O]?: ShapeValue<O[K]> }
              : S extends LazyShape<infer V>
                ? V
                : never

export const text = (rules: Omit<TextShape, 'kind' | 'values'> = {}): TextShape => ({
  kind: 'text',
  ...rules,
})
export const oneOf = <const V extends readonly string[]>(...values: V): TextShape<V[number]> => ({
  kind: 'text',
  values,
})
export const integer = (rules: Omit<IntegerShape, 'kind'> = {}): IntegerShape => ({
  kind: 'integer',
  ...rules,
})
export const timestamp: TimestampShape = { kind: 'timestamp' }
export const boolean: BooleanShape = { kind: 'boolean' }
export const list = <E>(of: E, rules: Omit<ListShape, 'kind' | 'of'> = {}): ListShape<E> => ({
  kind: 'list',
  of,
  ...rules,
})
export const nullable = <E>(of: E): NullableShape<E> => ({ kind: 'nullable', of })
export const structure = <R extends object, O extends object>(
  required: R,
  optional: O,
): StructureShape<R, O> => ({ kind: 'structure', required, optional })
export const lazy = <V>(shape: () => Shape): LazyShape<V> => ({ kind: 'lazy', shape })
export const union = <O extends object>(optional: O): StructureShape<object, O> => ({
  kind: 'structure',
  required: {},
  optional,
  isUnion: true,
})

/**
 * Checks an input. Nothing is copied, except a structure that has null members: it comes back without them.
 * @throws ServiceError SerializationException, or the plane's validation code; the message names the member's path, the
 *   constraint and the value
 */
export function checkInput<S extends StructureShape<object, object>>(
  plane: Plane,
  shape: S,
  input: unknown,
): ShapeValue<S> {
  const check = new Check(plane)
  const value = check.visit(shape as unknown as Shape, input ?? {}, '')
  if (check.violation !== undefined) {
    throw new ServiceError(plane, VALIDATION_CODES[plane], check.violation)
  }
  return value as ShapeValue<S>
}

class Check {
  /** The first constraint that is broken. Looking goes on: a wrong type further on comes first. */
  violation: string | undefined
  readonly #plane: Plane

  constructor(plane: Plane) {
    this.#plane = plane
  }

  visit(shape: Shape, value: unknown, path: string): unknown {
    switch (shape.kind) {
      case 'text':
        if (typeof value !== 'string') throw this.#wrongType(path, 'a string', value)
        this.#text(shape, value, path)
        return value
      case 'integer':
        if (typeof value !== 'number' || !Number.isInteger(value)) {
          throw this.#wrongType(path, 'a whole number', value)
        }
        this.#range(shape, value, path, '')
        return value
      case 'timestamp':
        if (typeof value !== 'number' || !Number.isFinite(value)) {
          throw this.#wrongType(path, 'a number of seconds since 1970', value)
        }
        return value
      case 'boolean':
        if (typeof value !== 'boolean') throw this.#wrongType(path, 'true or false', value)
        return value
      case 'list':
        return this.#list(shape, value, path)
      case 'structure':
        return this.#structure(shape, value, path)
      case 'nullable':
        return this.visit(shape.of as Shape, value, path)
      case 'lazy':
        return this.visit(shape.shape(), value, path)
    }
  }

  #text({ values, min = 0, max, pattern }: TextShape, value: string, path: string): void {
    if (values !== undefined) {
      if (!values.includes(value)) this.#broken(path, `expected one of ${values.join(', ')}`, quote(value))
      return
    }
    if (value.length < min || (max !== undefined && value.length > max && characterCount(value) > max)) {
      const range = max === undefined ? `at least ${min}` : `${min} to ${max}`
      this.#broken(path, `expected ${range} characters`, `${characterCount(value)}: ${quote(value)}`)
    } else if (pattern !== undefined && !pattern.test(value)) {
      this.#broken(path, `expected a text that matches ${pattern.source}`, quote(value))
    }
  }

  #list(shape: ListShape, value: unknown, path: string): unknown {
    if (!Array.isArray(value)) throw this.#wrongType(path, 'a list', value)
    this.#range(shape, value.length, path, ' elements')
    let copy: unknown[] | undefined
    for (let i = 0; i < value.length; i++) {
      const element: unknown = value[i]
      if (element === null || element === undefined) {
        if (element === null && (shape.of as Shape).kind === 'nullable') continue
        this.#broken(`${path}[${i}]`, 'expected a value', 'null')
        continue
      }
      const checked = this.visit(shape.of as Shape, element, `${path}[${i}]`)
      if (checked === element) continue
      copy ??= [...value]
      copy[i] = checked
    }
    return copy ?? value
  }

  #structure(shape: StructureShape, value: unknown, path: string): unknown {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.#wrongType(path, 'an object', value)
    }
    const given = value as Readonly<Record<string, unknown>>
    let copy: Record<string, unknown> | undefined
    let present = 0
    const member = (name: string, of: Shape, isRequired: boolean): void => {
      const found = given[name]
      if (found === undefined || found === null) {
        if (isRequired) this.#broken(memberPath(path, name), 'expected a value', 'none')
        if (found === undefined) return
        copy ??= { ...given }
        delete copy[name]
        return
      }
      present++
      const checked = this.visit(of, found, memberPath(path, name))
      if (checked === found) return
      copy ??= { ...given }
      copy[name] = checked
    }
    for (const name in shape.required) member(name, shape.required[name]!, true)
    for (const name in shape.optional) member(name, shape.optional[name]!, false)
    if (shape.isUnion === true && present !== 1) {
      this.#broken(path, `expected exactly one of ${Object.keys(shape.optional).join(', ')}`, `${present}`)
    }
    return copy ?? value
  }

  #range({ min, max }: { min?: number; max?: number }, value: number, path: string, what: string): void {
    if ((min === undefined || value >= min) && (max === undefined || value <= max)) return
    const range =
      max === undefined ? `at least ${min}` : min === undefined ? `at most ${max}` : `${min} to ${max}`
    this.#broken(path, `expected ${range}${what}`, `${value}`)
  }

  #broken(path: string, expected: string, found: string): void {
    this.violation ??= `${path}: ${expected}, found ${found}.`
  }

  #wrongType(path: string, expected: string, value: unknown): ServiceError {
    const where = path === '' ? 'The input' : path
    return new ServiceError(
      this.#plane,
      'SerializationException',
      `${where}: expected ${expected}, found ${typeText(value)}.`,
    )
  }
}

const memberPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

function typeText(value: unknown): string {
  if (typeof value === 'string') return `the string ${quote(value)}`
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : typeof value
}
