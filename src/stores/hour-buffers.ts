/**
 * HourBuffers remember, per feature group and event hour, which rows still have to go into an offline file.
 * Owns: the places of those rows (in the order they were logged), and one reference per row on its chunk.
 * Does not own: the rows; which buffers are sealed when (the engine's flush rounds decide).
 * Invariants: a row is in exactly one open or sealed buffer until its file is published (I8); a buffer holds rows
 * of one feature group and one hour only (I9).
 */
import { ROW_BYTES, ROW_INVOCATION_US, VALUE_SECONDS, valueStart } from '../codec/row.ts'
import { assert } from '../core/errors.ts'
import type { RowChunk, RowChunks } from './row-chunks.ts'

const GROWTH_START = 16

/** The rows of one feature group in one event hour. */
export class HourBuffer {
  rows = 0
  /** Sum of the packed sizes of the rows. */
  bytes = 0
  latestSeconds = Number.NEGATIVE_INFINITY
  lastLsn = 0
  /** Invocation time of the last row, the greatest of all. */
  lastInvocationUs = 0
  lastMs: number
  readonly featureGroup: number
  readonly eventHour: number
  readonly firstLsn: number
  /** Invocation time of the first row, the least of all. */
  readonly firstInvocationUs: number
  /** Monotonic time of the first row, for the flush age. */
  readonly firstMs: number
  #places = new Uint32Array(GROWTH_START * 2)

  constructor(
    featureGroup: number,
    eventHour: number,
    first: { readonly lsn: number; readonly invocationUs: number },
    nowMs: number,
  ) {
    this.featureGroup = featureGroup
    this.eventHour = eventHour
    this.firstLsn = first.lsn
    this.firstInvocationUs = first.invocationUs
    this.firstMs = nowMs
    this.lastMs = nowMs
  }

  /** Bytes of the list of places. */
  get indexBytes(): number {
    return this.#places.byteLength
  }

  append(chunkNumber: number, row: number): void {
    const at = this.rows * 2
    if (at === this.#places.length) {
      const grown = new Uint32Array(at * 2)
      grown.set(this.#places)
      this.#places = grown
    }
    this.#places[at] = chunkNumber
    this.#places[at + 1] = row
    this.rows++
  }

  /** Chunk number of the i-th row. */
  chunkAt(i: number): number {
    return this.#places[i * 2]!
  }

  /** Byte offset of the i-th row in its chunk. */
  rowAt(i: number): number {
    return this.#places[i * 2 + 1]!
  }
}

/** One number for a feature group and an hour: hours of the years 0000..9999 lie within -2^25..2^27. */
const keyOf = (featureGroup: number, eventHour: number): number =>
  featureGroup * 0x1000_0000 + eventHour + 0x200_0000

export class HourBuffers {
  /** Packed bytes of all rows not yet published. */
  rowBytes = 0
  indexBytes = 0
  rows = 0
  /** The open buffer with the most bytes among those that took a row since the last seal. */
  largest: HourBuffer | undefined
  readonly #chunks: RowChunks
  readonly #open = new Map<number, HourBuffer>()
  #last: HourBuffer | undefined

  constructor(chunks: RowChunks) {
    this.#chunks = chunks
  }

  /** @param eventHour - the hour of the row's event time */
  append(
    featureGroup: number,
    eventHour: number,
    chunk: RowChunk,
    row: number,
    lsn: number,
    nowMs: number,
  ): void {
    const seconds = chunk.f64[(valueStart(chunk, row) + VALUE_SECONDS) >>> 3]!
    const invocationUs = chunk.f64[(row + ROW_INVOCATION_US) >>> 3]!
    let buffer = this.#last
    if (buffer === undefined || buffer.eventHour !== eventHour || buffer.featureGroup !== featureGroup) {
      buffer = this.#bufferFor(featureGroup, eventHour, { lsn, invocationUs }, nowMs)
    }
    const rowBytes = chunk.u32[(row + ROW_BYTES) >>> 2]!
    const indexBytes = buffer.indexBytes
    buffer.append(chunk.number, row)
    buffer.bytes += rowBytes
    buffer.lastLsn = lsn
    buffer.lastInvocationUs = invocationUs
    buffer.lastMs = nowMs
    if (seconds > buffer.latestSeconds) buffer.latestSeconds = seconds
    this.rowBytes += rowBytes
    this.indexBytes += buffer.indexBytes - indexBytes
    this.rows++
    if (this.largest === undefined || buffer.bytes > this.largest.bytes) this.largest = buffer
    this.#chunks.retain(chunk)
  }

