/**
 * A BatchBuilder packs rows into one growing buffer.
 * Owns: the buffer until `finish` gives it away.
 * Does not own: validation; the caller checks values before it writes them and calls `cancelRow` if a later one
 * of the same row turns out wrong, which leaves no trace of the row.
 * Invariants: every byte of a finished batch is written, so equal rows make equal bytes.
 */
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { BATCH_BUFFER_BYTES, BATCH_HEADER_BYTES, writeBatchHeader } from './batch.ts'
import {
  EXPIRY_BYTES,
  FLAG_EXPIRY,
  FLAG_TEXTS,
  FLAG_TOMBSTONE,
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  ROW_ID_BYTES,
  ROW_INVOCATION_US,
  type RowView,
  roundUp8,
  slotsOffset,
  TEXT_ENTRY_BYTES,
  TEXTS_FOOTER_BYTES,
  VALUE_FLAGS,
  VALUE_NANOS,
  VALUE_SECONDS,
  VALUE_VALIDITY,
  valueOffset,
  viewRows,
} from './row.ts'
import { writeUtf8 } from './text.ts'

export interface RowHead {
  readonly operation: number
  readonly targets: number
  readonly invocationUs: number
  readonly slotCount: number
  /** FLAG_TOMBSTONE or 0. */
  readonly flags: number
  /** Whole seconds from the event time to the expiry; 0 for none. */
  readonly ttlSeconds: number
}

export interface BatchOrigin {
  readonly featureGroup: number
  readonly sourceLow: number
  readonly sourceHigh: number
  readonly sourceFrom: number
  readonly sourceUpTo: number
}

export interface PackedBatch {
  readonly buffer: ArrayBuffer
  readonly bytes: number
  readonly recordCount: number
}

export class BatchBuilder {
  recordCount = 0
  #view: RowView
  #capacity: number
  /** Where the next row starts. */
  #end = BATCH_HEADER_BYTES
  /** Start of the current row's value, and where its next string goes. */
  #value = 0
  #tail = 0
  #slots = 0
  #ttlSeconds = 0
  /** Of the last row; callers' stamps rise from row to row. */
  #lastInvocationUs = 0
  /** Exact texts of the current row: slot, offset from the value, byte length of each. */
  readonly #texts: number[] = []

  readonly #nextBuffer: () => ArrayBuffer

  /** @param nextBuffer - gives a buffer for each batch, with anything in it */
  constructor(nextBuffer: () => ArrayBuffer = () => new ArrayBuffer(BATCH_BUFFER_BYTES)) {
    this.#nextBuffer = nextBuffer
    this.#view = viewRows(nextBuffer())
    this.#capacity = this.#view.u8.length
  }

  /** Bytes of the batch so far. */
  get bytes(): number {
    return this.#end
  }

