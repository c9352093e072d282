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
const BLOCK_ROWS = 2048

/** Some rows one behind the other. */
interface Block {
  rows: number
  bytes: number
  latestSeconds: number
}

/** What a buffer knows of its first row: the least of all its rows. */
interface FirstRow {
  readonly lsn: number
  readonly invocationUs: number
}

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
  /** Where the first row's place is; what lies before it was cut off. */
  #start = 0
  /** Runs of rows with their sizes, so that a large hour is cut without a look at each of its rows; the last is open. */
  #blocks: Block[] = []

  constructor(featureGroup: number, eventHour: number, first: FirstRow, nowMs: number) {
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

  /** @param rowBytes - packed size of the row @param seconds - its event time */
  append(chunkNumber: number, row: number, rowBytes: number, seconds: number): void {
    this.#place(chunkNumber, row)
    this.bytes += rowBytes
    if (seconds > this.latestSeconds) this.latestSeconds = seconds
    let block = this.#blocks.at(-1)
    if (block === undefined || block.rows >= BLOCK_ROWS) {
      block = { rows: 0, bytes: 0, latestSeconds: Number.NEGATIVE_INFINITY }
      this.#blocks.push(block)
    }
    block.rows++
    block.bytes += rowBytes
    if (seconds > block.latestSeconds) block.latestSeconds = seconds
  }

  #place(chunkNumber: number, row: number): void {
    const at = this.#start + this.rows * 2
    if (at === this.#places.length) {
      const grown = new Uint32Array(Math.max(GROWTH_START, this.rows * 2) * 2)
      grown.set(this.#places.subarray(this.#start, at))
      this.#places = grown
      this.#start = 0
      this.#place(chunkNumber, row)
      return
    }
    this.#places[at] = chunkNumber
    this.#places[at + 1] = row
    this.rows++
  }

  /** Chunk number of the i-th row. */
  chunkAt(i: number): number {
    return this.#places[this.#start + i * 2]!
  }

  /** Byte offset of the i-th row in its chunk. */
  rowAt(i: number): number {
    return this.#places[this.#start + i * 2 + 1]!
  }

  /** The first rows, in whole blocks, that have less than so many bytes. */
  blocksBelow(bytesMax: number): Readonly<Block> {
    const sum = { rows: 0, bytes: 0, latestSeconds: Number.NEGATIVE_INFINITY }
    for (const block of this.#blocks) {
      if (sum.bytes + block.bytes >= bytesMax) break
      add(sum, block)
    }
    return sum
  }

  /**
   * Moves the first rows into a buffer of their own.
   * @param cut - the rows to move, and their sizes; its last LSN and times are the caller's to set in the front
   * @param first - the first row of the rest
   * @param sizesOf - of the rows in a range
   */
  cutFront(
    cut: Readonly<Block>,
    first: FirstRow,
    sizesOf: (from: number, to: number) => Block,
  ): { front: HourBuffer; rest: HourBuffer } {
    const end = this.#start + cut.rows * 2
    const own = { lsn: this.firstLsn, invocationUs: this.firstInvocationUs }
    const front = new HourBuffer(this.featureGroup, this.eventHour, own, this.firstMs)
    front.#places = this.#places.slice(this.#start, end)
    front.#setBlocks([cut])
    const rest = new HourBuffer(this.featureGroup, this.eventHour, first, this.firstMs)
    rest.#places = this.#places
    rest.#start = end
    rest.#setBlocks(this.#blocksBehind(cut.rows, sizesOf))
    rest.lastLsn = this.lastLsn
    rest.lastInvocationUs = this.lastInvocationUs
    rest.lastMs = this.lastMs
    return { front, rest }
  }

  /** The block that holds the cut is measured anew from there; those behind it stay. */
  #blocksBehind(rows: number, sizesOf: (from: number, to: number) => Block): Block[] {
    let end = 0
    for (const [i, block] of this.#blocks.entries()) {
      end += block.rows
      if (end > rows) return [sizesOf(rows, end), ...this.#blocks.slice(i + 1)]
    }
    return []
  }

  #setBlocks(blocks: readonly Block[]): void {
    this.#blocks = blocks.map((block) => ({ ...block }))
    const sum = { rows: 0, bytes: 0, latestSeconds: Number.NEGATIVE_INFINITY }
    for (const block of blocks) add(sum, block)
    this.rows = sum.rows
    this.bytes = sum.bytes
    this.latestSeconds = sum.latestSeconds
  }
}

