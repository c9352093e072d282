/**
 * What is wrong with a record, for whoever sent it: its first offending feature in the order of the request.
 * The packer only finds out that something is wrong, as fast as it can; the words for it are found here.
 */
import { invalid, type MillraceError, quote } from '../core/errors.ts'
import {
  EVENT_SECONDS_MAX,
  FRACTIONAL_EVENT_TIME_FORMAT,
  newInstant,
  parseFractionalEventTime,
  parseStringEventTime,
  STRING_EVENT_TIME_FORMAT,
} from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import {
  type FeatureSchema,
  KIND_FRACTIONAL,
  KIND_INTEGRAL,
  KIND_STRING,
  type RecordSchema,
} from '../core/model.ts'
import { NumberReader, TEXT_INVALID } from '../core/number-text.ts'
import type { WrittenValue } from './data-plane-shapes.ts'

const reader = new NumberReader()
const instant = newInstant()

/** The expiry that a record is to have: event time plus this many seconds; 0 for none. */
interface Expiry {
  readonly ttlSeconds: number
}

/**
 * @returns what a put of the record is refused with; undefined if nothing is wrong with it
 */
export function recordOffence(
  schema: RecordSchema,
  record: readonly WrittenValue[],
  expiry: Expiry,
): MillraceError | undefined {
  const offence =
    featuresOffence(schema, record, undefined) ??
    missingOffence(schema, record) ??
    sizeOffence(schema, record) ??
    expiryOffence(schema, record, expiry)
  return offence === undefined ? undefined : offenceError(schema, offence)
}

/** The same of an update, which needs neither the id nor an event time among its features. */
export function updateOffence(
  schema: RecordSchema,
  id: string,
  features: readonly WrittenValue[],
  expiry: Expiry,
): MillraceError | undefined {
  const offence =
    idOffence(schema, id) ??
    featuresOffence(schema, features, id) ??
    sizeOffence(schema, features) ??
    expiryOffence(schema, features, expiry)
  return offence === undefined ? undefined : offenceError(schema, offence)
}

/** The same of a delete. */
export function deleteOffence(
  schema: RecordSchema,
  id: string,
  eventTime: string,
): MillraceError | undefined {
  const offence = idOffence(schema, id) ?? timeOffence(schema, eventTime, 'EventTime')
  return offence === undefined ? undefined : offenceError(schema, offence)
}

/** What is wrong with an id that a record is to be read by; ids of another type are just not there. */
export function readIdOffence(id: string): string | undefined {
  return idTextOffence('RecordIdentifierValueAsString', id)
}

interface Offence {
  readonly text: string
  readonly feature?: string
}

function offenceError(schema: RecordSchema, { text, feature }: Offence): MillraceError {
  const { name } = schema.group
  return invalid(text, feature === undefined ? { featureGroup: name } : { featureGroup: name, feature })
}

function featuresOffence(
  schema: RecordSchema,
  values: readonly WrittenValue[],
  id: string | undefined,
): Offence | undefined {
  const seen = new Set<string>()
  for (const value of values) {
    const { FeatureName: name } = value
    const feature = schema.byName.get(name)
    const text =
      feature === undefined
        ? `Feature [${cut(name)}] is not defined in feature group ${schema.group.name}: ${known(schema)}.`
        : seen.has(name)
          ? `Feature [${name}] occurs more than once; a record has each feature once.`
          : (memberOffence(feature, value) ??
            valueOffence(schema, feature, value) ??
            otherIdOffence(schema, feature, value, id))
    if (text !== undefined) return { text, feature: cut(name) }
    seen.add(name)
  }
  return undefined
}

/** */
function memberOffence(feature: FeatureSchema, value: WrittenValue): string | undefined {
  const wanted = feature.collection === undefined ? 'ValueAsString' : 'ValueAsStringList'
  const other = feature.collection === undefined ? 'ValueAsStringList' : 'ValueAsString'
  if (isGiven(value[wanted]) && !isGiven(value[other])) return undefined
  const what = feature.collection === undefined ? 'a single value' : `a ${feature.collection}`
  const found = isGiven(value[other]) ? (isGiven(value[wanted]) ? 'both' : other) : 'neither'
  return `Feature [${feature.name}] is ${what}: exactly ${wanted} is required, found ${found}.`
}

function valueOffence(schema: RecordSchema, feature: FeatureSchema, value: WrittenValue): string | undefined {
  if (feature.collection !== undefined) return collectionOffence(feature, value.ValueAsStringList ?? [])
  const text = value.ValueAsString ?? ''
  if (feature === schema.identifier) {
    const offence = idOffence(schema, text)
    if (offence !== undefined) return offence.text
  }
  if (feature === schema.eventTime) return timeOffence(schema, text, `feature [${feature.name}]`)?.text
  return textOffence(feature, text, `The value of feature [${feature.name}]`)
}

function collectionOffence(feature: FeatureSchema, elements: readonly (string | null)[]): string | undefined {
  const { name, collection, dimension } = feature
  if (collection === 'Vector' && elements.length !== dimension) {
    return `Feature [${name}] is a Vector of ${dimension} elements, found ${elements.length}.`
  }
  for (const [i, element] of elements.entries()) {
    const offence = isGiven(element)
      ? textOffence(feature, element, `Element ${i} of feature [${name}]`)
      : `Element ${i} of feature [${name}] is null; an element is a value.`
    if (offence !== undefined) return offence
  }
  return undefined
}

