/**
 * Ids and event times of callers, checked, in the form in which queries compare them.
 *
 * A String event time is compared by a text of fixed width: its 19 characters down to the second and nine digits of
 * the fraction, without point and Z. So `...12:00:00Z` equals `...12:00:00.000Z`, nothing is cut to
 * microseconds, and the order of texts is the order of instants over all legal years. A Fractional one is a double.
 */
import type { FeatureType } from '../core/definition.ts'
import { invalid, quote } from '../core/errors.ts'
import {
  eventHour,
  eventTimeText,
  FRACTIONAL_EVENT_TIME_FORMAT,
  fractionalInstant,
  instantFromMs,
  newInstant,
  parseStringEventTime,
  STRING_EVENT_TIME_FORMAT,
} from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { sqlName } from './sql.ts'

/** In the type of the identifier's column: BIGINT, DOUBLE or VARCHAR. */
export type IdKey = bigint | number | string

export interface EventTimeKey {
  readonly key: string | number
  readonly eventHour: number
}

export const typeOf = (group: FeatureGroupModel, name: string): FeatureType => {
  const feature = group.features.find((each) => each.name === name)
  // The catalog holds checked definitions.
  if (feature === undefined) throw invalid(`feature group "${group.name}" has no feature ${quote(name)}`)
  return feature.type
}

/** The key of the event-time column, in SQL. */
export function eventTimeKeySql(group: FeatureGroupModel): string {
  const column = sqlName(group.eventTime)
  return typeOf(group, group.eventTime) === 'String'
    ? `rpad(translate(${column}, '.Z', ''), 28, '0')`
    : column
}

const instant = newInstant()

/**
 * @param what - names the value in the message
 * @throws INVALID_ARGUMENT if it is not an event time of this group
 */
export function eventTimeKey(group: FeatureGroupModel, value: unknown, what: string): EventTimeKey {
  const isText = typeOf(group, group.eventTime) === 'String'
  const given = value instanceof Date && !isText ? value.getTime() / 1000 : value
  const isValid = isText
    ? typeof given === 'string'
      ? parseStringEventTime(given, instant)
      : given instanceof Date && instantFromMs(given.getTime(), instant)
    : typeof given === 'number' && fractionalInstant(given, instant)
  if (!isValid) {
    const format = isText ? STRING_EVENT_TIME_FORMAT : FRACTIONAL_EVENT_TIME_FORMAT
    throw invalid(`${what}: expected ${format} or a Date, found ${describe(value)}`, {
      featureGroup: group.name,
    })
  }
  const { seconds, nanos } = instant
  const key = isText ? eventTimeText(seconds, nanos, 9).replace(/[.Z]/g, '') : (given as number)
  return { key, eventHour: eventHour(seconds) }
}

const INT64_MAX = 2n ** 63n - 1n

/**
 * @param what - names the value in the message
 * @throws INVALID_ARGUMENT if it cannot be an id of this group
 */
export function idKey(group: FeatureGroupModel, value: unknown, what: string): IdKey {
  const type = typeOf(group, group.recordIdentifier)
  const key =
    type === 'String' ? textId(value) : type === 'Integral' ? integralId(value) : fractionalId(value)
  if (key !== undefined) return key
  const expected = {
    String: `a well-formed text of 1 to ${limits.recordIdBytesMax} bytes`,
    Integral: 'a whole number of 64 bits',
    Fractional: 'a finite number',
  }[type]
  throw invalid(`${what}: expected ${expected}, found ${describe(value)}`, { featureGroup: group.name })
}

function textId(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') return undefined
  const text = String(value)
  const isValid = text !== '' && text.isWellFormed() && Buffer.byteLength(text) <= limits.recordIdBytesMax
  return isValid ? text : undefined
}

function integralId(value: unknown): bigint | undefined {
  const isWhole =
    typeof value === 'bigint' ||
    (typeof value === 'number' ? Number.isSafeInteger(value) : /^-?\d{1,19}$/.test(String(value)))
  if (!isWhole) return undefined
  const id = BigInt(value as bigint | number | string)
  return id > INT64_MAX || id < -INT64_MAX - 1n ? undefined : id
}

function fractionalId(value: unknown): number | undefined {
  if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === '')) return undefined
  const id = Number(value)
  return Number.isFinite(id) ? id : undefined
}

const describe = (value: unknown): string =>
  typeof value === 'string'
    ? quote(value)
    : value instanceof Date
      ? `the date ${String(value)}`
      : String(value)
