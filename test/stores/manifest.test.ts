/**
 * The manifest names exactly what was appended, over reopening, torn writes and damage.
 * Method: a plain Map is the model; writes are torn and bytes flipped at every place.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MANIFEST_HEADER_BYTES, type ManifestEntry } from '../../src/codec/manifest-entry.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { limits } from '../../src/core/limits.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { Manifest } from '../../src/stores/manifest.ts'
import { failOnce, faultyFileSystem } from '../fixtures/faulty-file-system.ts'

const quickFileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-manifest-'))
  path = join(directory, 'manifest.log')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const entry = (changes: Partial<ManifestEntry> = {}): ManifestEntry => ({
  featureGroup: 1,
  featureGroupName: 'trips',
  round: 1,
  eventHour: 492_288,
  path: 'offline/a.parquet',
  rows: 10,
  bytes: 1000,
  sha256: 'ab'.repeat(32),
  latestEventSeconds: 1_772_321_415,
  writeTimeUs: 1_772_321_500_123,
  parts: [{ shard: 0, rows: 10, firstLsn: 1, lastLsn: 10 }],
  ...changes,
})

const reopen = (): Manifest => Manifest.open(quickFileSystem, path)

/** What a fresh opening says is in the manifest. */
function entriesNow(): ManifestEntry[] {
  const manifest = reopen()
  const entries = [...manifest.entries()]
  manifest.close()
  return entries
}

function thrownBy(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('expected an error')
}

/** A manifest of three appends, and where each of them starts. */
function threeAppends(): { bytes: Buffer; starts: number[]; appended: ManifestEntry[][] } {
  const appended = [1, 2, 3].map((round) => [
    entry({ round }),
    entry({ round, eventHour: 7, path: 'x'.repeat(round) }),
  ])
  const manifest = reopen()
  const starts = appended.map((entries) => {
    const start = readFileSync(path).length
    manifest.append(entries)
    return start
  })
  manifest.close()
  return { bytes: readFileSync(path), starts, appended }
}

const arbitraryEntry = fc
  .record({
    featureGroup: fc.integer({ min: 1, max: 3 }),
    round: fc.integer({ min: 1, max: 4 }),
    eventHour: fc.constantFrom(-17_268_672, -1, 0, 492_288, 70_389_527),
    path: fc.string({ unit: 'binary', maxLength: 20 }),
    rows: fc.nat(1_000_000),
    bytes: fc.nat(),
    parts: fc.array(
      fc.record({ shard: fc.nat(63), rows: fc.nat(), firstLsn: fc.nat(), lastLsn: fc.maxSafeNat() }),
      {
        maxLength: 3,
      },
    ),
  })
  .map(entry)

describe('a manifest', () => {
  it('names after every reopening what was appended, the last entry of a key winning', () => {
    fc.assert(
      fc.property(fc.array(fc.array(arbitraryEntry, { maxLength: 5 }), { maxLength: 6 }), (appends) => {
        rmSync(path, { force: true })
        const model = new Map<string, ManifestEntry>()
        for (const entries of appends) {
          const manifest = reopen()
          manifest.append(entries)
          for (const e of entries) {
            // Deleted first, so that a replaced entry moves to the end, where it stands in the file.
            const key = `${e.featureGroup} ${e.eventHour} ${e.round}`
            model.delete(key)
            model.set(key, e)
          }
          expectToNameExactly(manifest, model)
          manifest.close()
        }
        const manifest = reopen()
        expectToNameExactly(manifest, model)
        manifest.close()
      }),
      { numRuns: 60 },
    )
  })

  it('starts empty and answers for what it does not know', () => {
    const manifest = reopen()
    expect([...manifest.entries()]).toEqual([])
    expect(manifest.has(1, 2, 3)).toBe(false)
    expect(manifest.totals(1)).toEqual({ files: 0, rows: 0, bytes: 0 })
    manifest.close()
  })

  it('takes all entries of one append with one write and one sync', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const manifest = Manifest.open(fileSystem, path)
    fileSystem.calls.length = 0
    manifest.append(Array.from({ length: 2000 }, (_, round) => entry({ round })))
    expect(fileSystem.calls.map((call) => call.operation)).toEqual(['writeAt', 'dataSync'])
    manifest.append([])
    expect(fileSystem.calls.length).toBe(2)
    manifest.close()
  })

  it('takes appends that are larger than a frame', () => {
    const large = [1, 2, 3].map((round) =>
      entry({ round, path: 'p'.repeat(limits.framePayloadBytesMax * 0.6) }),
    )
    const manifest = reopen()
    manifest.append(large)
    expect([...manifest.entries()].map((e) => e.round)).toEqual([1, 2, 3])
    manifest.close()
    expect(entriesNow()).toEqual(large)
  })

  it('knows many files of one feature group, and of one hour', () => {
    const manifest = reopen()
    for (let hour = 0; hour < 20_000; hour += 5000) {
      manifest.append(Array.from({ length: 5000 }, (_, i) => entry({ eventHour: hour + i })))
    }
    manifest.append(Array.from({ length: 1000 }, (_, round) => entry({ eventHour: 77, round })))
    // Round 1 of hour 77 is among both.
    expect(manifest.totals(1)).toEqual({ files: 20_999, rows: 209_990, bytes: 20_999_000 })
    expect(manifest.has(1, 19_999, 1)).toBe(true)
    expect(manifest.has(1, 20_000, 1)).toBe(false)
    expect(manifest.has(1, 77, 999)).toBe(true)
    expect(manifest.has(1, 77, 1000)).toBe(false)
    manifest.close()
  })

  it('accepts nothing once it is closed', () => {
    const manifest = reopen()
    manifest.close()
    manifest.close()
    expect(thrownBy(() => manifest.append([entry()])).code).toBe('CLOSED')
  })
})

