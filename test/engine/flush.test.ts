/**
 * When rows become Parquet files, what the files are called, where they lie and what is in them; and that a crash
 * anywhere on the way leaves every row in exactly one file. Files are read by DuckDB and hyparquet, which know
 * nothing of manifests.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterEach, describe, expect, it } from 'vitest'
import type { FeatureGroup, Millrace, MillraceOptions } from '../../src/index.ts'
import { temporaryFile } from '../../src/io/paths.ts'
import { cutManifest, manifestFrames } from '../fixtures/manifest-cut.ts'
import {
  hourOfFile,
  offlineRows,
  parquetFiles,
  queryOffline,
  temporaryFiles,
} from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { type PlainRow, StoreProcess } from '../fixtures/store-process.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const DEFINITION = {
  name: 'readings',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', n: 'Integral', s: 'String' },
} as const

const OPTIONS: MillraceOptions = {
  shards: 1,
  memoryBytes: 32 * 1024 * 1024,
  flush: { bytes: 64 * 1024 },
}

const processes: StoreProcess[] = []
afterEach(() => Promise.all(processes.splice(0).map((each) => each.kill())))

async function openInProcess(directory: string, options = OPTIONS): Promise<StoreProcess> {
  const store = new StoreProcess()
  processes.push(store)
  await store.call('open', { directory, options, definition: DEFINITION })
  return store
}

/** Rows of one hour, all of the same second, so that only the name's suffix can tell their files apart. */
const largeRows = (count: number, from = 0): PlainRow[] =>
  Array.from({ length: count }, (_, i) => ({
    id: `id-${i % 10}`,
    at: '2026-03-01T12:30:00Z',
    n: from + i,
    s: 'x'.repeat(1000),
  }))

const numbersOf = async (directory: string): Promise<number[]> =>
  (await offlineRows(directory)).map(({ n }) => Number(n)).sort((a, b) => a - b)

type Readings = FeatureGroup<typeof DEFINITION>

const rowsAt = (at: string, count: number): { id: string; at: string; n: number }[] =>
  Array.from({ length: count }, (_, n) => ({ id: `id-${n}`, at, n }))

/** Waits for files that nobody asks for. */
async function filesSoon(directory: string, count: number): Promise<string[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const files = parquetFiles(directory)
    if (files.length >= count) return files
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`expected ${count} files within ten seconds, found ${parquetFiles(directory).length}`)
}

