/*
 * A batch: rows of one feature group for one shard, moved to the shard as one buffer and logged as it is.
 *
 *   0  u32  magic "MRB1"            4  u32  batchBytes, header included, a multiple of 8
 *   8  u32  feature group number   12  u32  number of rows
 *  16  u32  source hash, low half  20  u32  high half; both 0 if the batch has no source
 *  24  f64  source position before the batch      32  f64  after it: every row of the source below this
 *           position that belongs to this shard is in this batch or an earlier one
 *  40  f64  the greatest invocation time of the rows, microseconds
 *  48       rows
 */
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { RowView } from './row.ts'

export const BATCH_MAGIC = 0x3142524d
export const BATCH_HEADER_BYTES = 48
/** Size of the buffers that bulk batches are packed in: a full batch and a record of usual size behind it. */
export const BATCH_BUFFER_BYTES = limits.batchBytes + 4096

/** Where a batch without a source comes from. */
export const NO_SOURCE = { sourceLow: 0, sourceHigh: 0, sourceFrom: 0, sourceUpTo: 0 } as const

export interface BatchHeader {
  readonly batchBytes: number
  readonly featureGroup: number
  readonly recordCount: number
  readonly sourceLow: number
  readonly sourceHigh: number
  readonly sourceFrom: number
  readonly sourceUpTo: number
  readonly lastInvocationUs: number
}

export function writeBatchHeader(view: RowView, header: BatchHeader): void {
  assert(header.batchBytes % 8 === 0, 'a batch is a multiple of 8 bytes')
  const { u32, f64 } = view
  u32[0] = BATCH_MAGIC
  u32[1] = header.batchBytes
  u32[2] = header.featureGroup
  u32[3] = header.recordCount
  u32[4] = header.sourceLow
  u32[5] = header.sourceHigh
  f64[3] = header.sourceFrom
  f64[4] = header.sourceUpTo
  f64[5] = header.lastInvocationUs
}

/** Corrects the greatest invocation time of a batch at the start of its buffer. */
export function setLastInvocation(view: RowView, us: number): void {
  view.f64[5] = us
}

/** @param at - byte offset of the batch in the view, a multiple of 8 */
export function readBatchHeader(view: RowView, at: number): BatchHeader {
  const { u32, f64 } = view
  const word = at >>> 2
  assert(u32[word] === BATCH_MAGIC, 'a batch starts with its magic')
  const batchBytes = u32[word + 1]!
  assert(batchBytes >= BATCH_HEADER_BYTES, 'a batch holds its header')
  assert(at + batchBytes <= view.u8.byteLength, 'a batch ends inside its buffer')
  return {
    batchBytes,
    featureGroup: u32[word + 2]!,
    recordCount: u32[word + 3]!,
    sourceLow: u32[word + 4]!,
    sourceHigh: u32[word + 5]!,
    sourceFrom: f64[(at >>> 3) + 3]!,
    sourceUpTo: f64[(at >>> 3) + 4]!,
    lastInvocationUs: f64[(at >>> 3) + 5]!,
  }
}
