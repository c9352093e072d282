/**
 * Collections in columns and files. Method: rows packed as the engine packs them, Arrow's own reader as the oracle of the
 * columns, and two independent readers, DuckDB (C++) and hyparquet (JavaScript), as those of the files.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import * as fc from 'fast-check'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BATCH_HEADER_BYTES } from '../../src/codec/batch.ts'
import { BatchBuilder } from '../../src/codec/batch-builder.ts'
import { CollectionWriter } from '../../src/codec/collection.ts'
import { ColumnBuilder, type ColumnPart } from '../../src/codec/columns.ts'
import { joinIpcStreams } from '../../src/codec/ipc.ts'
import { encodeParquet } from '../../src/codec/parquet.ts'
import { FLAG_TOMBSTONE, OPERATION_PUT, OPERATION_SOFT_DELETE, viewRows } from '../../src/codec/row.ts'
import { ScratchMemory } from '../../src/codec/scratch-memory.ts'
import { type PackedRow, schemaOf } from '../fixtures/packing.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const SCHEMA = schemaOf({
  id: 'String',
  at: 'String',
  words: { type: 'String', collection: 'List' },
  counts: { type: 'Integral', collection: 'Set' },
  embedding: { type: 'Fractional', collection: 'Vector', dimension: 3 },
})
const NAMES = ['words', 'counts', 'embedding'] as const

/** Elements as texts; a marker has no features. */
interface Row {
  readonly isMarker?: boolean
  readonly words?: string[]
  readonly counts?: string[]
  readonly embedding?: string[]
}

function pack(rows: readonly Row[]): PackedRow[] {
  const batch = new BatchBuilder()
  const writer = new CollectionWriter()
  for (const row of rows) {
    const { isMarker = false } = row
    const operation = isMarker ? OPERATION_SOFT_DELETE : OPERATION_PUT
    const flags = isMarker ? FLAG_TOMBSTONE : 0
    const head = { operation, targets: 3, invocationUs: 0, slotCount: SCHEMA.slotCount, flags, ttlSeconds: 0 }
    batch.beginRow(head, Buffer.from('id'), 2, 1, 2, 0, 0, 0)
    for (const name of NAMES) {
      const { slot, kind } = SCHEMA.byName.get(name)!
      const texts = row[name]
      if (texts !== undefined) writer.placeTexts(batch, slot, kind, texts)
    }
    batch.endRow()
  }
  const { buffer, bytes } = batch.finish({
    featureGroup: 1,
    sourceLow: 0,
    sourceHigh: 0,
    sourceFrom: 0,
    sourceUpTo: 0,
  })
  const view = viewRows(buffer, 0, bytes)
  let at = BATCH_HEADER_BYTES
  return rows.map(() => {
    const packed = { view, row: at }
    at += view.u32[at >>> 2]!
    return packed
  })
}

function build(rows: readonly Row[], sliceRows = rows.length, memory?: ScratchMemory): ColumnPart {
  const packed = pack(rows)
  const builder = new ColumnBuilder(SCHEMA, rows.length, 0, memory)
  for (let from = 0; from < rows.length; from += sliceRows) {
    const slice = packed.slice(from, from + sliceRows)
    builder.append({
      views: slice.map(({ view }) => view),
      rows: Uint32Array.from(slice, ({ row }) => row),
      count: slice.length,
    })
  }
  return builder.finish()
}

/** What readers give for a row: integers as bigints. */
const expected = (row: Row) => ({
  words: row.words ?? null,
  counts: row.counts?.map(BigInt) ?? null,
  embedding: row.embedding?.map(Number) ?? null,
  is_deleted: row.isMarker ?? false,
})

const elementsOf = (value: unknown): unknown[] | null =>
  value === null || value === undefined ? null : [...(value as Iterable<unknown>)]

const plain = (row: Record<string, unknown>): unknown => ({
  words: elementsOf(row['words']),
  counts: elementsOf(row['counts']),
  embedding: elementsOf(row['embedding']),
  is_deleted: row['is_deleted'],
})

const readArrow = (ipc: Uint8Array): unknown[] =>
  tableFromIPC(ipc)
    .toArray()
    .map((row) => plain(row.toJSON()))

const word = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.string({ minLength: 60, maxLength: 90 }),
)
const integer = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)
const written = <T extends string>(...own: T[]): fc.Arbitrary<string> => fc.constantFrom<string>(...own)
const testRow: fc.Arbitrary<Row> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ isMarker: true }) },
  {
    weight: 5,
    arbitrary: fc.record(
      {
        words: fc.array(word, { maxLength: 12 }),
        counts: fc.array(fc.oneof(integer.map(String), written('+5', '007', '-0')), { maxLength: 12 }),
        embedding: fc.array(fc.oneof(double, written('1.0', '-0', '1E3', '.5')), {
          minLength: 3,
          maxLength: 3,
        }),
      },
      { requiredKeys: [] },
    ) as fc.Arbitrary<Row>,
  },
)

