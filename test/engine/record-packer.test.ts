/**
 * A record is packed whole or refused with the feature, what was expected and what was found; a refused one leaves
 * no trace. The oracle for accepted ones is the record itself, decoded again.
 */
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/core/limits.ts'
import { Packing, schemaOf } from '../fixtures/packing.ts'

const AT = '2026-03-01T12:00:00Z'
const SCHEMA = schemaOf({ id: 'String', at: 'String', s: 'String', n: 'Integral', x: 'Fractional' })

describe('a refused record', () => {
  class Point {
    readonly id = 'a'
  }

  const REFUSED: readonly (readonly [record: unknown, feature: string | undefined, message: RegExp])[] = [
    [undefined, undefined, /expected a record object, found undefined/],
    [null, undefined, /expected a record object, found null/],
    ['a', undefined, /expected a record object, found the string "a"/],
    [7, undefined, /expected a record object, found number 7/],
    [['a'], undefined, /expected a record object, found an array/],
    [{}, 'id', /feature "id": expected a record identifier, found nothing/],
    [new Point(), 'at', /feature "at": expected an event time, found nothing/],
    [{ at: AT }, 'id', /expected a record identifier, found nothing/],
    [{ id: null, at: AT }, 'id', /expected a record identifier, found nothing/],
    [{ id: '', at: AT }, 'id', /expected a record identifier, found an empty string/],
    [{ id: 7, at: AT }, 'id', /expected a String, found number 7/],
    [{ id: 'x'.repeat(2049), at: AT }, 'id', /at most 2048 bytes/],
    [{ id: 'é'.repeat(1025), at: AT }, 'id', /at most 2048 bytes/],
    [{ id: 'a\udc00', at: AT }, 'id', /ill-formed Unicode/],
    [{ id: 'a' }, 'at', /expected an event time, found nothing/],
    [{ id: 'a', at: null }, 'at', /expected an event time, found nothing/],
    [{ id: 'a', at: '2026-03-01' }, 'at', /YYYY-MM-DDThh:mm:ss.*found the string "2026-03-01"/],
    [{ id: 'a', at: '10000-01-01T00:00:00Z' }, 'at', /years 0000 to 9999/],
    [{ id: 'a', at: '2023-02-29T00:00:00Z' }, 'at', /found the string "2023-02-29T00:00:00Z"/],
    [{ id: 'a', at: 1_772_366_400 }, 'at', /found number 1772366400/],
    [{ id: 'a', at: new Date(Number.NaN) }, 'at', /found a Date \(invalid\)/],
    [{ id: 'a', at: new Date(8.64e15) }, 'at', /found a Date \(\+275760/],
    [{ id: 'a', at: AT, s: 7 }, 's', /expected a String, found number 7/],
    [{ id: 'a', at: AT, s: true }, 's', /expected a String, found boolean true/],
    [{ id: 'a', at: AT, s: {} }, 's', /expected a String, found a value of type object/],
    [{ id: 'a', at: AT, s: 'a\ud800b' }, 's', /ill-formed Unicode/],
    [{ id: 'a', at: AT, s: 'x'.repeat(358_401) }, 's', /at most 358400 bytes/],
    [{ id: 'a', at: AT, n: '7' }, 'n', /expected an Integral.*found the string "7"/],
    [{ id: 'a', at: AT, n: 1.5 }, 'n', /expected an Integral.*found number 1.5/],
    [{ id: 'a', at: AT, n: Number.NaN }, 'n', /found number NaN/],
    [{ id: 'a', at: AT, n: 2 ** 53 }, 'n', /beyond 2\^53 use a bigint/],
    [{ id: 'a', at: AT, n: 2n ** 63n }, 'n', /from -9223372036854775808 to 9223372036854775807/],
    [{ id: 'a', at: AT, n: -(2n ** 63n) - 1n }, 'n', /from -9223372036854775808/],
    [{ id: 'a', at: AT, x: Number.POSITIVE_INFINITY }, 'x', /finite number.*found number Infinity/],
    [{ id: 'a', at: AT, x: Number.NaN }, 'x', /finite number.*found number NaN/],
    [{ id: 'a', at: AT, x: '1.5' }, 'x', /found the string "1.5"/],
    [{ id: 'a', at: AT, x: 5n }, 'x', /found bigint 5/],
    [{ id: 'a', at: AT, fare: 1 }, 'fare', /unknown feature "fare"; its features are id, at, s, n, x/],
    [{ id: 'a', at: AT, S: 'x' }, 'S', /unknown feature "S"/],
    [{ id: 'a', at: AT, ['__proto__']: 1 }, '__proto__', /unknown feature "__proto__"/],
    [{ id: 'a', at: AT, constructor: 'x' }, 'constructor', /unknown feature "constructor"/],
  ]

  it.each(
    REFUSED.map(
      ([record, ...rest]) =>
        [inspect(record, { breakLength: Number.POSITIVE_INFINITY }).slice(0, 60), record, ...rest] as const,
    ),
  )('%s is refused', (_, record, feature, message) => {
    for (const packing of [new Packing(SCHEMA), afterAnother()]) {
      const error = packing.refusalOf(record)
      expect(error.message).toMatch(message)
      expect(error.message).toContain('feature group "group"')
      expect(error.code).toBe('INVALID_ARGUMENT')
      expect(error.place.feature).toBe(feature)
    }
  })

  /** A packer that remembers the shape and the event time of another record. */
  function afterAnother(): Packing {
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'other', at: AT, s: 's', n: 1, x: 1 })
    return packing
  }

  it('shows at most 128 characters of what was found', () => {
    const { message } = new Packing(SCHEMA).refusalOf({ id: 'a', at: AT, n: 'long '.repeat(100) })
    expect(message.length).toBeLessThan(300)
  })

  it('is a String identifier that is the event time too, and an invalid Date', () => {
    const schema = schemaOf({ at: 'String' }, { recordIdentifier: 'at' })
    const error = new Packing(schema).refusalOf({ at: new Date(Number.NaN) })
    expect(error.message).toMatch(/found a Date \(invalid\)/)
  })

  it('leaves nothing that the next record could be taken for', () => {
    const records = [
      { id: 'a', at: AT, s: 'secret', n: 1, x: Number.NaN },
      { id: 'a', at: AT, s: 'secret', unknown: 1 },
      { id: 'a', at: 'never', s: 'secret' },
      { id: 'a', at: AT, s: '\ud800' },
      {
        id: 'a',
        at: AT,
        s: 'secret',
        get n(): number {
          throw new Error('this getter fails')
        },
      },
    ]
    for (const record of records) {
      const packing = new Packing(SCHEMA)
      expect(() => packing.pack(record)).toThrow()
      expect(() => packing.pack({ s: 'x' })).toThrow('found nothing')
      expect(() => packing.pack({ id: 'b' })).toThrow('found nothing')
      packing.pack({ id: 'b', at: '2026-03-01T12:00:01Z' })
      expect(packing.finish()).toEqual([{ id: 'b', at: '2026-03-01T12:00:01Z' }])
    }
  })

  it('never takes the event time of the record before it', () => {
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'a', at: AT })
    for (const at of [undefined, null, '', 'x']) packing.refusalOf({ id: 'b', at })
    packing.refusalOf({ id: 'b' })
    packing.pack({ id: 'c', at: AT })
    expect(packing.finish()).toEqual([
      { id: 'a', at: AT },
      { id: 'c', at: AT },
    ])
  })
})

