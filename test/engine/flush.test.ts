/**
 * When rows become Parquet files, what the files are called, where they lie and what is in them; and that a crash
 * anywhere on the way leaves every row in exactly one file. Files are read by DuckDB and hyparquet, which know
 * nothing of manifests.
 */
import { basename } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { MillraceOptions } from '../../src/index.ts'
import { cutManifest, manifestFrames } from '../fixtures/manifest-cut.ts'
import { offlineRows, parquetFiles } from '../fixtures/offline-rows.ts'
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

describe('a crash', () => {
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
