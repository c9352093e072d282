/** What a value of each feature type may be, how large a record may be, and the errors that say what is wrong. */
import { numberText } from '../codec/collection.ts'
import { invalid, type MillraceError, quote } from '../core/errors.ts'
import { EVENT_SECONDS_MAX } from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import type { FeatureSchema, RecordSchema } from '../core/model.ts'

/** No number is longer as text; a record below the limit with this for each number is below it exactly. */
export const NUMBER_TEXT_BYTES_MAX = 26
export const ILL_FORMED = 'found ill-formed Unicode (a lone surrogate)'

const MINUS_ZERO = Symbol('-0')
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/** an expiry past the year 9999 could not be written. */
export function checkExpiry(schema: RecordSchema, eventSeconds: number, ttlSeconds: number): void {
  if (eventSeconds + ttlSeconds <= EVENT_SECONDS_MAX) return
  throw featureError(
    schema,
    schema.eventTime,
    `the ttl of ${ttlSeconds} seconds takes the expiry past the year 9999`,
  )
}

/** @param index - of an element of a collection */
export function checkFractional(
  schema: RecordSchema,
  feature: FeatureSchema,
  value: unknown,
  index?: number,
): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw featureError(
    schema,
    feature,
    `expected a Fractional (a finite number), found ${describe(value)}`,
    index,
  )
}

/** @param index - of an element of a collection */
export function checkIntegral(
  schema: RecordSchema,
  feature: FeatureSchema,
  value: unknown,
  index?: number,
): bigint {
  if (typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX) return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  let expected = 'an Integral (a number or bigint)'
  let advice = ''
  if (typeof value === 'bigint') expected = `an Integral from ${INT64_MIN} to ${INT64_MAX}`
  if (typeof value === 'number') {
    expected = 'an Integral (a whole number)'
    if (Number.isInteger(value)) advice = '; beyond 2^53 use a bigint, numbers are not exact there'
  }
  throw featureError(schema, feature, `expected ${expected}, found ${describe(value)}${advice}`, index)
}

/** A text that is too long by its characters alone is not encoded. */
export function checkTextLength(
  schema: RecordSchema,
  feature: FeatureSchema,
  text: string,
  index?: number,
): void {
  const { length } = text
  if (length <= limits.recordBytesMax) return
  throw featureError(
    schema,
    feature,
    `a value has at most ${limits.recordBytesMax} bytes, found ${length} characters`,
    index,
  )
}

/**
 * UTF-8 bytes of a value's text, of a collection those of all elements together. What is not of a legal type
 * counts nothing: it is refused for its type.
 */
export function textBytesOf(feature: FeatureSchema, value: unknown): number {
  if (feature.collection === undefined || typeof value !== 'object' || value === null)
    return scalarBytes(value)
  const elements: Iterable<unknown> = Symbol.iterator in value ? (value as Iterable<unknown>) : []
  const distinct = feature.collection === 'Set' ? new Map(Array.from(elements, keyed)).values() : elements
  let bytes = 0
  for (const element of distinct) bytes += scalarBytes(element)
  return bytes
}

const keyed = (element: unknown): [unknown, unknown] => [elementKey(element), element]

function scalarBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value)
  return typeof value === 'number' || typeof value === 'bigint' ? numberText(value).length : 0
}

/** What two elements of a Set have in common if their texts are the same, without making the texts. */
export function elementKey(element: unknown): unknown {
  if (typeof element === 'bigint') {
    const number = Number(element)
    return Number.isSafeInteger(number) ? number : element
  }
  // To a JavaScript Set both zeros are one value.
  return Object.is(element, -0) ? MINUS_ZERO : element
}

/** @param index - of the element that is wrong in a collection */
export function featureError(
  schema: RecordSchema,
  feature: FeatureSchema,
  text: string,
  index?: number,
): MillraceError {
  const element = index === undefined ? '' : `, element ${index}`
  return invalid(`feature group "${schema.group.name}", feature "${feature.name}"${element}: ${text}`, {
    featureGroup: schema.group.name,
    feature: feature.name,
  })
}

/** */
export const tooLarge = (schema: RecordSchema, bytes: number): MillraceError =>
  invalid(
    `feature group "${schema.group.name}": a record has at most ${limits.recordBytesMax} bytes of names and values, found ${bytes}`,
    { featureGroup: schema.group.name },
  )

export const tooManyElements = (schema: RecordSchema, count: number): MillraceError =>
  invalid(
    `feature group "${schema.group.name}": the collections of a record have at most ${limits.collectionElementsMax} elements, found ${count}`,
    { featureGroup: schema.group.name },
  )

/** A value as an error message shows it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `the string ${quote(value)}`
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'number' || typeof value === 'boolean') return `${typeof value} ${value}`
  if (typeof value === 'bigint') return `bigint ${quote(String(value)).slice(1, -1)}`
  if (value instanceof Date)
    return `a Date (${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()})`
  if (Array.isArray(value)) return 'an array'
  if (value instanceof Set) return 'a Set'
  if (value instanceof Float64Array || value instanceof Float32Array) return `a ${value.constructor.name}`
  return `a value of type ${typeof value}`
}
