/** List columns of Arrow input, in every layout, as the elements of each row. The oracle is the array they were made of. */
import {
  type Data,
  type DataType,
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  LargeList,
  LargeUtf8,
  List,
  makeData,
  Uint64,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FeatureSchema } from '../../src/core/model.ts'
import { listElements } from '../../src/engine/arrow-list.ts'
import { schemaOf } from '../fixtures/packing.ts'

const SCHEMA = schemaOf({
  id: 'String',
  at: 'String',
  words: { type: 'String', collection: 'List' },
  counts: { type: 'Integral', collection: 'Set' },
  scores: { type: 'Fractional', collection: 'List' },
  embedding: { type: 'Fractional', collection: 'Vector', dimension: 2 },
})
const feature = (name: string): FeatureSchema => SCHEMA.byName.get(name)!

type Lists = readonly (readonly unknown[])[]

const childOf = (type: DataType, lists: Lists): Data =>
  vectorFromArray(lists.flat() as unknown[], type).data[0] ?? makeData({ type: type as Utf8, length: 0 })

function offsetsOf(lists: Lists): number[] {
  const offsets = [0]
  for (const list of lists) offsets.push(offsets.at(-1)! + list.length)
  return offsets
}

const LAYOUTS = {
  List: (type: DataType, lists: Lists): Data =>
    makeData({
      type: new List(new Field('item', type, true)),
      length: lists.length,
      valueOffsets: Int32Array.from(offsetsOf(lists)),
      child: childOf(type, lists),
    }),
  LargeList: (type: DataType, lists: Lists): Data =>
    makeData({
      type: new LargeList(new Field('item', type, true)),
      length: lists.length,
      valueOffsets: BigInt64Array.from(offsetsOf(lists), BigInt),
      child: childOf(type, lists),
    }),
  FixedSizeList: (type: DataType, lists: Lists): Data =>
    makeData({
      type: new FixedSizeList(lists[0]!.length, new Field('item', type, true)),
      length: lists.length,
      child: childOf(type, lists),
    }),
}

function read(name: string, data: Data): unknown[][] {
  const elements = listElements(SCHEMA, feature(name), data)
  return Array.from({ length: data.length }, (_, row) => Array.from(elements(row)))
}

describe.each(['List', 'LargeList', 'FixedSizeList'] as const)('a %s column', (layout) => {
  const lists = <T>(element: fc.Arbitrary<T>): fc.Arbitrary<T[][]> =>
    layout === 'FixedSizeList'
      ? fc
          .integer({ min: 1, max: 4 })
          .chain((size) => rows(fc.array(element, { minLength: size, maxLength: size })))
      : rows(fc.array(element, { maxLength: 5 }))
  const rows = <T>(list: fc.Arbitrary<T[]>): fc.Arbitrary<T[][]> =>
    fc.array(list, { minLength: 1, maxLength: 8 })
  const make = LAYOUTS[layout]

  it('gives the elements of every row, of a slice too', () => {
    const text = fc.option(fc.string({ unit: 'grapheme', maxLength: 6 }))
    const inSlices = (name: string, type: DataType, values: Lists): void => {
      const data = make(type, values)
      expect(read(name, data)).toEqual(values)
      const from = Math.floor(values.length / 2)
      expect(read(name, data.slice(from, values.length - from))).toEqual(values.slice(from))
    }
    fc.assert(
      fc.property(lists(text), (values) => inSlices('words', new Utf8(), values)),
      { numRuns: 50 },
    )
    fc.assert(
      fc.property(lists(fc.option(fc.double({ noNaN: true }))), (values) =>
        inSlices('scores', new Float64(), values),
      ),
      {
        numRuns: 50,
      },
    )
  })

  it('gives 64-bit integers as numbers where those are exact', () => {
    const integer = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.maxSafeInteger().map(BigInt))
    fc.assert(
      fc.property(lists(integer), (values) => {
        const expected = values.map((list) =>
          list.map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n)),
        )
        expect(read('counts', make(new Int64(), values))).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['words', new LargeUtf8(), ['a', 'é']],
    ['words', new Dictionary(new Utf8(), new Int32()), ['a', 'a']],
    ['counts', new Int16(), [-3, 7]],
    ['scores', new Float32(), [0.5, -0.25]],
    ['embedding', new Float32(), [0.5, -0.25]],
  ] as const)('may have elements for %s of type %s', (name, type, list) => {
    expect(read(name, make(type as DataType, [list, list]))).toEqual([list, list])
  })

  it.each([
    ['words', new Int64(), [1n], /feature "words": expected an Arrow column of Utf8.*found Int64/],
    [
      'counts',
      new Float64(),
      [1],
      /feature "counts": expected an Arrow column of lists of signed integers.*found Float64/,
    ],
    ['counts', new Uint64(), [1n], /found Uint64/],
    [
      'scores',
      new Utf8(),
      ['1'],
      /feature "scores": expected an Arrow column of lists of Float32 or Float64, found Utf8/,
    ],
  ] as const)('is refused for %s with elements of type %s (R-092)', (name, type, list, message) => {
    expect(() => listElements(SCHEMA, feature(name), make(type as DataType, [list]))).toThrow(message)
  })
})

it('refuses a column that is not one of lists (R-086)', () => {
  const data = vectorFromArray(['a'], new Utf8()).data[0]!
  expect(() => listElements(SCHEMA, feature('words'), data)).toThrow(
    'feature "words": expected an Arrow column of List, LargeList or FixedSizeList, found Utf8',
  )
})

it('refuses lists of a fixed size that is not the dimension of the Vector (R-092)', () => {
  expect(() =>
    listElements(SCHEMA, feature('embedding'), LAYOUTS.FixedSizeList(new Float64(), [[1, 2, 3]])),
  ).toThrow(/feature "embedding": expected an Arrow column of lists of 2 elements, found FixedSizeList\[3\]/)
})
