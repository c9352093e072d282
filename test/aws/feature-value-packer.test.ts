/**
 * A record of the API is packed whole or refused with its first offending feature; a refused one leaves no trace, and
 * what is packed comes back character for character. Oracles: the tables of section (f), and the record itself.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../src/core/limits.ts'
import { type ApiValue, apiRecord, type Texts } from '../fixtures/api.ts'
import { Packing, schemaOf } from './packing.ts'

const AT = '2026-03-01T12:00:00Z'
const KEYS = { id: 'a', at: AT }
const SCHEMA = schemaOf({
  id: 'String',
  at: 'String',
  s: 'String',
  n: 'Integral',
  x: 'Fractional',
  tags: { type: 'String', collection: 'Set' },
  counts: { type: 'Integral', collection: 'List' },
  weights: { type: 'Fractional', collection: 'List' },
  place: { type: 'Fractional', collection: 'Vector', dimension: 3 },
})

const refusalOf = (record: Texts | readonly ApiValue[], schema = SCHEMA) => {
  const packing = new Packing(schema)
  return packing.refusalOf(() => packing.put(record))
}

/** What comes back of a record, without its id and event time. */
function echo(record: Texts, schema = SCHEMA): ApiValue[] {
  const packing = new Packing(schema)
  packing.put({ ...KEYS, ...record })
  return packing.decode()[0]!.filter(({ FeatureName }) => FeatureName !== 'id' && FeatureName !== 'at')
}

describe('a value', () => {
  it.each([
    ...['0', '-0', '+5', '007', '42', '9223372036854775807', '-9223372036854775808'],
    ...['9007199254740993', '-4294967296'],
  ])('of an Integral feature may be %s, and is told as it was sent (R-087, R-090)', (text) => {
    expect(echo({ n: text })).toEqual(apiRecord({ n: text }))
  })

  it.each([
    ...['', '1.0', '1e3', '9223372036854775808', '-9223372036854775809', ' 1', '1 ', '1_000', '0x10', 'true'],
    ...['NaN', 'nan', 'null', '１', '+', '-'],
  ])('of an Integral feature must not be %j (R-085, R-087)', (text) => {
    const { message, place } = refusalOf({ ...KEYS, n: text })
    expect(place.feature).toBe('n')
    expect(message).toMatch(
      /^The value of feature \[n\] is not a valid Integral: .*-9223372036854775808 and 9223372036854775807/,
    )
  })

  it.each([
    ...['0', '-0', '-0.0', '+1.5', '12', '12.', '.5', '1e10', '1E-7', '1E3', '10.0', '0.9134653465346535'],
    ...['1.7976931348623157e308', '4.9e-324', '1e-400', '00012.500', '1787654321.0'],
  ])('of a Fractional feature may be %s, and is told as it was sent (R-088, R-090)', (text) => {
    expect(echo({ x: text })).toEqual(apiRecord({ x: text }))
  })

  it.each([
    ...['', '.', 'e5', '1e', 'NaN', 'nan', 'Infinity', '-inf', '1e309', '0x1p3', '1.0f', '1d', '1,5', ' 1'],
    ...['null', '1 '],
  ])('of a Fractional feature must not be %j (R-085, R-088)', (text) => {
    const { message, place } = refusalOf({ ...KEYS, x: text })
    expect(place.feature).toBe('x')
    expect(message).toMatch(
      /^The value of feature \[x\] is not a valid Fractional: .*decimal or scientific notation/,
    )
  })

  it.each(['', 'a', '\u0000', 'line\nbreak', 'Zürich', '日本', '😀', '\u00e9', 'e\u0301', ' padded ', 'NaN'])(
    'of a String feature may be %j (R-089)',
    (text) => {
      expect(echo({ s: text })).toEqual(apiRecord({ s: text }))
    },
  )

  it.each(['\ud800', 'a\udc00', '\ud83d', `${'long '.repeat(20)}\udfff`])(
    'of a String feature must not have a lone surrogate, as %j has (R-089)',
    (text) => {
      expect(refusalOf({ ...KEYS, s: text }).message).toMatch(/feature \[s\] .*lone surrogate/)
      expect(refusalOf({ ...KEYS, tags: ['a', text] }).message).toMatch(
        /Element 1 of feature \[tags\] .*surrogate/,
      )
    },
  )

  it('has at most 358400 bytes (R-091)', () => {
    const { message } = refusalOf({ ...KEYS, s: 'ä'.repeat(limits.recordBytesMax / 2 + 1) })
    expect(message).toBe('The value of feature [s] has 358402 bytes; at most 358400 are allowed.')
  })

  it.each<[string, ApiValue, RegExp]>([
    ['a single one given as a list', { FeatureName: 's', ValueAsStringList: ['a'] }, /ValueAsString is req/],
    ['a single one given both ways', { FeatureName: 's', ValueAsString: 'a', ValueAsStringList: [] }, /both/],
    ['a single one left out', { FeatureName: 's' }, /exactly ValueAsString is required, found neither/],
    [
      'a list given as one',
      { FeatureName: 'counts', ValueAsString: '1' },
      /exactly ValueAsStringList is req/,
    ],
    [
      'a list given both ways',
      { FeatureName: 'counts', ValueAsString: '1', ValueAsStringList: ['1'] },
      /both/,
    ],
    ['a list left out', { FeatureName: 'counts' }, /exactly ValueAsStringList is required, found neither/],
  ])('has the member of its feature: %s is refused (R-086)', (_, value, expected) => {
    const { message, place } = refusalOf([...apiRecord(KEYS), value])
    expect(message).toMatch(expected)
    expect(place.feature).toBe(value.FeatureName)
  })
})

