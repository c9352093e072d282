/** What opening does with logs that were torn, damaged or mixed up: the right records, or an error that says where. */
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FRAME_HEADER_BYTES, FrameHeaderEncoder, FrameKind } from '../../src/codec/frame.ts'
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../../src/codec/segment-header.ts'
import type { Lsn } from '../../src/core/lsn.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { segmentFile } from '../../src/io/paths.ts'
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
  restoreSnapshot,
  type Snapshot,
  segmentNames,
  takeSnapshot,
} from './log-fixture.ts'

const quick = { fileSystem: quickFileSystem }

let directory: ReturnType<typeof newDirectory>
beforeEach(() => {
  directory = newDirectory()
})
afterEach(() => directory.remove())

/** Offsets of the frames of a segment that holds exactly these, and where they end. */
function frameOffsets(frames: readonly ModelFrame[]): number[] {
  const offsets = [SEGMENT_HEADER_BYTES]
  for (const frame of frames) offsets.push(offsets.at(-1)! + FRAME_HEADER_BYTES + frame.payload.length / 2)
  return offsets
}

/** A log of one segment with a frame for each count; each payload has 16 bytes. */
function writeLog(counts: readonly number[]): { model: ModelFrame[]; path: string; offsets: number[] } {
  const { log } = open(directory.path, quick)
  const model = counts.map((count, index) => append(log, count, payloadOf(16, index)))
  log.close()
  const path = join(directory.path, segmentNames(directory.path).at(-1)!)
  return { model, path, offsets: frameOffsets(model) }
}

function changeByte(path: string, offset: number, change: (byte: number) => number): void {
  const bytes = readFileSync(path)
  bytes[offset] = change(bytes[offset]!)
  writeFileSync(path, bytes)
}
const flip = (path: string, offset: number): void => changeByte(path, offset, (byte) => byte ^ 0xff)

function openAndRead(): { frames: ModelFrame[]; tornBytes: number } {
  const { log, report } = open(directory.path, quick)
  const frames = readAll(log)
  log.close()
  return { frames, tornBytes: report.tornBytes }
}

describe('a torn tail', () => {
  it('is cut to whole frames wherever the file ends', () => {
    const { model, path, offsets } = writeLog([3, 0, 1, 2])
    const snapshot = takeSnapshot(directory.path)
    for (let bytes = SEGMENT_HEADER_BYTES; bytes <= offsets.at(-1)! + 16; bytes++) {
      restoreSnapshot(directory.path, snapshot)
      truncateSync(path, bytes)
      const whole = offsets.filter((offset) => offset <= bytes).length - 1
      expect(openAndRead().frames, `cut at ${bytes}`).toEqual(model.slice(0, whole))
    }
  })

  it('is cut to whole frames wherever zeros begin, and the log goes on from there', () => {
    const { model, path, offsets } = writeLog([3, 0, 1, 2])
    const snapshot = takeSnapshot(directory.path)
    for (let from = SEGMENT_HEADER_BYTES; from <= offsets.at(-1)!; from += 3) {
      restoreSnapshot(directory.path, snapshot)
      const bytes = readFileSync(path)
      writeFileSync(path, bytes.fill(0, from))
      const whole = offsets.filter((offset) => offset <= from).length - 1
      const { log } = open(directory.path, quick)
      const expected = [...model.slice(0, whole), append(log, 1, payloadOf(24, 99))]
      log.close()
      expect(openAndRead(), `zeros from ${from}`).toEqual({ frames: expected, tornBytes: 0 })
    }
  })

  it('keeps the bytes it cuts in a file beside the segment', () => {
    const { path, offsets } = writeLog([1, 1])
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
    const { model, path, offsets } = writeLog([1, 1])
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.fill(0, offsets[1], offsets[1]! + FRAME_HEADER_BYTES))
    expect(openAndRead()).toEqual({ frames: model.slice(0, 1), tornBytes: FRAME_HEADER_BYTES + 16 })
  })

  it('is refused if the evidence names a record in it', () => {
    const { path, offsets } = writeLog([3, 2])
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
    const { path, offsets } = writeLog([3, 2, 4])
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
    expect(openAndRead().frames).toEqual(model)
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
    expect(openAndRead()).toEqual({ frames: model.slice(0, 1), tornBytes: 128 })
  })

  it('a good frame written after the sync of the bad one proves damage', () => {
    writeUnsynced(true)
    expect(errorOf(() => open(directory.path)).message).toContain('LSNs 2 to 2 cannot be read')
  })
})

