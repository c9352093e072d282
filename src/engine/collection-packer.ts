/**
 * A CollectionPacker validates the value of a List, Set or Vector and packs it into the current row of a batch.
 * Owns: the reused scratch of one collection, the number of elements of a record. Does not own: the record's size in
 * bytes, which is the caller's.
 * Invariant: nothing is set before every element was accepted.
 */
import type { BatchBuilder } from '../codec/batch-builder.ts'
import { CollectionWriter } from '../codec/collection.ts'
import type { MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import {
  declarationOf,
  type FeatureSchema,
  KIND_FRACTIONAL,
  KIND_INTEGRAL,
  type RecordSchema,
  typeText,
} from '../core/model.ts'
import {
  checkFractional,
  checkIntegral,
  checkTextLength,
  describe,
  elementKey,
  featureError,
  ILL_FORMED,
  NUMBER_TEXT_BYTES_MAX,
  tooManyElements,
} from './value-checks.ts'

const ACCEPTED = {
  List: 'an array',
  Set: 'an array or a Set',
  Vector: 'an array, a Float64Array or a Float32Array',
} as const

export class CollectionPacker {
  /** Elements packed since it was set to 0, which is done at the start of a record. */
  elements = 0
  readonly #schema: RecordSchema
  readonly #writer = new CollectionWriter()
  /** Keys of the elements of a Set so far; empty between collections. */
  readonly #seen = new Set<unknown>()

  constructor(schema: RecordSchema) {
    this.#schema = schema
  }

  /**
   * @param feature - a collection
   * @returns the size the elements have as texts, or a bound above it
   * @throws MillraceError INVALID_ARGUMENT naming the feature, the element's index, what was expected and what was found
   */
  pack(batch: BatchBuilder, feature: FeatureSchema, value: unknown): number {
    return this.packElements(batch, feature, this.#elementsOf(feature, value))
  }

  /** The same for elements from wherever they come; see `pack`. */
  packElements(batch: BatchBuilder, feature: FeatureSchema, elements: ArrayLike<unknown>): number {
    const { length } = elements
    if (feature.collection === 'Vector' && length !== feature.dimension) {
      throw this.#error(feature, `expected ${feature.dimension} elements, found ${length}`)
    }
    if (length > limits.collectionElementsMax) {
      throw this.#error(
        feature,
        `a collection has at most ${limits.collectionElementsMax} elements, found ${length}`,
      )
    }
    const bytes =
      feature.collection === 'Set' ? this.#addDistinct(feature, elements) : this.#add(feature, elements)
    this.elements += this.#writer.count
    if (this.elements > limits.collectionElementsMax) throw tooManyElements(this.#schema, this.elements)
    this.#writer.place(batch, feature.slot)
    return bytes
  }

  #elementsOf(feature: FeatureSchema, value: unknown): ArrayLike<unknown> {
    if (Array.isArray(value)) return value
    if (feature.collection === 'Set' && value instanceof Set) return [...value]
    const isTyped = value instanceof Float64Array || value instanceof Float32Array
    if (feature.collection === 'Vector' && isTyped) return value
    const declaration = declarationOf(this.#schema.group.features[feature.index]!)
    const accepted = ACCEPTED[feature.collection ?? 'List']
    throw this.#error(feature, `expected a ${typeText(declaration)} (${accepted}), found ${describe(value)}`)
  }

  #addDistinct(feature: FeatureSchema, elements: ArrayLike<unknown>): number {
    try {
      return this.#add(feature, elements, this.#seen)
    } finally {
      this.#seen.clear()
    }
  }

  /** @param seen - elements that are in it are left out */
  #add(feature: FeatureSchema, elements: ArrayLike<unknown>, seen?: Set<unknown>): number {
    const writer = this.#writer
    const { length } = elements
    const isNumeric = feature.kind === KIND_FRACTIONAL || feature.kind === KIND_INTEGRAL
    if (isNumeric) writer.beginWords(length)
    else writer.beginTexts(length)
    let bytes = 0
    for (let i = 0; i < length; i++) {
      const element = elements[i]
      if (feature.kind === KIND_FRACTIONAL) {
        const number = checkFractional(this.#schema, feature, element, i)
        if (seen === undefined || isNew(seen, number)) writer.addFractional(number)
      } else if (feature.kind === KIND_INTEGRAL) {
        // An integer has one zero.
        const integer = isSafe(element) ? element + 0 : checkIntegral(this.#schema, feature, element, i)
        if (seen !== undefined && !isNew(seen, integer)) continue
        if (typeof integer === 'number') writer.addInteger(integer)
        else writer.addBigInteger(integer)
      } else {
        const text = this.#checkText(feature, element, i)
        if (seen !== undefined && !isNew(seen, text)) continue
        const added = writer.addText(text)
        if (added < 0) throw this.#error(feature, ILL_FORMED, i)
        bytes += added
        if (bytes > limits.recordBytesMax) {
          throw this.#error(feature, `a value has at most ${limits.recordBytesMax} bytes, found more`)
        }
      }
    }
    return isNumeric ? writer.count * NUMBER_TEXT_BYTES_MAX : bytes
  }

  #checkText(feature: FeatureSchema, element: unknown, index: number): string {
    if (typeof element !== 'string') {
      throw this.#error(feature, `expected a String, found ${describe(element)}`, index)
    }
    checkTextLength(this.#schema, feature, element, index)
    return element
  }

  #error(feature: FeatureSchema, text: string, index?: number): MillraceError {
    return featureError(this.#schema, feature, text, index)
  }
}

const isSafe = (element: unknown): element is number => Number.isSafeInteger(element)

/** Puts an element among those seen. @returns whether it was not there */
function isNew(seen: Set<unknown>, element: string | number | bigint): boolean {
  const key = elementKey(element)
  if (seen.has(key)) return false
  seen.add(key)
  return true
}
