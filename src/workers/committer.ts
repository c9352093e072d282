/**
 * The way of a write through a shard, up to its acknowledgement: taken with those that wait, admitted, logged as one
 * frame, applied to the stores, settled.
 * Owns: the queue of waiting writes. Does not own: when a commit takes place, what follows a failure (shard).
 * Invariants: a write is acknowledged after its frame is durable (as the durability mode says) and applied (I1, I7);
 * what is refused is refused before it is logged.
 */
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { RecordSchema } from '../core/model.ts'
import type { RowChunks } from '../stores/row-chunks.ts'
import type { WriteAheadLog } from '../wal/log.ts'
import { admit } from './admit.ts'
import { appendWrites } from './append-writes.ts'
import { applyBatch } from './apply.ts'
import { CommitQueue, type PendingWrite } from './commit-queue.ts'
import type { OfflineSide } from './offline-side.ts'
import type { OnlineSide } from './online-side.ts'
import type { TimedStage } from './protocol.ts'
import type { Sources } from './sources.ts'
import type { Stamps } from './stamps.ts'

export interface CommitParts {
  readonly clock: Clock
  readonly log: WriteAheadLog
  readonly chunks: RowChunks
  readonly online: OnlineSide
  readonly offline: OfflineSide
  readonly sources: Sources
  readonly stamps: Stamps
  readonly schemas: ReadonlyMap<number, RecordSchema>
}

export type Timed = <T>(stage: TimedStage, action: () => T) => T

export class Committer {
  readonly queue = new CommitQueue()
  readonly #parts: CommitParts
  readonly #timed: Timed
  readonly #onFailed: (error: MillraceError) => void

  /** @param onFailed - a frame was not taken, for another reason than a full disk */
  constructor(parts: CommitParts, timed: Timed, onFailed: (error: MillraceError) => void) {
    this.#parts = parts
    this.#timed = timed
    this.#onFailed = onFailed
  }

  /** Commits some of the writes that wait, of about so many bytes. @returns the number of records committed */
  commit(bytesMax: number): number {
    return this.write(admit(this.queue.take(bytesMax), this.#parts))
  }

  /** Logs and applies admitted writes. @returns the number of records committed; 0 if the log refused them */
  write(admitted: readonly PendingWrite[]): number {
    if (admitted.length === 0) return 0
    const records = admitted.reduce((sum, write) => sum + write.header.recordCount, 0)
    const { sources, clock, online } = this.#parts
    let lsn: number
    try {
      lsn = this.#timed('log', () => appendWrites(this.#parts, admitted, records))
    } catch (thrown) {
      this.#refuse(admitted, thrown)
      return 0
    }
    const nowMs = clock.monotonicMs()
    online.activeSinceMs ??= nowMs
    this.#timed('apply', () => {
      for (const { buffer, header } of admitted) {
        applyBatch(this.#parts, buffer, 0, header, lsn, nowMs)
        lsn += header.recordCount
        sources.set(header.sourceLow, header.sourceHigh, header.sourceUpTo)
      }
    })
    for (const write of admitted) write.settle(undefined)
    return records
  }

  /** The frame was not taken. A full disk can be retried; anything else ends the shard. */
  #refuse(writes: readonly PendingWrite[], thrown: unknown): void {
    const error = MillraceError.from(thrown)
    for (const write of writes) write.settle(error)
    if (error.code !== 'DISK_FULL') this.#onFailed(error)
  }
}
