/**
 * How full a shard is, and what follows from it: when writes wait, when the memtable is merged, when files are due,
 * how fast the merge has to go. Owns nothing; reads the shard's structures.
 */
import type { Clock } from '../core/clock.ts'
import { limits } from '../core/limits.ts'
import type { RowChunks } from '../stores/row-chunks.ts'
import type { WriteAheadLog } from '../wal/log.ts'
import type { DueInputs, OfflineSide } from './offline-side.ts'
import type { OnlineSide } from './online-side.ts'
import type { ShardConfig } from './protocol.ts'

/** Share of the memory budget at which the memtable is merged; one of this size may be merging meanwhile. */
const MEMTABLE_SHARE = 0.35
/** Share of the memory budget, in rows that wait for their file, at which a flush round is asked for. */
const UNPUBLISHED_SHARE = 0.5
/** Share of the log budget at which merges and flushes are started to trim it. */
const LOG_SHARE = 0.6

const MERGE_SLICES_PER_TURN_MAX = 16

export interface BudgetInputs {
  readonly config: ShardConfig
  readonly clock: Clock
  readonly log: WriteAheadLog
  readonly chunks: RowChunks
  readonly online: OnlineSide
  readonly offline: OfflineSide
}

export class Budgets {
  readonly #parts: BudgetInputs

  constructor(parts: BudgetInputs) {
    this.#parts = parts
  }

  /** Bytes of rows, indexes and columns that this shard holds. */
  get memoryBytes(): number {
    const { chunks, online, offline } = this.#parts
    return chunks.bytes + online.memtableBytes + offline.indexBytes
  }

  /** Commits wait until something is merged, published or trimmed. */
  isFull(): boolean {
    const { config, log } = this.#parts
    return this.memoryBytes >= config.memoryBytes || log.bytes >= config.logBytes
  }

  /** Rows should become files, to make room. */
  isMemoryTight(): boolean {
    const { config, offline } = this.#parts
    const unpublished = offline.buffers.rowBytes + offline.buffers.indexBytes
    return unpublished >= config.memoryBytes * UNPUBLISHED_SHARE || this.memoryBytes >= config.memoryBytes
  }

  isLogLong(): boolean {
    return this.#parts.log.bytes >= this.#parts.config.logBytes * LOG_SHARE
  }

  /** The log is long, and its older half could go if it were merged. */
  isLogHeldByMemtable(): boolean {
    return this.isLogLong() && this.#parts.online.mergedLsn < this.#logMiddle()
  }

  isMemtableLarge(): boolean {
    return this.#memtableFill() >= 1
  }

  /** Slices to merge after a commit, so that the merge ends before the active memtable is full. */
  mergeSlicesAfter(committed: number): number {
    const { online } = this.#parts
    if (committed === 0) return 1
    const fill = Math.max(this.#memtableFill(), 0.01)
    const recordsUntilFull = Math.max(1, (online.active.operations / fill) * Math.max(0.05, 1 - fill))
    const wanted = (online.mergeRemaining * committed) / recordsUntilFull
    return Math.max(1, Math.min(MERGE_SLICES_PER_TURN_MAX, Math.ceil(wanted / limits.mergeSliceRecords)))
  }

  dueInputs(): DueInputs {
    const { clock } = this.#parts
    return {
      nowMs: clock.nowMs(),
      monotonicMs: clock.monotonicMs(),
      isMemoryTight: this.isMemoryTight(),
      heldLsn: this.#heldLsn(),
    }
  }

  /**
   * Hours that hold an older part of the log are due. Rows differ in size, so its older half in bytes may lie behind its
   * middle row; where the log is full, and commits wait, every open hour is due, because nothing else makes room.
   */
  #heldLsn(): number {
    const { config, log } = this.#parts
    if (log.bytes >= config.logBytes) return log.nextLsn
    return this.isLogLong() ? this.#logMiddle() : 0
  }

  #logMiddle(): number {
    const { log } = this.#parts
    return (log.firstLsn + log.nextLsn) / 2
  }

  #memtableFill(): number {
    const { config, online } = this.#parts
    return (online.active.chunkBytes + online.active.indexBytes) / (config.memoryBytes * MEMTABLE_SHARE)
  }
}
