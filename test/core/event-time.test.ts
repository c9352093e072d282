/**
 * Goal: an event time means the same instant whichever way it is written, and its text comes back unchanged.
 * Method: the sample tables of the specification (f.4, f.5), JavaScript's own Date, and exact BigInt arithmetic.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  civilFromDay,
  compareInstants,
  EVENT_SECONDS_MAX,
  EVENT_SECONDS_MIN,
  eventHour,
  eventTimeText,
  eventTimeTextBytes,
  fractionalInstant,
  instantFromMs,
  newInstant,
  parseFractionalEventTime,
  parseStringEventTime,
  writeEventTime,
} from '../../src/core/event-time.ts'

const NANOS_PER_SECOND = 1_000_000_000n

function parsed(text: string) {
  const instant = newInstant()
  return parseStringEventTime(text, instant) ? instant : undefined
}

function fractional(text: string) {
  const instant = newInstant()
  return parseFractionalEventTime(text, instant)
    ? { seconds: instant.seconds, nanos: instant.nanos }
    : undefined
}

const anySeconds = fc.integer({ min: EVENT_SECONDS_MIN, max: EVENT_SECONDS_MAX })

/** A legal text, made by Date and a digit string, not by the code under test. */
const legalText = fc
  .record({
    seconds: anySeconds,
    fraction: fc.stringMatching(/^[0-9]{0,9}$/),
  })
  .map(({ seconds, fraction }) => {
    const head = new Date(seconds * 1000).toISOString().slice(0, 19)
    return { seconds, fraction, text: fraction === '' ? `${head}Z` : `${head}.${fraction}Z` }
  })

