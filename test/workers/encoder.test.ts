/**
 * The encoder turns parts into published files and answers with what is on disk.
 * Method: a real pool of one thread writes real files, DuckDB reads them by glob; failures in process.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { Piscina } from 'piscina'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { hourDirectory } from '../../src/io/paths.ts'
import { fileSuffix } from '../../src/stores/offline-files.ts'
import {
  type EncodedFile,
  type EncodeReply,
  type EncodeRequest,
  Encoder,
  type FileToEncode,
} from '../../src/workers/encoder.ts'
import { columnStream, rowStream, someRows, utf8Column } from '../codec/arrow-streams.ts'
import { failOnce, faultyFileSystem } from '../fixtures/faulty-file-system.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-encoder-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const HOUR = 492_311
const dataDirectory = (): string => join(root, 'offline', 'data')

const fileOf = (
  eventHour: number,
  parts: Uint8Array[],
  changes: Partial<FileToEncode> = {},
): FileToEncode => ({
  directory: hourDirectory(dataDirectory(), eventHour),
  latestEventSeconds: eventHour * 3600 + 1815,
  suffix: fileSuffix({ storeId: 'test', featureGroup: 1, createdSeconds: 0, eventHour, round: 1 }),
  parts,
  dictionaryColumns: ['name'],
  metadata: { hour: String(eventHour) },
  ...changes,
})

const requestOf = (...files: FileToEncode[]): EncodeRequest => ({ root, files, codec: 'zstd' })

const filesOf = (reply: EncodeReply): readonly EncodedFile[] => {
  if (!reply.ok) throw new Error(`${reply.error.code}: ${reply.error.message}`)
  return reply.files
}

const withPool = async (use: (pool: Piscina<EncodeRequest, EncodeReply>) => Promise<void>): Promise<void> => {
  const pool = new Piscina<EncodeRequest, EncodeReply>({
    filename: new URL('../../src/workers/encoder-worker.ts', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
    atomics: 'disabled',
  })
  try {
    await use(pool)
  } finally {
    await pool.close()
  }
}

const send = (pool: Piscina<EncodeRequest, EncodeReply>, request: EncodeRequest): Promise<EncodeReply> => {
  const buffers = request.files.flatMap((file) => file.parts.map((part) => part.buffer as ArrayBuffer))
  return pool.run(request, { transferList: buffers })
}

describe('an encoder thread', () => {
  it('publishes each file of a request under its exact name, and says what is on disk', () =>
    withPool(async (pool) => {
      const request = requestOf(
        fileOf(HOUR, [someRows(100), someRows(1, 100), someRows(50, 101)].map(rowStream)),
        fileOf(HOUR + 1, [rowStream(someRows(7))]),
      )
      const reply = await send(pool, request)
      const [first, second] = filesOf(reply)
      expect(first!.fileName).toMatch(/^20260228T233015Z_[0-9A-Za-z]{16}\.parquet$/)
      expect(second!.fileName).toMatch(/^20260301T003015Z_[0-9A-Za-z]{16}\.parquet$/)
      expect([first!.rows, second!.rows]).toEqual([151, 7])
      expect(reply).toHaveProperty('wasmMemoryBytes', expect.any(Number))
      for (const [i, { fileName, bytes, sha256 }] of [first!, second!].entries()) {
        const { directory } = request.files[i]!
        expect(readdirSync(directory)).toEqual([fileName])
        const content = readFileSync(join(directory, fileName))
        expect(content.length).toBe(bytes)
        expect(createHash('sha256').update(content).digest('hex')).toBe(sha256)
      }
      expect(await idsByHour()).toEqual([
        ['hour=00', 7n, 'trip-6'],
        ['hour=23', 151n, 'trip-99'],
      ])
    }))

  it('answers bad parts with an error, also after a panic, and goes on with the next request', () =>
    withPool(async (pool) => {
      const good = rowStream(someRows(20))
      const bad = [good.slice(0, 500), columnStream({ x: [utf8Column(['a']), true] })]
      for (const part of bad) {
        const reply = await send(pool, requestOf(fileOf(HOUR, [good.slice(), part])))
        expect(reply).toMatchObject({ ok: false, error: { code: 'INTERNAL' } })
      }
      let panics = 0
      for (let at = 100; at < 140; at++) {
        const part = good.slice()
        part[at]! ^= 0xff
        const reply = await send(pool, requestOf(fileOf(HOUR, [part])))
        if (!reply.ok && reply.error.message.includes('failed and was restarted')) panics++
      }
      expect(panics).toBeGreaterThan(0)
      expect(filesOf(await send(pool, requestOf(fileOf(HOUR, [good]))))[0]!.rows).toBe(20)
      expect(pool.threads.length).toBe(1)
    }))
})

async function idsByHour(): Promise<unknown[][]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  try {
    const glob = `'${dataDirectory()}/**/*.parquet'`
    const sql = `SELECT regexp_extract(filename, 'hour=..'), count(DISTINCT id), max(id)
      FROM read_parquet(${glob}, filename = true, hive_partitioning = false) GROUP BY 1 ORDER BY 1`
    return (await connection.runAndReadAll(sql)).getRows()
  } finally {
    connection.closeSync()
  }
}

