/**
 * The first 512 bytes (one disk sector) of a log segment, written and synced before the segment gets its name.
 *
 * Little endian:
 *
 *    0  8 bytes   magic          "MRWALv1" and a line feed; names this placing of version and checksum
 *    8  u32       formatVersion  of the rest of this header and of the frames
 *   12  u32       shard
 *   16  u32       shardCount
 *   20  u32       zero
 *   24  16 bytes  storeId
 *   40  f64       sequence       1 for a log's first segment, then without gaps
 *   48  f64       firstLsn       LSN the first record in the segment has, or would have
 *   56  u32       epoch, low     of every frame in the segment
 *   60  u32       epoch, high
 *   64  u32       previousCrc    crc of the last frame before this segment; 0 if there never was one
 *   68            zero
 *  508  u32       crc            CRC-32 of bytes 0..507
 */
import { crc32 } from 'node:zlib'
import { assert } from '../core/errors.ts'
import type { Lsn } from '../core/lsn.ts'
import type { Epoch } from './frame.ts'

export const SEGMENT_HEADER_BYTES = 512
export const SEGMENT_FORMAT_VERSION = 1
export const STORE_ID_BYTES = 16
const MAGIC = new TextEncoder().encode('MRWALv1\n')
const CRC_AT = 508

export interface SegmentHeader {
  readonly shard: number
  readonly shardCount: number
  readonly storeId: Uint8Array
  readonly sequence: number
  readonly firstLsn: Lsn
  readonly epoch: Epoch
  readonly previousCrc: number
}

/** Why bytes are not the header of a segment this version can read. */
export type SegmentHeaderDefect =
  | { readonly defect: 'damaged'; readonly reason: string }
  | { readonly defect: 'other version'; readonly version: number }

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  assert(header.storeId.length === STORE_ID_BYTES, 'a store id has 16 bytes')
  assert(header.shard >= 0 && header.shard < header.shardCount, 'a shard is below the shard count')
  assert(Number.isSafeInteger(header.sequence) && header.sequence >= 1, 'segments count from 1')
  assert(Number.isSafeInteger(header.firstLsn) && header.firstLsn >= 1, 'LSNs count from 1')
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC, 0)
  view.setUint32(8, SEGMENT_FORMAT_VERSION, true)
  view.setUint32(12, header.shard, true)
  view.setUint32(16, header.shardCount, true)
  bytes.set(header.storeId, 24)
  view.setFloat64(40, header.sequence, true)
  view.setFloat64(48, header.firstLsn, true)
  view.setUint32(56, header.epoch.low, true)
  view.setUint32(60, header.epoch.high, true)
  view.setUint32(64, header.previousCrc, true)
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true)
  return bytes
}

export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | SegmentHeaderDefect {
  if (bytes.length < SEGMENT_HEADER_BYTES) return damaged(`the file has only ${bytes.length} bytes`)
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) return damaged('it does not start like a segment')
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_BYTES)
  // The checksum comes first: a version is believed only from an undamaged header.
  if (crc32(bytes.subarray(0, CRC_AT)) !== view.getUint32(CRC_AT, true)) return damaged('checksum mismatch')
  const version = view.getUint32(8, true)
  if (version !== SEGMENT_FORMAT_VERSION) return { defect: 'other version', version }
  return {
    shard: view.getUint32(12, true),
    shardCount: view.getUint32(16, true),
    storeId: bytes.slice(24, 24 + STORE_ID_BYTES),
    sequence: view.getFloat64(40, true),
    firstLsn: view.getFloat64(48, true) as Lsn,
    epoch: { low: view.getUint32(56, true), high: view.getUint32(60, true) },
    previousCrc: view.getUint32(64, true),
  }
}

const damaged = (reason: string): SegmentHeaderDefect => ({ defect: 'damaged', reason })