describe('a collection', () => {
  it.each<[string, Texts]>([
    ['a List with duplicates', { counts: ['3', '1', '3'] }],
    ['an empty List', { counts: [] }],
    ['an empty Set', { tags: [] }],
    ['numbers in texts of their own', { counts: ['+5', '007', '-0'], weights: ['1.0', '.5', '1E3'] }],
    ['large integers', { counts: ['9223372036854775807', '-9223372036854775808'] }],
    ['empty strings', { tags: ['', 'x'] }],
    ['a Vector', { place: ['0.1', '2', '-3e1'] }],
  ])('comes back as it was sent: %s (R-090, R-092, R-094)', (_, record) => {
    expect(echo(record)).toEqual(apiRecord(record))
  })

  it('keeps the first of equal elements of a Set, compared as text (R-095)', () => {
    const numbers = schemaOf({ id: 'String', at: 'String', set: { type: 'Integral', collection: 'Set' } })
    expect(echo({ tags: ['x', 'y', 'x', 'X'] })).toEqual(apiRecord({ tags: ['x', 'y', 'X'] }))
    expect(echo({ set: ['1', '01', '1', '+1'] }, numbers)).toEqual(apiRecord({ set: ['1', '01', '+1'] }))
  })

  it.each<[string, Texts, RegExp]>([
    [
      'a word in a List of Integral',
      { counts: ['1', 'a'] },
      /Element 1 of feature \[counts\] is not a valid Int/,
    ],
    ['a Vector with two elements', { place: ['1', '2'] }, /Vector of 3 elements, found 2/],
    ['a Vector with four elements', { place: ['1', '2', '3', '4'] }, /Vector of 3 elements, found 4/],
    ['an empty Vector', { place: [] }, /Vector of 3 elements, found 0/],
    [
      'words in a Vector',
      { place: ['a', 'b', 'c'] },
      /Element 0 of feature \[place\] is not a valid Fractional/,
    ],
  ])(
    'has elements of its type, and a Vector as many as its dimension: not %s (R-092)',
    (_, record, expected) => {
      expect(refusalOf({ ...KEYS, ...record }).message).toMatch(expected)
    },
  )

  it('has no null element (R-093)', () => {
    for (const name of ['tags', 'counts']) {
      const value = { FeatureName: name, ValueAsStringList: ['1', null] } as unknown as ApiValue
      expect(refusalOf([...apiRecord(KEYS), value]).message).toBe(
        `Element 1 of feature [${name}] is null; an element is a value.`,
      )
    }
  })

  it('counts with the elements that are kept, and has a bound on them (R-096)', () => {
    const each = 'x'.repeat(1000)
    echo({ tags: Array.from({ length: 400 }, () => each) })
    const distinct = Array.from({ length: 358 }, (_, i) => String(i).padStart(1000, '0'))
    const rest = limits.recordBytesMax - 358 * 1000 - 'id'.length - 'a'.length - 'at'.length - AT.length
    echo({ tags: [...distinct, 'y'.repeat(rest - 'tags'.length)] })
    expect(refusalOf({ ...KEYS, tags: [...distinct, 'y'.repeat(rest - 'tags'.length + 1)] }).message).toBe(
      'The record has 358401 bytes of names and values; at most 358400 are allowed.',
    )
    expect(
      refusalOf({ ...KEYS, counts: [], weights: Array.from({ length: 358_401 }, () => '') }),
    ).toBeDefined()
    const empty = schemaOf({
      id: 'String',
      at: 'String',
      a: { type: 'String', collection: 'List' },
      b: { type: 'String', collection: 'List' },
    })
    const many = Array.from({ length: 200_000 }, () => '')
    expect(refusalOf({ ...KEYS, a: many, b: many }, empty).message).toMatch(/400000 elements/)
  })
})

