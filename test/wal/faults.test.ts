/** Failing disks: what was acknowledged survives, what was refused never appears, and after a failed sync all stops. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lsn } from '../../src/core/lsn.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import type { WriteAheadLog } from '../../src/wal/log.ts'
import { type Fault, failOnce, faultyFileSystem, type Operation } from '../fixtures/faulty-file-system.ts'
import {
  append,
  errorOf,
  type ModelFrame,
  newDirectory,
  open,
  payloadOf,
  quickFileSystem,
  readAll,
  segmentNames,
} from './log-fixture.ts'

let directory: ReturnType<typeof newDirectory>
beforeEach(() => {
  directory = newDirectory()
})
afterEach(() => directory.remove())

const reopenAndRead = (path = directory.path): ModelFrame[] => {
  const { log } = open(path, { fileSystem: quickFileSystem })
  const frames = readAll(log)
  log.close()
  return frames
}

function failNext(operation: Operation, fault: Fault, durability: 'strict' | 'interval' = 'strict') {
  const fileSystem = faultyFileSystem(nodeFileSystem)
  const { log } = open(directory.path, { fileSystem, durability })
  const first = append(log, 1, payloadOf(64, 1))
  failOnce(fileSystem, { operation, nth: 0, fault })
  return { log, first, fileSystem }
}

describe('a failed sync', () => {
  it('poisons the log for good, without another try', () => {
    const { log, first, fileSystem } = failNext('dataSync', { code: 'EIO' })
    const error = errorOf(() => append(log, 1, payloadOf(64, 2)))
    expect(error.code).toBe('LOG_POISONED')
    expect(error.message).toContain('unknown')
    expect([log.nextLsn, log.syncedLsn]).toEqual([2, 2])
    fileSystem.calls.length = 0
    const attempts: (() => unknown)[] = [
      () => append(log, 1, payloadOf(64, 3)),
      () => log.sync(),
      () => log.trim(2 as Lsn),
      () => log.prepareNextSegment(4096),
      () => readAll(log),
    ]
    for (const attempt of attempts) expect(errorOf(attempt).code).toBe('LOG_POISONED')
    log.close()
    expect(fileSystem.calls).toEqual([])
    expect(reopenAndRead()[0]).toEqual(first)
  })

  it('poisons under interval durability too, by sync and by close', () => {
    const { log } = failNext('dataSync', { code: 'EIO' }, 'interval')
    append(log, 1, payloadOf(64, 2))
    expect(errorOf(() => log.sync()).code).toBe('LOG_POISONED')
    expect(log.syncedLsn).toBe(1)
    expect(errorOf(() => append(log, 1, payloadOf(64, 3))).code).toBe('LOG_POISONED')
    log.close()

    directory.remove()
    const other = failNext('dataSync', { code: 'EIO' }, 'interval').log
    expect(errorOf(() => other.close()).code).toBe('LOG_POISONED')
  })

  it('poisons even if the reason was a full disk', () => {
    const { log } = failNext('dataSync', { code: 'ENOSPC' })
    expect(errorOf(() => append(log, 1, payloadOf(64, 2))).code).toBe('LOG_POISONED')
    log.close()
  })
})

describe('a failed write', () => {
  it('poisons the log', () => {
    const { log } = failNext('writeAt', { code: 'EIO' })
    expect(errorOf(() => append(log, 1, payloadOf(64, 2))).code).toBe('LOG_POISONED')
    expect(errorOf(() => append(log, 1, payloadOf(64, 2))).code).toBe('LOG_POISONED')
    log.close()
  })
})

describe('a full disk', () => {
  it('refuses the frame; a later, shorter one takes its place and nothing of it remains', () => {
    for (const writtenBytes of [0, 30, 48, 600]) {
      const { log, first } = failNext('writeAt', { code: 'ENOSPC', writtenBytes })
      const error = errorOf(() => append(log, 5, payloadOf(800, 2)))
      expect([error.code, error.isRetryable]).toEqual(['DISK_FULL', true])
      expect(log.nextLsn).toBe(2)
      const second = append(log, 1, payloadOf(8, 3))
      expect(second.firstLsn).toBe(2)
      expect(readAll(log)).toEqual([first, second])
      const bytes = readFileSync(join(directory.path, segmentNames(directory.path)[0]!))
      expect(bytes.subarray(log.bytes).every((byte) => byte === 0)).toBe(true)
      log.close()
      expect(reopenAndRead()).toEqual([first, second])
      directory.remove()
    }
  })

  it('leaves a torn tail, not the refused frame, if the process dies then', () => {
    const { log, first } = failNext('writeAt', { code: 'ENOSPC', writtenBytes: 600 })
    errorOf(() => append(log, 5, payloadOf(800, 2)))
    expect(reopenAndRead()).toEqual([first])
    log.close()
  })

  it('refuses the frame that needs a new segment, and serves when there is space again', () => {
    const { log, first, fileSystem } = failNext('open', { code: 'ENOSPC' })
    const model = [first, append(log, 1, payloadOf(40_000, 2))]
    expect(errorOf(() => append(log, 1, payloadOf(40_000, 3))).code).toBe('DISK_FULL')
    model.push(append(log, 1, payloadOf(512, 4)))
    failOnce(fileSystem, { operation: 'writeAt', nth: 0, fault: { code: 'ENOSPC', writtenBytes: 100 } })
    expect(errorOf(() => append(log, 1, payloadOf(40_000, 5))).code).toBe('DISK_FULL')
    expect(readdirSync(directory.path)).toHaveLength(1)
    model.push(append(log, 1, payloadOf(40_000, 6)))
    expect(readAll(log)).toEqual(model)
    log.close()
    expect(reopenAndRead()).toEqual(model)
  })

  it('ends the preparation of the next segment and gives its space back', () => {
    const { log, fileSystem } = failNext('writeAt', { code: 'EIO' })
    fileSystem.fault = () => undefined
    append(log, 1, payloadOf(40_000, 2))
    expect(log.prepareNextSegment(1000)).toBe(true)
    failOnce(fileSystem, { operation: 'writeAt', nth: 0, fault: { code: 'ENOSPC', writtenBytes: 10 } })
    expect(log.prepareNextSegment(1000)).toBe(false)
    expect(log.prepareNextSegment(1000)).toBe(false)
    expect(readdirSync(directory.path)).toHaveLength(1)
    append(log, 1, payloadOf(40_000, 3))
    append(log, 1, payloadOf(8, 4))
    expect(log.prepareNextSegment(1000)).toBe(true)
    log.close()
  })
})

/** Every call of a workload fails once, in every way: after reopening, the acknowledged frames are there, in order. */
describe('a fault at any call', () => {
  const TRIM_LSN = 5 as Lsn
  const script: ((log: WriteAheadLog, acknowledge: (frame: ModelFrame) => void) => void)[] = []
  for (let round = 0; round < 5; round++) {
    script.push((log, acknowledge) => acknowledge(append(log, 2, payloadOf(48, round))))
    script.push((log, acknowledge) => acknowledge(append(log, 0, payloadOf(8, round))))
    script.push((log, acknowledge) => acknowledge(append(log, 1, payloadOf(30_000, round))))
    script.push((log) => log.prepareNextSegment(20_000))
    script.push((log) => log.sync())
    if (round === 3) script.push((log) => log.trim(TRIM_LSN))
  }

  for (const durability of ['strict', 'interval'] as const) {
    for (const code of ['EIO', 'ENOSPC'] as const) {
      it(`loses and invents nothing: ${code}, ${durability}`, () => {
        let faults = 0
        for (let nth = 0; ; nth++) {
          const own = newDirectory()
          const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
          const { log } = open(own.path, { fileSystem, durability })
          const opened = fileSystem.calls.length
          fileSystem.fault = (_call, index) =>
            index === opened + nth ? { code, writtenBytes: 20 } : undefined
          const acknowledged: ModelFrame[] = []
          let poisonedAt: number | undefined
          for (const [index, step] of script.entries()) {
            try {
              step(log, (frame) => acknowledged.push(frame))
              expect(poisonedAt, 'nothing succeeds after the poison').toBeUndefined()
            } catch (error) {
              expect(error).toMatchObject({ code: expect.stringMatching(/^(LOG_POISONED|DISK_FULL)$/) })
              if ((error as { code: string }).code === 'LOG_POISONED') poisonedAt ??= index
            }
          }
          const isDone = fileSystem.calls.length <= opened + nth
          fileSystem.fault = () => undefined
          log.close()

          const { log: reopened } = open(own.path, { fileSystem: quickFileSystem }, log.nextLsn - 1)
          const frames = readAll(reopened)
          reopened.close()
          own.remove()
          // The append that met the poison may or may not have happened; it has the LSN that comes next.
          const last = frames.at(-1)
          const isUnknown = last !== undefined && !isDeepStrictEqual(last, acknowledged.at(-1))
          if (isUnknown) {
            expect(poisonedAt, `call ${nth}`).toBeDefined()
            expect(frames.pop()?.firstLsn).toBe(log.nextLsn)
          }
          const trimmed = acknowledged.length - frames.length
          expect(frames, `call ${nth}`).toEqual(acknowledged.slice(trimmed))
          expect(acknowledged.slice(0, trimmed).every((frame) => frame.firstLsn < TRIM_LSN)).toBe(true)
          if (isDone) break
          faults++
        }
        expect(faults).toBeGreaterThan(30)
      })
    }
  }
})
