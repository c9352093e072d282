/*
 * Payloads of the log's control frames.
 *
 * A seal fixes which rows belong to one round's files: of each named hour the rows logged before it and not
 * sealed earlier, the oldest first, until they have `partBytes` (so that no file is larger than its encoder's
 * memory). Being in the log, it is repeated by replay exactly.
 *   0  f64  round      8  f64  write time, µs     16  f64  partBytes    24  u32  number of hours    28  4 x zero
 *  32       per hour: u32 feature group, i32 event hour
 *
 * A checkpoint repeats what trimming the log would forget: how far each source has come.
 *   0  f64  published: every offline row below this LSN is in a file     8  u32  number of sources   12  4 x zero
 *  16       per source: u32 hash low, u32 hash high, f64 position
 */
import { assert } from '../core/errors.ts'

export interface SealedHour {
  readonly featureGroup: number
  readonly eventHour: number
}

export interface Seal {
  readonly round: number
  readonly writeTimeUs: number
  /** Packed bytes of an hour's rows that one shard gives to one file; it may be passed by a quarter. */
  readonly partBytes: number
  readonly hours: readonly SealedHour[]
}

const SEAL_HEADER_BYTES = 32

export function encodeSeal(seal: Seal): Uint8Array {
  const bytes = new Uint8Array(SEAL_HEADER_BYTES + seal.hours.length * 8)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, seal.round, true)
  view.setFloat64(8, seal.writeTimeUs, true)
  view.setFloat64(16, seal.partBytes, true)
  view.setUint32(24, seal.hours.length, true)
  seal.hours.forEach((hour, i) => {
    view.setUint32(SEAL_HEADER_BYTES + i * 8, hour.featureGroup, true)
    view.setInt32(SEAL_HEADER_BYTES + i * 8 + 4, hour.eventHour, true)
  })
  return bytes
}

export function decodeSeal(payload: Uint8Array): Seal {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const count = view.getUint32(24, true)
  assert(payload.byteLength === SEAL_HEADER_BYTES + count * 8, 'a seal has the length its count says')
  const hours = Array.from({ length: count }, (_, i) => ({
    featureGroup: view.getUint32(SEAL_HEADER_BYTES + i * 8, true),
    eventHour: view.getInt32(SEAL_HEADER_BYTES + i * 8 + 4, true),
  }))
  return {
    round: view.getFloat64(0, true),
    writeTimeUs: view.getFloat64(8, true),
    partBytes: view.getFloat64(16, true),
    hours,
  }
}

export interface SourcePosition {
  readonly low: number
  readonly high: number
  readonly position: number
}

export interface Checkpoint {
  readonly publishedLsn: number
  readonly sources: readonly SourcePosition[]
}

const CHECKPOINT_HEADER_BYTES = 16

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const bytes = new Uint8Array(CHECKPOINT_HEADER_BYTES + checkpoint.sources.length * 16)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, checkpoint.publishedLsn, true)
  view.setUint32(8, checkpoint.sources.length, true)
  checkpoint.sources.forEach((source, i) => {
    const at = CHECKPOINT_HEADER_BYTES + i * 16
    view.setUint32(at, source.low, true)
    view.setUint32(at + 4, source.high, true)
    view.setFloat64(at + 8, source.position, true)
  })
  return bytes
}

export function decodeCheckpoint(payload: Uint8Array): Checkpoint {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const count = view.getUint32(8, true)
  assert(
    payload.byteLength === CHECKPOINT_HEADER_BYTES + count * 16,
    'a checkpoint has the length its count says',
  )
  const sources = Array.from({ length: count }, (_, i) => {
    const at = CHECKPOINT_HEADER_BYTES + i * 16
    return {
      low: view.getUint32(at, true),
      high: view.getUint32(at + 4, true),
      position: view.getFloat64(at + 8, true),
    }
  })
  return { publishedLsn: view.getFloat64(0, true), sources }
}
