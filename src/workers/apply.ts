/**
 * What a logged batch does to the stores, live and at replay alike: each row gets its LSN and goes into the
 * memtable and into its hour buffer, as its targets say.
 */
import { BATCH_HEADER_BYTES, type BatchHeader } from '../codec/batch.ts'
import { ROW_ID_BYTES, TARGET_OFFLINE, TARGET_ONLINE, VALUE_SECONDS, valueOffset } from '../codec/row.ts'
import { eventHour } from '../core/event-time.ts'
import type { RowChunks } from '../stores/row-chunks.ts'
import type { OfflineSide } from './offline-side.ts'
import type { OnlineSide } from './online-side.ts'

export interface Stores {
  readonly chunks: RowChunks
  readonly online: OnlineSide
  readonly offline: OfflineSide
}

/** Rows at or below these LSNs are in the durable stores already; only replay has such rows. */
export interface AppliedBefore {
  readonly onlineLsn: number
  /** Last published LSN of an hour of a feature group. */
  offlineLsn(featureGroup: number, eventHour: number): number
  /** Round of the last published file of an hour of a feature group. */
  offlineRound(featureGroup: number, eventHour: number): number
}

/**
 * @param buffer - holds the batch at `start`; taken over
 * @param firstLsn - LSN of the batch's first row
 */
export function applyBatch(
  stores: Stores,
  buffer: ArrayBuffer,
  start: number,
  header: BatchHeader,
  firstLsn: number,
  nowMs: number,
  before?: AppliedBefore,
): void {
  if (header.recordCount === 0) return
  const { chunk, at } = stores.chunks.adopt(buffer, start, start + header.batchBytes, before === undefined)
  const { u32, f64 } = chunk
  const { online } = stores
  const { featureGroup } = header
  const index = online.indexFor(featureGroup)
  let row = at + BATCH_HEADER_BYTES
  for (let i = 0; i < header.recordCount; i++) {
    const lsn = firstLsn + i
    const word = u32[(row + ROW_ID_BYTES) >>> 2]!
    const operation = (word >>> 16) & 0xff
    const targets = word >>> 24
    const value = row + valueOffset(word & 0xffff)
    f64[value >>> 3] = lsn
    if ((targets & TARGET_ONLINE) !== 0 && (before === undefined || lsn > before.onlineLsn)) {
      online.apply(featureGroup, index, chunk, row, value, operation)
    }
    if ((targets & TARGET_OFFLINE) !== 0) {
      const hour = eventHour(f64[(value + VALUE_SECONDS) >>> 3]!)
      if (before === undefined || lsn > before.offlineLsn(featureGroup, hour)) {
        stores.offline.buffers.append(featureGroup, hour, chunk, row, lsn, nowMs)
      }
    }
    row += u32[row >>> 2]!
  }
  online.active.lastLsn = firstLsn + header.recordCount - 1
  stores.chunks.release(chunk)
}
