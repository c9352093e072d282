/**
 * Files say what their streams said. Method: two independent readers, DuckDB (C++) and hyparquet (JavaScript), read
 * every file back.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type FileMetaData, parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { joinIpcStreams } from '../../src/codec/ipc.ts'
import {
  CREATED_BY,
  encodeParquet,
  type ParquetCodec,
  type ParquetOptions,
  parquetMemoryBytes,
} from '../../src/codec/parquet.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { columnStream, type Row, rowStream, someRows, utf8Column } from './arrow-streams.ts'

const CODECS = ['zstd', 'snappy', 'lz4', 'gzip', 'none'] as const satisfies ParquetCodec[]

let directory: string
let duckdb: DuckDBConnection

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-parquet-'))
  duckdb = await (await DuckDBInstance.create(':memory:')).connect()
})
afterAll(() => {
  duckdb.closeSync()
  rmSync(directory, { recursive: true, force: true })
})

const encode = (ipc: Uint8Array, options: Partial<ParquetOptions> = {}): Uint8Array =>
  encodeParquet(ipc, { codec: 'zstd', dictionaryColumns: [], metadata: {}, ...options })

const asArrayBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer

const metadataOf = (file: Uint8Array): FileMetaData => parquetMetadata(asArrayBuffer(file))

async function readWithHyparquet(file: Uint8Array): Promise<Row[]> {
  const rows = await parquetReadObjects({ file: asArrayBuffer(file), compressors })
  return rows.map(({ id, name, fare, riders, write_time, is_deleted }) => ({
    id,
    name,
    fare,
    riders,
    writtenMs: (write_time as Date).getTime(),
    isDeleted: is_deleted,
  })) as Row[]
}

async function query(file: Uint8Array, sql: (source: string) => string): Promise<unknown[][]> {
  const path = join(directory, 'file.parquet')
  writeFileSync(path, file)
  return (await duckdb.runAndReadAll(sql(`'${path}'`))).getRows()
}

async function readWithDuckdb(file: Uint8Array): Promise<Row[]> {
  const rows = await query(
    file,
    (source) => `SELECT id, name, fare, riders, epoch_ms(write_time), is_deleted FROM ${source}`,
  )
  return rows.map(([id, name, fare, riders, writtenMs, isDeleted]) => ({
    id,
    name,
    fare,
    riders,
    writtenMs: Number(writtenMs),
    isDeleted,
  })) as Row[]
}

/** Columns of the first row group that have a dictionary. */
const dictionaryColumnsOf = (file: Uint8Array): string[] =>
  metadataOf(file)
    .row_groups[0]!.columns.filter((column) => column.meta_data?.dictionary_page_offset !== undefined)
    .map((column) => column.meta_data!.path_in_schema.join('/'))

describe('values', () => {
  it.each(CODECS)('come back from a %s file, read by DuckDB and by hyparquet', async (codec) => {
    const rows = someRows(1000)
    const file = encode(rowStream(rows), { codec, dictionaryColumns: ['name'] })
    expect(await readWithDuckdb(file)).toEqual(rows)
    expect(await readWithHyparquet(file)).toEqual(rows)
  })

  it.each([1, 7, 8, 9, 63, 64, 65])('come back from files of %i rows with nulls', async (count) => {
    const rows = someRows(count, 2)
    const file = encode(rowStream(rows))
    expect(await readWithDuckdb(file)).toEqual(rows)
    expect(await readWithHyparquet(file)).toEqual(rows)
  })

  it('of three parts are those of one, in the order of the parts', async () => {
    const parts = [someRows(100), someRows(1, 100), someRows(700, 101)]
    const file = encode(joinIpcStreams(parts.map(rowStream)))
    expect(await readWithDuckdb(file)).toEqual(someRows(801))
    expect(await readWithHyparquet(file)).toEqual(someRows(801))
  })

  it('may be as large as a record, and do not make the footer large', async () => {
    const text = 'é'.repeat(179_200)
    const file = encode(columnStream({ text: [utf8Column([text, null, `${text}x`]), true] }))
    expect(await query(file, (source) => `SELECT text FROM ${source}`)).toEqual([
      [text],
      [null],
      [`${text}x`],
    ])
    expect(metadataOf(file).metadata_length).toBeLessThan(2000)
  })
})

