/** Segments that are missing or mixed up are refused; the last one is made anew before it is served. */
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
  flip,
  newDirectory,
  open,
  openAndRead,
  payloadOf,
  quickFileSystem,
  readAll,
  restoreSnapshot,
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
    const { path, offsets } = writeLog(directory.path, [1, 1])
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
      return openAndRead(directory.path)
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
    const { model, path } = writeLog(directory.path, [1, 2])
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
    const { model } = writeLog(directory.path, [1])
    writeFileSync(join(directory.path, '.next-segment.tmp'), 'x')
    writeFileSync(join(directory.path, 'README'), 'x')
    expect(openAndRead(directory.path).frames).toEqual(model)
    expect(existsSync(join(directory.path, '.next-segment.tmp'))).toBe(false)
    expect(existsSync(join(directory.path, 'README'))).toBe(true)
  })

  it('can fail at any of its steps and be repeated, with the same records', () => {
    const { model, path, offsets } = writeLog(directory.path, [1, 0, 2, 3])
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
      expect(openAndRead(directory.path).frames, `call ${nth}`).toEqual(model.slice(0, 3))
    }
    expect(failures).toBeGreaterThan(20)
  })

  it('looks through a segment of zeros in large steps', () => {
    const segmentBytes = 64 * 1024 * 1024
    const { log } = open(directory.path, { segmentBytes })
    append(log, 1, payloadOf(64, 1))
    log.close()
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const { log: reopened, report } = open(directory.path, { segmentBytes, fileSystem })
    expect(report).toMatchObject({ frames: 1, cleanTail: true })
    expect(fileSystem.calls.filter((call) => call.operation === 'readAt').length).toBeLessThan(100)
    reopened.close()
  })
})

const epochOf = (path: string): unknown => (decodeSegmentHeader(readFileSync(path)) as SegmentHeader).epoch
