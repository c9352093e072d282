/** Logs of small segments in temporary directories, and a plain array as their model. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FRAME_HEADER_BYTES, FrameKind } from '../../src/codec/frame.ts'
import { SEGMENT_HEADER_BYTES } from '../../src/codec/segment-header.ts'
import { MillraceError } from '../../src/core/errors.ts'
import type { Lsn } from '../../src/core/lsn.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import type { LogOptions, WriteAheadLog } from '../../src/wal/log.ts'
import { type LogReport, openLog } from '../../src/wal/open-log.ts'
import { faultyFileSystem } from '../fixtures/faulty-file-system.ts'

export const SEGMENT_BYTES = 64 * 1024
export const STORE_ID = Uint8Array.from({ length: 16 }, (_, index) => index + 1)

/** For tests of many small cases, where no power fails. */
export const quickFileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })

export function newDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'millrace-wal-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export const logOptions = (directory: string, changes: Partial<LogOptions> = {}): LogOptions => ({
  fileSystem: nodeFileSystem,
  directory,
  shard: 1,
  shardCount: 4,
  storeId: STORE_ID,
  segmentBytes: SEGMENT_BYTES,
  durability: 'strict',
  ...changes,
})

export const open = (
  directory: string,
  changes: Partial<LogOptions> = {},
  highestLsn = 0,
): { log: WriteAheadLog; report: LogReport } => openLog(logOptions(directory, changes), { highestLsn })

/** Bytes that differ from frame to frame and within a frame. */
export function payloadOf(bytes: number, seed: number): Uint8Array {
  const payload = new Uint8Array(bytes)
  let state = (seed * 2_654_435_761 + 1) >>> 0
  for (let index = 0; index < bytes; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    payload[index] = state >>> 24
  }
  return payload
}

export interface ModelFrame {
  readonly kind: number
  readonly firstLsn: number
  readonly recordCount: number
  readonly payload: string
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export function readAll(log: WriteAheadLog, fromLsn = 1): ModelFrame[] {
  const frames: ModelFrame[] = []
  log.replay(fromLsn as Lsn, (frame) => frames.push({ ...frame, payload: hex(frame.payload) }))
  return frames
}

/** Appends batches (or, for 0 records, a seal) and returns what a replay has to give back. */
export function append(log: WriteAheadLog, recordCount: number, payload: Uint8Array): ModelFrame {
  const kind = recordCount === 0 ? FrameKind.seal : FrameKind.batches
  const firstLsn = log.append(kind, recordCount, [payload])
  return { kind, firstLsn, recordCount, payload: hex(payload) }
}

export type Snapshot = ReadonlyMap<string, Uint8Array>

export const takeSnapshot = (directory: string): Snapshot =>
  new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]))

export function restoreSnapshot(directory: string, snapshot: Snapshot): void {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  for (const [name, bytes] of snapshot) writeFileSync(join(directory, name), bytes)
}

export const segmentNames = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.wal'))
    .sort()

export function errorOf(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    if (error instanceof MillraceError) return error
    throw error
  }
  throw new Error('expected a MillraceError')
}

/** Offsets of the frames of a segment that holds exactly these, and where they end. */
export function frameOffsets(frames: readonly ModelFrame[]): number[] {
  const offsets = [SEGMENT_HEADER_BYTES]
  for (const frame of frames) offsets.push(offsets.at(-1)! + FRAME_HEADER_BYTES + frame.payload.length / 2)
  return offsets
}

/** A log of one segment with a frame for each count; each payload has 16 bytes. */
export function writeLog(
  directory: string,
  counts: readonly number[],
): { model: ModelFrame[]; path: string; offsets: number[] } {
  const { log } = open(directory, { fileSystem: quickFileSystem })
  const model = counts.map((count, index) => append(log, count, payloadOf(16, index)))
  log.close()
  const path = join(directory, segmentNames(directory).at(-1)!)
  return { model, path, offsets: frameOffsets(model) }
}

function changeByte(path: string, offset: number, change: (byte: number) => number): void {
  const bytes = readFileSync(path)
  bytes[offset] = change(bytes[offset]!)
  writeFileSync(path, bytes)
}
export const flip = (path: string, offset: number): void => changeByte(path, offset, (byte) => byte ^ 0xff)

export function openAndRead(directory: string): { frames: ModelFrame[]; tornBytes: number } {
  const { log, report } = open(directory, { fileSystem: quickFileSystem })
  const frames = readAll(log)
  log.close()
  return { frames, tornBytes: report.tornBytes }
}
