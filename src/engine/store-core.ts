/**
 * What the parts of an open store share: the shards, the gate on bytes in flight, the clock, the state.
 * Owns: whether the store still takes requests, the invocation time.
 * Invariant: invocation times never go back, whatever the wall clock does.
 */
import type { PackedBatch } from '../codec/batch-builder.ts'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { ByteGate } from './byte-gate.ts'
import type { ShardClient } from './shard-client.ts'

export class StoreCore {
  readonly shards: readonly ShardClient[]
  readonly gate: ByteGate
  readonly clock: Clock
  #failure: MillraceError | undefined
  #isClosed = false
  #lastInvocationMs = 0
  /** Counters for `stats()`. */
  recordsAccepted = 0
  recordsRejected = 0
  bytesAccepted = 0

  constructor(shards: readonly ShardClient[], gate: ByteGate, clock: Clock) {
    this.shards = shards
    this.gate = gate
    this.clock = clock
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  checkOpen(): void {
    if (this.#isClosed) throw new MillraceError('CLOSED', 'the store is closed')
    if (this.#failure !== undefined) throw this.#failure
  }

  markClosed(): void {
    this.#isClosed = true
  }

  fail(error: MillraceError): void {
    this.#failure ??= error
  }

  /** When the store received a call, milliseconds. */
  invocationMs(): number {
    this.#lastInvocationMs = Math.max(this.#lastInvocationMs, this.clock.nowMs())
    return this.#lastInvocationMs
  }

  /** Moves a batch to its shard. Resolves once it is durable and visible; the caller holds its bytes at the gate. */
  async send(shard: number, batch: PackedBatch, type: 'write' | 'hardDelete' = 'write'): Promise<void> {
    const { buffer, bytes } = batch
    try {
      await this.shards[shard]!.request({ type, buffer, bytes }, [buffer])
      this.recordsAccepted += batch.recordCount
      this.bytesAccepted += bytes
    } finally {
      this.gate.release(bytes)
    }
  }
}
