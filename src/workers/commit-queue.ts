/**
 * The writes that wait for the next commit of a shard.
 * Owns: the waiting batches and who waits for them. Invariant: writes are taken in the order they arrived; a
 * conditional write is only taken together with conditional writes on other records, because its condition must see
 * every write before it.
 */
import { BATCH_HEADER_BYTES, type BatchHeader, readBatchHeader } from '../codec/batch.ts'
import type { PackedBatch } from '../codec/batch-builder.ts'
import { ROW_HASH_HIGH, ROW_HASH_LOW, viewRows } from '../codec/row.ts'
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

/** A batch that the shard writes itself; nobody waits for it. */
export const pendingWrite = ({ buffer, bytes }: PackedBatch): PendingWrite => ({
  buffer,
  bytes,
  header: readBatchHeader(viewRows(buffer, 0, bytes), 0),
  isConditional: false,
  settle: () => undefined,
})

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

  /** The writes of the next commit: as many as fit, either without conditions or with conditions on different records. */
  take(bytesMax: number = limits.commitBytesMax): PendingWrite[] {
    const taken: PendingWrite[] = []
    const records = new Set<string>()
    let bytes = 0
    while (!this.isEmpty) {
      const write = this.#waiting[this.#head]!
      if (taken.length > 0) {
        if (bytes + write.bytes > bytesMax) break
        if (write.isConditional !== taken[0]!.isConditional) break
      }
      if (write.isConditional) {
        const record = recordOf(write)
        if (records.has(record)) break
        records.add(record)
      }
      this.#head++
      taken.push(write)
      bytes += write.bytes
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

/** Names the record of a conditional write's one row; two records may share a name, which only separates them needlessly. */
function recordOf({ buffer, bytes, header }: PendingWrite): string {
  const { u32 } = viewRows(buffer, 0, bytes)
  const high = u32[(BATCH_HEADER_BYTES + ROW_HASH_HIGH) >>> 2]
  const low = u32[(BATCH_HEADER_BYTES + ROW_HASH_LOW) >>> 2]
  return `${header.featureGroup}:${high}:${low}`
}