describe('the schema', () => {
  it('has the types of the offline store, in the order of the columns', async () => {
    const file = encode(rowStream(someRows(10)))
    const columns = metadataOf(file).schema.slice(1)
    expect(
      columns.map(({ name, type, repetition_type, logical_type }) => [
        name,
        type,
        repetition_type,
        logical_type,
      ]),
    ).toEqual([
      ['id', 'BYTE_ARRAY', 'OPTIONAL', { type: 'STRING' }],
      ['name', 'BYTE_ARRAY', 'OPTIONAL', { type: 'STRING' }],
      ['fare', 'DOUBLE', 'OPTIONAL', undefined],
      ['riders', 'INT64', 'OPTIONAL', undefined],
      ['write_time', 'INT64', 'REQUIRED', { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' }],
      ['is_deleted', 'BOOLEAN', 'REQUIRED', undefined],
    ])
    const described = await query(file, (source) => `DESCRIBE SELECT * FROM ${source}`)
    expect(described.map(([name, type]) => [name, type])).toEqual([
      ['id', 'VARCHAR'],
      ['name', 'VARCHAR'],
      ['fare', 'DOUBLE'],
      ['riders', 'BIGINT'],
      ['write_time', 'TIMESTAMP WITH TIME ZONE'],
      ['is_deleted', 'BOOLEAN'],
    ])
  })

  it.each([
    ['zstd', 'ZSTD'],
    ['snappy', 'SNAPPY'],
    ['lz4', 'LZ4_RAW'],
    ['gzip', 'GZIP'],
    ['none', 'UNCOMPRESSED'],
  ] as const)('says %s as %s for every column', (codec, expected) => {
    const file = encode(rowStream(someRows(10)), { codec })
    const [rowGroup] = metadataOf(file).row_groups
    expect(new Set(rowGroup!.columns.map((column) => column.meta_data!.codec))).toEqual(new Set([expected]))
  })

  it('is compressed and keeps its metadata in every file, not only in the first', () => {
    const files = ['a', 'b', 'c'].map((key) => encode(rowStream(someRows(10)), { metadata: { key } }))
    for (const [i, file] of files.entries()) {
      const { key_value_metadata, row_groups, created_by } = metadataOf(file)
      expect(key_value_metadata).toContainEqual({ key: 'key', value: 'abc'[i] })
      expect(row_groups[0]!.columns[0]!.meta_data!.codec).toBe('ZSTD')
      expect(created_by).toBe(CREATED_BY)
    }
  })

  it('and everything else is the same again for the same rows, so that a repeated file replaces itself', () => {
    const options = { metadata: { millrace: '{"round":7}' }, dictionaryColumns: ['name', 'id'] }
    const first = encode(rowStream(someRows(100)), options)
    for (let i = 0; i < 5; i++) expect(encode(rowStream(someRows(100)), options)).toEqual(first)
  })

  it('has statistics that say least, greatest and null count', () => {
    const [rowGroup] = metadataOf(encode(rowStream(someRows(100)))).row_groups
    const { statistics } = rowGroup!.columns[3]!.meta_data!
    expect(statistics).toMatchObject({ min_value: -(2n ** 63n), max_value: 2n ** 63n - 1n, null_count: 16n })
  })

  it('names the version of the package that wrote it', () => {
    const path = join(import.meta.dirname, '..', '..', 'package.json')
    const { name, version } = JSON.parse(readFileSync(path, 'utf8'))
    expect(CREATED_BY).toBe(`${name} version ${version}`)
  })
})

describe('dictionaries', () => {
  it('are made for the named columns only, whatever is in their names', () => {
    const names = ['a', 'b', 'A', 'a-b', 'a_b', '0a', 'a.b', 'a.b.c', 'a b', 'ä', '"a"', '`a`']
    const values = utf8Column(['x', 'y', 'x', 'x'])
    const stream = columnStream(Object.fromEntries(names.map((name) => [name, [values, true]])))
    expect(dictionaryColumnsOf(encode(stream))).toEqual([])
    for (const name of names) {
      expect(dictionaryColumnsOf(encode(stream, { dictionaryColumns: [name] }))).toEqual([name])
    }
    expect(dictionaryColumnsOf(encode(stream, { dictionaryColumns: names }))).toEqual(names)
  })

  it('may be asked for a column that is not there', () => {
    expect(dictionaryColumnsOf(encode(rowStream(someRows(5)), { dictionaryColumns: ['gone'] }))).toEqual([])
  })
})

describe('row groups', () => {
  it('have at most 131,072 rows', () => {
    const { row_groups } = metadataOf(encode(bigStream(300_000), { codec: 'none' }))
    expect(row_groups.map((rowGroup) => Number(rowGroup.num_rows))).toEqual([131_072, 131_072, 37_856])
  })

  it('of wide rows end at about 32 MiB', () => {
    const wide = utf8Column(Array.from({ length: 100 }, (_, i) => String(i).padEnd(100_000, 'x')))
    const part = columnStream({ wide: [wide, true] })
    const { row_groups } = metadataOf(
      encode(joinIpcStreams([part, part, part, part, part]), { codec: 'none' }),
    )
    expect(row_groups.length).toBe(2)
    for (const rowGroup of row_groups) expect(rowGroup.total_byte_size).toBeLessThan(40 * 1024 * 1024)
  })
})

const bigStream = (count: number): Uint8Array =>
  columnStream({ x: [utf8Column(new Array<string>(count).fill('x')), true] })

describe('a stream that is damaged', () => {
  it('is refused as an internal error', () => {
    const stream = rowStream(someRows(10))
    for (const bad of [new Uint8Array(0), stream.subarray(0, 100), stream.subarray(0, stream.length - 64)]) {
      expect(() => encode(bad)).toThrow(MillraceError)
    }
  })

  it('may make the encoder panic, which the next file does not notice', async () => {
    const stream = rowStream(someRows(10))
    encode(bigStream(200_000))
    const memoryBefore = parquetMemoryBytes()
    let panics = 0
    for (let at = 0; at < 400; at++) {
      const bad = stream.slice()
      bad[at]! ^= 0xff
      try {
        encode(bad)
      } catch (error) {
        expect(error).toBeInstanceOf(MillraceError)
        if (/failed and was restarted/.test((error as MillraceError).message)) panics++
      }
    }
    expect(panics).toBeGreaterThan(0)
    expect(parquetMemoryBytes()).toBeLessThan(memoryBefore)
    expect(await readWithDuckdb(encode(stream))).toEqual(someRows(10))
  })
})