describe('a record', () => {
  it('is refused for a feature that the group does not have; case matters (R-081)', () => {
    const { message, place } = refusalOf({ ...KEYS, S: 'a' })
    expect(message).toMatch(
      /^Feature \[S\] is not defined in feature group group: its features are id, at, s/,
    )
    expect(place).toEqual({ featureGroup: 'group', feature: 'S' })
  })

  it('is refused if it has a feature twice (R-082)', () => {
    const twice = [...apiRecord({ ...KEYS, n: '1' }), ...apiRecord({ n: '1' })]
    expect(refusalOf(twice).message).toBe(
      'Feature [n] occurs more than once; a record has each feature once.',
    )
    expect(refusalOf([...apiRecord(KEYS), ...apiRecord({ id: 'b' })]).place.feature).toBe('id')
  })

  it('is refused without its id or its event time (R-083)', () => {
    expect(refusalOf({ at: AT, s: 'a' }).message).toBe(
      'The record has no value of feature [id], its record identifier.',
    )
    expect(refusalOf({ id: 'a', s: AT }).message).toBe(
      'The record has no value of feature [at], its event time.',
    )
    expect(refusalOf([]).place.feature).toBe('id')
  })

  it('leaves nothing of a record before to the next (R-084)', () => {
    const packing = new Packing(SCHEMA)
    packing.put({ ...KEYS, s: 'a', n: '01', tags: ['x'] })
    packing.put({ id: 'b', at: AT })
    packing.put({ at: AT, n: '1', id: 'c' })
    expect(packing.decode()).toEqual([
      apiRecord({ ...KEYS, s: 'a', n: '01', tags: ['x'] }),
      apiRecord({ id: 'b', at: AT }),
      apiRecord({ id: 'c', at: AT, n: '1' }),
    ])
  })

  it('is refused for its first offending feature in the order of the request (R-102)', () => {
    const offending = { n: 'x', nope: '1', x: 'y', at: 'z', id: '' }
    for (const name of Object.keys(offending)) {
      const first = { [name]: offending[name as keyof typeof offending] }
      const rest = Object.fromEntries(Object.entries(offending).filter(([other]) => other !== name))
      expect(
        refusalOf([...apiRecord({ s: 'fine' }), ...apiRecord(first), ...apiRecord(rest)]).place.feature,
      ).toBe(name)
    }
  })

  it('has at most 358400 bytes of names and values, in UTF-8 (R-096)', () => {
    const fixed = 'id'.length + 'a'.length + 'at'.length + AT.length + 's'.length + 'n'.length + '+5'.length
    const room = limits.recordBytesMax - fixed
    const text = `${'ä'.repeat(1000)}${'x'.repeat(room - 2000)}`
    const packing = new Packing(SCHEMA)
    packing.put({ ...KEYS, n: '+5', s: text })
    expect(packing.decode()[0]).toEqual(apiRecord({ ...KEYS, s: text, n: '+5' }))
    expect(refusalOf({ ...KEYS, n: '+5', s: `${text}x` }).message).toBe(
      'The record has 358401 bytes of names and values; at most 358400 are allowed.',
    )
    const long = '0'.repeat(limits.recordBytesMax - 26)
    expect(echo({ n: long })).toEqual(apiRecord({ n: long }))
  })

  it('of any size is refused without growing the batch past its bound (R-096)', () => {
    const names = Array.from({ length: 40 }, (_, i) => `s${i}`)
    const schema = schemaOf({
      id: 'String',
      at: 'String',
      ...Object.fromEntries(names.map((name) => [name, 'String' as const])),
    })
    const record = { ...KEYS, ...Object.fromEntries(names.map((name) => [name, 'x'.repeat(300_000)])) }
    expect(refusalOf(record, schema).message).toMatch(/The record has 120001\d\d bytes/)
  })
})