describe('segments', () => {
  /** Four segments, one frame each. */
  function writeSegments(path: string): string[] {
    const { log } = open(path, quick)
    for (let seed = 0; seed < 4; seed++) append(log, 2, payloadOf(40_000, seed))
    log.close()
    return segmentNames(path).map((name) => join(path, name))
  }

  it('may not have one missing between them', () => {
    const paths = writeSegments(directory.path)
    rmSync(paths[1]!)
    const error = errorOf(() => open(directory.path))
    expect([error.code, error.message]).toEqual([
      'LOG_CORRUPT',
      expect.stringContaining('segment 2 is missing'),
    ])
  })

  it('may have the oldest missing: they were trimmed', () => {
    const paths = writeSegments(directory.path)
    rmSync(paths[0]!)
    const { log } = open(directory.path)
    expect([log.firstLsn, log.nextLsn]).toEqual([3, 9])
    log.close()
  })

  it('are refused if the last is missing and something knows of its records', () => {
    const paths = writeSegments(directory.path)
    rmSync(paths[3]!)
    const error = errorOf(() => open(directory.path, {}, 7))
    expect([error.code, error.message]).toEqual(['LOG_CORRUPT', expect.stringContaining('LSN 7 is known')])
  })

  it('are refused if all are missing and something knows of their records', () => {
    expect(errorOf(() => open(directory.path, {}, 1)).message).toContain('acknowledged data is missing')
    expect(readdirSync(directory.path)).toEqual([])
  })

  it('are refused if one lost its last frame, whether it held records or not', () => {
    for (const count of [2, 0]) {
      const path = join(directory.path, String(count))
      const { log } = open(path, quick)
      append(log, 1, payloadOf(40_000, 1))
      append(log, count, payloadOf(16, 2))
      append(log, 1, payloadOf(40_000, 3))
      log.close()
      truncateSync(join(path, segmentNames(path)[0]!), SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + 40_000)
      const error = errorOf(() => open(path))
      expect(error.code).toBe('LOG_CORRUPT')
      expect(error.message).toContain(
        count === 0 ? 'a frame is missing at LSN 2' : 'LSNs 2 to 3 cannot be read',
      )
    }
  })

  it('are refused under another name', () => {
    const paths = writeSegments(directory.path)
    renameSync(paths[3]!, segmentFile(directory.path, 9, 4))
    expect(errorOf(() => open(directory.path)).message).toContain('renamed or replaced')
  })

  it('are refused if they are of another store, shard or shard count', () => {
    writeSegments(directory.path)
    for (const changes of [{ storeId: new Uint8Array(16) }, { shard: 2 }, { shardCount: 5 }]) {
      expect(errorOf(() => open(directory.path, changes)).code).toBe('INCOMPATIBLE_STORE')
    }
  })

  it('are refused if a newer release wrote them', () => {
    const paths = writeSegments(directory.path)
    const bytes = readFileSync(paths[3]!)
    bytes.writeUInt32LE(2, 8)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 508)), 508)
    writeFileSync(paths[3]!, bytes)
    const error = errorOf(() => open(directory.path))
    expect([error.code, error.message]).toEqual([
      'INCOMPATIBLE_STORE',
      expect.stringContaining('format version 2'),
    ])
  })

  it('are refused if a whole frame does not continue the one before it', () => {
    const { path, offsets } = writeLog([1, 1])
    const good = readFileSync(path)
    const { epoch } = decodeSegmentHeader(good) as SegmentHeader
    const previousCrc = good.readUInt32LE(offsets[1]! + 44)
    const fields = {
      kind: FrameKind.batches,
      recordCount: 1,
      firstLsn: 3 as Lsn,
      epoch,
      syncedBytes: 0,
      previousCrc,
    }
    const openWith = (changes: Partial<typeof fields>, change = (_header: Buffer): void => {}): unknown => {
      const encoder = new FrameHeaderEncoder()
      encoder.encode({ ...fields, ...changes }, [])
      const header = Buffer.from(encoder.bytes)
      change(header)
      header.writeUInt32LE(crc32(header.subarray(0, 44)), 44)
      const bytes = Buffer.from(good)
      header.copy(bytes, offsets[2])
      writeFileSync(path, bytes)
      return openAndRead()
    }
    expect(openWith({})).toMatchObject({ frames: { length: 3 } })
    const cases: [string, () => unknown][] = [
      ['starts at LSN 4, expected 3', () => openWith({ firstLsn: 4 as Lsn })],
      ['does not follow', () => openWith({ previousCrc: previousCrc ^ 1 })],
      ['what did not exist yet', () => openWith({ syncedBytes: offsets[2]! + 8 })],
      ['unknown kind 9', () => openWith({}, (header) => header.writeUInt32LE(9, 20))],
    ]
    for (const [message, run] of cases) {
      const error = errorOf(run)
      expect(error.code).toBe('LOG_CORRUPT')
      expect(error.message).toContain(message)
    }
  })
})

