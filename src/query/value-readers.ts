/**
 * Readers turn one column of a chunk into JavaScript values, in an array that the caller reuses. They make as few
 * objects as the values allow: repeated strings and event times are the same string object again.
 */
import { EVENT_SECONDS_MAX, EVENT_SECONDS_MIN, eventTimeText, fractionDigits } from '../core/event-time.ts'
import type { ColumnChunk, ColumnData, ValueBytes } from './column-chunk.ts'

export type InputValue = string | number | bigint | null

/** How a selected column is laid out and what its values mean. */
export type Reading =
  /** A 64-bit integer. */
  | 'integer'
  /** The decimal text of an integer of any width. */
  | 'integerText'
  | 'double'
  | 'text'
  /** Microseconds since 1970, read as the text of a String event time. */
  | 'timestampMicros'
  /** The same in nanoseconds. */
  | 'timestampNanos'

export interface ColumnReader {
  /** Fills `into[0, chunk.rowCount)`; null where there is no value. */
  read(chunk: ColumnChunk, column: number, into: InputValue[]): void
}

export const READERS: Record<Reading, () => ColumnReader> = {
  integer: () => forEachValue(8, (data, row) => readInteger(data.words, row)),
  integerText: () => {
    const text = textReader()
    return forEachValue(
      16,
      (data, row, chunk) => {
        const value = BigInt(text.read(data, row, chunk))
        return isSafe(value) ? Number(value) : value
      },
      text.nextChunk,
    )
  },
  double: () => forEachValue(8, (data, row) => data.bytes.readDoubleLE(row * 8)),
  text: () => {
    const text = textReader()
    return forEachValue(16, text.read, text.nextChunk)
  },
  timestampMicros: () => timestampReader(microsText),
  timestampNanos: () => timestampReader(nanosText),
}

function forEachValue(
  valueBytes: ValueBytes,
  valueAt: (data: ColumnData, row: number, chunk: ColumnChunk) => InputValue,
  startChunk: () => void = () => undefined,
): ColumnReader {
  return {
    read(chunk, column, into) {
      startChunk()
      const data = chunk.column(column, valueBytes)
      const { validity } = data
      const { rowCount } = chunk
      for (let row = 0; row < rowCount; row++) {
        const isValid = validity === undefined || ((validity[row >>> 5]! >>> (row & 31)) & 1) === 1
        into[row] = isValid ? valueAt(data, row, chunk) : null
      }
    },
  }
}

const TWO_TO_32 = 0x1_0000_0000
const isSafe = (value: bigint): boolean =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)

/** A number where that is exact, else a bigint. */
function readInteger(words: Uint32Array, row: number): number | bigint {
  const low = words[row * 2]!
  const high = words[row * 2 + 1]! | 0
  // Most integers fit 31 bits; kept as such they need no heap object.
  if (high === (low | 0) >> 31) return low | 0
  const value = high * TWO_TO_32 + low
  return Number.isSafeInteger(value) ? value : readBigInt(words, row)
}

const readBigInt = (words: Uint32Array, row: number): bigint =>
  (BigInt(words[row * 2 + 1]! | 0) << 32n) | BigInt(words[row * 2]!)

/** Slots of the string cache of a column. A power of two. */
const CACHED_TEXTS = 4096
const INLINE_BYTES_MAX = 12

/**
 * Strings of a column. A string is 16 bytes: its length, then up to 12 bytes of text, or the first four and the
 * address of the text. Equal words mean equal text, for an address within one chunk only: hence the generation.
 */
function textReader(): {
  nextChunk(): void
  read(data: ColumnData, row: number, chunk: ColumnChunk): string
} {
  const keys = new Uint32Array(CACHED_TEXTS * 5)
  const texts = new Array<string | undefined>(CACHED_TEXTS).fill(undefined)
  let generation = 0

  return {
    nextChunk() {
      generation = (generation + 1) >>> 0
    },
    read(data, row, chunk) {
      const { words } = data
      const at = row * 4
      const byteLength = words[at]!
      const w1 = words[at + 1]!
      const w2 = words[at + 2]!
      const w3 = words[at + 3]!
      const epoch = byteLength > INLINE_BYTES_MAX ? generation : 0
      const mixed = Math.imul(
        byteLength ^ Math.imul(w1, 0x9e3779b1) ^ Math.imul(w2, 0x85ebca6b) ^ w3,
        0xc2b2ae35,
      )
      const slot = (mixed >>> 16) & (CACHED_TEXTS - 1)
      const key = slot * 5
      const cached = texts[slot]
      if (
        cached !== undefined &&
        keys[key] === byteLength &&
        keys[key + 1] === w1 &&
        keys[key + 2] === w2 &&
        keys[key + 3] === w3 &&
        keys[key + 4] === epoch
      ) {
        return cached
      }
      const text =
        byteLength > INLINE_BYTES_MAX
          ? chunk.longText(data, row, byteLength)
          : data.bytes.toString('utf8', row * 16 + 4, row * 16 + 4 + byteLength)
      keys[key] = byteLength
      keys[key + 1] = w1
      keys[key + 2] = w2
      keys[key + 3] = w3
      keys[key + 4] = epoch
      texts[slot] = text
      return text
    },
  }
}

/** Neighbouring rows often share their time, so the last text is kept. */
function timestampReader(textOf: (words: Uint32Array, row: number) => string): ColumnReader {
  let lastLow = 0
  let lastHigh = 0
  let lastText: string | undefined
  return forEachValue(8, (data, row) => {
    const low = data.words[row * 2]!
    const high = data.words[row * 2 + 1]!
    if (lastText === undefined || low !== lastLow || high !== lastHigh) {
      lastText = textOf(data.words, row)
      lastLow = low
      lastHigh = high
    }
    return lastText
  })
}

function microsText(words: Uint32Array, row: number): string {
  const micros = (words[row * 2 + 1]! | 0) * TWO_TO_32 + words[row * 2]!
  if (!Number.isSafeInteger(micros)) return bigTimestampText(readBigInt(words, row), 1_000_000n)
  const seconds = Math.floor(micros / 1_000_000)
  return instantText(seconds, (micros - seconds * 1_000_000) * 1000)
}

const nanosText = (words: Uint32Array, row: number): string =>
  bigTimestampText(readBigInt(words, row), 1_000_000_000n)

/** DuckDB's `infinity`; its negative is `-infinity`. */
const INFINITE = 2n ** 63n - 1n

function bigTimestampText(value: bigint, perSecond: bigint): string {
  if (value === INFINITE) return 'infinity'
  if (value === -INFINITE) return '-infinity'
  const rest = ((value % perSecond) + perSecond) % perSecond
  return instantText(Number((value - rest) / perSecond), Number(rest * (1_000_000_000n / perSecond)))
}

/** The text of an instant with as many fraction digits as it needs. */
function instantText(seconds: number, nanos: number): string {
  const digits = fractionDigits(nanos)
  if (seconds >= EVENT_SECONDS_MIN && seconds <= EVENT_SECONDS_MAX)
    return eventTimeText(seconds, nanos, digits)
  // Not a legal event time, but legal as the value of another feature: spelled alike, with a year of any length.
  const cycles = Math.floor(seconds / CALENDAR_CYCLE_SECONDS)
  const within = eventTimeText(seconds - cycles * CALENDAR_CYCLE_SECONDS, nanos, digits)
  return `${Number(within.slice(0, 4)) + cycles * 400}${within.slice(4)}`
}

/** The calendar repeats itself every 400 years. */
const CALENDAR_CYCLE_SECONDS = 146_097 * 86_400