function expectToNameExactly(manifest: Manifest, model: ReadonlyMap<string, ManifestEntry>): void {
  const expected = [...model.values()]
  expect([...manifest.entries()]).toEqual(expected)
  for (const featureGroup of [1, 2, 3]) {
    const files = expected.filter((e) => e.featureGroup === featureGroup)
    expect(manifest.totals(featureGroup)).toEqual({
      files: files.length,
      rows: files.reduce((sum, e) => sum + e.rows, 0),
      bytes: files.reduce((sum, e) => sum + e.bytes, 0),
    })
    for (const round of [1, 2, 3, 4]) {
      for (const eventHour of [-1, 0, 492_288]) {
        expect(manifest.has(featureGroup, eventHour, round)).toBe(
          model.has(`${featureGroup} ${eventHour} ${round}`),
        )
      }
    }
  }
}

describe('a torn write', () => {
  it('is cut and kept aside, wherever it ended, and what came before it stays', () => {
    const { bytes, starts, appended } = threeAppends()
    const last = starts[2]!
    for (let length = last + 1; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length))
      const manifest = reopen()
      expect([...manifest.entries()]).toEqual(appended.slice(0, 2).flat())
      const { cutTail } = manifest
      expect(cutTail).toMatchObject({ offset: last, bytes: length - last })
      expect(readFileSync(cutTail!.keptAs)).toEqual(bytes.subarray(last, length))
      expect(readFileSync(path).length).toBe(last)
      manifest.append(appended[2]!)
      manifest.close()
      expect(readFileSync(path)).toEqual(bytes)
    }
  })

  it('at the end of an append leaves nothing to cut', () => {
    const { bytes, starts } = threeAppends()
    truncateSync(path, starts[2]!)
    const manifest = reopen()
    expect(manifest.cutTail).toBeUndefined()
    manifest.close()
    expect(bytes.length).toBeGreaterThan(starts[2]!)
  })

  it('may have left zeros, or the wrong bytes, where the file had grown already', () => {
    const { bytes, starts, appended } = threeAppends()
    const last = starts[2]!
    for (const at of [last, last + 4, last + 8, bytes.length - 8]) {
      const torn = Buffer.from(bytes).fill(0, at)
      writeFileSync(path, torn)
      expect(entriesNow(), `zeros from ${at - last}`).toEqual(appended.slice(0, 2).flat())
    }
  })

  it('is cut again if the first opening died before it was done', () => {
    const { bytes, starts, appended } = threeAppends()
    const torn = bytes.subarray(0, bytes.length - 3)
    for (let nth = 0; ; nth++) {
      writeFileSync(path, torn)
      const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
      failOnce(fileSystem, { nth, fault: { code: 'EIO' } })
      let failed = false
      try {
        Manifest.open(fileSystem, path).close()
      } catch {
        failed = true
      }
      expect(entriesNow()).toEqual(appended.slice(0, 2).flat())
      expect(readFileSync(path).length).toBe(starts[2]!)
      if (!failed) break
    }
  })
})

