/** Event times out of Arrow columns: ISO text or timestamps for a String feature, seconds for a Fractional one. */
import { type Data, DataType, TimeUnit, Vector } from 'apache-arrow'
import { invalid, type MillraceError } from '../core/errors.ts'
import {
  EVENT_SECONDS_MAX,
  EVENT_SECONDS_MIN,
  FRACTIONAL_EVENT_TIME_FORMAT,
  fractionalInstant,
  fractionDigits,
  type Instant,
  newInstant,
  parseStringEventTime,
  STRING_EVENT_TIME_FORMAT,
} from '../core/event-time.ts'
import { KIND_STRING, type RecordSchema } from '../core/model.ts'
import { textRanges, wrongType } from './arrow-text.ts'

/** Reads the event time of a row into one reused instant. @throws INVALID_ARGUMENT for a row without a legal one */
export type EventTimeReader = (row: number) => Instant

const UNITS_PER_SECOND: Readonly<Record<TimeUnit, bigint>> = {
  [TimeUnit.SECOND]: 1n,
  [TimeUnit.MILLISECOND]: 1000n,
  [TimeUnit.MICROSECOND]: 1_000_000n,
  [TimeUnit.NANOSECOND]: 1_000_000_000n,
}

export function eventTimeReader(schema: RecordSchema, data: Data): EventTimeReader {
  const feature = schema.eventTime
  const instant = newInstant()
  const failed = (row: number, expected: string): MillraceError =>
    invalid(
      `feature group "${schema.group.name}", feature "${feature.name}": expected an event time in ${expected}, found ${show(data, row)}`,
      {
        featureGroup: schema.group.name,
        feature: feature.name,
      },
    )
  if (feature.kind !== KIND_STRING) {
    if (!DataType.isFloat(data.type)) throw wrongType(schema, feature, data, 'Float64 (Unix seconds)')
    const values = data.values as Float64Array
    return (row) => {
      if (!data.getValid(row) || !fractionalInstant(values[row]!, instant))
        throw failed(row, FRACTIONAL_EVENT_TIME_FORMAT)
      return instant
    }
  }
  if (DataType.isTimestamp(data.type)) {
    const unitsPerSecond = UNITS_PER_SECOND[data.type.unit]
    const values = data.values as BigInt64Array
    let last: bigint | undefined
    return (row) => {
      const value = values[row]!
      if (!data.getValid(row)) throw failed(row, 'the years 0000 to 9999')
      if (value === last) return instant
      last = undefined
      if (!readTimestamp(value, unitsPerSecond, instant)) throw failed(row, 'the years 0000 to 9999')
      last = value
      return instant
    }
  }
  const text = textRanges(schema, feature, data)
  return (row) => {
    const isRead =
      data.getValid(row) &&
      parseStringEventTime(text.bytes.toString('latin1', text.startOf(row), text.endOf(row)), instant)
    if (!isRead) throw failed(row, STRING_EVENT_TIME_FORMAT)
    return instant
  }
}

function readTimestamp(value: bigint, unitsPerSecond: bigint, into: Instant): boolean {
  let seconds = value / unitsPerSecond
  let rest = value % unitsPerSecond
  if (rest < 0n) {
    rest += unitsPerSecond
    seconds -= 1n
  }
  into.seconds = Number(seconds)
  into.nanos = Number(rest * (1_000_000_000n / unitsPerSecond))
  into.digits = fractionDigits(into.nanos)
  return into.seconds >= EVENT_SECONDS_MIN && into.seconds <= EVENT_SECONDS_MAX
}

function show(data: Data, row: number): string {
  const value: unknown = new Vector([data]).get(row)
  return value === null ? 'nothing' : JSON.stringify(String(value).slice(0, 128))
}
