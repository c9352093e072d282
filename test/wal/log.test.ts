/** The log against a plain array: what was appended comes back, over rolling, trimming and reopening. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FRAME_HEADER_BYTES, FrameKind } from '../../src/codec/frame.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/codec/segment-header.ts'
import type { Lsn } from '../../src/core/lsn.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { faultyFileSystem } from '../fixtures/faulty-file-system.ts'
import {
  append,
  errorOf,
  type ModelFrame,
  newDirectory,
  open,
  payloadOf,
  quickFileSystem,
  readAll,
  SEGMENT_BYTES,
  segmentNames,
} from './log-fixture.ts'

let directory: ReturnType<typeof newDirectory>
beforeEach(() => {
  directory = newDirectory()
})
afterEach(() => directory.remove())

describe('a fresh log', () => {
  it('starts at LSN 1 and is empty', () => {
    const { log, report } = open(directory.path)
    expect([log.firstLsn, log.nextLsn, log.syncedLsn, log.bytes]).toEqual([1, 1, 1, SEGMENT_HEADER_BYTES])
    expect(report).toEqual({
      segments: 1,
      bytes: 512,
      frames: 0,
      cleanTail: true,
      tornBytes: 0,
      tornFile: undefined,
    })
    log.close()
  })

  it('makes its files readable by the owner only', () => {
    const path = join(directory.path, 'shards', 'wal')
    open(path).log.close()
    expect(statSync(path).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(path)) expect(statSync(join(path, name)).mode & 0o777).toBe(0o600)
  })
})

describe('append', () => {
  it('numbers records without gaps; frames without records take no number', () => {
    const { log } = open(directory.path)
    expect(append(log, 3, payloadOf(64, 1)).firstLsn).toBe(1)
    expect(append(log, 0, payloadOf(8, 2)).firstLsn).toBe(4)
    expect(append(log, 1, payloadOf(0, 3)).firstLsn).toBe(4)
    expect(log.nextLsn).toBe(5)
    log.close()
  })

  it('writes the pieces of a payload one after the other', () => {
    const { log } = open(directory.path)
    const pieces = Array.from({ length: 3000 }, (_, index) => Uint8Array.of(index, index >>> 8))
    log.append(FrameKind.batches, 1, pieces)
    expect(readAll(log)[0]?.payload).toBe(Buffer.concat(pieces).toString('hex'))
    log.close()
  })

  it('syncs before it returns under strict, and not at all under interval', () => {
    for (const durability of ['strict', 'interval'] as const) {
      const fileSystem = faultyFileSystem(nodeFileSystem)
      const { log } = open(join(directory.path, durability), { fileSystem, durability })
      fileSystem.calls.length = 0
      append(log, 2, payloadOf(32, 1))
      const operations = fileSystem.calls.map((call) => call.operation)
      expect(operations).toEqual(durability === 'strict' ? ['writeAt', 'dataSync'] : ['writeAt'])
      expect(log.syncedLsn).toBe(durability === 'strict' ? 3 : 1)
      log.sync()
      expect(log.syncedLsn).toBe(3)
      expect(fileSystem.calls.filter((call) => call.operation === 'dataSync')).toHaveLength(1)
      log.close()
    }
  })

  it('syncs a segment before the next one exists, also under interval', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const { log } = open(directory.path, { fileSystem, durability: 'interval' })
    append(log, 1, payloadOf(40_000, 1))
    fileSystem.calls.length = 0
    append(log, 1, payloadOf(40_000, 2))
    const operations = fileSystem.calls.map((call) => call.operation)
    expect(operations.indexOf('dataSync')).toBeLessThan(operations.indexOf('open'))
    expect(log.syncedLsn).toBe(2)
    log.close()
  })

  it('gives a frame larger than a segment a segment of its own', () => {
    const { log } = open(directory.path)
    const model = [
      append(log, 1, payloadOf(64, 1)),
      append(log, 1, payloadOf(300_000, 2)),
      append(log, 1, payloadOf(64, 3)),
    ]
    expect(segmentNames(directory.path)).toHaveLength(3)
    expect(readAll(log)).toEqual(model)
    log.close()
    const reopened = open(directory.path)
    expect(readAll(reopened.log)).toEqual(model)
    reopened.log.close()
  })

  it('fills a segment to its last byte', () => {
    const { log } = open(directory.path)
    const model = [append(log, 1, payloadOf(SEGMENT_BYTES - SEGMENT_HEADER_BYTES - FRAME_HEADER_BYTES, 1))]
    expect(segmentNames(directory.path)).toHaveLength(1)
    log.close()
    const reopened = open(directory.path).log
    expect(readAll(reopened)).toEqual(model)
    model.push(append(reopened, 0, payloadOf(0, 2)))
    expect(segmentNames(directory.path)).toHaveLength(2)
    expect(readAll(reopened)).toEqual(model)
    reopened.close()
  })

  it('is refused after close', () => {
    const { log } = open(directory.path)
    log.close()
    log.close()
    expect(errorOf(() => append(log, 1, payloadOf(8, 1))).code).toBe('CLOSED')
  })
})

describe('replay', () => {
  it('gives each payload a buffer of its own, aligned, that stays as it is', () => {
    const { log } = open(directory.path)
    const model = [1, 2, 3].map((seed) => append(log, 1, payloadOf(seed * 8, seed)))
    const kept: Uint8Array[] = []
    log.replay(1 as Lsn, ({ payload }) => kept.push(payload))
    for (const payload of kept) {
      expect(payload.byteOffset).toBe(0)
      expect(payload.buffer.byteLength).toBe(payload.length)
    }
    expect(kept.map((payload) => Buffer.from(payload).toString('hex'))).toEqual(
      model.map((frame) => frame.payload),
    )
    log.close()
  })

  it('starts with the frame that holds the LSN, and with frames without records at it', () => {
    const { log } = open(directory.path)
    const frames = [3, 0, 2, 0, 1].map((count, index) => append(log, count, payloadOf(8, index)))
    // Positions: 1..3, 4, 4..5, 6, 6
    expect(readAll(log, 3)).toEqual(frames)
    expect(readAll(log, 4)).toEqual(frames.slice(1))
    expect(readAll(log, 5)).toEqual(frames.slice(2))
    expect(readAll(log, 6)).toEqual(frames.slice(3))
    expect(readAll(log, 7)).toEqual([])
    log.close()
  })
})

describe('trim', () => {
  it('keeps the numbering when nothing but an empty segment is left', () => {
    const { log } = open(directory.path)
    append(log, 7, payloadOf(40_000, 1))
    append(log, 5, payloadOf(40_000, 2))
    expect(log.trim(8 as Lsn)).toBe(1)
    expect([log.firstLsn, log.nextLsn]).toEqual([8, 13])
    append(log, 1, payloadOf(40_000, 3))
    expect(log.trim(14 as Lsn)).toBe(1)
    log.close()
    const reopened = open(directory.path).log
    expect([reopened.firstLsn, reopened.nextLsn]).toEqual([13, 14])
    reopened.close()
  })

  it('keeps a segment that holds a record at the LSN', () => {
    const { log } = open(directory.path)
    append(log, 7, payloadOf(40_000, 1))
    append(log, 5, payloadOf(40_000, 2))
    expect(log.trim(7 as Lsn)).toBe(0)
    expect(log.firstLsn).toBe(1)
    log.close()
  })

  it('syncs the directory between removals, oldest first, so that no crash leaves a hole', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const { log } = open(directory.path, { fileSystem })
    for (let seed = 0; seed < 4; seed++) append(log, 1, payloadOf(40_000, seed))
    const [first, second] = segmentNames(directory.path)
    fileSystem.calls.length = 0
    expect(log.trim(3 as Lsn)).toBe(2)
    expect(fileSystem.calls).toEqual([
      { operation: 'unlink', path: join(directory.path, first!) },
      { operation: 'syncDirectory', path: directory.path },
      { operation: 'unlink', path: join(directory.path, second!) },
      { operation: 'syncDirectory', path: directory.path },
    ])
    log.close()
  })
})

describe('prepareNextSegment', () => {
  it('waits for the current segment to be half full, then fills in steps', () => {
    const { log } = open(directory.path)
    expect(log.prepareNextSegment(16_384)).toBe(false)
    expect(readdirSync(directory.path)).toHaveLength(1)
    append(log, 1, payloadOf(40_000, 1))
    const steps = [1, 2, 3, 4, 5].map(() => log.prepareNextSegment(16_384))
    expect(steps).toEqual([true, true, true, false, false])
    const hidden = readdirSync(directory.path).filter((name) => name.startsWith('.'))
    expect(hidden.map((name) => statSync(join(directory.path, name)).size)).toEqual([SEGMENT_BYTES])
    log.close()
    expect(readdirSync(directory.path)).toHaveLength(1)
  })

  it('syncs each step, so that rolling has only the header to sync', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const { log } = open(directory.path, { fileSystem })
    append(log, 1, payloadOf(40_000, 1))
    fileSystem.calls.length = 0
    while (log.prepareNextSegment(32_768));
    const operations = fileSystem.calls.map((call) => call.operation)
    expect(operations).toEqual(['open', 'writeAt', 'dataSync', 'writeAt', 'dataSync'])
    log.close()
  })

  it('is what the log rolls into, wherever it got to', () => {
    const model: ModelFrame[] = []
    const { log } = open(directory.path)
    for (let seed = 0; seed < 6; seed++) {
      model.push(append(log, 1, payloadOf(40_000, seed)))
      for (let step = 0; step < seed; step++) log.prepareNextSegment(10_000)
    }
    expect(readAll(log)).toEqual(model)
    log.close()
    const reopened = open(directory.path)
    expect(readAll(reopened.log)).toEqual(model)
    reopened.log.close()
  })
})

type Step =
  | { readonly do: 'append'; readonly records: number; readonly words: number }
  | { readonly do: 'trim'; readonly share: number }
  | { readonly do: 'prepare'; readonly bytes: number }
  | { readonly do: 'sync' | 'reopen' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      records: fc.nat(4),
      words: fc.oneof(fc.nat(20), fc.nat(3000), fc.nat(12_000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('trim' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('prepare' as const), bytes: fc.integer({ min: 1, max: 70_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('sync' as const, 'reopen' as const) }) },
)

describe('a log of any history', () => {
  it('holds what the array holds, at every step', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40, size: 'max' }),
        fc.constantFrom('strict' as const, 'interval' as const),
        (steps, durability) => {
          const own = newDirectory()
          const changes = { durability, fileSystem: quickFileSystem }
          let { log } = open(own.path, changes)
          let model: ModelFrame[] = []
          let seed = 0
          try {
            for (const action of steps) {
              if (action.do === 'append') {
                model.push(append(log, action.records, payloadOf(action.words * 8, seed++)))
              } else if (action.do === 'trim') {
                const below = Math.floor(1 + action.share * (log.nextLsn - 1))
                log.trim(below as Lsn)
                const trimmed = model.findIndex((frame) => frame.firstLsn + frame.recordCount > below)
                const kept = readAll(log)
                // Whole segments go: some of the frames that may go, the oldest first.
                const gone = model.length - kept.length
                expect(gone).toBeLessThanOrEqual(trimmed === -1 ? model.length : trimmed)
                model = model.slice(gone)
              } else if (action.do === 'prepare') {
                log.prepareNextSegment(action.bytes)
              } else if (action.do === 'sync') {
                log.sync()
                expect(log.syncedLsn).toBe(log.nextLsn)
              } else {
                const { nextLsn, firstLsn, bytes } = log
                log.close()
                const reopened = open(own.path, changes, nextLsn - 1)
                log = reopened.log
                expect({ next: log.nextLsn, first: log.firstLsn, bytes: log.bytes }).toEqual({
                  next: nextLsn,
                  first: firstLsn,
                  bytes,
                })
                expect(reopened.report).toMatchObject({ cleanTail: true, frames: model.length })
              }
            }
            expect(readAll(log)).toEqual(model)
            const middle = Math.floor((log.firstLsn + log.nextLsn) / 2)
            expect(readAll(log, middle)).toEqual(
              model.filter((frame) =>
                frame.recordCount === 0
                  ? frame.firstLsn >= middle
                  : frame.firstLsn + frame.recordCount > middle,
              ),
            )
          } finally {
            log.close()
            own.remove()
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