describe('a record identifier', () => {
  it('has 1 to 2048 bytes (R-097, R-098)', () => {
    const longest = 'ä'.repeat(1024)
    const packing = new Packing(SCHEMA)
    packing.put({ ...KEYS, id: longest })
    expect(packing.finish()[0]!.id).toBe(longest)
    expect(refusalOf({ ...KEYS, id: `${longest}x` }).message).toBe(
      'The record identifier, feature [id], has 2049 bytes; at most 2048 are allowed.',
    )
    expect(refusalOf({ ...KEYS, id: '' }).message).toBe(
      'The record identifier, feature [id], must not be empty.',
    )
    expect(refusalOf({ ...KEYS, id: '\ud800' }).message).toMatch(/surrogate/)
    for (const id of ['', `${longest}x`, '\ud800']) {
      expect(packing.refusalOf(() => packing.update(id, { s: 'a' })).place.feature).toBe('id')
      expect(packing.refusalOf(() => packing.delete(id, AT)).place.feature).toBe('id')
    }
  })

  it.each([
    ['Integral', ['1', '01', '+1', '-0'], ['1.0', 'a', ' 1']],
    ['Fractional', ['1', '01', '1.0', '1e0'], ['a', '1e999', '']],
  ] as const)('may be a %s feature, and is its text (R-099)', (type, legal, illegal) => {
    const packing = new Packing(schemaOf({ id: type, at: 'String' }))
    for (const id of legal) packing.put({ id, at: AT })
    expect(packing.finish().map(({ id }) => id)).toEqual(legal)
    for (const id of legal) packing.put({ id, at: AT })
    expect(packing.decode()).toEqual(legal.map((id) => apiRecord({ id, at: AT })))
    for (const id of illegal) {
      expect(packing.refusalOf(() => packing.put({ id, at: AT })).place.feature).toBe('id')
      expect(packing.refusalOf(() => packing.delete(id, AT)).place.feature).toBe('id')
    }
  })

  it('may be the event time at once (R-099)', () => {
    const packing = new Packing(
      schemaOf({ at: 'String', n: 'Integral' }, { recordIdentifier: 'at', eventTime: 'at' }),
    )
    packing.put({ n: '1', at: '2026-03-01T12:00:00.50Z' })
    expect(packing.decode()).toEqual([apiRecord({ at: '2026-03-01T12:00:00.50Z', n: '1' })])
    expect(packing.refusalOf(() => packing.put({ n: '1', at: 'a' })).message).toMatch(/event time/)
  })
})

describe('an event time', () => {
  it.each([
    ...['2026-03-01T12:00:00Z', '2026-03-01T12:00:00.250Z', '2026-03-01T12:00:00.123456789Z'],
    ...['2026-03-01T12:00:00.5Z', '2024-02-29T00:00:00Z', '0000-01-01T00:00:00Z'],
    ...['9999-12-31T23:59:59.999999999Z', '2026-03-01T12:00:00.000Z'],
  ])('of type String may be %s (R-100, R-101)', (at) => {
    const packing = new Packing(SCHEMA)
    packing.put({ id: 'a', at })
    expect(packing.decode()[0]).toEqual(apiRecord({ id: 'a', at }))
  })

  it.each([
    ...['2026-03-01', '2026-03-01T12:00Z', '2026-03-01T12:00:00.1234567890Z', '2026-03-01T12:00:00.Z'],
    ...['2023-02-29T00:00:00Z', '2026-06-31T00:00:00Z', '10000-01-01T00:00:00Z', '2026-03-01T24:00:00Z'],
    ...['2026-03-01T12:00:60Z', '2026-03-01T12:00:00+00:00', '2026-03-01T12:00:00', '2026-03-01 12:00:00Z'],
    ...['2026-03-01t12:00:00z', '1772366400', ''],
  ])('of type String must not be %j (R-100)', (at) => {
    const { message, place } = refusalOf({ id: 'a', at })
    expect(message).toMatch(/^The event time, feature \[at\], must be in the format YYYY-MM-DDThh:mm:ss/)
    expect(place.feature).toBe('at')
    const packing = new Packing(SCHEMA)
    expect(packing.refusalOf(() => packing.delete('a', at)).message).toMatch(
      /^The event time, EventTime, must/,
    )
  })

  const fractional = schemaOf({ id: 'String', at: 'Fractional' })

  it.each([
    ...[
      '1772366400',
      '1772366400.25',
      '1772366400.123456789',
      '1.7723664E9',
      '0',
      '-1',
      '1787654321.0',
      '+5.',
    ],
    `1772366400.${'0'.repeat(500)}`,
  ])('of type Fractional may be %s, and is told as it was sent (R-090, R-100)', (at) => {
    const packing = new Packing(fractional)
    packing.put({ id: 'a', at })
    expect(packing.decode()[0]).toEqual(apiRecord({ id: 'a', at }))
  })

  it.each(['', 'NaN', '1772366400000', '1e300', '2026-03-01T12:00:00Z', '253402300800', ' 1'])(
    'of type Fractional must not be %j (R-100)',
    (at) => {
      expect(refusalOf({ id: 'a', at }, fractional).message).toMatch(/must be in the format Unix seconds/)
    },
  )

  it('and the time to live after it end before the year 10000 (R-404)', () => {
    const packing = new Packing(SCHEMA)
    packing.put({ id: 'a', at: '9999-12-31T23:59:58.999999999Z' }, 1)
    const { message } = packing.refusalOf(() => packing.put({ id: 'a', at: '9999-12-31T23:59:58.9Z' }, 2))
    expect(message).toBe('TtlDuration: 2 seconds after the event time is past the year 9999.')
    packing.refusalOf(() => packing.put(KEYS, Number.MAX_VALUE))
    packing.refusalOf(() => packing.update('a', { at: AT }, Number.MAX_SAFE_INTEGER))
  })
})

