/**
 * RowChunks keeps the packed rows of one shard in memory, in the buffers they arrived in, for as long as anyone
 * refers to them: the memtable until it is merged, an hour buffer until its file is published.
 * Owns: the buffers, their reference counts, the number of bytes held.
 * Does not own: what a row means.
 * Invariants: a chunk without references is gone; `bytes` is the sum of the chunks held (I16).
 *
 * A row's place is a chunk number and an offset in units of 8 bytes. Small batches are copied together into a
 * shared chunk, so that a million single puts are not a million buffers.
 */
import { type RowView, viewRows } from '../codec/row.ts'
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

export interface RowChunk extends RowView {
  readonly number: number
  readonly bytes: number
  references: number
}

const ARENA_BYTES = 1024 * 1024

export class RowChunks {
  /** By chunk number; numbers of released chunks are used again. */
  readonly list: (RowChunk | undefined)[] = []
  bytes = 0
  #free: number[] = []
  #arena: RowChunk | undefined
  #arenaEnd = 0

  /**
   * Takes over `buffer[start, end)`, whose rows will be referred to by chunk and offset.
   * @returns the chunk and the byte offset in it that corresponds to `start`. The caller holds one reference and
   *   must `release` it when it has taken its own.
   */
  adopt(buffer: ArrayBuffer, start: number, end: number): { chunk: RowChunk; at: number } {
    const bytes = end - start
    if (bytes < limits.batchAdoptBytesMin) return this.#copy(buffer, start, bytes)
    return { chunk: this.#add(buffer, start, bytes), at: 0 }
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
    this.bytes -= chunk.bytes
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
      this.#arena = this.#add(new ArrayBuffer(ARENA_BYTES), 0, ARENA_BYTES)
      this.#arenaEnd = 0
    }
    const chunk = this.#arena
    const at = this.#arenaEnd
    chunk.u8.set(new Uint8Array(buffer, start, bytes), at)
    this.#arenaEnd += bytes
    chunk.references++
    return { chunk, at }
  }

  #add(buffer: ArrayBuffer, start: number, bytes: number): RowChunk {
    const number = this.#free.pop() ?? this.list.length
    const chunk: RowChunk = { ...viewRows(buffer, start, bytes), number, bytes, references: 1 }
    this.list[number] = chunk
    this.bytes += bytes
    return chunk
  }
}