function add(sum: Block, block: Readonly<Block>): void {
  sum.rows += block.rows
  sum.bytes += block.bytes
  sum.latestSeconds = Math.max(sum.latestSeconds, block.latestSeconds)
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
    buffer.append(chunk.number, row, rowBytes, seconds)
    buffer.lastLsn = lsn
    buffer.lastInvocationUs = invocationUs
    buffer.lastMs = nowMs
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
      return oldest
    }
    this.indexBytes += oldest.indexBytes + rest.indexBytes - buffer.indexBytes
    this.#open.set(key, rest)
    return oldest
  }

  /** Lets go of a sealed buffer's rows, once its file is published. */
  release(buffer: HourBuffer): void {
    assert(this.#open.get(keyOf(buffer.featureGroup, buffer.eventHour)) !== buffer, 'only sealed buffers go')
    // Neighbouring rows mostly lie in one chunk.
    for (let i = 0, from = 0; i < buffer.rows; i = from) {
      const number = buffer.chunkAt(i)
      while (from < buffer.rows && buffer.chunkAt(from) === number) from++
      this.#chunks.release(this.#chunks.get(number), from - i)
    }
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

  /**
   * Only the rows of the oldest part are looked at: a large hour is cut again and again.
   * @returns one part only if it takes the very last row, a large one, to fill it
   */
  #split(buffer: HourBuffer, bytesMax: number): [HourBuffer, HourBuffer?] {
    const cut = { ...buffer.blocksBelow(bytesMax) }
    while (cut.rows < buffer.rows && cut.bytes < bytesMax)
      add(cut, this.#sizesOf(buffer, cut.rows, cut.rows + 1))
    if (cut.rows === buffer.rows) return [buffer]
    const first = {
      lsn: this.#lsnOf(buffer, cut.rows),
      invocationUs: this.#invocationUsOf(buffer, cut.rows),
    }
    const { front, rest } = buffer.cutFront(cut, first, (from, to) => this.#sizesOf(buffer, from, to))
    front.lastLsn = this.#lsnOf(buffer, cut.rows - 1)
    front.lastInvocationUs = this.#invocationUsOf(buffer, cut.rows - 1)
    front.lastMs = buffer.lastMs
    return [front, rest]
  }

  #sizesOf(buffer: HourBuffer, from: number, to: number): Block {
    const sizes = { rows: to - from, bytes: 0, latestSeconds: Number.NEGATIVE_INFINITY }
    for (let i = from; i < to; i++) {
      const chunk = this.#chunks.get(buffer.chunkAt(i))
      sizes.bytes += chunk.u32[(buffer.rowAt(i) + ROW_BYTES) >>> 2]!
      sizes.latestSeconds = Math.max(sizes.latestSeconds, this.#secondsOf(buffer, i))
    }
    return sizes
  }

  #secondsOf(buffer: HourBuffer, i: number): number {
    const chunk = this.#chunks.get(buffer.chunkAt(i))
    return chunk.f64[(valueStart(chunk, buffer.rowAt(i)) + VALUE_SECONDS) >>> 3]!
  }

  #invocationUsOf(buffer: HourBuffer, i: number): number {
    return this.#chunks.get(buffer.chunkAt(i)).f64[(buffer.rowAt(i) + ROW_INVOCATION_US) >>> 3]!
  }

  #lsnOf(buffer: HourBuffer, i: number): number {
    const chunk = this.#chunks.get(buffer.chunkAt(i))
    return chunk.f64[valueStart(chunk, buffer.rowAt(i)) >>> 3]!
  }

  #bufferFor(featureGroup: number, eventHour: number, first: FirstRow, nowMs: number): HourBuffer {
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