describe('rows become files', () => {
  const create = async (options: MillraceOptions): Promise<{ store: Millrace; group: Readings }> => {
    const store = await openStore({ shards: 1, ...options })
    return { store, group: await store.createFeatureGroup(DEFINITION) }
  }

  it('when an hour has enough of them, and the other hours wait', async () => {
    const { store, group } = await create({ flush: { rows: 50 } })
    await group.ingest(rowsAt('2026-03-01T12:00:00Z', 50))
    await group.ingest(rowsAt('2026-03-01T13:00:00Z', 49))
    expect((await filesSoon(store.directory, 1)).map(hourOfFile)).toEqual(['2026-03-01T12'])
    await group.flush()
    expect(parquetFiles(store.directory).map(hourOfFile)).toEqual(['2026-03-01T12', '2026-03-01T13'])
    expect((await store.stats()).offline).toMatchObject({ files: 2, unpublishedRows: 0 })
  })

  it('when an hour has enough bytes', async () => {
    const { store, group } = await create({ flush: { bytes: 64 * 1024 } })
    await group.ingest(largeRows(70) as never)
    const [file] = await filesSoon(store.directory, 1)
    expect(hourOfFile(file!)).toBe('2026-03-01T12')
  })

  it('when the oldest has waited long enough, though nothing else is written (R-450)', async () => {
    const { store, group } = await create({ flush: { ageMs: 100 } })
    await group.put({ id: 'a', at: '2026-03-01T12:00:00Z' })
    await filesSoon(store.directory, 1)
    // The online store is made durable by age as well, so that the log can go.
    for (let attempt = 0; (await store.stats()).online.lagRecords > 0; attempt++) {
      expect(attempt).toBeLessThan(100)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })

  it('when one group is flushed, and those of the others wait', async () => {
    const { store, group } = await create({})
    const other = await store.createFeatureGroup({ ...DEFINITION, name: 'other' })
    await Promise.all([group, other].map((each) => each.put({ id: 'a', at: '2026-03-01T12:00:00Z' })))
    await group.flush()
    expect(parquetFiles(store.directory).length).toBe(1)
    expect(parquetFiles(store.describe('readings').offlineDirectory!).length).toBe(1)
  })

  it('in one file per hour, however many shards and batches they came through', async () => {
    const store = await openStore({ shards: 4, memoryBytes: 64 * 1024 * 1024 })
    const group = await store.createFeatureGroup(DEFINITION)
    const hours = Array.from(
      { length: 30 },
      (_, h) => `2026-03-0${1 + Math.floor(h / 24)}T${String(h % 24).padStart(2, '0')}`,
    )
    for (let i = 0; i < 5; i++) {
      await group.ingest(hours.flatMap((hour) => rowsAt(`${hour}:00:0${i}Z`, 40)))
    }
    await store.flush()
    expect(parquetFiles(store.directory).map(hourOfFile)).toEqual(hours)
    expect((await offlineRows(store.directory)).length).toBe(30 * 5 * 40)
    await store.flush()
    expect(parquetFiles(store.directory).length).toBe(hours.length)
  })

  it('that are late in a further file of their hour (R-465)', async () => {
    const { store, group } = await create({})
    for (let n = 0; n < 3; n++) {
      await group.put({ id: 'a', at: '2026-03-01T12:00:00Z', n })
      await group.flush()
    }
    expect(parquetFiles(store.directory).map(hourOfFile)).toEqual(Array(3).fill('2026-03-01T12'))
    expect(await numbersOf(store.directory)).toEqual([0, 1, 2])
  })
})

describe('a file', () => {
  const store = sharedStore()

  it.each([
    ['2026-02-28T23:30:15.999999999Z', '2026-02-28T23', '20260228T233015Z'],
    ['2026-03-01T00:00:00Z', '2026-03-01T00', '20260301T000000Z'],
    ['2025-12-31T23:59:59Z', '2025-12-31T23', '20251231T235959Z'],
    ['1969-12-31T23:59:59.5Z', '1969-12-31T23', '19691231T235959Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00', '00000101T000000Z'],
    ['9999-12-31T23:59:59.999999999Z', '9999-12-31T23', '99991231T235959Z'],
    ['2024-02-29T12:00:00Z', '2024-02-29T12', '20240229T120000Z'],
  ])(
    'with the latest event time %s lies in the hour %s and is called %s_ (R-460, R-461, R-462, R-463)',
    async (at, hour, name) => {
      const group = await store.current.createFeatureGroup({ ...DEFINITION, name: `g${name}` })
      await group.put({ id: 'latest', at })
      await group.put({ id: 'earlier', at: `${at.slice(0, 13)}:00:00Z` })
      await group.flush()
      const { offlineDirectory } = store.current.describe(group.name)
      const files = parquetFiles(offlineDirectory!)
      expect(files.map(hourOfFile)).toEqual([hour])
      expect(basename(files[0]!)).toMatch(new RegExp(`^${name}_[0-9A-Za-z]{16}\\.parquet$`))
      const year = `year=${hour.slice(0, 4)}/month=${hour.slice(5, 7)}/day=${hour.slice(8, 10)}/hour=${hour.slice(11)}`
      expect(dirname(files[0]!)).toBe(join(offlineDirectory!, year))
    },
  )

  it('has the features in order, then the service columns, in the types that were promised (R-452, R-453, R-464, R-471, R-472)', async () => {
    const features = { z: 'Fractional', id: 'String', n: 'Integral', at: 'String' } as const
    const group = await store.current.createFeatureGroup({ ...DEFINITION, name: 'types', features })
    const before = Date.now()
    await group.put({ id: 'a', at: '2026-03-01T12:00:00.10Z', n: 2n ** 63n - 1n, z: -0.5 })
    await group.put({ id: 'b', at: '2026-03-01T12:00:01Z' })
    await group.delete('a', '2026-03-01T12:00:02Z')
    await group.flush()
    const { offlineDirectory } = store.current.describe('types')
    const columns = await queryOffline(
      offlineDirectory!,
      'describe select * exclude (filename) from {offline}',
    )
    expect(columns.map(({ column_name, column_type }) => [column_name, column_type])).toEqual([
      ['z', 'DOUBLE'],
      ['id', 'VARCHAR'],
      ['n', 'BIGINT'],
      ['at', 'VARCHAR'],
      ['write_time', 'TIMESTAMP WITH TIME ZONE'],
      ['api_invocation_time', 'TIMESTAMP WITH TIME ZONE'],
      ['is_deleted', 'BOOLEAN'],
    ])

    const bytes = readFileSync(parquetFiles(offlineDirectory!)[0]!)
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    const elements = parquetMetadata(file).schema.slice(1)
    expect(elements.map(({ name, type, repetition_type }) => [name, type, repetition_type])).toEqual([
      ['z', 'DOUBLE', 'OPTIONAL'],
      ['id', 'BYTE_ARRAY', 'OPTIONAL'],
      ['n', 'INT64', 'OPTIONAL'],
      ['at', 'BYTE_ARRAY', 'OPTIONAL'],
      ['write_time', 'INT64', 'REQUIRED'],
      ['api_invocation_time', 'INT64', 'REQUIRED'],
      ['is_deleted', 'BOOLEAN', 'REQUIRED'],
    ])
    expect(elements[4]!.logical_type).toMatchObject({
      type: 'TIMESTAMP',
      isAdjustedToUTC: true,
      unit: 'MICROS',
    })

    const rows = await parquetReadObjects({ file, compressors })
    rows.sort((a, b) => String(a['at']).localeCompare(String(b['at'])))
    expect(rows.map(({ z, id, n, at, is_deleted }) => [z, id, n, at, is_deleted])).toEqual([
      [-0.5, 'a', 2n ** 63n - 1n, '2026-03-01T12:00:00.10Z', false],
      [null, 'b', null, '2026-03-01T12:00:01Z', false],
      [null, 'a', null, '2026-03-01T12:00:02Z', true],
    ])
    const writeTimes = new Set(rows.map(({ write_time }) => Number(write_time as Date)))
    expect(writeTimes.size).toBe(1)
    for (const { write_time, api_invocation_time } of rows) {
      expect(Number(api_invocation_time)).toBeGreaterThanOrEqual(before)
      expect(Number(write_time)).toBeGreaterThanOrEqual(Number(api_invocation_time))
    }
  })

  it.each(['zstd', 'snappy', 'lz4', 'gzip', 'none'] as const)(
    'may be written with the codec %s',
    async (codec) => {
      const own = await openStore({ shards: 1, parquet: { codec } })
      const group = await own.createFeatureGroup(DEFINITION)
      await group.ingest(rowsAt('2026-03-01T12:00:00Z', 100))
      await own.flush()
      expect((await numbersOf(own.directory)).length).toBe(100)
      const bytes = readFileSync(parquetFiles(own.directory)[0]!)
      const { row_groups } = parquetMetadata(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      )
      const names = { zstd: 'ZSTD', snappy: 'SNAPPY', lz4: 'LZ4_RAW', gzip: 'GZIP', none: 'UNCOMPRESSED' }
      expect(row_groups[0]!.columns.map((column) => column.meta_data?.codec)).toEqual(
        Array(7).fill(names[codec]),
      )
    },
  )
})

describe('a crash', () => {
  const OF_TWO: MillraceOptions = { ...OPTIONS, shards: 2, flush: {} }
  const HOURS = ['2026-03-01T12', '2026-03-01T13', '2026-03-02T00']
  const rows: PlainRow[] = HOURS.flatMap((hour) =>
    Array.from({ length: 40 }, (_, n) => ({ id: `id-${n}`, at: `${hour}:00:${n + 10}Z`, n, s: null })),
  )

  it('between the rename and the manifest repeats the same files, byte for byte (R-456)', async () => {
    const directory = temporaryDirectory()
    const first = await openInProcess(directory, OF_TWO)
    await first.call('ingest', { rows, options: {} })
    await first.call('flush', {})
    await first.kill()
    const files = new Map(parquetFiles(directory).map((path) => [path, readFileSync(path)]))
    expect(files.size).toBe(HOURS.length)
    cutManifest(directory, 0)
    // One file was renamed, one was not, one was about to be.
    const [, missing, hidden] = [...files.keys()] as [string, string, string]
    for (const path of [missing, hidden]) rmSync(path)
    writeFileSync(temporaryFile(hidden), 'PAR1 half a file')

    const second = await openInProcess(directory, OF_TWO)
    await second.call('flush', {})
    expect(new Map(parquetFiles(directory).map((path) => [path, readFileSync(path)]))).toEqual(files)
    expect(temporaryFiles(directory).filter((name) => name.includes('.parquet'))).toEqual([])
    expect((await offlineRows(directory)).length).toBe(rows.length)
    expect((await second.call('statistics', {})).offline.files).toBe(HOURS.length)
  })

  it('before the seal leaves the rows to the next flush', async () => {
    const directory = temporaryDirectory()
    const first = await openInProcess(directory, OF_TWO)
    await first.call('ingest', { rows, options: {} })
    await first.kill()
    const second = await openInProcess(directory, OF_TWO)
    expect(parquetFiles(directory)).toEqual([])
    await second.call('ingest', { rows, options: {} })
    await second.call('flush', {})
    expect((await offlineRows(directory)).length).toBe(2 * rows.length)
    expect(parquetFiles(directory).length).toBe(HOURS.length)
  })

  it.each([0, 1, 2, 3])(
    'between the files of a large hour leaves each row in exactly one file (%i in the manifest)',
    async (kept) => {
      const directory = temporaryDirectory()
      const first = await openInProcess(directory)
      await first.call('ingest', { rows: largeRows(260), options: {} })
      await first.call('flush', {})
      await first.kill()
      const names = parquetFiles(directory).map((path) => basename(path))
      expect(names.length).toBeGreaterThan(3)
      cutManifest(directory, kept)
      const second = await openInProcess(directory)
      await second.call('flush', {})
      expect(await numbersOf(directory)).toEqual(largeRows(260).map(({ n }) => n))
      expect(parquetFiles(directory).map((path) => basename(path))).toEqual(names)
      expect(manifestFrames(directory)).toBeGreaterThan(3)
    },
  )
})