describe('damage', () => {
  it('of any byte before the last append is refused, naming the offset of its frame', () => {
    const { bytes, starts } = threeAppends()
    for (let at = 0; at < starts[2]!; at++) {
      const bad = Buffer.from(bytes)
      bad[at]! ^= 0x10
      writeFileSync(path, bad)
      const error = thrownBy(reopen)
      expect(error.code, `byte ${at}`).toBe('MANIFEST_CORRUPT')
      const frame = at < MANIFEST_HEADER_BYTES ? 0 : starts.findLast((start) => start <= at)!
      expect(error.message).toContain(`damaged at offset ${frame}:`)
      expect(error.place.file).toBe(path)
      expect(readFileSync(path).equals(bad)).toBe(true)
    }
    expect(readdirSync(directory)).toEqual(['manifest.log'])
  })

  it('of any byte of the last append never brings a wrong entry', () => {
    const { bytes, starts, appended } = threeAppends()
    for (let at = starts[2]!; at < bytes.length; at++) {
      const bad = Buffer.from(bytes)
      bad[at]! ^= 0x10
      writeFileSync(path, bad)
      expect(entriesNow(), `byte ${at}`).toEqual(appended.slice(0, 2).flat())
    }
  })

  it('that is longer than a write is refused', () => {
    const { bytes } = threeAppends()
    writeFileSync(path, Buffer.concat([bytes, Buffer.alloc(limits.framePayloadBytesMax + 16)]))
    const error = thrownBy(reopen)
    expect(error.code).toBe('MANIFEST_CORRUPT')
    expect(error.message).toContain(`damaged at offset ${bytes.length}:`)
  })

  it('that shows up after opening stops the iteration', () => {
    const { bytes, starts } = threeAppends()
    const manifest = reopen()
    const bad = Buffer.from(bytes)
    bad[starts[1]! + 20]! ^= 1
    writeFileSync(path, bad)
    expect(thrownBy(() => [...manifest.entries()]).code).toBe('MANIFEST_CORRUPT')
    manifest.close()
  })

  it('is not what a newer format is', () => {
    reopen().close()
    const header = readFileSync(path)
    header.writeUInt32LE(2, 8)
    header.writeUInt32LE(crc32(header.subarray(0, 12)), 12)
    writeFileSync(path, header)
    expect(thrownBy(reopen).code).toBe('INCOMPATIBLE_STORE')
  })
})

describe('a failing disk', () => {
  it('that is full loses nothing: the same entries may be appended again', () => {
    for (const writtenBytes of [0, 5, 200]) {
      rmSync(path, { force: true })
      const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
      const manifest = Manifest.open(fileSystem, path)
      manifest.append([entry({ round: 1 })])
      failOnce(fileSystem, { operation: 'writeAt', nth: 0, fault: { code: 'ENOSPC', writtenBytes } })
      expect(thrownBy(() => manifest.append([entry({ round: 2 })])).code).toBe('DISK_FULL')
      expect(manifest.has(1, 492_288, 2)).toBe(false)
      manifest.append([entry({ round: 2, path: 'shorter' })])
      manifest.close()
      expect(entriesNow().map((e) => e.round)).toEqual([1, 2])
    }
  })

  it('that fails a sync poisons the manifest: nothing of the append counts, nothing more is taken', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
    const manifest = Manifest.open(fileSystem, path)
    failOnce(fileSystem, { operation: 'dataSync', nth: 0, fault: { code: 'EIO' } })
    const error = thrownBy(() => manifest.append([entry()]))
    expect(error.code).toBe('LOG_POISONED')
    expect(error.cause).toBeInstanceOf(MillraceError)
    expect(manifest.has(1, 492_288, 1)).toBe(false)
    fileSystem.calls.length = 0
    expect(thrownBy(() => manifest.append([entry({ round: 2 })])).code).toBe('LOG_POISONED')
    expect(fileSystem.calls).toEqual([])
    manifest.close()
  })

  it('that neither writes nor cuts poisons the manifest', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
    const manifest = Manifest.open(fileSystem, path)
    fileSystem.fault = ({ operation }) =>
      operation === 'writeAt' || operation === 'truncate' ? { code: 'EIO', writtenBytes: 9 } : undefined
    expect(thrownBy(() => manifest.append([entry()])).code).toBe('IO_FAILED')
    fileSystem.fault = () => undefined
    expect(thrownBy(() => manifest.append([entry()])).code).toBe('LOG_POISONED')
    manifest.close()
    expect(entriesNow()).toEqual([])
  })
})
