/**
 * The online side of a shard: the memtable that takes writes, the one being merged, and the partition under them.
 * Owns: both memtables, the merge, the partition. Does not own: the log, the rows' chunks, the offline side.
 * Invariants: a read lays active over frozen over stored by the rules of slot-rules, so it sees every applied
 * write (I7); `mergedLsn` only grows, and only after the merge is confirmed durable (I12).
 */
import {
  FLAG_EXPIRY,
  OPERATION_EXPIRE,
  OPERATION_HARD_DELETE,
  ROW_BYTES,
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  ROW_INVOCATION_US,
  rowIdBytes,
  VALUE_FLAGS,
} from '../codec/row.ts'
import { isExpired, type Version } from '../codec/version.ts'
import { limits } from '../core/limits.ts'
import { Memtable } from '../stores/memtable.ts'
import {
  type HashRange,
  type IndexMemory,
  type MemtableIndex,
  STATE_ABSENT,
  STATE_RESOLVED,
} from '../stores/memtable-index.ts'
import { OnlinePartition } from '../stores/online-partition.ts'
import type { RowChunk, RowChunks } from '../stores/row-chunks.ts'
import { prevails } from '../stores/slot-rules.ts'
import { applyExpiring } from './expiring-slots.ts'
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
  /** Called for every version that is applied and has an expiry. */
  onExpiry: (featureGroup: number, hashHigh: number, hashLow: number, version: Version) => void = () =>
    undefined
  readonly #range: HashRange
  readonly #chunks: RowChunks
  #merger: Merger | undefined
  /** Memory of the indexes that were merged last, for those of the next active memtable. */
  #spare = new Map<number, IndexMemory>()
  #confirming: Promise<void> | undefined
  /** Feature groups that may hold versions with an expiry. */
  readonly #expiring = new Set<number>()

  constructor(directory: string, range: HashRange, chunks: RowChunks) {
    this.partition = new OnlinePartition(directory)
    this.#range = range
    this.#chunks = chunks
    this.active = new Memtable(range, chunks)
    for (const [featureGroup, { expiring }] of this.partition.counts) {
      if (expiring > 0) this.#expiring.add(featureGroup)
    }
  }

  get mergedLsn(): number {
    return this.#confirming === undefined ? this.partition.mergedLsn : this.#durableLsn
  }

  #durableLsn = 0

  get isMerging(): boolean {
    return this.frozen !== undefined
  }

  get memtableBytes(): number {
    let spareBytes = 0
    for (const { words } of this.#spare.values()) spareBytes += words.byteLength
    return this.active.indexBytes + (this.frozen?.indexBytes ?? 0) + spareBytes
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
    this.active = new Memtable(this.#range, this.#chunks, this.#spare)
    this.#spare = new Map()
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
      this.#spare = merger.memtable.release()
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

  /** The active memtable's table of a feature group. */
  indexFor(featureGroup: number): MemtableIndex {
    const index = this.active.indexFor(featureGroup)
    if (this.#expiring.has(featureGroup)) index.mayExpire = true
    return index
  }

  /**
   * Does to a record what a logged row says. Conditions (of a hard delete) were checked before it was logged.
   * @param index - of the row's feature group, from `indexFor`
   * @param value - byte offset of the row's value
   */
  apply(
    featureGroup: number,
    index: MemtableIndex,
    chunk: RowChunk,
    row: number,
    value: number,
    operation: number,
  ): void {
    if (operation === OPERATION_HARD_DELETE || operation === OPERATION_EXPIRE) {
      this.active.remove(index, chunk, row)
      return
    }
    if (!index.mayExpire) {
      if ((chunk.u8[value + VALUE_FLAGS]! & FLAG_EXPIRY) === 0) {
        this.active.upsert(index, chunk, row)
        return
      }
      this.#expiring.add(featureGroup)
      index.mayExpire = true
    }
    const version = { bytes: chunk.u8, start: value, end: row + chunk.u32[(row + ROW_BYTES) >>> 2]! }
    const id = {
      hashHigh: chunk.u32[(row + ROW_HASH_HIGH) >>> 2]!,
      hashLow: chunk.u32[(row + ROW_HASH_LOW) >>> 2]!,
      source: chunk.u8,
      start: row + ROW_ID,
      bytes: rowIdBytes(chunk, row),
    }
    const atUs = chunk.f64[(row + ROW_INVOCATION_US) >>> 3]!
    const below = (): Version | undefined => this.#belowActive(featureGroup, id)
    const waiting = applyExpiring(this.active, index, chunk, row, version, atUs, below)
    if (waiting !== undefined) this.onExpiry(featureGroup, id.hashHigh, id.hashLow, waiting)
  }

  /**
   * The current version of a record, tombstones included; undefined if there is none, or if it has expired. The bytes
   * are valid until the next read.
   */
  lookup(featureGroup: number, id: IdPlace, atUs: number): Version | undefined {
    const version = this.#over(this.active, featureGroup, id, () => this.#belowActive(featureGroup, id))
    return version === undefined || isExpired(version, atUs) ? undefined : version
  }

  /**
   * The versions of all records with a hash, expired ones too, each with its id. The bytes of one are valid until the
   * next is asked for.
   */
  *versionsOfHash(
    featureGroup: number,
    hashHigh: number,
    hashLow: number,
  ): Generator<{ id: Buffer; version: Version }> {
    const ids = this.partition.idsOfHash(featureGroup, hashHigh, hashLow)
    for (const memtable of [this.active, this.frozen]) {
      const index = memtable?.indexes.get(featureGroup)
      if (index === undefined) continue
      for (const slot of index.slotsOfHash(hashHigh, hashLow)) {
        const id = index.idAt(slot)
        if (!ids.some((known) => known.equals(id))) ids.push(id)
      }
    }
    for (const id of ids) {
      const place = { hashHigh, hashLow, source: id, start: 0, bytes: id.length }
      const version = this.lookup(featureGroup, place, Number.NEGATIVE_INFINITY)
      if (version !== undefined) yield { id, version }
    }
  }

  #belowActive(featureGroup: number, id: IdPlace): Version | undefined {
    const stored = (): Version | undefined =>
      this.partition.get(featureGroup, id.hashHigh, id.hashLow, id.source, id.start, id.bytes)
    return this.frozen === undefined ? stored() : this.#over(this.frozen, featureGroup, id, stored)
  }

  #over(
    memtable: Memtable,
    featureGroup: number,
    id: IdPlace,
    below: () => Version | undefined,
  ): Version | undefined {
    const index = memtable.indexes.get(featureGroup)
    const slot =
      index === undefined ? -1 : index.findId(id.hashHigh, id.hashLow, id.source, id.start, id.bytes)
    if (index === undefined || slot < 0) return below()
    const state = index.stateAt(slot)
    if ((state & STATE_ABSENT) !== 0) return undefined
    const own = index.versionAt(slot)
    if ((state & STATE_RESOLVED) !== 0) return own
    const under = below()
    return under === undefined || prevails(own, index.invocationUsAt(slot), under) ? own : under
  }
}
