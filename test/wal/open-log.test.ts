/** What opening does with torn and damaged logs: the right records, or an error that says where. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FRAME_HEADER_BYTES, FrameHeaderEncoder, FrameKind } from '../../src/codec/frame.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/codec/segment-header.ts'
import type { Lsn } from '../../src/core/lsn.ts'
import {
  append,
  errorOf,
  flip,
  frameOffsets,
  type ModelFrame,
  newDirectory,
  open,
  openAndRead,
  payloadOf,
  quickFileSystem,
  readAll,
  restoreSnapshot,
  type Snapshot,
  segmentNames,
  takeSnapshot,
  writeLog,
} from './log-fixture.ts'

const quick = { fileSystem: quickFileSystem }

let directory: ReturnType<typeof newDirectory>
beforeEach(() => {
  directory = newDirectory()
})
afterEach(() => directory.remove())

describe('a torn tail', () => {
  it('is cut to whole frames wherever the file ends', () => {
    const { model, path, offsets } = writeLog(directory.path, [3, 0, 1, 2])
    const snapshot = takeSnapshot(directory.path)
    for (let bytes = SEGMENT_HEADER_BYTES; bytes <= offsets.at(-1)! + 16; bytes++) {
      restoreSnapshot(directory.path, snapshot)
      truncateSync(path, bytes)
      const whole = offsets.filter((offset) => offset <= bytes).length - 1
      expect(openAndRead(directory.path).frames, `cut at ${bytes}`).toEqual(model.slice(0, whole))
    }
  })

  it('is cut to whole frames wherever zeros begin, and the log goes on from there', () => {
    const { model, path, offsets } = writeLog(directory.path, [3, 0, 1, 2])
    const snapshot = takeSnapshot(directory.path)
    for (let from = SEGMENT_HEADER_BYTES; from <= offsets.at(-1)!; from += 3) {
      restoreSnapshot(directory.path, snapshot)
      const bytes = readFileSync(path)
      writeFileSync(path, bytes.fill(0, from))
      const whole = offsets.filter((offset) => offset <= from).length - 1
      const { log } = open(directory.path, quick)
      const expected = [...model.slice(0, whole), append(log, 1, payloadOf(24, 99))]
      log.close()
      expect(openAndRead(directory.path), `zeros from ${from}`).toEqual({ frames: expected, tornBytes: 0 })
    }
  })

  it('keeps the bytes it cuts in a file beside the segment', () => {
    const { path, offsets } = writeLog(directory.path, [1, 1])
    const torn = readFileSync(path).subarray(offsets[1], offsets[2])
    torn[50]! ^= 1
    flip(path, offsets[1]! + 50)
    const last = readFileSync(path)[offsets[2]! - 1]
    expect(last).not.toBe(0)
    const { log, report } = open(directory.path)
    log.close()
    expect(report).toMatchObject({ cleanTail: false, tornBytes: torn.length, frames: 1 })
    const kept = readFileSync(report.tornFile!)
    kept[50]! ^= 0xff ^ 1
    expect(kept).toEqual(torn)
    expect(open(directory.path).report).toMatchObject({ cleanTail: true, tornBytes: 0 })
  })

  it('may be a frame whose first sector never reached the disk', () => {
    const { model, path, offsets } = writeLog(directory.path, [1, 1])
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0, offsets[1], offsets[1]! + FRAME_HEADER_BYTES))
    expect(openAndRead(directory.path)).toEqual({
      frames: model.slice(0, 1),
      tornBytes: FRAME_HEADER_BYTES + 16,
    })
  })

  it('is refused if the evidence names a record in it', () => {
    const { path, offsets } = writeLog(directory.path, [3, 2])
    flip(path, offsets[1]! + 20)
    const before = takeSnapshot(directory.path)
    const error = errorOf(() => open(directory.path, {}, 4))
    expect(error.code).toBe('LOG_CORRUPT')
    expect(error.message).toContain('acknowledged data is missing')
    expect(error.message).toContain(`offset ${offsets[1]}`)
    expect(takeSnapshot(directory.path)).toEqual(before)
    expect(open(directory.path, {}, 3).log.nextLsn).toBe(4)
  })
})

describe('damage', () => {
  it('in a frame with a good one behind it is refused, naming segment, offset and LSNs, and nothing is changed', () => {
    const { path, offsets } = writeLog(directory.path, [3, 2, 4])
    const before = takeSnapshot(directory.path)
    for (let at = offsets[1]!; at < offsets[2]!; at++) {
      restoreSnapshot(directory.path, before)
      flip(path, at)
      const damaged = takeSnapshot(directory.path)
      const error = errorOf(() => open(directory.path, quick))
      expect(error.code, `byte ${at}`).toBe('LOG_CORRUPT')
      expect(error.message).toContain(path)
      expect(error.message).toContain(`offset ${offsets[1]}`)
      expect(error.message).toContain('LSNs 4 to 5')
      expect(takeSnapshot(directory.path)).toEqual(damaged)
    }
  })

  it('of any one byte is an error, or costs at most the last frame; it never makes wrong data', () => {
    const { log } = open(directory.path, quick)
    const model: ModelFrame[] = []
    const put = (count: number, bytes: number): void => {
      model.push(append(log, count, payloadOf(bytes, model.length)))
    }
    put(2, 120)
    put(0, 8)
    put(1, 65_400) // rolls
    put(3, 64)
    put(1, 200)
    log.close()
    const snapshot = takeSnapshot(directory.path)
    const names = segmentNames(directory.path)
    expect(names).toHaveLength(3)
    for (const [index, name] of names.entries()) {
      const bytes = snapshot.get(name)!
      const isLast = index === names.length - 1
      const lastFrameAt = frameOffsets(model.slice(3))[1]!
      // Every byte of headers and small frames; samples of long payloads and of the zeros behind the data.
      for (let at = 0; at < bytes.length; at += at < 1200 || at > bytes.length - 16 ? 1 : 1009) {
        const outcome = openDamaged(snapshot, name, at)
        const isHarmless = isLast && at >= lastFrameAt
        expect(outcome, `${name} byte ${at}`).toEqual(
          isHarmless ? (at < lastFrameAt + 248 ? model.slice(0, -1) : model) : 'refused',
        )
      }
    }
  })

  function openDamaged(snapshot: Snapshot, name: string, at: number): ModelFrame[] | 'refused' {
    restoreSnapshot(directory.path, snapshot)
    flip(join(directory.path, name), at)
    let opened: ReturnType<typeof open>
    try {
      opened = open(directory.path, quick)
    } catch (error) {
      expect(error).toMatchObject({ code: 'LOG_CORRUPT' })
      return 'refused'
    }
    const frames = readAll(opened.log)
    opened.log.close()
    return frames
  }

  it('that appears after opening is found by the replay', () => {
    const { log } = open(directory.path)
    append(log, 1, payloadOf(64, 1))
    append(log, 1, payloadOf(64, 2))
    flip(join(directory.path, segmentNames(directory.path)[0]!), SEGMENT_HEADER_BYTES + 60)
    expect(errorOf(() => readAll(log)).code).toBe('LOG_CORRUPT')
    log.close()
  })

  it('is not seen in user data that looks like later frames', () => {
    const { log } = open(directory.path, quick)
    const model = [append(log, 1, payloadOf(16, 1))]
    const encoder = new FrameHeaderEncoder()
    const fields = { kind: FrameKind.batches, recordCount: 1, epoch: { low: 1, high: 2 }, previousCrc: 0 }
    encoder.encode({ ...fields, firstLsn: 900 as Lsn, syncedBytes: 0xffff_ffff }, [])
    append(log, 1, encoder.bytes)
    log.close()
    flip(join(directory.path, segmentNames(directory.path)[0]!), frameOffsets(model)[1]! + 20)
    expect(openAndRead(directory.path).frames).toEqual(model)
  })
})

describe('under interval durability', () => {
  /** Three frames, of which the first is synced, and the second bad. */
  function writeUnsynced(syncAgain: boolean): { model: ModelFrame[]; path: string } {
    const { log } = open(directory.path, { durability: 'interval' })
    const model = [append(log, 1, payloadOf(16, 1))]
    log.sync()
    model.push(append(log, 1, payloadOf(16, 2)))
    if (syncAgain) log.sync()
    model.push(append(log, 1, payloadOf(16, 3)))
    log.close()
    const path = join(directory.path, segmentNames(directory.path)[0]!)
    flip(path, frameOffsets(model)[1]! + 50)
    return { model, path }
  }

  it('a good frame behind a bad one proves nothing if neither was synced', () => {
    const { model } = writeUnsynced(false)
    expect(openAndRead(directory.path)).toEqual({ frames: model.slice(0, 1), tornBytes: 128 })
  })

  it('a good frame written after the sync of the bad one proves damage', () => {
    writeUnsynced(true)
    expect(errorOf(() => open(directory.path)).message).toContain('LSNs 2 to 2 cannot be read')
  })
})
