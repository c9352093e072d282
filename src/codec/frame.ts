/**
 * One frame is one group commit in the log: what one sync makes durable.
 *
 * Little endian; a frame starts on a multiple of 8 bytes and its length is one:
 *
 *    0  u32  magic            "MRfr"
 *    4  u32  frameBytes       header and payload; 0 together with a zero magic ends the data of a segment
 *    8  f64  firstLsn         LSN of the first record; without records, the LSN the next record gets
 *   16  u32  recordCount      LSNs this frame takes
 *   20  u32  kind             1 batches, 2 seal, 3 checkpoint
 *   24  u32  epoch, low       the segment's epoch: tells its frames from anything else that looks like one
 *   28  u32  epoch, high
 *   32  u32  syncedBytes      all of the segment below this offset was synced before this frame was written
 *   36  u32  previousCrc      crc of the frame before, also across segments; 0 for the first of a log
 *   40  u32  zero
 *   44  u32  crc              CRC-32 of bytes 0..43 and the payload
 *   48       payload
 *
 * Rules: firstLsn = firstLsn + recordCount of the frame before. Only batches take LSNs, and they take at least one.
 * `syncedBytes` is what makes the torn-tail rule exact in every durability mode: a frame that was written after a
 * sync proves that everything below was once complete on disk. A change of this layout, or a further kind, needs a
 * new format version in the segment header.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Lsn } from '../core/lsn.ts'

export const FRAME_HEADER_BYTES = 48
export const FRAME_BYTES_MAX = FRAME_HEADER_BYTES + limits.framePayloadBytesMax
export const FRAME_MAGIC_TEXT = 'MRfr'
const FRAME_MAGIC = 0x7266_524d
const CRC_AT = 44

export const FrameKind = {
  /** Operations: record batches. */
  batches: 1,
  /** The decision which records become one offline file. */
  seal: 2,
  /** Up to where the stores behind the log are durable. */
  checkpoint: 3,
} as const
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind]

/** 64 random bits, as two unsigned halves. */
export interface Epoch {
  readonly low: number
  readonly high: number
}

export const isSameEpoch = (a: Epoch, b: Epoch): boolean => a.low === b.low && a.high === b.high

export interface FrameFields {
  readonly kind: FrameKind
  readonly recordCount: number
  readonly firstLsn: Lsn
  readonly epoch: Epoch
  readonly syncedBytes: number
  readonly previousCrc: number
}

export interface FrameHeader extends FrameFields {
  readonly frameBytes: number
  readonly crc: number
}

/** Why bytes are not the start of a frame. `zero` is the end of the data, or a part that never reached the disk. */
export type FrameDefect = 'zero' | 'incomplete header' | 'no frame header' | 'impossible length'

/** Encodes headers into one buffer, which each call overwrites. */
export class FrameHeaderEncoder {
  readonly bytes = new Uint8Array(FRAME_HEADER_BYTES)
  readonly #view = new DataView(this.bytes.buffer)
  readonly #checked = this.bytes.subarray(0, CRC_AT)

  /** Fills `bytes` with the header for this payload, which may be in several pieces. @returns the frame's crc */
  encode(fields: FrameFields, payload: readonly Uint8Array[]): number {
    let payloadBytes = 0
    for (const piece of payload) payloadBytes += piece.length
    assert(payloadBytes % 8 === 0, 'a payload is a multiple of 8 bytes')
    assert(payloadBytes <= limits.framePayloadBytesMax, 'a payload fits in a frame')
    assert(isPlausible(fields), 'batches take LSNs, other frames none')
    assert(Number.isSafeInteger(fields.firstLsn + fields.recordCount), 'an LSN is a whole number')

    const view = this.#view
    view.setUint32(0, FRAME_MAGIC, true)
    view.setUint32(4, FRAME_HEADER_BYTES + payloadBytes, true)
    view.setFloat64(8, fields.firstLsn, true)
    view.setUint32(16, fields.recordCount, true)
    view.setUint32(20, fields.kind, true)
    view.setUint32(24, fields.epoch.low, true)
    view.setUint32(28, fields.epoch.high, true)
    view.setUint32(32, fields.syncedBytes, true)
    view.setUint32(36, fields.previousCrc, true)
    let crc = crc32(this.#checked)
    for (const piece of payload) crc = crc32(piece, crc)
    view.setUint32(CRC_AT, crc, true)
    return crc
  }
}

/** Reads the header at the start of `bytes`; nothing in it can be trusted until `isIntact`. */
export function decodeFrameHeader(bytes: Uint8Array): FrameHeader | FrameDefect {
  if (bytes.length < FRAME_HEADER_BYTES)
    return bytes.every((byte) => byte === 0) ? 'zero' : 'incomplete header'
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER_BYTES)
  const magic = view.getUint32(0, true)
  const frameBytes = view.getUint32(4, true)
  if (magic === 0 && frameBytes === 0) return 'zero'
  if (magic !== FRAME_MAGIC) return 'no frame header'
  if (frameBytes < FRAME_HEADER_BYTES || frameBytes > FRAME_BYTES_MAX || frameBytes % 8 !== 0) {
    return 'impossible length'
  }
  return {
    frameBytes,
    firstLsn: view.getFloat64(8, true) as Lsn,
    recordCount: view.getUint32(16, true),
    kind: view.getUint32(20, true) as FrameKind,
    epoch: { low: view.getUint32(24, true), high: view.getUint32(28, true) },
    syncedBytes: view.getUint32(32, true),
    previousCrc: view.getUint32(36, true),
    crc: view.getUint32(CRC_AT, true),
  }
}

/** Whether a whole frame, header and payload, is as it was written. */
export function isIntact(header: FrameHeader, frame: Uint8Array): boolean {
  assert(frame.length === header.frameBytes, 'a whole frame is checked')
  return crc32(frame.subarray(FRAME_HEADER_BYTES), crc32(frame.subarray(0, CRC_AT))) === header.crc
}

/** Whether kind and record count are ones this version writes. */
export function isPlausible(fields: Pick<FrameFields, 'kind' | 'recordCount'>): boolean {
  const { kind, recordCount } = fields
  if (!Number.isInteger(recordCount) || recordCount < 0 || recordCount > 0xffff_ffff) return false
  if (kind === FrameKind.batches) return recordCount > 0
  return (kind === FrameKind.seal || kind === FrameKind.checkpoint) && recordCount === 0
}