describe('String event time (f.4)', () => {
  it.each([
    ['2026-03-01T12:00:00Z', 1_772_366_400, 0, 0],
    ['2026-03-01T12:00:00.250Z', 1_772_366_400, 250_000_000, 3],
    ['2026-03-01T12:00:00.123456789Z', 1_772_366_400, 123_456_789, 9],
    ['2026-03-01T12:00:00.5Z', 1_772_366_400, 500_000_000, 1],
    ['2026-03-01T12:00:00.000000001Z', 1_772_366_400, 1, 9],
    ['2024-02-29T00:00:00Z', 1_709_164_800, 0, 0],
    ['2000-02-29T23:59:59Z', 951_868_799, 0, 0],
    ['1969-12-31T23:59:59.999Z', -1, 999_000_000, 3],
    ['0000-01-01T00:00:00Z', EVENT_SECONDS_MIN, 0, 0],
    ['0000-02-29T00:00:00Z', EVENT_SECONDS_MIN + 59 * 86_400, 0, 0],
    ['9999-12-31T23:59:59.999999999Z', EVENT_SECONDS_MAX, 999_999_999, 9],
  ])('reads %s', (text, seconds, nanos, digits) => {
    expect(parsed(text)).toEqual({ seconds, nanos, digits })
  })

  it.each([
    '',
    '2026-03-01',
    '2026-03-01T12:00Z',
    '2026-03-01T12:00:00.1234567890Z',
    '2026-03-01T12:00:00.Z',
    '2023-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-06-31T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-32T00:00:00Z',
    '10000-01-01T00:00:00Z',
    '-001-01-01T00:00:00Z',
    '+002026-03-01T12:00:00Z',
    '2026-03-01T24:00:00Z',
    '2026-03-01T12:60:00Z',
    '2026-03-01T12:00:60Z',
    '2026-03-01T12:00:00+00:00',
    '2026-03-01T12:00:00',
    '2026-03-01 12:00:00Z',
    '2026-03-01t12:00:00z',
    '2026-03-01T12:00:00z',
    '2026-03-01T12:00:00,5Z',
    '2026-03-01T12:00:00.5 Z',
    '2026-03-01T12:00:00.1e5Z',
    ' 2026-03-01T12:00:00Z',
    '2026-03-01T12:00:00Z ',
    '2026-03-01T12:00:00ZZ',
    '２026-03-01T12:00:00Z',
    '1772366400',
  ])('refuses %j', (text) => {
    expect(parsed(text)).toBeUndefined()
  })

  it('refuses a legal text with any one character replaced by a non-digit', () => {
    const text = '2026-03-01T12:00:00.250Z'
    for (let at = 0; at < text.length; at++) {
      for (const character of ['x', ' ', '/', ':', '-', '\u0000', '\uffff']) {
        if (character === text[at]) continue
        const damaged = text.slice(0, at) + character + text.slice(at + 1)
        expect(parsed(damaged), damaged).toBeUndefined()
      }
    }
  })

  it('gives every legal text back unchanged (R-090)', () => {
    fc.assert(
      fc.property(legalText, ({ text, seconds, fraction }) => {
        const instant = parsed(text)
        expect(instant).toEqual({ seconds, nanos: Number(fraction.padEnd(9, '0')), digits: fraction.length })
        expect(eventTimeText(instant!.seconds, instant!.nanos, instant!.digits)).toBe(text)
      }),
    )
  })

  it('agrees with Date on the first and last second of every month of the years 0000 to 9999', () => {
    const failures: string[] = []
    for (let year = 0; year <= 9999; year++) {
      for (let month = 0; month < 12; month++) {
        const date = new Date(0)
        date.setUTCFullYear(year, month, 1)
        const first = date.getTime() / 1000
        for (const seconds of [first, first - 1]) {
          if (seconds < EVENT_SECONDS_MIN) continue
          const text = `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
          if (parsed(text)?.seconds !== seconds || eventTimeText(seconds, 0, 0) !== text) failures.push(text)
        }
      }
    }
    expect(failures).toEqual([])
  })

  it('writes at an offset and touches no byte outside the text', () => {
    for (let digits = 0; digits <= 9; digits++) {
      const target = new Uint8Array(40).fill(0xaa)
      const end = writeEventTime(target, 5, 1_772_366_400, 0, digits)
      expect(end).toBe(5 + eventTimeTextBytes(digits))
      expect([...target.subarray(0, 5), ...target.subarray(end)].every((byte) => byte === 0xaa)).toBe(true)
    }
  })
})

describe('Fractional event time (f.5)', () => {
  it.each([
    ['1772366400', 1_772_366_400, 0],
    ['1772366400.25', 1_772_366_400, 250_000_000],
    ['1772366400.123456789', 1_772_366_400, 123_456_789],
    ['1.7723664E9', 1_772_366_400, 0],
    ['0', 0, 0],
    ['-0', 0, 0],
    ['-1', -1, 0],
    ['+5', 5, 0],
    ['.5', 0, 500_000_000],
    ['12.', 12, 0],
    ['0e999', 0, 0],
    ['1e-400', 0, 0],
    ['1e-4000', 0, 0],
    [String(EVENT_SECONDS_MIN), EVENT_SECONDS_MIN, 0],
    ['253402300799.999999999', EVENT_SECONDS_MAX, 999_999_999],
    ['253402300799.9999999999', EVENT_SECONDS_MAX, 999_999_999],
  ])('reads %s', (text, seconds, nanos) => {
    expect(fractional(text)).toEqual({ seconds, nanos })
  })

  it.each([
    '',
    '.',
    'e5',
    '1e',
    'NaN',
    'nan',
    'Infinity',
    '-inf',
    '0x1p3',
    '1,5',
    ' 1',
    '1 ',
    '1_000',
    '1.0f',
    '1772366400000',
    '1e300',
    '1e999999999999',
    '253402300800',
    '-62167219200.000000001',
    '2026-03-01T12:00:00Z',
  ])('refuses %j', (text) => {
    expect(fractional(text)).toBeUndefined()
  })

  it.each([
    ['-0.5', -1, 500_000_000],
    ['-1.25', -2, 750_000_000],
    ['-0.0000000001', -1, 999_999_999],
    ['-1e-4000', -1, 999_999_999],
    ['0.0000000019', 0, 1],
    ['-0.0000000019', -1, 999_999_998],
  ])('cuts %s toward the past', (text, seconds, nanos) => {
    expect(fractional(text)).toEqual({ seconds, nanos })
  })

  /** Any spelling of a decimal number, next to its exact value as a fraction of BigInts. */
  const decimal = fc
    .record({
      sign: fc.constantFrom('', '-', '+'),
      whole: fc.stringMatching(/^[0-9]{1,14}$/),
      fraction: fc.option(fc.stringMatching(/^[0-9]{0,14}$/), { nil: undefined }),
      exponent: fc.option(fc.integer({ min: -16, max: 6 }), { nil: undefined }),
    })
    .map(({ sign, whole, fraction, exponent }) => ({
      text:
        sign +
        whole +
        (fraction === undefined ? '' : `.${fraction}`) +
        (exponent === undefined ? '' : `e${exponent}`),
      unscaled: BigInt(`${whole}${fraction ?? ''}`) * (sign === '-' ? -1n : 1n),
      scale: (exponent ?? 0) - (fraction?.length ?? 0),
    }))

  function reference(unscaled: bigint, scale: number): { seconds: number; nanos: number } | undefined {
    // floor(unscaled * 10^(scale + 9)), then floor division into seconds and nanoseconds.
    const power = 10n ** BigInt(Math.abs(scale + 9))
    const nanos = scale + 9 >= 0 ? unscaled * power : floorDivide(unscaled, power)
    const seconds = floorDivide(nanos, NANOS_PER_SECOND)
    if (seconds < BigInt(EVENT_SECONDS_MIN) || seconds > BigInt(EVENT_SECONDS_MAX)) return undefined
    return { seconds: Number(seconds), nanos: Number(nanos - seconds * NANOS_PER_SECOND) }
  }

  const floorDivide = (a: bigint, b: bigint): bigint => (a >= 0n ? a / b : -((-a + b - 1n) / b))

  it('reads any decimal text exactly, without a detour through a double', () => {
    fc.assert(
      fc.property(decimal, ({ text, unscaled, scale }) => {
        expect(fractional(text), text).toEqual(reference(unscaled, scale))
      }),
      { numRuns: 2000 },
    )
  })

  it('reads long mantissas with opposite exponents exactly', () => {
    expect(fractional(`1${'0'.repeat(390)}e-401`)).toEqual(reference(1n, -11))
    expect(fractional(`1${'0'.repeat(393)}e-401`)).toEqual({ seconds: 0, nanos: 10 })
    expect(fractional(`0.${'0'.repeat(391)}1e401`)).toEqual({ seconds: 1_000_000_000, nanos: 0 })
  })

  it('reads a number as its shortest decimal text', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e12, max: 1e12, noNaN: true }), (value) => {
        const instant = newInstant()
        const isLegal = fractionalInstant(value, instant)
        const expected = fractional(String(value))
        expect(isLegal).toBe(expected !== undefined)
        if (isLegal)
          expect(compareInstants(instant.seconds, instant.nanos, expected!.seconds, expected!.nanos)).toBe(0)
      }),
    )
  })

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    EVENT_SECONDS_MAX + 1,
    EVENT_SECONDS_MIN - 1,
  ])('refuses the number %s', (value) => {
    expect(fractionalInstant(value, newInstant())).toBe(false)
  })
})

describe('a Date as event time', () => {
  it('has the text of Date.toISOString', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: EVENT_SECONDS_MIN * 1000, max: EVENT_SECONDS_MAX * 1000 + 999 }),
        (ms) => {
          const instant = newInstant()
          expect(instantFromMs(ms, instant)).toBe(true)
          expect(eventTimeText(instant.seconds, instant.nanos, instant.digits)).toBe(
            new Date(ms).toISOString(),
          )
        },
      ),
    )
  })

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    EVENT_SECONDS_MIN * 1000 - 1,
    (EVENT_SECONDS_MAX + 1) * 1000,
  ])('is refused at %s milliseconds', (ms) => {
    expect(instantFromMs(ms, newInstant())).toBe(false)
  })
})

describe('instants', () => {
  it('compares instants, not spellings (R-115)', () => {
    const seconds = parsed('2026-03-01T12:00:00Z')!
    const millis = parsed('2026-03-01T12:00:00.000Z')!
    const number = fractional('1772366400')!
    expect(compareInstants(seconds.seconds, seconds.nanos, millis.seconds, millis.nanos)).toBe(0)
    expect(compareInstants(seconds.seconds, seconds.nanos, number.seconds, number.nanos)).toBe(0)
  })

  it('orders instants as exact nanosecond counts', () => {
    const instant = fc.record({ seconds: anySeconds, nanos: fc.integer({ min: 0, max: 999_999_999 }) })
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        const exact = (of: typeof a) => BigInt(of.seconds) * NANOS_PER_SECOND + BigInt(of.nanos)
        const difference = exact(a) - exact(b)
        const expected = difference < 0n ? -1 : difference > 0n ? 1 : 0
        expect(Math.sign(compareInstants(a.seconds, a.nanos, b.seconds, b.nanos))).toBe(expected)
      }),
    )
  })

  it('puts an instant in the hour it lies in, before 1970 too (R-461)', () => {
    expect(eventHour(0)).toBe(0)
    expect(eventHour(3599)).toBe(0)
    expect(eventHour(3600)).toBe(1)
    expect(eventHour(-1)).toBe(-1)
    expect(eventHour(-3600)).toBe(-1)
    expect(eventHour(-3601)).toBe(-2)
  })

  it('knows the calendar date of every day number', () => {
    const failures: number[] = []
    for (let day = EVENT_SECONDS_MIN / 86_400; day * 86_400 <= EVENT_SECONDS_MAX; day += 7) {
      const date = new Date(day * 86_400_000)
      const civil = civilFromDay(day)
      const isRight =
        civil.year === date.getUTCFullYear() &&
        civil.month === date.getUTCMonth() + 1 &&
        civil.dayOfMonth === date.getUTCDate()
      if (!isRight) failures.push(day)
    }
    expect(failures).toEqual([])
  })
})