describe('an accepted record', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 80 })
  const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null | undefined> =>
    fc.oneof({ weight: 3, arbitrary }, fc.constantFrom(null, undefined))
  const record = fc.record(
    {
      id: text.filter((id) => id !== ''),
      at: fc.constantFrom(
        AT,
        '0000-01-01T00:00:00Z',
        '9999-12-31T23:59:59.999999999Z',
        '1969-12-31T23:59:59.5Z',
      ),
      s: optional(text),
      n: optional(fc.oneof(fc.maxSafeInteger(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))),
      x: optional(fc.double({ noNaN: true, noDefaultInfinity: true })),
    },
    { requiredKeys: ['id', 'at'] },
  )

  /** What is read back: no feature without a value, a number where it is exact. */
  const readBack = (given: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(given)
        .filter(([, value]) => value !== null && value !== undefined)
        .map(([name, value]) => [
          name,
          typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value,
        ]),
    )

  it('comes back as it was given, in any order of features, among any others', () => {
    const shuffled = record.chain((given) =>
      fc
        .shuffledSubarray(Object.keys(given), { minLength: Object.keys(given).length })
        .map((names) => Object.fromEntries(names.map((name) => [name, given[name as keyof typeof given]]))),
    )
    fc.assert(
      fc.property(fc.array(shuffled, { minLength: 1, maxLength: 12 }), (records) => {
        const packing = new Packing(SCHEMA)
        for (const each of records) packing.pack(each)
        expect(packing.finish()).toEqual(records.map(readBack))
      }),
    )
  })

  it('keeps the features in the order of the definition, whatever the order given', () => {
    const packing = new Packing(SCHEMA)
    packing.pack({ x: 1, n: 2, s: 'three', at: AT, id: 'a' })
    expect(Object.keys(packing.finish()[0]!)).toEqual(['id', 'at', 's', 'n', 'x'])
  })

  it.each([-0, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 0.1 + 0.2])(
    'keeps the double %d to the bit',
    (x) => {
      const packing = new Packing(SCHEMA)
      packing.pack({ id: 'a', at: AT, x })
      expect(Object.is(packing.only('x'), x)).toBe(true)
    },
  )

  it.each([
    [0, 0],
    [-0, 0],
    [-1, -1],
    [2 ** 53 - 1, 2 ** 53 - 1],
    [-(2 ** 53) + 1, -(2 ** 53) + 1],
    [2n ** 53n, 2n ** 53n],
    [-(2n ** 53n), -(2n ** 53n)],
    [2n ** 63n - 1n, 2n ** 63n - 1n],
    [-(2n ** 63n), -(2n ** 63n)],
    [0xffff_ffffn, 0xffff_ffff],
    [-0x1_0000_0000n, -0x1_0000_0000],
  ])('keeps the integer %s', (n, expected) => {
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'a', at: AT, n })
    expect(packing.only('n')).toBe(expected)
  })

  it('may have legal names that objects have anyway', () => {
    const names: object = { constructor: 'String', toString: 'Integral', valueOf: 'String' }
    const schema = schemaOf({ id: 'String', at: 'String', ...names })
    const packing = new Packing(schema)
    packing.pack({ id: 'a', at: AT })
    const values: object = { constructor: 'c', toString: 7, valueOf: '' }
    packing.pack({ id: 'b', at: AT, ...values })
    const [plain, named] = packing.finish().map((each) => Object.entries(each))
    expect(plain).toEqual(Object.entries({ id: 'a', at: AT }))
    expect(named).toEqual(Object.entries({ id: 'b', at: AT, ...values }))
  })

  it('may give the event time as a Date', () => {
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'a', at: new Date('2026-03-01T12:00:00.250Z') })
    packing.pack({ id: 'b', at: new Date('0000-01-01T00:00:00Z') })
    expect(packing.finish().map(({ at }) => at)).toEqual([
      '2026-03-01T12:00:00.250Z',
      '0000-01-01T00:00:00.000Z',
    ])
  })

  it('may be an instance of a class, with its own properties', () => {
    class Reading {
      readonly id = 'a'
      readonly at = AT
      get shout(): string {
        return this.id.toUpperCase()
      }
    }
    const packing = new Packing(SCHEMA)
    packing.pack(new Reading())
    expect(packing.finish()).toEqual([{ id: 'a', at: AT }])
  })

  it('has a numeric identifier that is its text', () => {
    const schema = schemaOf({ id: 'Integral', at: 'Fractional' })
    const packing = new Packing(schema)
    packing.pack({ id: 7, at: 1.5 })
    expect(packing.packer.id.source.toString('utf8', 0, packing.packer.id.bytes)).toBe('7')
    packing.pack({ id: -(2n ** 63n), at: -62_167_219_200 })
    expect(packing.packer.id.source.toString('utf8', 0, packing.packer.id.bytes)).toBe('-9223372036854775808')
    expect(packing.finish()).toEqual([
      { id: 7, at: 1.5 },
      { id: -(2n ** 63n), at: -62_167_219_200 },
    ])
  })
})

