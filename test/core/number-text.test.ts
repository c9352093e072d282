/**
 * Numbers are read from text by the grammars of the specification, exactly. Oracles: the tables of (f), BigInt, Number,
 * and `String` for what the shortest text is.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NumberReader, TEXT_INVALID, TEXT_OWN, TEXT_SHORTEST } from '../../src/core/number-text.ts'

const reader = new NumberReader()
const integerOf = (): bigint => BigInt.asIntN(64, (BigInt(reader.high) << 32n) | BigInt(reader.low))
const formOf = (text: string, number: string): number => (text === number ? TEXT_SHORTEST : TEXT_OWN)

const digits = fc.stringMatching(/^[0-9]{1,22}$/)

describe('Integral text (f.1, R-087)', () => {
  it.each([
    '0',
    '-0',
    '+5',
    '007',
    '42',
    '9223372036854775807',
    '-9223372036854775808',
    '-00000000000000000000000009223372036854775808',
    '4294967296',
    '-4294967296',
    '-1',
    '1000000000000000000',
  ])('takes %s', (text) => {
    const value = BigInt(text.replace('+', ''))
    expect(reader.readIntegral(text)).toBe(formOf(text, String(value)))
    expect(integerOf()).toBe(value)
  })

  it.each([
    '',
    '+',
    '-',
    '+-1',
    '1.0',
    '1e3',
    '9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
    '18446744073709551616',
    ' 1',
    '1 ',
    '1_000',
    '0x10',
    'true',
    'NaN',
    'null',
    '１',
    '1\u0000',
  ])('refuses %j', (text) => {
    expect(reader.readIntegral(text)).toBe(TEXT_INVALID)
  })

  it('reads any digits as BigInt does, and refuses what passes 64 bits', () => {
    fc.assert(
      fc.property(fc.constantFrom('', '-', '+'), digits, (sign, text) => {
        const value = BigInt(text) * (sign === '-' ? -1n : 1n)
        const form = reader.readIntegral(sign + text)
        if (BigInt.asIntN(64, value) !== value) return form === TEXT_INVALID
        return form === formOf(sign + text, String(value)) && integerOf() === value
      }),
      { numRuns: 2000 },
    )
  })

  it('reads every number up to the last of 64 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        return reader.readIntegral(String(value)) === TEXT_SHORTEST && integerOf() === value
      }),
      { numRuns: 2000 },
    )
  })
})

describe('Fractional text (f.2, R-088)', () => {
  it.each([
    '0',
    '-0',
    '-0.0',
    '0.0',
    '+1.5',
    '12',
    '12.',
    '.5',
    '-.5',
    '00.5',
    '1e10',
    '1E-7',
    '1e+21',
    '1e-7',
    '1.e5',
    '.5e1',
    '0.000001',
    '0.0000001',
    '0.9134653465346535',
    '1.7976931348623157e308',
    '4.9e-324',
    '5e-324',
    '1e-400',
    '0e999999',
    '123456789012345',
    '1234567890123456',
    '100000000000000000000',
    '1000000000000000000000',
    '9007199254740993',
    '1787654321.0',
    '0.1000',
    `0.${'0'.repeat(400)}1`,
  ])('takes %s', (text) => {
    expect(reader.readFractional(text)).toBe(formOf(text, String(Number(text))))
    expect(Object.is(reader.number, Number(text))).toBe(true)
  })

  it.each([
    '',
    '.',
    '+',
    '-',
    '-.',
    'e5',
    '.e5',
    '1e',
    '1e+',
    '1e5.0',
    '1.2.3',
    'NaN',
    'nan',
    'Infinity',
    '-inf',
    '1e309',
    '-1e309',
    '0x1p3',
    '0x10',
    '1.0f',
    '1d',
    '1,5',
    ' 1',
    '1 ',
    '--1',
    '1_000',
    'null',
    '１.5',
    '1'.repeat(400),
  ])('refuses %j', (text) => {
    expect(reader.readFractional(text)).toBe(TEXT_INVALID)
  })

  it('reads any spelling as Number does, and knows which is the shortest', () => {
    const decimal = fc
      .tuple(
        fc.constantFrom('', '-', '+'),
        fc.stringMatching(/^[0-9]{0,18}$/),
        fc.constantFrom('', '.'),
        fc.stringMatching(/^[0-9]{0,26}$/),
        fc.constantFrom('', 'e3', 'E-12', 'e+300', 'e-330'),
      )
      .map(([sign, whole, point, fraction, exponent]) =>
        point === '' ? sign + whole + exponent : sign + whole + point + fraction + exponent,
      )
    fc.assert(
      fc.property(decimal, (text) => {
        const form = reader.readFractional(text)
        if (!/\d/.test(text.split(/e/i)[0]!)) return form === TEXT_INVALID
        const value = Number(text)
        if (!Number.isFinite(value)) return form === TEXT_INVALID
        return form === formOf(text, String(value)) && Object.is(reader.number, value)
      }),
      { numRuns: 5000 },
    )
  })

  it('takes every finite number as it is written', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        if (Object.is(value, -0)) return true
        return reader.readFractional(String(value)) === TEXT_SHORTEST && reader.number === value
      }),
      { numRuns: 2000 },
    )
  })
})
