/**
 * What the parts of an open store share: the shards, the gate on bytes in flight, the clock, the state.
 * Owns: whether the store still takes requests, the invocation time.
 * Invariant: invocation times never go back, whatever the wall clock does.
 */
import { BATCH_BUFFER_BYTES } from '../codec/batch.ts'
import type { PackedBatch } from '../codec/batch-builder.ts'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { ByteGate } from './byte-gate.ts'
import type { ShardClient } from './shard-client.ts'

const SPARE_BUFFERS_MAX = 32

export class StoreCore {
  readonly shards: readonly ShardClient[]
  readonly gate: ByteGate
  readonly clock: Clock
  /** Whether what AWS does not allow, but users ask for, is allowed. */
  readonly hasExtensions: boolean
  #failure: MillraceError | undefined
  #isClosed = false
  #lastInvocationUs = 0
  /** Buffers that came back from the shards. */
  readonly #spareBuffers: ArrayBuffer[] = []
  /** Reads that wait for their reply. */
  readsInFlight = 0
  /** Counters for `stats()`. */
  recordsAccepted = 0
  recordsRejected = 0
  bytesAccepted = 0

  constructor(shards: readonly ShardClient[], gate: ByteGate, clock: Clock, hasExtensions: boolean) {
    this.shards = shards
    this.gate = gate
    this.clock = clock
    this.hasExtensions = hasExtensions
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

  /** When the store received a call, microseconds. No two calls get the same. */
  invocationUs(): number {
    this.#lastInvocationUs = Math.max(this.#lastInvocationUs + 1, this.clock.nowMs() * 1000)
    return this.#lastInvocationUs
  }

  /** The same without a look at the clock, for the next of many rows. */
  followingUs(): number {
    return ++this.#lastInvocationUs
  }

  /** Rows of the store have invocation times up to here. */
  startStampsAfter(us: number): void {
    this.#lastInvocationUs = Math.max(this.#lastInvocationUs, us)
  }

  /** A buffer for the next bulk batch: a used one, if one came back. */
  readonly nextBuffer = (): ArrayBuffer => this.#spareBuffers.pop() ?? new ArrayBuffer(BATCH_BUFFER_BYTES)

  /** Moves a batch to its shard. Resolves once it is durable and visible; the caller holds its bytes at the gate. */
  async send(shard: number, batch: PackedBatch, type: 'write' | 'conditional' = 'write'): Promise<void> {
    const { buffer, bytes } = batch
    try {
      const spare = await this.shards[shard]!.request({ type, buffer, bytes }, [buffer])
      for (const each of spare)
        if (this.#spareBuffers.length < SPARE_BUFFERS_MAX) this.#spareBuffers.push(each)
      this.recordsAccepted += batch.recordCount
      this.bytesAccepted += bytes
    } finally {
      this.gate.release(bytes)
    }
  }
}