describe('opening', () => {
  it('copies the frames of the last segment to a new, synced file under a new epoch before it serves them', () => {
    const { model, path } = writeLog([1, 2])
    const before = { inode: statSync(path).ino, epoch: epochOf(path) }
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const { log } = open(directory.path, { fileSystem })
    const changes = fileSystem.calls.filter(({ operation }) =>
      ['dataSync', 'rename', 'syncDirectory'].includes(operation),
    )
    expect(changes.map(({ operation }) => operation)).toEqual(['dataSync', 'rename', 'syncDirectory'])
    expect(statSync(path).ino).not.toBe(before.inode)
    expect(epochOf(path)).not.toEqual(before.epoch)
    expect(readAll(log)).toEqual(model)
    log.close()
  })

  it('goes on in an empty last segment, with the numbering it names', () => {
    const { log } = open(directory.path)
    append(log, 5, payloadOf(8, 1))
    append(log, 1, payloadOf(65_536, 2))
    log.close()
    // As after a crash between the making of a segment and its first frame.
    truncateSync(join(directory.path, segmentNames(directory.path)[1]!), SEGMENT_HEADER_BYTES)
    const before = takeSnapshot(directory.path)
    const reopened = open(directory.path).log
    expect(reopened.nextLsn).toBe(6)
    const frame = append(reopened, 1, payloadOf(8, 3))
    expect(readAll(reopened).at(-1)).toEqual(frame)
    reopened.close()
    expect(segmentNames(directory.path)).toEqual([...before.keys()])
  })

  it('removes what a crash left under hidden names, and leaves other files alone', () => {
    const { model } = writeLog([1])
    writeFileSync(join(directory.path, '.next-segment.tmp'), 'x')
    writeFileSync(join(directory.path, 'README'), 'x')
    expect(openAndRead().frames).toEqual(model)
    expect(existsSync(join(directory.path, '.next-segment.tmp'))).toBe(false)
    expect(existsSync(join(directory.path, 'README'))).toBe(true)
  })

  it('can fail at any of its steps and be repeated, with the same records', () => {
    const { model, path, offsets } = writeLog([1, 0, 2, 3])
    flip(path, offsets[3]! + 50) // the last frame is torn, so that every kind of repair takes part
    const snapshot = takeSnapshot(directory.path)
    let failures = 0
    for (let nth = 0; ; nth++) {
      restoreSnapshot(directory.path, snapshot)
      const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
      fileSystem.fault = (_call, index) => (index === nth ? { code: 'EIO', writtenBytes: 40 } : undefined)
      let log: ReturnType<typeof open>['log'] | undefined
      try {
        log = open(directory.path, { fileSystem }).log
      } catch (error) {
        expect(error).toMatchObject({ code: 'IO_FAILED' })
        failures++
      }
      log?.close()
      if (fileSystem.calls.length <= nth) break
      expect(openAndRead().frames, `call ${nth}`).toEqual(model.slice(0, 3))
    }
    expect(failures).toBeGreaterThan(20)
  })

  it('looks through a segment of zeros in well under a second', () => {
    const segmentBytes = 64 * 1024 * 1024
    const { log } = open(directory.path, { segmentBytes })
    append(log, 1, payloadOf(64, 1))
    log.close()
    const path = join(directory.path, segmentNames(directory.path)[0]!)
    expect(statSync(path).size).toBe(segmentBytes)
    flip(path, segmentBytes - 8)
    const startMs = performance.now()
    const { log: reopened, report } = open(directory.path, { segmentBytes })
    // Far above what it takes (tens of milliseconds), far below what a byte-wise scan would.
    expect(performance.now() - startMs).toBeLessThan(1500)
    expect(report).toMatchObject({ frames: 1, cleanTail: false })
    reopened.close()
  })
})

const epochOf = (path: string): unknown => (decodeSegmentHeader(readFileSync(path)) as SegmentHeader).epoch
