/**
 * Numbers as the API carries them: decimal text, by the grammars f.1 and f.2 of the specification, without trimming.
 * Owns: the number last read, in reused fields, because one is read for every value of the bulk path.
 */

/** The text breaks the grammar or leaves the range. */
export const TEXT_INVALID = 0
/** The text is the one that its number is written with (`String(number)`), so the number tells it. */
export const TEXT_SHORTEST = 1
/** Another text of the number, to be kept beside it. */
export const TEXT_OWN = 2
export type TextForm = typeof TEXT_INVALID | typeof TEXT_SHORTEST | typeof TEXT_OWN

const ZERO = 0x30
const MINUS = 0x2d
const PLUS = 0x2b
const POINT = 0x2e

const BILLION = 1_000_000_000
const WORD = 0x1_0000_0000

/** Every decimal of up to 15 digits is the shortest one of its double, and each is exact as an integer below 2^53. */
const EXACT_DIGITS_MAX = 15
/** Powers of ten that are exact doubles: one division by them rounds correctly. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`))
/** Below, a number is written with an exponent. */
const POINT_NOTATION_MIN = 1e-6

export class NumberReader {
  /** Of `readFractional`. */
  number = 0
  /** Of `readIntegral`: the two halves of the 64 bits, unsigned. */
  low = 0
  high = 0

  /** Optional sign, then digits; -9223372036854775808 to 9223372036854775807. */
  readIntegral(text: string): TextForm {
    const { length } = text
    const sign = text.charCodeAt(0)
    const isNegative = sign === MINUS
    const start = isNegative || sign === PLUS ? 1 : 0
    let first = start
    while (first < length - 1 && text.charCodeAt(first) === ZERO) first++
    if (start === length || length - first > 19) return TEXT_INVALID
    // Two halves of at most ten and of nine digits, each exact.
    const split = length - 9
    let upper = 0
    let lower = 0
    for (let at = first; at < length; at++) {
      const digit = text.charCodeAt(at) - ZERO
      if (digit < 0 || digit > 9) return TEXT_INVALID
      if (at < split) upper = upper * 10 + digit
      else lower = lower * 10 + digit
    }
    if (!this.#setWords(upper, lower, isNegative)) return TEXT_INVALID
    const isMinusZero = isNegative && upper === 0 && lower === 0
    return first === start && sign !== PLUS && !isMinusZero ? TEXT_SHORTEST : TEXT_OWN
  }

  /** Decimal or scientific notation of a finite double; too small a magnitude is zero (OQ-35). */
  readFractional(text: string): TextForm {
    const { length } = text
    const sign = text.charCodeAt(0)
    const start = sign === MINUS || sign === PLUS ? 1 : 0
    let at = start
    let mantissa = 0
    let significant = 0
    let digit = text.charCodeAt(at) - ZERO
    while (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit
      if (mantissa !== 0) significant++
      digit = text.charCodeAt(++at) - ZERO
    }
    const whole = at - start
    let fraction = 0
    const hasPoint = text.charCodeAt(at) === POINT
    if (hasPoint) {
      const from = at + 1
      digit = text.charCodeAt(++at) - ZERO
      while (digit >= 0 && digit <= 9) {
        mantissa = mantissa * 10 + digit
        if (mantissa !== 0) significant++
        digit = text.charCodeAt(++at) - ZERO
      }
      fraction = at - from
    }
    if (whole + fraction === 0) return TEXT_INVALID
    if (at < length) return Number.isNaN(readExponent(text, at)) ? TEXT_INVALID : this.#convert(text)
    if (significant > EXACT_DIGITS_MAX || fraction >= POWERS.length) return this.#convert(text)
    const magnitude = mantissa / POWERS[fraction]!
    this.number = sign === MINUS ? -magnitude : magnitude
    const isPlain =
      sign !== PLUS &&
      (whole === 1 || (whole > 1 && text.charCodeAt(start) !== ZERO)) &&
      (fraction > 0 ? text.charCodeAt(length - 1) !== ZERO : !hasPoint)
    const isInNotation = magnitude >= POINT_NOTATION_MIN || (magnitude === 0 && sign !== MINUS)
    return isPlain && isInNotation ? TEXT_SHORTEST : TEXT_OWN
  }

  #convert(text: string): TextForm {
    this.number = Number(text)
    if (!Number.isFinite(this.number)) return TEXT_INVALID
    return String(this.number) === text ? TEXT_SHORTEST : TEXT_OWN
  }

  /** @returns false if upper * 10^9 + lower, with the sign, does not fit 64 bits */
  #setWords(upper: number, lower: number, isNegative: boolean): boolean {
    // upper has 34 bits and 10^9 has 30: a product of 64, formed in two parts that are exact doubles.
    const top = Math.floor(upper / 0x1_0000) * BILLION
    const low = (top % 0x1_0000) * 0x1_0000 + (upper % 0x1_0000) * BILLION + lower
    this.low = low % WORD
    this.high = Math.floor(top / 0x1_0000) + Math.floor(low / WORD)
    if (!isNegative) return this.high < 0x8000_0000
    if (this.high > 0x8000_0000 || (this.high === 0x8000_0000 && this.low !== 0)) return false
    // Two's complement.
    this.high = (~this.high + (this.low === 0 ? 1 : 0)) >>> 0
    this.low = -this.low >>> 0
    return true
  }
}

/** Far beyond the digits of any text, so that sums of it and their number stay exact. */
const EXPONENT_CAP = 1e9

/**
 * The exponent that ends a text: `e` or `E` at `start`, an optional sign and digits.
 * @returns it, at most 10^9 either way; NaN if the text ends otherwise
 */
export function readExponent(text: string, start: number): number {
  const { length } = text
  if ((text.charCodeAt(start) | 0x20) !== 0x65) return Number.NaN
  const sign = text.charCodeAt(start + 1)
  let at = sign === MINUS || sign === PLUS ? start + 2 : start + 1
  if (at === length) return Number.NaN
  let exponent = 0
  for (; at < length; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    exponent = Math.min(exponent * 10 + digit, EXPONENT_CAP)
  }
  return sign === MINUS ? -exponent : exponent
}
