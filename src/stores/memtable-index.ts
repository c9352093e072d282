/**
 * A MemtableIndex finds the newest row of a record id of one feature group: an open-addressed hash table whose
 * slots stand in the order of the hash, so that walking it yields the records in the order of the online
 * partition's keys without sorting.
 * Owns: the table. Does not own: the rows, which lie in chunks.
 *
 * A record's home slot is its high hash half scaled to the table, and it sits at its home or behind it with no
 * empty slot between (linear probing without wrap-around: some spare slots follow the last home). Hence each run
 * of occupied slots holds exactly the records whose homes lie in it, runs are in hash order among themselves,
 * and sorting inside one short run gives the exact order.
 *
 * A slot is four words: high hash, low hash, chunk number + 1 (0 = empty), row offset / 8 with two state bits.
 */
import {
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  ROW_ID_BYTES,
  ROW_INVOCATION_US,
  rowIdBytes,
  valueStart,
} from '../codec/row.ts'
import type { Version } from '../codec/version.ts'
import { assert } from '../core/errors.ts'
import type { RowChunk, RowChunks } from './row-chunks.ts'

/** The state under the memtable does not matter any more: this entry replaces whatever is there. */
export const STATE_RESOLVED = 0x8000_0000
/** The record is hard-deleted; the row is the delete itself. Always resolved. */
export const STATE_ABSENT = 0x4000_0000
const OFFSET_MASK = 0x3fff_ffff

const CAPACITY_MIN = 1024
/** Slots behind the last home, as a share of the table: room for a crowd of equal hashes at the very end. */
const spareSlots = (capacity: number): number => 64 + (capacity >>> 3)
const LOAD_MAX = 0.6
/**
 * How far from its home a record may sit. Records of all hashes never get there, but those that come in the order of
 * their hashes do (the expiries of one second): all into one part of the table, where they form one long run.
 */
const DISTANCE_MAX = 512
/** Such a table grows further than its size asks for, up to this many slots a record. */
const SLOTS_PER_RECORD_MAX = 64
/** Share of its slots that a table must have used for its memory to be used again. */
const REUSE_MIN = 0.15

export interface HashRange {
  /** Lowest high hash half of the shard, inclusive, and the number of values in its range. */
  readonly low: number
  readonly span: number
}

export const hashRangeOfShard = (shard: number, shardCount: number): HashRange => {
  const low = Math.ceil((shard * 0x1_0000_0000) / shardCount)
  const end = Math.ceil(((shard + 1) * 0x1_0000_0000) / shardCount)
  return { low, span: end - low }
}

export interface IndexMemory {
  readonly words: Uint32Array
  readonly capacity: number
}

export class MemtableIndex {
  size = 0
  /** Whether a version of this feature group, here or below, may have an expiry. */
  mayExpire = false
  #words: Uint32Array
  #capacity: number
  #scale: number
  readonly #range: HashRange
  readonly #chunks: RowChunks

  /** @param memory - of an index that is not used any more, with anything in it */
  constructor(range: HashRange, chunks: RowChunks, memory?: IndexMemory) {
    const { words, capacity } = memory ?? {
      words: new Uint32Array((CAPACITY_MIN + spareSlots(CAPACITY_MIN)) * 4),
      capacity: CAPACITY_MIN,
    }
    this.#range = range
    this.#chunks = chunks
    this.#capacity = capacity
    this.#scale = capacity / range.span
    this.#words = memory === undefined ? words : words.fill(0)
  }