  /** Starts a row: head, id and event time. Slots are then filled in any order; those not filled have no value. */
  beginRow(
    head: RowHead,
    id: Uint8Array,
    idBytes: number,
    hashHigh: number,
    hashLow: number,
    seconds: number,
    nanos: number,
    digits: number,
  ): void {
    const row = this.#end
    const value = row + valueOffset(idBytes)
    const tail = value + slotsOffset(head.slotCount) + head.slotCount * 8
    this.#reserve(tail)
    const { u8, u32, f64 } = this.#view
    u32[(row + ROW_ID_BYTES) >>> 2] = idBytes | (head.operation << 16) | (head.targets << 24)
    u32[(row + ROW_HASH_HIGH) >>> 2] = hashHigh
    u32[(row + ROW_HASH_LOW) >>> 2] = hashLow
    f64[(row + ROW_INVOCATION_US) >>> 3] = head.invocationUs
    const idStart = row + ROW_ID
    for (let i = 0; i < idBytes; i++) u8[idStart + i] = id[i]!
    for (let at = idStart + idBytes; at < value; at++) u8[at] = 0
    f64[value >>> 3] = 0
    f64[(value + VALUE_SECONDS) >>> 3] = seconds
    u32[(value + VALUE_NANOS) >>> 2] = nanos
    u32[(value + VALUE_NANOS + 4) >>> 2] = digits | (head.flags << 8) | (head.slotCount << 16)
    this.#ttlSeconds = head.ttlSeconds
    if (this.#texts.length > 0) this.#texts.length = 0
    // Validity and slots start as zeros: words left from a cancelled row must not show.
    const first = (value + VALUE_VALIDITY) >>> 3
    const last = tail >>> 3
    for (let word = first; word < last; word++) f64[word] = 0
    this.#value = value
    this.#slots = value + slotsOffset(head.slotCount)
    this.#tail = tail
  }

  setFractional(slot: number, value: number): void {
    this.#markValid(slot)
    this.#view.f64[(this.#slots + slot * 8) >>> 3] = value
  }

  /** @param value - a safe integer */
  setInteger(slot: number, value: number): void {
    this.#markValid(slot)
    const word = (this.#slots + slot * 8) >>> 2
    this.#view.u32[word] = value >>> 0
    this.#view.u32[word + 1] = Math.floor(value / 0x1_0000_0000) >>> 0
  }

  /** The two halves of a 64-bit integer, as they lie in memory. */
  setIntegerWords(slot: number, low: number, high: number): void {
    this.#markValid(slot)
    const word = (this.#slots + slot * 8) >>> 2
    this.#view.u32[word] = low
    this.#view.u32[word + 1] = high
  }

  /** @param value - within 64 bits */
  setBigInteger(slot: number, value: bigint): void {
    this.setIntegerWords(slot, Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)))
  }

  /** @returns the number of UTF-8 bytes, or -1 (nothing set) if the text is ill-formed */
  setText(slot: number, text: string): number {
    this.#reserve(this.#tail + text.length * 3)
    const bytes = writeUtf8(this.#view.u8, this.#tail, text)
    if (bytes >= 0) this.placeTail(slot, bytes)
    return bytes
  }

  /** Sets a string from UTF-8 bytes that are known to be well-formed. */
  setUtf8(slot: number, source: Uint8Array, start: number, end: number): void {
    const bytes = end - start
    this.#reserve(this.#tail + bytes)
    const { u8 } = this.#view
    const tail = this.#tail
    if (bytes <= 64) for (let i = 0; i < bytes; i++) u8[tail + i] = source[start + i]!
    else u8.set(source.subarray(start, end), tail)
    this.placeTail(slot, bytes)
  }

  /** Where the next string or collection of the current row goes, in the buffer that `reserveTail` gives. */
  get tail(): number {
    return this.#tail
  }

  /** Room for `bytes` at `tail`, of any alignment. @returns the buffer to write them to; valid until the next call */
  reserveTail(bytes: number): Buffer {
    this.#reserve(this.#tail + bytes)
    return this.#view.u8
  }

  /** Makes the `bytes` that were written at `tail` the value of a slot. */
  placeTail(slot: number, bytes: number): void {
    this.#markValid(slot)
    const word = (this.#slots + slot * 8) >>> 2
    this.#view.u32[word] = this.#tail - this.#value
    this.#view.u32[word + 1] = bytes
    this.#tail += bytes
  }

  /** Keeps the text of a number whose text is not the shortest one. @param text - ASCII */
  setExactText(slot: number, text: string): void {
    const { length } = text
    this.#reserve(this.#tail + length)
    writeUtf8(this.#view.u8, this.#tail, text)
    this.#texts.push(slot, this.#tail - this.#value, length)
    this.#tail += length
  }

  /** @returns the size of the row in bytes */
  endRow(): number {
    const row = this.#end
    let end = this.#padTail()
    const flags = this.#view.u8[this.#value + VALUE_FLAGS]!
    if (this.#texts.length > 0) end = this.#writeTexts(end)
    if (this.#ttlSeconds > 0 || (flags & FLAG_TOMBSTONE) !== 0) end = this.#writeExpiry(end)
    this.#view.u32[row >>> 2] = end - row
    this.#lastInvocationUs = this.#view.f64[(row + ROW_INVOCATION_US) >>> 3]!
    this.#end = end
    this.recordCount++
    return end - row
  }

  /** Forgets the row that was begun; nothing else to undo, because `#end` did not move. */
  cancelRow(): void {
    this.#tail = this.#end
  }

  /** Completes the batch and gives its buffer away; the builder starts anew. */
  finish(origin: BatchOrigin): PackedBatch {
    const bytes = this.#end
    const { recordCount } = this
    writeBatchHeader(this.#view, {
      ...origin,
      batchBytes: bytes,
      recordCount,
      lastInvocationUs: this.#lastInvocationUs,
    })
    const whole = this.#view.u8.buffer as ArrayBuffer
    // A mostly empty buffer is not worth keeping in the shard's memory; the copy is small.
    const buffer = bytes * 2 < whole.byteLength ? whole.slice(0, bytes) : whole
    if (buffer === whole) {
      this.#view = viewRows(this.#nextBuffer())
      this.#capacity = this.#view.u8.length
    }
    this.#end = BATCH_HEADER_BYTES
    this.#tail = this.#end
    this.recordCount = 0
    this.#lastInvocationUs = 0
    return { buffer, bytes, recordCount }
  }

  /** Zeros up to the next multiple of 8. @returns where that is */
  #padTail(): number {
    const end = roundUp8(this.#tail)
    this.#reserve(end)
    for (let at = this.#tail; at < end; at++) this.#view.u8[at] = 0
    return end
  }

  #writeTexts(start: number): number {
    const texts = this.#texts
    const count = texts.length / 3
    const end = start + count * TEXT_ENTRY_BYTES + TEXTS_FOOTER_BYTES
    this.#reserve(end)
    const { u8, u32 } = this.#view
    let word = start >>> 2
    for (let i = 0; i < texts.length; i += 3) {
      u32[word] = texts[i]!
      u32[word + 1] = texts[i + 1]!
      u32[word + 2] = texts[i + 2]!
      u32[word + 3] = 0
      word += 4
    }
    u32[word] = start - this.#value
    u32[word + 1] = count
    u8[this.#value + VALUE_FLAGS] = u8[this.#value + VALUE_FLAGS]! | FLAG_TEXTS
    return end
  }

  #writeExpiry(start: number): number {
    const end = start + EXPIRY_BYTES
    this.#reserve(end)
    const { u8, u32, f64 } = this.#view
    const value = this.#value
    const hasTtl = this.#ttlSeconds > 0
    f64[start >>> 3] = hasTtl ? f64[(value + VALUE_SECONDS) >>> 3]! + this.#ttlSeconds : 0
    u32[(start + 8) >>> 2] = hasTtl ? u32[(value + VALUE_NANOS) >>> 2]! : 0
    u32[(start + 12) >>> 2] = 0
    if (hasTtl) u8[value + VALUE_FLAGS] = u8[value + VALUE_FLAGS]! | FLAG_EXPIRY
    return end
  }

  #markValid(slot: number): void {
    const at = this.#value + VALUE_VALIDITY + (slot >>> 3)
    const { u8 } = this.#view
    u8[at] = u8[at]! | (1 << (slot & 7))
  }

  #reserve(end: number): void {
    if (end + 8 <= this.#capacity) return
    assert(end <= limits.batchBytesMax * 2, 'a batch stays within its bound')
    let capacity = this.#capacity
    while (capacity < end + 8) capacity *= 2
    const grown = viewRows(new ArrayBuffer(capacity))
    grown.u8.set(this.#view.u8)
    this.#view = grown
    this.#capacity = capacity
  }
}
