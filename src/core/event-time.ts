/**
 * Event times (specification f.4 and f.5). An instant is whole seconds since 1970 plus nanoseconds, because the
 * legal years 0000..9999 do not fit 64-bit nanoseconds. The text of a String event time is exactly determined by
 * the instant and its number of fraction digits, so the text itself need not be stored.
 *
 * Parsing fills one reused `Instant` instead of allocating; it runs once per record on the bulk path.
 */
import { readExponent } from './number-text.ts'

export const EVENT_SECONDS_MIN = -62_167_219_200 // 0000-01-01T00:00:00Z
export const EVENT_SECONDS_MAX = 253_402_300_799 // 9999-12-31T23:59:59Z

/** Accepted spelling, for messages. */
export const STRING_EVENT_TIME_FORMAT = 'YYYY-MM-DDThh:mm:ss[.1 to 9 digits]Z, years 0000 to 9999'
export const FRACTIONAL_EVENT_TIME_FORMAT = `Unix seconds from ${EVENT_SECONDS_MIN} to ${EVENT_SECONDS_MAX}.999999999`

export interface Instant {
  /** Whole seconds since 1970-01-01T00:00:00Z, rounded toward the past. */
  seconds: number
  /** 0..999,999,999, always forward from `seconds`. */
  nanos: number
  /** Fraction digits of the text, 0..9; 0 for a Fractional event time. */
  digits: number
}

export const newInstant = (): Instant => ({ seconds: 0, nanos: 0, digits: 0 })