describe('a request', () => {
  const parts = (): Uint8Array[] => [rowStream(someRows(5))]

  it('may be repeated: its files replace themselves, byte for byte', () => {
    const encoder = new Encoder(nodeFileSystem)
    const first = filesOf(encoder.encode(requestOf(fileOf(HOUR, parts()))))
    expect(filesOf(encoder.encode(requestOf(fileOf(HOUR, parts()))))).toEqual(first)
    expect(filesOf(new Encoder(nodeFileSystem).encode(requestOf(fileOf(HOUR, parts()))))).toEqual(first)
    expect(readdirSync(hourDirectory(dataDirectory(), HOUR))).toEqual([first[0]!.fileName])
  })

  it('is only answered when every name is durable', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const files = [0, 1, 2].map((n) => fileOf(HOUR + n, parts()))
    filesOf(new Encoder(fileSystem).encode(requestOf(...files)))
    const lastRename = fileSystem.calls.findLastIndex((call) => call.operation === 'rename')
    const syncedAfter = fileSystem.calls
      .slice(lastRename)
      .filter((call) => call.operation === 'syncDirectory')
      .map((call) => call.path)
    expect(syncedAfter).toEqual(expect.arrayContaining([root, ...files.map((file) => file.directory)]))
  })

  it('fails as a whole, as data, whichever call fails, and can be repeated unless a directory sync failed', () => {
    for (let nth = 0; ; nth++) {
      const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
      const encoder = new Encoder(fileSystem)
      const directory = join(root, String(nth))
      mkdirSync(directory)
      const request = (): EncodeRequest => ({
        ...requestOf(
          fileOf(HOUR, parts(), { directory: join(directory, 'a') }),
          fileOf(HOUR, parts(), { directory: join(directory, 'b') }),
        ),
        root: directory,
      })
      failOnce(fileSystem, { nth, fault: { code: 'EIO', writtenBytes: 3 } })
      const reply = encoder.encode(request())
      if (reply.ok) break
      const failed = fileSystem.calls[nth]!.operation
      const isPoisoned = failed === 'syncDirectory'
      expect(reply.error.code, failed).toBe(isPoisoned ? 'LOG_POISONED' : 'IO_FAILED')
      expect(encoder.encode(request()).ok, failed).toBe(!isPoisoned)
    }
  })

  it('is refused as a bug if a file has no rows to name it by', () => {
    const encoder = new Encoder(nodeFileSystem)
    for (const changes of [
      { parts: [] },
      { latestEventSeconds: Number.NEGATIVE_INFINITY },
      { suffix: 'short' },
    ]) {
      const reply = encoder.encode(requestOf(fileOf(HOUR, parts(), changes)))
      expect(reply).toMatchObject({ ok: false, error: { code: 'INTERNAL' } })
    }
    expect(readdirSync(root)).toEqual([])
  })
})