describe('list columns', () => {
  it('hold every element of every row, numbers whatever their texts, in any slices and in used memory (R-090)', () => {
    const memory = new ScratchMemory()
    fc.assert(
      fc.property(
        fc.array(testRow, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 40 }),
        (rows, sliceRows) => {
          const part = build(rows, sliceRows, memory)
          expect(readArrow(part.ipc)).toEqual(rows.map(expected))
          const again = build(rows, rows.length, memory)
          expect(Buffer.from(again.ipc).equals(Buffer.from(part.ipc))).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('grow far past what the number of rows lets expect', () => {
    const digits = Array.from({ length: 100_000 }, (_, i) => String(i % 10))
    const rows = [{ words: digits, counts: digits }, { words: [] }, { words: digits }, { isMarker: true }]
    expect(readArrow(build(rows, 2).ipc)).toEqual(rows.map(expected))
  })

  it('have nothing to say for a record written before the feature was added (R-533)', () => {
    const older = schemaOf({ id: 'String', at: 'String', words: { type: 'String', collection: 'List' } })
    const batch = new BatchBuilder()
    const head = {
      operation: OPERATION_PUT,
      targets: 3,
      invocationUs: 0,
      slotCount: older.slotCount,
      flags: 0,
      ttlSeconds: 0,
    }
    batch.beginRow(head, Buffer.from('id'), 2, 1, 2, 0, 0, 0)
    new CollectionWriter().placeTexts(batch, 0, 0, ['a'])
    batch.endRow()
    const { buffer } = batch.finish({
      featureGroup: 1,
      sourceLow: 0,
      sourceHigh: 0,
      sourceFrom: 0,
      sourceUpTo: 0,
    })
    const builder = new ColumnBuilder(SCHEMA, 1, 0)
    builder.append({ views: [viewRows(buffer)], rows: Uint32Array.of(BATCH_HEADER_BYTES), count: 1 })
    expect(readArrow(builder.finish().ipc)).toEqual([expected({ words: ['a'] })])
  })
})

describe('a Parquet file with collections', () => {
  let directory: string
  let duckdb: DuckDBConnection

  beforeAll(async () => {
    duckdb = await (await DuckDBInstance.create(':memory:')).connect()
  })
  afterAll(() => duckdb.closeSync())

  const encode = (ipc: Uint8Array): Uint8Array =>
    encodeParquet(ipc, { codec: 'zstd', dictionaryColumns: [], metadata: {} })

  async function query(file: Uint8Array, sql: (source: string) => string): Promise<unknown[][]> {
    directory = temporaryDirectory()
    const path = join(directory, 'file.parquet')
    writeFileSync(path, file)
    return (await duckdb.runAndReadAll(sql(`'${path}'`))).getRowsJS()
  }

  async function readWithDuckdb(file: Uint8Array): Promise<unknown[]> {
    const rows = await query(file, (source) => `SELECT ${NAMES.join(', ')}, is_deleted FROM ${source}`)
    return rows.map(([words, counts, embedding, is_deleted]) => ({ words, counts, embedding, is_deleted }))
  }

  const readWithHyparquet = async (file: Uint8Array): Promise<unknown[]> =>
    (await parquetReadObjects({ file: new Uint8Array(file).buffer, compressors })).map(plain)

  const ROWS: readonly Row[] = [
    { words: ['a', 'é', '', 'a'], counts: ['9223372036854775807', '-1'], embedding: ['0.1', '-0', '1.50'] },
    { isMarker: true },
    { words: [], counts: [] },
    { words: ['🚋'] },
    {},
    { counts: ['+7'], embedding: ['1', '2', '3'] },
  ]

  it('reads back the same with DuckDB and hyparquet, markers without lists (R-473)', async () => {
    const file = encode(build(ROWS).ipc)
    expect(await readWithDuckdb(file)).toEqual(ROWS.map(expected))
    expect(await readWithHyparquet(file)).toEqual(ROWS.map(expected))
  })

  it('may be made of the parts of several shards', async () => {
    const many = Array.from({ length: 500 }, (_, i): Row => ({ ...ROWS[i % ROWS.length]!, words: [`w${i}`] }))
    const parts = [ROWS.slice(0, 2), [{ isMarker: true }], many, [{}]]
    const file = encode(joinIpcStreams(parts.map((rows) => build(rows).ipc)))
    expect(await readWithDuckdb(file)).toEqual(parts.flat().map(expected))
    expect(await readWithHyparquet(file)).toEqual(parts.flat().map(expected))
  })

  it('has LIST columns of the element types, in the three levels of the format (R-092)', async () => {
    const file = encode(build(ROWS).ipc)
    const { schema } = parquetMetadata(new Uint8Array(file).buffer)
    const first = schema.findIndex(({ name }) => name === 'words')
    const levels = schema.slice(first, first + 9)
    expect(
      levels.map(({ name, type, repetition_type, logical_type }) => [
        name,
        type,
        repetition_type,
        logical_type?.type,
      ]),
    ).toEqual([
      ['words', undefined, 'OPTIONAL', 'LIST'],
      ['list', undefined, 'REPEATED', undefined],
      ['element', 'BYTE_ARRAY', 'OPTIONAL', 'STRING'],
      ['counts', undefined, 'OPTIONAL', 'LIST'],
      ['list', undefined, 'REPEATED', undefined],
      ['element', 'INT64', 'OPTIONAL', undefined],
      ['embedding', undefined, 'OPTIONAL', 'LIST'],
      ['list', undefined, 'REPEATED', undefined],
      ['element', 'DOUBLE', 'OPTIONAL', undefined],
    ])
    const described = await query(file, (source) => `DESCRIBE SELECT ${NAMES.join(', ')} FROM ${source}`)
    expect(described.map((row) => row.slice(0, 2))).toEqual([
      ['words', 'VARCHAR[]'],
      ['counts', 'BIGINT[]'],
      ['embedding', 'DOUBLE[]'],
    ])
  })

  it('takes the largest record there can be', async () => {
    const digits = Array.from({ length: 358_000 }, (_, i) => String(i % 10))
    const rows: Row[] = [{ counts: digits }, { words: digits }]
    expect(await readWithHyparquet(encode(build(rows).ipc))).toEqual(rows.map(expected))
  })
})