  /**
   * The table's memory for the next generation's: growing again step by step would stall commits and reads for as long
   * as it takes to move all slots. Undefined if so little of it was used that the next one had better start small.
   */
  get memory(): IndexMemory | undefined {
    if (this.size < this.#capacity * REUSE_MIN) return undefined
    return { words: this.#words, capacity: this.#capacity }
  }

  get bytes(): number {
    return this.#words.byteLength
  }

  /** Number of slots; `entriesFrom` positions run from 0 to here. */
  get slotCount(): number {
    return this.#words.length >>> 2
  }

  /** @returns the slot of the record the row is about, or -1 - (the slot to insert it at) */
  find(chunk: RowChunk, row: number): number {
    const { u32 } = chunk
    const high = u32[(row + ROW_HASH_HIGH) >>> 2]!
    const low = u32[(row + ROW_HASH_LOW) >>> 2]!
    const idBytes = u32[(row + ROW_ID_BYTES) >>> 2]! & 0xffff
    return this.findId(high, low, chunk.u8, row + ROW_ID, idBytes)
  }

  findId(high: number, low: number, id: Uint8Array, idStart: number, idBytes: number): number {
    const words = this.#words
    let slot = this.#home(high)
    for (;;) {
      const word = slot << 2
      const chunkNumber = words[word + 2]!
      if (chunkNumber === 0) return -1 - slot
      if (words[word] === high && words[word + 1] === low) {
        if (this.#hasId(word, id, idStart, idBytes)) return slot
      }
      slot++
    }
  }

  /** The slots of all records with a hash: nearly always none or one. */
  slotsOfHash(high: number, low: number): number[] {
    const words = this.#words
    const slots: number[] = []
    for (let slot = this.#home(high); words[(slot << 2) + 2] !== 0; slot++) {
      if (words[slot << 2] === high && words[(slot << 2) + 1] === low) slots.push(slot)
    }
    return slots
  }

  /** The version in a slot that is not STATE_ABSENT. */
  versionAt(slot: number): Version {
    const chunk = this.chunkAt(slot)
    const row = this.rowAt(slot)
    return { bytes: chunk.u8, start: valueStart(chunk, row), end: row + chunk.u32[row >>> 2]! }
  }

  /** When the operation in a slot was made, microseconds. */
  invocationUsAt(slot: number): number {
    return this.chunkAt(slot).f64[(this.rowAt(slot) + ROW_INVOCATION_US) >>> 3]!
  }

  /** The id of the record in a slot; lies in its chunk. */
  idAt(slot: number): Buffer {
    const chunk = this.chunkAt(slot)
    const start = this.rowAt(slot) + ROW_ID
    return chunk.u8.subarray(start, start + rowIdBytes(chunk, this.rowAt(slot)))
  }

  /** @param at - what `find` answered for a record not yet in the table */
  insert(at: number, chunk: RowChunk, row: number, state: number): void {
    assert(at < 0, 'an insert is of a new record')
    let slot = -1 - at
    const high = chunk.u32[(row + ROW_HASH_HIGH) >>> 2]!
    const isCrowded =
      slot - this.#home(high) > DISTANCE_MAX && this.#capacity < this.size * SLOTS_PER_RECORD_MAX
    if (this.size >= this.#capacity * LOAD_MAX || slot >= this.slotCount - 2 || isCrowded) {
      this.#grow()
      slot = -1 - this.find(chunk, row)
    }
    const word = slot << 2
    const words = this.#words
    words[word] = high
    words[word + 1] = chunk.u32[(row + ROW_HASH_LOW) >>> 2]!
    words[word + 2] = chunk.number + 1
    words[word + 3] = (row >>> 3) | state
    this.size++
  }

  replace(slot: number, chunk: RowChunk, row: number, state: number): void {
    const word = slot << 2
    this.#words[word + 2] = chunk.number + 1
    this.#words[word + 3] = (row >>> 3) | state
  }

  isOccupied(slot: number): boolean {
    return this.#words[(slot << 2) + 2] !== 0
  }

  chunkAt(slot: number): RowChunk {
    return this.#chunks.list[this.#words[(slot << 2) + 2]! - 1]!
  }

  /** Byte offset of the slot's row in its chunk. */
  rowAt(slot: number): number {
    return (this.#words[(slot << 2) + 3]! & OFFSET_MASK) << 3
  }

  stateAt(slot: number): number {
    return (this.#words[(slot << 2) + 3]! & ~OFFSET_MASK) >>> 0
  }

  /** First slot of the run of occupied slots that a hash belongs to, or of the first empty slot at its home. */
  runStart(high: number): number {
    let slot = this.#home(high)
    while (slot > 0 && this.isOccupied(slot - 1)) slot--
    return slot
  }

  /**
   * The slots of the next run of occupied slots at or after `from`, in key order; empty at the end of the table.
   * @returns the slot to go on from
   */
  nextRun(from: number, into: number[]): number {
    into.length = 0
    const end = this.slotCount
    let slot = from
    while (slot < end && !this.isOccupied(slot)) slot++
    while (slot < end && this.isOccupied(slot)) into.push(slot++)
    if (into.length > 1) into.sort((a, b) => this.#compareSlots(a, b))
    return slot
  }

  #compareSlots(a: number, b: number): number {
    const words = this.#words
    const x = a << 2
    const y = b << 2
    if (words[x] !== words[y]) return words[x]! - words[y]!
    if (words[x + 1] !== words[y + 1]) return words[x + 1]! - words[y + 1]!
    return Buffer.compare(this.idAt(a), this.idAt(b))
  }

  #home(high: number): number {
    return ((high - this.#range.low) * this.#scale) >>> 0
  }

  #hasId(word: number, id: Uint8Array, idStart: number, idBytes: number): boolean {
    const chunk = this.#chunks.list[this.#words[word + 2]! - 1]!
    const row = (this.#words[word + 3]! & OFFSET_MASK) << 3
    if ((chunk.u32[(row + ROW_ID_BYTES) >>> 2]! & 0xffff) !== idBytes) return false
    const { u8 } = chunk
    const start = row + ROW_ID
    for (let i = 0; i < idBytes; i++) if (u8[start + i] !== id[idStart + i]) return false
    return true
  }

  /** Doubles the table, more than once if equal hashes crowd behind its end. */
  #grow(): void {
    const old = this.#words
    do {
      this.#capacity *= 2
      this.#scale = this.#capacity / this.#range.span
      this.#words = new Uint32Array((this.#capacity + spareSlots(this.#capacity)) * 4)
    } while (!this.#refill(old))
  }

  /** Slots are in hash order, so both tables are walked from front to back. */
  #refill(old: Uint32Array): boolean {
    const words = this.#words
    const end = words.length - 8
    for (let word = 0; word < old.length; word += 4) {
      if (old[word + 2] === 0) continue
      let target = this.#home(old[word]!) << 2
      while (target < end && words[target + 2] !== 0) target += 4
      if (target >= end) return false
      words[target] = old[word]!
      words[target + 1] = old[word + 1]!
      words[target + 2] = old[word + 2]!
      words[target + 3] = old[word + 3]!
    }
    return true
  }
}