describe('an update', () => {
  it('may name the id if it is the same (R-362)', () => {
    const packing = new Packing(SCHEMA)
    packing.update('a', { s: 'x', id: 'a' })
    expect(packing.refusalOf(() => packing.update('a', { s: 'x', id: 'b' })).message).toBe(
      'Feature [id] is the record identifier and must equal RecordIdentifierValueAsString, "a", found "b".',
    )
    expect(packing.batch.recordCount).toBe(1)
  })

  it('obeys the rules of records (R-363)', () => {
    const packing = new Packing(SCHEMA)
    const refused = (features: Texts): string | undefined =>
      packing.refusalOf(() => packing.update('a', features)).place.feature
    expect(refused({ s: 'x', n: 'x' })).toBe('n')
    expect(refused({ nope: 'x' })).toBe('nope')
    expect(refused({ n: '1', at: 'never' })).toBe('at')
    expect(refused({ place: ['1'] })).toBe('place')
  })

  it('cannot set a feature to null (R-364)', () => {
    const packing = new Packing(SCHEMA)
    const none = [{ FeatureName: 's' }]
    const update = { operation: 5, targets: 3, invocationUs: 1, ttlSeconds: 0 }
    const { message } = packing.refusalOf(() => {
      packing.packer.packUpdate('a', none, update, [packing.batch])
    })
    expect(message).toMatch(/found neither/)
  })
})

const anyText = fc.string({ unit: 'binary', maxLength: 60 })
const integral = fc
  .tuple(fc.constantFrom('', '-', '+'), fc.stringMatching(/^0{0,4}[0-9]{1,18}$/))
  .map((parts) => parts.join(''))
const fractionalText = fc
  .tuple(
    fc.constantFrom('', '-', '+'),
    fc.stringMatching(/^([0-9]{1,18}\.?[0-9]{0,18}|\.[0-9]{1,18})$/),
    fc.constantFrom('', 'e5', 'E-300', 'e+12'),
  )
  .map((parts) => parts.join(''))

it('gives any legal record back, character for character, in the order of the definition (R-090, R-164)', () => {
  const packing = new Packing(SCHEMA)
  const values = fc.record(
    {
      s: anyText,
      n: integral,
      x: fractionalText,
      tags: fc.uniqueArray(anyText, { maxLength: 5 }),
      counts: fc.array(integral, { maxLength: 5 }),
      weights: fc.array(fractionalText, { maxLength: 5 }),
      place: fc.array(fractionalText, { minLength: 3, maxLength: 3 }),
    },
    { requiredKeys: [] },
  )
  const order = SCHEMA.features.map(({ name }) => name)
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
      values,
      fc.infiniteStream(fc.nat()),
      (id, texts, keys) => {
        const record = apiRecord({ id, at: AT, ...texts })
        const shuffled = record
          .map((value) => ({ value, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ value }) => value)
        packing.put(shuffled)
        const inOrder = [...record].sort(
          (a, b) => order.indexOf(a.FeatureName) - order.indexOf(b.FeatureName),
        )
        expect(packing.decode()).toEqual([inOrder])
      },
    ),
    { numRuns: 500 },
  )
})
