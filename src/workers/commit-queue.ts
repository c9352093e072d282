/**
 * The writes that wait for the next commit of a shard.
 * Owns: the waiting batches and who waits for them. Invariant: writes are taken in the order they arrived; a
 * conditional write is taken alone, because its condition must see every write before it.
 */
import { type BatchHeader, readBatchHeader } from '../codec/batch.ts'
import { viewRows } from '../codec/row.ts'
import type { MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

export interface PendingWrite {
  readonly buffer: ArrayBuffer
  readonly bytes: number
  readonly header: BatchHeader
  readonly isConditional: boolean
  /** Settles the caller: undefined = durable and visible. */
  readonly settle: (error: MillraceError | undefined) => void
}

export class CommitQueue {
  bytes = 0
  #waiting: PendingWrite[] = []
  #head = 0

  get isEmpty(): boolean {
    return this.#head === this.#waiting.length
  }

  /** @returns a promise of the write's outcome */
  push(buffer: ArrayBuffer, bytes: number, isConditional: boolean): Promise<MillraceError | undefined> {
    const header = readBatchHeader(viewRows(buffer, 0, bytes), 0)
    this.bytes += bytes
    return new Promise((settle) => {
      this.#waiting.push({ buffer, bytes, header, isConditional, settle })
    })
  }

  /** The writes of the next commit: as many as fit, or one conditional write alone. */
  take(): PendingWrite[] {
    const taken: PendingWrite[] = []
    let bytes = 0
    while (!this.isEmpty) {
      const write = this.#waiting[this.#head]!
      const isFull = taken.length > 0 && bytes + write.bytes > limits.commitBytesMax
      if (isFull || (write.isConditional && taken.length > 0)) break
      this.#head++
      taken.push(write)
      bytes += write.bytes
      if (write.isConditional) break
    }
    if (this.isEmpty) {
      this.#waiting = []
      this.#head = 0
    }
    this.bytes -= bytes
    return taken
  }

  /** Refuses everything that waits. */
  refuseAll(error: MillraceError): void {
    for (const write of this.#waiting.slice(this.#head)) write.settle(error)
    this.#waiting = []
    this.#head = 0
    this.bytes = 0
  }
}