const DAYS_BEFORE_MONTH = new Uint16Array([0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
const DAYS_IN_MONTH = new Uint8Array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
const NANOS_PER_DIGIT = new Uint32Array([0, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 100, 10, 1])

const isLeapYear = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

/** Days from 1970-01-01 to the first of January of a year of the proleptic Gregorian calendar (year >= 0). */
function daysBeforeYear(year: number): number {
  // Leap days in years 0..year-1; year 0 is itself a leap year.
  const previous = year - 1
  const leapDays =
    year === 0 ? 0 : 1 + Math.floor(previous / 4) - Math.floor(previous / 100) + Math.floor(previous / 400)
  return year * 365 + leapDays - 719_528
}

/**
 * Reads a String event time.
 * @returns false if the text is not of the accepted form or not a real date; `into` is then undefined.
 */
export function parseStringEventTime(text: string, into: Instant): boolean {
  const length = text.length
  if (length < 20 || length > 30 || text.charCodeAt(length - 1) !== 0x5a) return false
  if (text.charCodeAt(4) !== 0x2d || text.charCodeAt(7) !== 0x2d || text.charCodeAt(10) !== 0x54) return false
  if (text.charCodeAt(13) !== 0x3a || text.charCodeAt(16) !== 0x3a) return false
  const year = digits2(text, 0) * 100 + digits2(text, 2)
  const month = digits2(text, 5)
  const day = digits2(text, 8)
  const hour = digits2(text, 11)
  const minute = digits2(text, 14)
  const second = digits2(text, 17)
  // A non-digit makes its pair at least NOT_DIGITS, and then some comparison below fails.
  if (!(year < 10_000 && month >= 1 && month <= 12 && hour < 24 && minute < 60 && second < 60)) return false
  const leap = isLeapYear(year)
  if (day < 1 || day > DAYS_IN_MONTH[month - 1]! + (leap && month === 2 ? 1 : 0)) return false

  let nanos = 0
  let digits = 0
  if (length > 20) {
    if (text.charCodeAt(19) !== 0x2e || length === 21) return false
    digits = length - 21
    for (let i = 20; i < length - 1; i++) {
      const digit = text.charCodeAt(i) - 0x30
      if (digit < 0 || digit > 9) return false
      nanos = nanos * 10 + digit
    }
    nanos *= NANOS_PER_DIGIT[digits]!
  }
  const days = daysBeforeYear(year) + DAYS_BEFORE_MONTH[month - 1]! + (leap && month > 2 ? 1 : 0) + (day - 1)
  into.seconds = days * 86_400 + hour * 3600 + minute * 60 + second
  into.nanos = nanos
  into.digits = digits
  return true
}

const NOT_DIGITS = 1_000_000

function digits2(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30
  const ones = text.charCodeAt(at + 1) - 0x30
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) return NOT_DIGITS
  return tens * 10 + ones
}

/** An event time given as milliseconds since 1970 (a Date); three fraction digits, like `Date.toISOString`. */
export function instantFromMs(ms: number, into: Instant): boolean {
  if (!Number.isFinite(ms)) return false
  const seconds = Math.floor(ms / 1000)
  if (seconds < EVENT_SECONDS_MIN || seconds > EVENT_SECONDS_MAX) return false
  into.seconds = seconds
  into.nanos = Math.trunc(ms - seconds * 1000) * 1_000_000
  into.digits = 3
  return true
}

/**
 * Reads a Fractional event time from decimal text, exactly: there is no detour through a double, and digits
 * beyond nanoseconds are cut toward the past.
 * @returns false if the text is not a number (f.2) or out of range; `into` is then undefined.
 */
export function parseFractionalEventTime(text: string, into: Instant): boolean {
  const { length } = text
  const isNegative = text.charCodeAt(0) === 0x2d
  const start = isNegative || text.charCodeAt(0) === 0x2b ? 1 : 0
  // First the form: where the digits end, where the point is, the exponent.
  let end = start
  let point = -1
  for (; end < length; end++) {
    const code = text.charCodeAt(end)
    if (code === 0x2e && point === -1) point = end
    else if (code < 0x30 || code > 0x39) break
  }
  if (end - start === (point === -1 ? 0 : 1)) return false
  const exponent = end === length ? 0 : readExponent(text, end)
  if (Number.isNaN(exponent)) return false
  // Then each digit by its power of ten: whole seconds, nanoseconds, or less than that.
  let power = (point === -1 ? end : point) - start + exponent
  let seconds = 0
  let nanos = 0
  let hasRemainder = false
  for (let at = start; at < end; at++) {
    if (at === point) continue
    const digit = text.charCodeAt(at) - 0x30
    power--
    if (digit === 0) continue
    if (power >= SECONDS_DIGITS_MAX) return false
    if (power >= 0) seconds += digit * POWERS_OF_TEN[power]!
    else if (power >= -9) nanos += digit * POWERS_OF_TEN[power + 9]!
    else hasRemainder = true
  }
  if (isNegative) {
    if (hasRemainder) nanos++
    // A negative instant is the second before it and the nanoseconds forward from there.
    seconds = -seconds - (nanos > 0 ? 1 : 0)
    nanos = nanos > 0 ? 1_000_000_000 - nanos : 0
  }
  if (seconds < EVENT_SECONDS_MIN || seconds > EVENT_SECONDS_MAX) return false
  into.seconds = seconds === 0 ? 0 : seconds
  into.nanos = nanos
  into.digits = 0
  return true
}

/** No second in range has more digits. */
const SECONDS_DIGITS_MAX = 12
const POWERS_OF_TEN = Array.from({ length: SECONDS_DIGITS_MAX }, (_, exponent) => 10 ** exponent)

/** A Fractional event time given as a number: its shortest decimal text, read exactly. */
export function fractionalInstant(value: number, into: Instant): boolean {
  if (Number.isInteger(value)) {
    if (value < EVENT_SECONDS_MIN || value > EVENT_SECONDS_MAX) return false
    into.seconds = value
    into.nanos = 0
    into.digits = 0
    return true
  }
  return Number.isFinite(value) && parseFractionalEventTime(String(value), into)
}

/** Negative, zero or positive as the first instant is earlier, the same or later. */
export function compareInstants(secondsA: number, nanosA: number, secondsB: number, nanosB: number): number {
  return secondsA !== secondsB ? secondsA - secondsB : nanosA - nanosB
}

/** Longest text `writeEventTime` makes: 19 characters, a point, 9 digits, Z. */
export const EVENT_TIME_TEXT_BYTES_MAX = 30

/** Number of bytes `writeEventTime` writes for this many fraction digits. */
export const eventTimeTextBytes = (digits: number): number => (digits === 0 ? 20 : 21 + digits)

// The calendar day last formatted: neighbouring records mostly share it.
let cachedDay = Number.NaN
const cachedDate = new Uint8Array(10)

/**
 * Writes the text of an instant, exactly as it was parsed.
 * @returns the offset after the last byte written; `target` needs `eventTimeTextBytes(digits)` bytes.
 */
export function writeEventTime(
  target: Uint8Array,
  offset: number,
  seconds: number,
  nanos: number,
  digits: number,
): number {
  const day = Math.floor(seconds / 86_400)
  if (day !== cachedDay) formatDay(day)
  for (let i = 0; i < 10; i++) target[offset + i] = cachedDate[i]!
  const ofDay = seconds - day * 86_400
  const hour = (ofDay / 3600) | 0
  const minute = ((ofDay - hour * 3600) / 60) | 0
  target[offset + 10] = 0x54
  put2(target, offset + 11, hour)
  target[offset + 13] = 0x3a
  put2(target, offset + 14, minute)
  target[offset + 16] = 0x3a
  put2(target, offset + 17, ofDay - hour * 3600 - minute * 60)
  let end = offset + 19
  if (digits > 0) {
    target[end] = 0x2e
    let rest = nanos / NANOS_PER_DIGIT[digits]!
    for (let i = digits; i >= 1; i--) {
      target[end + i] = 0x30 + (rest % 10)
      rest = (rest / 10) | 0
    }
    end += digits + 1
  }
  target[end] = 0x5a
  return end + 1
}

function put2(target: Uint8Array, offset: number, value: number): void {
  const tens = (value / 10) | 0
  target[offset] = 0x30 + tens
  target[offset + 1] = 0x30 + (value - tens * 10)
}

function formatDay(day: number): void {
  const { year, month, dayOfMonth } = civilFromDay(day)
  put2(cachedDate, 0, (year / 100) | 0)
  put2(cachedDate, 2, year % 100)
  cachedDate[4] = 0x2d
  put2(cachedDate, 5, month)
  cachedDate[7] = 0x2d
  put2(cachedDate, 8, dayOfMonth)
  cachedDay = day
}

export interface CivilDay {
  readonly year: number
  /** 1..12 */
  readonly month: number
  /** 1..31 */
  readonly dayOfMonth: number
}

/** The calendar date of a day number (days since 1970-01-01), proleptic Gregorian, years 0000..9999. */
export function civilFromDay(day: number): CivilDay {
  let year = Math.floor((day + 719_528) / 365.2425)
  while (daysBeforeYear(year) > day) year--
  while (daysBeforeYear(year + 1) <= day) year++
  let rest = day - daysBeforeYear(year)
  let month = 0
  for (;;) {
    const length = DAYS_IN_MONTH[month]! + (month === 1 && isLeapYear(year) ? 1 : 0)
    if (rest < length) break
    rest -= length
    month++
  }
  return { year, month: month + 1, dayOfMonth: rest + 1 }
}

const textBuffer = Buffer.alloc(EVENT_TIME_TEXT_BYTES_MAX)

/** The text of an instant, as a string. */
export function eventTimeText(seconds: number, nanos: number, digits: number): string {
  return textBuffer.toString('latin1', 0, writeEventTime(textBuffer, 0, seconds, nanos, digits))
}

/** As many groups of three digits as a fraction of a second needs: 0, 3, 6 or 9. */
export function fractionDigits(nanos: number): number {
  if (nanos === 0) return 0
  if (nanos % 1_000_000 === 0) return 3
  return nanos % 1000 === 0 ? 6 : 9
}

/** The hour partition of an instant: whole hours since 1970, rounded toward the past. */
export const eventHour = (seconds: number): number => Math.floor(seconds / 3600)
