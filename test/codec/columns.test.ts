/** Columns say what the rows say, however the rows are cut into slices. The oracle is Arrow's own reader. */
import { tableFromIPC } from 'apache-arrow'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ColumnBuilder, type ColumnPart } from '../../src/codec/columns.ts'
import { ScratchMemory } from '../../src/codec/scratch-memory.ts'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { type PlacedRow, placeRows, SCHEMA, type TestRow } from '../fixtures/packed-rows.ts'

const WRITE_TIME_US = 1_772_366_400_123

function build(rows: readonly PlacedRow[], sliceRows: number, memory?: ScratchMemory): ColumnPart {
  const builder = new ColumnBuilder(SCHEMA, rows.length, WRITE_TIME_US, memory)
  for (let from = 0; from < rows.length; from += sliceRows) {
    const slice = rows.slice(from, from + sliceRows)
    builder.append({
      views: slice.map(({ chunk }) => chunk),
      rows: Uint32Array.from(slice, ({ row }) => row),
      count: slice.length,
    })
  }
  return builder.finish()
}

const readBack = (part: ColumnPart): unknown[] =>
  tableFromIPC(part.ipc)
    .toArray()
    .map((row) => row.toJSON())

const expected = ({
  id,
  seconds,
  operation = 'put',
  invocationUs = 0,
  note,
  count,
  score,
}: TestRow): unknown => ({
  id,
  at: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'),
  note: note ?? null,
  count: count ?? null,
  score: score ?? null,
  // The library tells microseconds as milliseconds with a fraction.
  write_time: WRITE_TIME_US / 1000,
  api_invocation_time: invocationUs / 1000,
  is_deleted: operation !== 'put',
})

const testRow: fc.Arbitrary<TestRow> = fc
  .record(
    {
      id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }),
      seconds: fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }),
      operation: fc.constantFrom('put' as const, 'put' as const, 'soft' as const, 'hard' as const),
      invocationUs: fc.integer({ min: 0, max: 2 ** 48 }),
      note: fc.string({ unit: 'grapheme', maxLength: 200 }),
      count: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      score: fc.double({ noNaN: true }),
    },
    { requiredKeys: ['id', 'seconds', 'operation', 'invocationUs'] },
  )
  // A marker carries no features.
  .map(({ note, count, score, ...row }) =>
    row.operation === 'put'
      ? ({ ...row, ...omitUndefined({ note, count, score }) } as TestRow)
      : (row as TestRow),
  )

const omitUndefined = (values: object): object =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

describe('columns', () => {
  it('hold every value of every row, in any slices and in memory that was used before', () => {
    const memory = new ScratchMemory()
    fc.assert(
      fc.property(
        fc.array(testRow, { minLength: 1, maxLength: 70 }),
        fc.integer({ min: 1, max: 20 }),
        (rows, sliceRows) => {
          const placed = placeRows(new RowChunks(), rows, 1)
          const part = build(placed, sliceRows, memory)
          expect(part.rows).toBe(rows.length)
          expect(readBack(part)).toEqual(rows.map(expected))
          // A second build must not disturb what the first made: the stream is a copy.
          const again = build(placed, rows.length, memory)
          expect(Buffer.from(again.ipc).equals(Buffer.from(part.ipc))).toBe(true)
          expect(readBack(part)).toEqual(rows.map(expected))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('grow with long texts', () => {
    const rows = Array.from({ length: 300 }, (_, i) => ({
      id: `id-${i}`,
      seconds: i,
      note: 'x'.repeat(i * 13),
    }))
    const memory = new ScratchMemory()
    const part = build(placeRows(new RowChunks(), rows, 1), 64, memory)
    expect(readBack(part)).toEqual(rows.map(expected))
  })

  it('are as their schema says: features in order, service columns behind them and never null', () => {
    const part = build(placeRows(new RowChunks(), [{ id: 'a', seconds: 0 }], 1), 1)
    const { fields } = tableFromIPC(part.ipc).schema
    expect(fields.map(({ name, type, nullable }) => [name, String(type), nullable])).toEqual([
      ['id', 'Utf8', true],
      ['at', 'Utf8', true],
      ['note', 'Utf8', true],
      ['count', 'Int64', true],
      ['score', 'Float64', true],
      ['write_time', 'Timestamp<MICROSECOND, UTC>', false],
      ['api_invocation_time', 'Timestamp<MICROSECOND, UTC>', false],
      ['is_deleted', 'Bool', false],
    ])
  })

  it('name those for a dictionary whose values repeat', () => {
    const rows = Array.from({ length: 100 }, (_, i) => ({ id: `id-${i}`, seconds: 0, note: `note ${i % 5}` }))
    expect(build(placeRows(new RowChunks(), rows, 1), 100).dictionaryColumns).toEqual(['note'])
    const different = rows.map((row, i) => ({ ...row, note: `note ${i}` }))
    expect(build(placeRows(new RowChunks(), different, 1), 100).dictionaryColumns).toEqual([])
    // A few rows say nothing.
    expect(build(placeRows(new RowChunks(), rows.slice(0, 10), 1), 100).dictionaryColumns).toEqual([])
  })

  it('must have as many rows as announced', () => {
    const builder = new ColumnBuilder(SCHEMA, 2, 0)
    const [only] = placeRows(new RowChunks(), [{ id: 'a', seconds: 0 }], 1)
    builder.append({ views: [only!.chunk], rows: Uint32Array.of(only!.row), count: 1 })
    expect(() => builder.finish()).toThrow('as many rows as announced')
  })
})