  /** Open buffers, in the order of their first row. */
  open(): Iterable<HourBuffer> {
    return this.#open.values()
  }

  get openCount(): number {
    return this.#open.size
  }

  /**
   * Closes the buffer of an hour: its rows are now fixed. If it holds clearly more than `bytesMax`, only its oldest
   * rows are closed, and the others (if any) stay open.
   * @returns undefined if the hour has no open rows
   */
  seal(featureGroup: number, eventHour: number, bytesMax: number): HourBuffer | undefined {
    const key = keyOf(featureGroup, eventHour)
    const buffer = this.#open.get(key)
    if (buffer === undefined) return undefined
    if (this.#last === buffer) this.#last = undefined
    this.largest = undefined
    const [oldest, rest] = buffer.bytes <= bytesMax * 1.25 ? [buffer] : this.#split(buffer, bytesMax)
    if (rest === undefined) {
      this.#open.delete(key)
      return buffer
    }
    this.indexBytes += oldest.indexBytes + rest.indexBytes - buffer.indexBytes
    this.#open.set(key, rest)
    return oldest
  }

  /** Lets go of a sealed buffer's rows, once its file is published. */
  release(buffer: HourBuffer): void {
    assert(this.#open.get(keyOf(buffer.featureGroup, buffer.eventHour)) !== buffer, 'only sealed buffers go')
    for (let i = 0; i < buffer.rows; i++) this.#chunks.release(this.#chunks.get(buffer.chunkAt(i)))
    this.rowBytes -= buffer.bytes
    this.indexBytes -= buffer.indexBytes
    this.rows -= buffer.rows
  }

  /** Lowest LSN of an open row; undefined without one. */
  get firstLsn(): number | undefined {
    let first: number | undefined
    for (const buffer of this.#open.values()) {
      if (first === undefined || buffer.firstLsn < first) first = buffer.firstLsn
    }
    return first
  }

  /** The second part is missing if it takes the very last row, a large one, to fill the first. */
  #split(buffer: HourBuffer, bytesMax: number): [HourBuffer, HourBuffer?] {
    const parts: HourBuffer[] = []
    let part: HourBuffer | undefined
    for (let i = 0; i < buffer.rows; i++) {
      const chunk = this.#chunks.get(buffer.chunkAt(i))
      const row = buffer.rowAt(i)
      const value = valueStart(chunk, row)
      const lsn = chunk.f64[value >>> 3]!
      const invocationUs = chunk.f64[(row + ROW_INVOCATION_US) >>> 3]!
      if (part === undefined || (parts.length === 1 && part.bytes >= bytesMax)) {
        part = new HourBuffer(buffer.featureGroup, buffer.eventHour, { lsn, invocationUs }, buffer.firstMs)
        parts.push(part)
      }
      part.append(chunk.number, row)
      part.bytes += chunk.u32[(row + ROW_BYTES) >>> 2]!
      part.lastLsn = lsn
      part.lastInvocationUs = invocationUs
      part.latestSeconds = Math.max(part.latestSeconds, chunk.f64[(value + VALUE_SECONDS) >>> 3]!)
    }
    const [oldest, rest] = parts
    assert(oldest !== undefined, 'a buffer that is split has rows')
    if (rest === undefined) return [oldest]
    rest.lastMs = buffer.lastMs
    return [oldest, rest]
  }

  #bufferFor(
    featureGroup: number,
    eventHour: number,
    first: { readonly lsn: number; readonly invocationUs: number },
    nowMs: number,
  ): HourBuffer {
    const key = keyOf(featureGroup, eventHour)
    let buffer = this.#open.get(key)
    if (buffer === undefined) {
      buffer = new HourBuffer(featureGroup, eventHour, first, nowMs)
      this.#open.set(key, buffer)
      this.indexBytes += buffer.indexBytes
    }
    this.#last = buffer
    return buffer
  }
}
