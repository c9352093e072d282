/**
 * A Memtable is one generation of the latest record per id of one shard: everything logged since the generation
 * began, of all feature groups. When it is full it is frozen, merged into the online partition and dropped.
 * Owns: one index per feature group, and one reference on every chunk its rows lie in.
 * Does not own: the chunks themselves, the order of generations (shard), the stored values (online partition).
 */
import { FLAG_TOMBSTONE, VALUE_FLAGS, VALUE_NANOS, VALUE_SECONDS, valueStart } from '../codec/row.ts'
import {
  type HashRange,
  type IndexMemory,
  MemtableIndex,
  STATE_ABSENT,
  STATE_RESOLVED,
} from './memtable-index.ts'
import type { RowChunk, RowChunks } from './row-chunks.ts'
import { replaces } from './slot-rules.ts'

export class Memtable {
  readonly indexes = new Map<number, MemtableIndex>()
  /** Operations applied, and LSN of the last of them. */
  operations = 0
  lastLsn = 0
  /** Bytes of the chunks this generation refers to. */
  chunkBytes = 0
  readonly #range: HashRange
  readonly #chunks: RowChunks
  #held = new Set<RowChunk>()
  #lastHeld: RowChunk | undefined

  readonly #spare: Map<number, IndexMemory>

  /** @param spare - memory of an earlier generation's indexes; each is taken once */
  constructor(range: HashRange, chunks: RowChunks, spare: Map<number, IndexMemory> = new Map()) {
    this.#range = range
    this.#chunks = chunks
    this.#spare = spare
  }

  /** Records in the table, over all feature groups. */
  get size(): number {
    let size = 0
    for (const index of this.indexes.values()) size += index.size
    return size
  }

  /** Bytes of the indexes. */
  get indexBytes(): number {
    let bytes = 0
    for (const index of this.indexes.values()) bytes += index.bytes
    return bytes
  }

  /** Folds a put or soft delete into the slot of its record. */
  upsert(index: MemtableIndex, chunk: RowChunk, row: number): void {
    this.operations++
    const slot = index.find(chunk, row)
    if (slot < 0) {
      this.#hold(chunk)
      index.insert(slot, chunk, row, 0)
      return
    }
    const state = index.stateAt(slot)
    // After a hard delete any event time is accepted, and what lies below stays overridden.
    if ((state & STATE_ABSENT) === 0) {
      const value = valueStart(chunk, row)
      const other = index.chunkAt(slot)
      const stored = valueStart(other, index.rowAt(slot))
      const isNewer = replaces(
        (chunk.u8[value + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0,
        chunk.f64[(value + VALUE_SECONDS) >>> 3]!,
        chunk.u32[(value + VALUE_NANOS) >>> 2]!,
        other.f64[(stored + VALUE_SECONDS) >>> 3]!,
        other.u32[(stored + VALUE_NANOS) >>> 2]!,
      )
      if (!isNewer) return
    }
    this.#hold(chunk)
    index.replace(slot, chunk, row, state & STATE_RESOLVED)
  }

  /** Empties the slot of a record: a hard delete that was checked against the slot before it was logged. */
  remove(index: MemtableIndex, chunk: RowChunk, row: number): void {
    this.place(index, index.find(chunk, row), chunk, row, STATE_ABSENT | STATE_RESOLVED)
  }

  /**
   * Puts a row into the slot of its record, whatever is there: what it was compared with before is known elsewhere.
   * @param slot - what the index answered for the row
   */
  place(index: MemtableIndex, slot: number, chunk: RowChunk, row: number, state: number): void {
    this.operations++
    this.#hold(chunk)
    if (slot < 0) index.insert(slot, chunk, row, state)
    else index.replace(slot, chunk, row, state)
  }

  /** Forgets a feature group. */
  drop(featureGroup: number): void {
    this.indexes.delete(featureGroup)
  }

  /**
   * Lets go of all rows; the memtable is not used afterwards.
   * @returns the memory of its indexes, by feature group, for a later generation
   */
  release(): Map<number, IndexMemory> {
    const memory = new Map<number, IndexMemory>()
    for (const [featureGroup, index] of this.indexes) {
      const own = index.memory
      if (own !== undefined) memory.set(featureGroup, own)
    }
    for (const chunk of this.#held) this.#chunks.release(chunk)
    this.#held = new Set()
    this.#lastHeld = undefined
    this.indexes.clear()
    return memory
  }

  indexFor(featureGroup: number): MemtableIndex {
    let index = this.indexes.get(featureGroup)
    if (index === undefined) {
      index = new MemtableIndex(this.#range, this.#chunks, this.#spare.get(featureGroup))
      this.#spare.delete(featureGroup)
      this.indexes.set(featureGroup, index)
    }
    return index
  }

  #hold(chunk: RowChunk): void {
    if (chunk === this.#lastHeld) return
    this.#lastHeld = chunk
    if (this.#held.has(chunk)) return
    this.#held.add(chunk)
    this.#chunks.retain(chunk)
    this.chunkBytes += chunk.bytes
  }
}