/** Grammar, range and size of one value; `what` begins the message. */
function textOffence({ kind }: FeatureSchema, text: string, what: string): string | undefined {
  const bytes = Buffer.byteLength(text)
  if (bytes > limits.recordBytesMax) {
    return `${what} has ${bytes} bytes; at most ${limits.recordBytesMax} are allowed.`
  }
  if (kind === KIND_INTEGRAL && reader.readIntegral(text) === TEXT_INVALID) {
    return `${what} is not a valid Integral: a decimal whole number between ${INT64_MIN} and ${INT64_MAX} is required, found ${quote(text)}.`
  }
  if (kind === KIND_FRACTIONAL && reader.readFractional(text) === TEXT_INVALID) {
    return `${what} is not a valid Fractional: a number in decimal or scientific notation in the range of an IEEE-754 double is required, found ${quote(text)}.`
  }
  if (kind === KIND_STRING && !text.isWellFormed()) {
    return `${what} is not valid Unicode: it has a lone surrogate, which UTF-8 cannot hold.`
  }
  return undefined
}

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

function idOffence({ identifier }: RecordSchema, id: string): Offence | undefined {
  const text =
    idTextOffence(`feature [${identifier.name}]`, id) ??
    textOffence(identifier, id, `The record identifier, feature [${identifier.name}],`)
  return text === undefined ? undefined : { text, feature: identifier.name }
}

function idTextOffence(where: string, id: string): string | undefined {
  if (id === '') return `The record identifier, ${where}, must not be empty.`
  const bytes = Buffer.byteLength(id)
  if (bytes > limits.recordIdBytesMax) {
    return `The record identifier, ${where}, has ${bytes} bytes; at most ${limits.recordIdBytesMax} are allowed.`
  }
  if (id.isWellFormed()) return undefined
  return `The record identifier, ${where}, is not valid Unicode: it has a lone surrogate, which UTF-8 cannot hold.`
}

function timeOffence({ eventTime }: RecordSchema, text: string, where: string): Offence | undefined {
  if (readTime(eventTime, text)) return undefined
  const format = eventTime.kind === KIND_STRING ? STRING_EVENT_TIME_FORMAT : FRACTIONAL_EVENT_TIME_FORMAT
  return {
    text: `The event time, ${where}, must be in the format ${format}, found ${quote(text)}.`,
    feature: eventTime.name,
  }
}

const readTime = ({ kind }: FeatureSchema, text: string): boolean =>
  kind === KIND_STRING ? parseStringEventTime(text, instant) : parseFractionalEventTime(text, instant)

/** */
function otherIdOffence(
  schema: RecordSchema,
  feature: FeatureSchema,
  value: WrittenValue,
  id: string | undefined,
): string | undefined {
  if (id === undefined || feature !== schema.identifier || value.ValueAsString === id) return undefined
  return `Feature [${feature.name}] is the record identifier and must equal RecordIdentifierValueAsString, ${quote(id)}, found ${quote(value.ValueAsString ?? '')}.`
}

/** */
function missingOffence(schema: RecordSchema, record: readonly WrittenValue[]): Offence | undefined {
  const { identifier, eventTime } = schema
  const isMissing = ({ name }: FeatureSchema): boolean => !record.some((value) => value.FeatureName === name)
  if (isMissing(identifier)) {
    const text = `The record has no value of feature [${identifier.name}], its record identifier.`
    return { text, feature: identifier.name }
  }
  if (!isMissing(eventTime)) return undefined
  return {
    text: `The record has no value of feature [${eventTime.name}], its event time.`,
    feature: eventTime.name,
  }
}

/** R-096, of what is kept of the record. */
function sizeOffence(schema: RecordSchema, record: readonly WrittenValue[]): Offence | undefined {
  let bytes = 0
  let elements = 0
  for (const { FeatureName, ValueAsString, ValueAsStringList = [] } of record) {
    bytes += FeatureName.length + Buffer.byteLength(ValueAsString ?? '')
    const isSet = schema.byName.get(FeatureName)?.collection === 'Set'
    const kept = isSet ? [...new Set(ValueAsStringList)] : ValueAsStringList
    elements += kept.length
    for (const element of kept) bytes += Buffer.byteLength(element ?? '')
  }
  if (elements > limits.collectionElementsMax) {
    return {
      text: `The record has ${elements} elements in its collections; at most ${limits.collectionElementsMax} are allowed.`,
    }
  }
  if (bytes <= limits.recordBytesMax) return undefined
  return {
    text: `The record has ${bytes} bytes of names and values; at most ${limits.recordBytesMax} are allowed.`,
  }
}

/** R-404; of features that have nothing else wrong with them. */
function expiryOffence(
  { eventTime }: RecordSchema,
  values: readonly WrittenValue[],
  { ttlSeconds }: Expiry,
): Offence | undefined {
  const time = values.find((value) => value.FeatureName === eventTime.name)?.ValueAsString ?? ''
  if (!readTime(eventTime, time) || instant.seconds + ttlSeconds <= EVENT_SECONDS_MAX) return undefined
  return {
    text: `TtlDuration: ${ttlSeconds} seconds after the event time is past the year 9999.`,
    feature: eventTime.name,
  }
}

function known({ features }: RecordSchema): string {
  const names = features.slice(0, 12).map((feature) => feature.name)
  return `its features are ${names.join(', ')}${features.length > 12 ? ', ...' : ''}`
}

const cut = (name: string): string => quote(name).slice(1, -1)

const isGiven = <T>(value: T | null | undefined): value is T => value !== undefined && value !== null
