/**
 * One segment file of the log: how it comes into being, and what its header must say.
 *
 * A segment is made under a hidden name, synced, renamed, and its directory synced, before a frame is put in it. So a
 * file with a segment's name always has a whole header, and the only bytes that can be torn are frames.
 */
import { dirname } from 'node:path'
import type { Epoch } from '../codec/frame.ts'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../codec/segment-header.ts'
import { MillraceError } from '../core/errors.ts'
import type { Lsn } from '../core/lsn.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'

/** Whose log it is. */
export interface LogIdentity {
  readonly shard: number
  readonly shardCount: number
  /** 16 bytes. */
  readonly storeId: Uint8Array
}

/** A segment that takes no more frames; the file holds it up to `endOffset`. */
export interface SealedSegment {
  readonly path: string
  readonly firstLsn: Lsn
  /** LSN behind the last record. */
  readonly endLsn: Lsn
  /** Offset behind the last frame. */
  readonly endOffset: number
  readonly epoch: Epoch
  /** Crc of the last frame before the segment. */
  readonly previousCrc: number
}

/** The segment that takes the frames. */
export interface OpenSegment {
  readonly handle: FileHandle
  readonly path: string
  readonly header: SegmentHeader
  /** No frame is written past this offset. */
  readonly capacity: number
  /** Offset behind the last frame. */
  endOffset: number
}

/** Gives a file made under a hidden name its header and its size; nothing of it counts before `publishSegment`. */
export function writeSegmentHead(
  fileSystem: FileSystem,
  handle: FileHandle,
  header: SegmentHeader,
  capacity: number,
): void {
  fileSystem.writeAt(handle, [encodeSegmentHeader(header)], 0)
  if (fileSystem.size(handle) < capacity) fileSystem.truncate(handle, capacity)
}

/** Makes a segment durable under its name. @returns the handle under its new name */
export function publishSegment(fileSystem: FileSystem, handle: FileHandle, path: string): FileHandle {
  // IMPORTANT: in this order a segment is never visible before its header is durable.
  fileSystem.dataSync(handle)
  fileSystem.rename(handle.path, path)
  fileSystem.syncDirectory(dirname(path))
  return { ...handle, path }
}

/** Reads and checks a segment's header. @throws LOG_CORRUPT, or INCOMPATIBLE_STORE if it is another log's. */
export function readSegmentHeader(
  fileSystem: FileSystem,
  handle: FileHandle,
  expected: LogIdentity & { readonly sequence: number; readonly firstLsn: number },
): SegmentHeader {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const header = decodeSegmentHeader(bytes.subarray(0, fileSystem.readAt(handle, bytes, 0)))
  if ('defect' in header) {
    if (header.defect === 'damaged') throw segmentCorrupt(handle.path, `bad header: ${header.reason}`)
    throw incompatible(handle.path, `has format version ${header.version}, this release reads version 1`)
  }
  if (!header.storeId.every((byte, index) => byte === expected.storeId[index])) {
    throw incompatible(handle.path, 'belongs to another store')
  }
  if (header.shard !== expected.shard || header.shardCount !== expected.shardCount) {
    const found = `shard ${header.shard} of ${header.shardCount}`
    throw incompatible(
      handle.path,
      `is of ${found}, expected shard ${expected.shard} of ${expected.shardCount}`,
    )
  }
  if (header.sequence !== expected.sequence || header.firstLsn !== expected.firstLsn) {
    const found = `segment ${header.sequence} from LSN ${header.firstLsn}`
    throw segmentCorrupt(handle.path, `the file holds ${found}: it was renamed or replaced`)
  }
  return header
}

export const segmentCorrupt = (path: string, what: string): MillraceError =>
  new MillraceError('LOG_CORRUPT', `log segment ${path}: ${what}`, { place: { file: path } })

const incompatible = (path: string, what: string): MillraceError =>
  new MillraceError('INCOMPATIBLE_STORE', `log segment ${path} ${what}`, { place: { file: path } })
