/**
 * Collections in records: what each type takes, what comes back, and which element is to blame. The oracle is the plain
 * array; the refused record must leave no trace.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CollectionFeature, FeatureType } from '../../src/core/definition.ts'
import { limits } from '../../src/core/limits.ts'
import { Packing, schemaOf } from '../fixtures/packing.ts'

const AT = '2026-03-01T12:00:00Z'
const list = (type: FeatureType): CollectionFeature => ({ type, collection: 'List' })
const set = (type: FeatureType): CollectionFeature => ({ type, collection: 'Set' })
const vector = (dimension: number): CollectionFeature => ({
  type: 'Fractional',
  collection: 'Vector',
  dimension,
})

const SCHEMA = schemaOf({
  id: 'String',
  at: 'String',
  s: 'String',
  words: list('String'),
  counts: list('Integral'),
  scores: list('Fractional'),
  tags: set('String'),
  codes: set('Integral'),
  levels: set('Fractional'),
  embedding: vector(3),
})

const packed = (values: object): Record<string, unknown> => {
  const packing = new Packing(SCHEMA)
  packing.pack({ id: 'a', at: AT, ...values })
  const { id, at, ...read } = packing.finish()[0]!
  expect([id, at]).toEqual(['a', AT])
  return read
}

const refused = (values: object): string => {
  const error = new Packing(SCHEMA).refusalOf({ id: 'a', at: AT, ...values })
  expect(error.code).toBe('INVALID_ARGUMENT')
  return error.message
}

describe('a List (f.6)', () => {
  it('keeps order and duplicates (R-092)', () => {
    expect(packed({ words: ['b', 'a', 'b'], counts: [3, 1, 3], scores: [0.5, -0, 0.5] })).toEqual({
      words: ['b', 'a', 'b'],
      counts: [3, 1, 3],
      scores: [0.5, -0, 0.5],
    })
  })

  it('may be empty, which is not the same as having none (R-094)', () => {
    expect(packed({ words: [], counts: [] })).toEqual({ words: [], counts: [] })
    expect(packed({ words: null, counts: undefined })).toEqual({})
  })

  it('holds 64-bit integers without loss', () => {
    const counts = [2n ** 63n - 1n, -(2n ** 63n), 5n, -1, 2 ** 53 - 1]
    expect(packed({ counts })).toEqual({ counts: [2n ** 63n - 1n, -(2n ** 63n), 5, -1, 2 ** 53 - 1] })
  })

  it('comes back as it was given, whatever is in it and around it', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 60 }), { maxLength: 20 })
    const doubles = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { maxLength: 20 })
    const record = fc.record(
      {
        s: fc.string(),
        words: texts,
        counts: fc.array(fc.maxSafeInteger(), { maxLength: 20 }),
        scores: doubles,
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
        const packing = new Packing(SCHEMA)
        const whole = records.map((each, i) => ({ id: `id-${i}`, at: AT, ...each }))
        for (const each of whole) packing.pack(each)
        expect(packing.finish()).toEqual(whole)
      }),
    )
  })
})

describe('a Set (f.6)', () => {
  it('keeps the first of equal elements, in the order first seen (R-095)', () => {
    expect(packed({ tags: ['x', 'y', 'x', '', 'z', 'y', ''], codes: [3, 1, 3n, 1n, 2] })).toEqual({
      tags: ['x', 'y', '', 'z'],
      codes: [3, 1, 2],
    })
  })

  it('compares elements by their texts (R-095)', () => {
    expect(packed({ tags: ['1', '01', '1.0', 'é', 'e\u0301'] })['tags']).toEqual([
      '1',
      '01',
      '1.0',
      'é',
      'e\u0301',
    ])
    expect(packed({ levels: [0, -0, 1, 1.0, -0] })['levels']).toEqual([0, -0, 1])
    expect(packed({ codes: [0, -0, 2n ** 62n, 2n ** 62n, -(2n ** 62n)] })['codes']).toEqual([
      0,
      2n ** 62n,
      -(2n ** 62n),
    ])
  })

  it('may be given as a Set', () => {
    const codes = new Set<number | bigint>([7, 7n, 8n])
    expect(packed({ tags: new Set(['b', 'a']), codes, levels: new Set() })).toEqual({
      tags: ['b', 'a'],
      codes: [7, 8],
      levels: [],
    })
  })

  it('remembers nothing of the record before, accepted or refused', () => {
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'a', at: AT, tags: ['x'] })
    packing.refusalOf({ id: 'b', at: AT, tags: ['y', null] })
    packing.pack({ id: 'c', at: AT, tags: ['y', 'x'] })
    expect(packing.finish().map(({ tags }) => tags)).toEqual([['x'], ['y', 'x']])
  })

  it('is what a map of texts would be', () => {
    const element = fc.oneof(
      fc.constantFrom('a', 'b', 'A', ''),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    )
    fc.assert(
      fc.property(fc.array(element, { maxLength: 30 }), (tags) => {
        expect(packed({ tags })['tags']).toEqual([...new Set(tags)])
      }),
    )
  })
})

describe('a Vector (f.6)', () => {
  it.each([
    ['an array', [0.5, -1, 0]],
    ['a Float64Array', Float64Array.of(0.5, -1, 0)],
    ['a Float32Array', Float32Array.of(0.5, -1, 0)],
  ])('may be given as %s', (_, embedding) => {
    expect(packed({ embedding })['embedding']).toEqual([0.5, -1, 0])
  })

  it('may have 8192 elements', () => {
    const packing = new Packing(schemaOf({ id: 'String', at: 'String', v: vector(8192) }))
    const values = Float64Array.from({ length: 8192 }, (_, i) => Math.sin(i))
    packing.pack({ id: 'a', at: AT, v: values })
    expect(packing.only('v')).toEqual([...values])
  })

  it.each([0, 2, 4])('of dimension 3 is refused with %i elements (R-092, R-094)', (length) => {
    const message = refused({ embedding: new Array(length).fill(1) })
    expect(message).toBe(`feature group "group", feature "embedding": expected 3 elements, found ${length}`)
  })
})

describe('an element', () => {
  it.each([
    [{ words: ['a', null] }, 'feature "words", element 1: expected a String, found null'],
    [{ words: [undefined] }, 'feature "words", element 0: expected a String, found undefined'],
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
    [{ words: ['a', , 'b'] }, 'feature "words", element 1: expected a String, found undefined'],
    [
      { counts: [1, null] },
      'feature "counts", element 1: expected an Integral (a number or bigint), found null',
    ],
    [{ scores: [null] }, 'feature "scores", element 0: expected a Fractional (a finite number), found null'],
    [{ tags: new Set(['a', null]) }, 'feature "tags", element 1: expected a String, found null'],
    [{ codes: [1, 1, undefined] }, 'feature "codes", element 2: expected an Integral'],
    [{ embedding: [1, null, 2] }, 'feature "embedding", element 1: expected a Fractional'],
  ])('that is missing is refused with its index: %o (R-093)', (values, message) => {
    expect(refused(values)).toContain(message)
  })

  it.each([
    [{ words: [7] }, 'feature "words", element 0: expected a String, found number 7'],
    [{ words: [['a']] }, 'feature "words", element 0: expected a String, found an array'],
    [{ words: ['a', '\ud800'] }, 'feature "words", element 1: found ill-formed Unicode'],
    [
      { counts: ['a'] },
      'feature "counts", element 0: expected an Integral (a number or bigint), found the string "a"',
    ],
    [
      { counts: [1, 1.5] },
      'feature "counts", element 1: expected an Integral (a whole number), found number 1.5',
    ],
    [{ counts: [2 ** 53] }, 'beyond 2^53 use a bigint'],
    [{ counts: [2n ** 63n] }, 'expected an Integral from -9223372036854775808 to 9223372036854775807'],
    [{ codes: [1, '1'] }, 'feature "codes", element 1: expected an Integral'],
    [
      { scores: [Number.NaN] },
      'feature "scores", element 0: expected a Fractional (a finite number), found number NaN',
    ],
    [
      { levels: [5, 5n] },
      'feature "levels", element 1: expected a Fractional (a finite number), found bigint 5',
    ],
    [
      { embedding: Float32Array.of(1, Number.POSITIVE_INFINITY, 0) },
      'feature "embedding", element 1: expected a Frac',
    ],
  ])('of another type is refused with its index: %o (R-092)', (values, message) => {
    expect(refused(values)).toContain(message)
  })
})

describe('a value of the wrong shape', () => {
  it.each([
    [{ words: 'a' }, 'feature "words": expected a List<String> (an array), found the string "a"'],
    [{ words: new Set(['a']) }, 'feature "words": expected a List<String> (an array), found a Set'],
    [{ scores: 1 }, 'feature "scores": expected a List<Fractional> (an array), found number 1'],
    [
      { scores: Float64Array.of(1) },
      'feature "scores": expected a List<Fractional> (an array), found a Float64Array',
    ],
    [{ codes: 1n }, 'feature "codes": expected a Set<Integral> (an array or a Set), found bigint 1'],
    [
      { tags: { 0: 'a', length: 1 } },
      'expected a Set<String> (an array or a Set), found a value of type object',
    ],
    [
      { embedding: 1 },
      'feature "embedding": expected a Vector<Fractional, 3> (an array, a Float64Array or a Float32Array), found number 1',
    ],
    [{ s: ['a'] }, 'feature "s": expected a String, found an array'],
    [{ s: new Set(['a']) }, 'feature "s": expected a String, found a Set'],
    [{ id: ['a'] }, 'feature "id": expected a String, found an array'],
  ])('is refused, a scalar for a collection or the reverse: %o (R-086)', (values, message) => {
    expect(refused(values)).toContain(message)
  })
})

describe('the size of a record with collections', () => {
  // Names and values.
  const room = limits.recordBytesMax - 'ida'.length - 'at'.length - 20

  it('may be exactly 358400 bytes, elements counted together, and not one more (R-091, R-096)', () => {
    const elements = room - 'words'.length
    const words = ['é'.repeat(1000), ...new Array<string>(elements - 2000).fill('x')]
    expect(packed({ words })).toEqual({ words })
    expect(refused({ words: [...words, 'x'] })).toMatch(
      /at most 358400 bytes of names and values, found 358401/,
    )
    expect(refused({ words: [...words, ''], s: '' })).toMatch(/found 358401/)
  })

  it.each(['counts', 'codes', 'scores'])('counts numbers as their texts: %s (R-096)', (name) => {
    // Of each length as many as there are: sets keep all of them.
    const numbers: number[] = []
    let left = room - name.length
    for (let i = 100_000; left >= 6; i++, left -= 6) numbers.push(i)
    const rest = Number('1'.repeat(left))
    if (left > 0) numbers.push(rest)
    expect(packed({ [name]: numbers })).toEqual({ [name]: numbers })
    expect(refused({ [name]: [...numbers, 7] })).toMatch(/found 358401/)
  })

  it('counts an element of a Set once, however often it was sent', () => {
    const tag = 'x'.repeat(100_000)
    expect(packed({ tags: [tag, tag, tag, tag, 'y'] })).toEqual({ tags: [tag, 'y'] })
    const codes = Array.from({ length: 14_000 }, (_, i) => 10_000 + i)
    expect(packed({ tags: [tag, tag, tag, tag], codes: new Array(10).fill(codes).flat() })).toEqual({
      tags: [tag],
      codes,
    })
  })

  it('is refused however far it is past the limit (R-091)', () => {
    const text = 'x'.repeat(1000)
    expect(refused({ words: new Array(5000).fill(text) })).toMatch(/a value has at most 358400 bytes/)
    expect(refused({ words: ['', 'x'.repeat(400_000)] })).toMatch(
      /element 1: a value has at most 358400 bytes/,
    )
    expect(refused({ counts: new Array(300_000).fill(123) })).toMatch(/found 900031/)
    expect(refused({ words: new Array(358_401).fill('') })).toMatch(/at most 358400 elements, found 358401/)
    const many = { words: new Array(300_000).fill('') }
    expect(refused({ ...many, tags: Array.from({ length: 58_401 }, (_, i) => String(i)) })).toMatch(
      /collections of a record have at most 358400 elements, found 358401/,
    )
  })

  it('may come from as many elements as there are bytes (R-096)', () => {
    const elements = room - 'counts'.length
    const counts = Array.from({ length: elements }, (_, i) => i % 10)
    const packing = new Packing(SCHEMA)
    packing.pack({ id: 'a', at: AT, counts })
    packing.refusalOf({ id: 'a', at: AT, counts: [...counts, 1] })
    packing.pack({ id: 'b', at: AT, counts })
    expect(packing.finish().map((record) => (record['counts'] as number[]).length)).toEqual([
      elements,
      elements,
    ])
  })
})