describe('the size of a record', () => {
  // Names and values: id + a, at + 20, s + its bytes.
  const textBytes = limits.recordBytesMax - ('id'.length + 1) - ('at'.length + 20) - 's'.length

  it.each([
    ['ASCII', 'x'.repeat(textBytes)],
    ['two-byte characters', 'é'.repeat(Math.floor(textBytes / 2)) + 'x'.repeat(textBytes % 2)],
    ['four-byte characters', '🚕'.repeat(Math.floor(textBytes / 4)) + 'x'.repeat(textBytes % 4)],
  ])('may be exactly 358400 bytes of %s, and not one more', (_, s) => {
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'a', at: AT, s })
    const error = packing.refusalOf({ id: 'a', at: AT, s: `${s}x` })
    expect(error.message).toMatch(/at most 358400 bytes of names and values, found 358401/)
    expect(packing.finish()).toEqual([{ id: 'a', at: AT, s }])
  })

  it('is refused however far it is past the limit', () => {
    const names = Array.from({ length: 30 }, (_, i) => `text${i}`)
    const features = Object.fromEntries(names.map((name) => [name, 'String' as const]))
    const packing = new Packing(schemaOf({ id: 'String', at: 'String', ...features }))
    const texts = Object.fromEntries(names.map((name) => [name, 'x'.repeat(350_000)]))
    const error = packing.refusalOf({ id: 'a', at: AT, ...texts })
    expect(error.message).toMatch(/at most 358400 bytes of names and values, found 10500/)
    expect(packing.refusalOf({ id: 'a', at: AT, text0: 'x'.repeat(50_000_000) }).message).toMatch(
      /found 50000000/,
    )
    // Whatever follows in it.
    const { message } = packing.refusalOf({
      id: 'a',
      at: AT,
      text0: 'x'.repeat(358_399),
      text1: new Date(Number.NaN),
    })
    expect(message).toMatch(/at most 358400 bytes/)
    packing.pack({ id: 'a', at: AT })
    expect(packing.finish()).toEqual([{ id: 'a', at: AT }])
  })

  it('counts numbers as their text', () => {
    const packing = new Packing(SCHEMA)
    const s = 'x'.repeat(textBytes - 'n7'.length - 'x-1.5'.length)
    packing.pack({ id: 'a', at: AT, s, n: 7, x: -1.5 })
    const error = packing.refusalOf({ id: 'a', at: AT, s, n: 7, x: -1.25 })
    expect(error.message).toMatch(/found 358401/)
  })
})
