/**
 * The online side of a shard: the memtable that takes writes, the one being merged, and the partition under them.
 * Owns: both memtables, the merge, the partition. Does not own: the log, the rows' chunks, the offline side.
 * Invariants: a read lays active over frozen over stored by the rules of slot-rules, so it sees every applied
 * write (I7); `mergedLsn` only grows, and only after the merge is confirmed durable (I12).
 */
import {
  FLAG_TOMBSTONE,
  ROW_BYTES,
  VALUE_FLAGS,
  VALUE_NANOS,
  VALUE_SECONDS,
  valueStart,
} from '../codec/row.ts'
import { limits } from '../core/limits.ts'
import { Memtable } from '../stores/memtable.ts'
import { type HashRange, STATE_ABSENT, STATE_RESOLVED } from '../stores/memtable-index.ts'
import { OnlinePartition, type StoredValue } from '../stores/online-partition.ts'
import type { RowChunks } from '../stores/row-chunks.ts'
import { replaces } from '../stores/slot-rules.ts'
import { Merger } from './merger.ts'

/** An id with its hash, as it lies in some buffer. */
export interface IdPlace {
  readonly hashHigh: number
  readonly hashLow: number
  readonly source: Uint8Array
  readonly start: number
  readonly bytes: number
}

export class OnlineSide {
  readonly partition: OnlinePartition
  active: Memtable
  frozen: Memtable | undefined
  /** When the active memtable took its first operation; undefined while it is empty. */
  activeSinceMs: number | undefined
  readonly #range: HashRange
  readonly #chunks: RowChunks
  #merger: Merger | undefined
  #confirming: Promise<void> | undefined

  constructor(directory: string, range: HashRange, chunks: RowChunks) {
    this.partition = new OnlinePartition(directory)
    this.#range = range
    this.#chunks = chunks
    this.active = new Memtable(range, chunks)
  }

  get mergedLsn(): number {
    return this.#confirming === undefined ? this.partition.mergedLsn : this.#durableLsn
  }

  #durableLsn = 0

  get isMerging(): boolean {
    return this.frozen !== undefined
  }

  get memtableBytes(): number {
    return this.active.indexBytes + (this.frozen?.indexBytes ?? 0)
  }

  get memtableRecords(): number {
    return this.active.size + (this.frozen?.size ?? 0)
  }

  /**
   * Starts to merge the active memtable; does nothing while one is being merged or if nothing was logged since.
   * A memtable without records is merged too: its LSNs (of offline rows) then count as merged.
   */
  freeze(): void {
    if (this.frozen !== undefined || this.active.lastLsn <= this.mergedLsn) return
    this.frozen = this.active
    this.active = new Memtable(this.#range, this.#chunks)
    this.activeSinceMs = undefined
    this.#merger = new Merger(this.frozen, this.partition)
  }

  /**
   * Merges the active memtable at once, without claiming so: for recovery, which would otherwise hold the whole
   * log in memory. Merging the same rows again later is harmless, because each knows its LSN.
   */
  mergeForRecovery(): void {
    const merger = new Merger(this.active, this.partition)
    while (merger.step(limits.mergeSliceRecordsFlush));
    this.active.release()
    this.active = new Memtable(this.#range, this.#chunks)
  }

  /** Records the merge still has to carry. */
  get mergeRemaining(): number {
    return this.#merger?.remaining ?? 0
  }

  /**
   * Does one slice of the merge.
   * @param records - size of the slice
   * @returns whether the merge wants another step at once; false also while its end is being confirmed
   */
  step(records: number, onMerged: () => void, onFailed: (error: unknown) => void): boolean {
    const merger = this.#merger
    if (merger === undefined || this.#confirming !== undefined) return false
    if (merger.step(records)) return true
    this.#durableLsn = this.partition.mergedLsn
    this.#confirming = this.partition.confirm(merger.memtable.lastLsn).then(() => {
      merger.memtable.release()
      this.frozen = undefined
      this.#merger = undefined
      this.#confirming = undefined
      onMerged()
    }, onFailed)
    return false
  }

  /** Forgets a feature group; its stored records go in slices. */
  drop(featureGroup: number): void {
    this.active.drop(featureGroup)
    this.frozen?.drop(featureGroup)
  }

  /**
   * The current version of a record, tombstones included; undefined if there is none. The bytes are valid until
   * the next read.
   */
  lookup(featureGroup: number, id: IdPlace): StoredValue | undefined {
    const stored = (): StoredValue | undefined =>
      this.partition.get(featureGroup, id.hashHigh, id.hashLow, id.source, id.start, id.bytes)
    const { frozen } = this
    const below = frozen === undefined ? stored : () => this.#over(frozen, featureGroup, id, stored)
    return this.#over(this.active, featureGroup, id, below)
  }

  #over(
    memtable: Memtable,
    featureGroup: number,
    id: IdPlace,
    below: () => StoredValue | undefined,
  ): StoredValue | undefined {
    const index = memtable.indexes.get(featureGroup)
    const slot =
      index === undefined ? -1 : index.findId(id.hashHigh, id.hashLow, id.source, id.start, id.bytes)
    if (index === undefined || slot < 0) return below()
    const state = index.stateAt(slot)
    if ((state & STATE_ABSENT) !== 0) return undefined
    const chunk = index.chunkAt(slot)
    const row = index.rowAt(slot)
    const start = valueStart(chunk, row)
    const own = { bytes: chunk.u8, start, end: row + chunk.u32[(row + ROW_BYTES) >>> 2]! }
    if ((state & STATE_RESOLVED) !== 0) return own
    const other = below()
    return other === undefined || beats(own, other) ? own : other
  }
}

export const isTombstone = (value: StoredValue): boolean =>
  (value.bytes[value.start + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0

/** Whether a newer operation's version replaces an older one's. */
export function beats(newer: StoredValue, older: StoredValue): boolean {
  return replaces(
    isTombstone(newer),
    newer.bytes.readDoubleLE(newer.start + VALUE_SECONDS),
    newer.bytes.readUInt32LE(newer.start + VALUE_NANOS),
    older.bytes.readDoubleLE(older.start + VALUE_SECONDS),
    older.bytes.readUInt32LE(older.start + VALUE_NANOS),
  )
}
