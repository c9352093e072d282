/**
 * RowChunks keeps the packed rows of one shard in memory, in the buffers they arrived in, for as long as anyone
 * refers to them: the memtable until it is merged, an hour buffer until its file is published.
 * Owns: the buffers, their reference counts, the number of bytes held.
 * Does not own: what a row means.
 * Invariants: a chunk without references is gone; `bytes` is the sum of the chunks held and of the buffers kept for
 * the calling thread to fill again (I16).
 *
 * A row's place is a chunk number and an offset in units of 8 bytes. Small batches are copied together into a
 * shared chunk, so that a million single puts are not a million buffers.
 */
import { BATCH_BUFFER_BYTES } from '../codec/batch.ts'
import { type RowView, viewRows } from '../codec/row.ts'
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

export interface RowChunk extends RowView {
  readonly number: number
  readonly bytes: number
  readonly isWhole: boolean
  references: number
}

const ARENA_BYTES = 1024 * 1024

export class RowChunks {
  /** By chunk number; numbers of released chunks are used again. */
  readonly list: (RowChunk | undefined)[] = []
  bytes = 0
  #free: number[] = []
  /** Whole buffers of released chunks: the first touch of a fresh page costs more than filling a used one. */
  readonly #spare: ArrayBuffer[] = []
  readonly #spareMax: number
  #arena: RowChunk | undefined
  #arenaEnd = 0

  /** @param spareBytesMax - bytes of released buffers to keep until they are taken */
  constructor(spareBytesMax = 0) {
    this.#spareMax = Math.floor(spareBytesMax / BATCH_BUFFER_BYTES)
  }

  /**
   * Takes over `buffer[start, end)`, whose rows will be referred to by chunk and offset.
   * @param isWhole - the buffer holds nothing else, and nobody else uses it
   * @returns the chunk and the byte offset in it that corresponds to `start`. The caller holds one reference and
   *   must `release` it when it has taken its own.
   */
  adopt(buffer: ArrayBuffer, start: number, end: number, isWhole = false): { chunk: RowChunk; at: number } {
    const bytes = end - start
    if (bytes < limits.batchAdoptBytesMin) return this.#copy(buffer, start, bytes)
    return { chunk: this.#add(buffer, start, isWhole ? buffer.byteLength : bytes, isWhole), at: 0 }
  }

  retain(chunk: RowChunk, references = 1): void {
    chunk.references += references
  }

  release(chunk: RowChunk, references = 1): void {
    chunk.references -= references
    assert(chunk.references >= 0, 'a chunk is not released more often than retained')
    if (chunk.references > 0) return
    this.list[chunk.number] = undefined
    this.#free.push(chunk.number)
    const isReusable = chunk.isWhole && chunk.bytes === BATCH_BUFFER_BYTES
    if (isReusable && this.#spare.length < this.#spareMax) this.#spare.push(chunk.u8.buffer as ArrayBuffer)
    else this.bytes -= chunk.bytes
  }

  /** Buffers to send back for the next batches. */
  takeSpare(countMax: number): ArrayBuffer[] {
    const buffers = this.#spare.splice(0, countMax)
    for (const buffer of buffers) this.bytes -= buffer.byteLength
    return buffers
  }

  get(number: number): RowChunk {
    const chunk = this.list[number]
    assert(chunk !== undefined, 'a referenced chunk is held')
    return chunk
  }

  /** Lets go of the shared chunk, so that it is released with its last row. */
  closeArena(): void {
    const arena = this.#arena
    this.#arena = undefined
    if (arena !== undefined) this.release(arena)
  }

  #copy(buffer: ArrayBuffer, start: number, bytes: number): { chunk: RowChunk; at: number } {
    if (this.#arena === undefined || this.#arenaEnd + bytes > this.#arena.bytes) {
      this.closeArena()
      this.#arena = this.#add(new ArrayBuffer(ARENA_BYTES), 0, ARENA_BYTES, false)
      this.#arenaEnd = 0
    }
    const chunk = this.#arena
    const at = this.#arenaEnd
    chunk.u8.set(new Uint8Array(buffer, start, bytes), at)
    this.#arenaEnd += bytes
    chunk.references++
    return { chunk, at }
  }

  #add(buffer: ArrayBuffer, start: number, bytes: number, isWhole: boolean): RowChunk {
    const number = this.#free.pop() ?? this.list.length
    const chunk: RowChunk = { ...viewRows(buffer, start, bytes), number, bytes, isWhole, references: 1 }
    this.list[number] = chunk
    this.bytes += bytes
    return chunk
  }
}
