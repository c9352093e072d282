/**
 * A PutBuffer gathers single writes into batches, so that a put costs neither a message nor a sync of its own: per
 * shard one batch is on its way, and what is written meanwhile travels in the next. Under load batches grow by
 * themselves, and a put waits for two commits at most.
 * Owns: the batches being filled, and the promise that all writes of a batch share.
 * Invariant: writes to one record are sent in the order they were made.
 */
import { NO_SOURCE } from '../codec/batch.ts'
import { BatchBuilder } from '../codec/batch-builder.ts'
import { MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { StoreCore } from './store-core.ts'

const PUT_BUFFER_BYTES = 8192

interface Outcome {
  readonly promise: Promise<void>
  readonly resolve: (sent: Promise<void>) => void
}

export class PutBuffer {
  readonly batches: readonly BatchBuilder[]
  readonly #core: StoreCore
  readonly #featureGroup: number
  readonly #outcomes: (Outcome | undefined)[]
  /** Per shard, the end of the queue of batches that wait at the gate. */
  readonly #queues: Promise<void>[]
  /** Per shard, batches on their way. */
  readonly #inFlight: number[]
  #waitingBytes = 0
  #isScheduled = false
  /** Callers that wait for room, in the order they came. */
  readonly #callers: (() => void)[] = []

  constructor(core: StoreCore, featureGroup: number) {
    this.#core = core
    this.#featureGroup = featureGroup
    this.batches = core.shards.map(() => new BatchBuilder(() => new ArrayBuffer(PUT_BUFFER_BYTES)))
    this.#outcomes = core.shards.map(() => undefined)
    this.#queues = core.shards.map(() => Promise.resolve())
    this.#inFlight = core.shards.map(() => 0)
  }

  get hasRoom(): boolean {
    return this.#callers.length === 0 && this.#waitingBytes <= this.#core.gate.limit
  }

  /**
   * Resolves when there is room, in the order of the calls: for callers that would rather wait than be refused. What they
   * write in the same turn of the event loop may pass the budget.
   * @throws THROTTLED if too many wait already
   */
  async room(): Promise<void> {
    if (this.#callers.length >= limits.waitingCallsMax) {
      throw new MillraceError('THROTTLED', `${this.#callers.length} calls wait for room already`)
    }
    await new Promise<void>((resolve) => this.#callers.push(resolve))
  }

  /** @throws THROTTLED if more single writes wait than the memory budget has room for */
  checkRoom(): void {
    if (this.hasRoom) return
    throw new MillraceError(
      'THROTTLED',
      `${this.#waitingBytes} bytes of single writes wait already; await some of them before making more`,
    )
  }

  /** A row was packed into the shard's batch. @returns the outcome of the batch it will travel in */
  added(shard: number): Promise<void> {
    let outcome = this.#outcomes[shard]
    if (outcome === undefined) {
      outcome = Promise.withResolvers<void>() as Outcome & PromiseWithResolvers<void>
      this.#outcomes[shard] = outcome
    }
    if (this.batches[shard]!.bytes >= limits.batchBytes) this.#send(shard)
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(() => this.#sendIdle())
    }
    return outcome.promise
  }

  /** Sends what was added so far, whatever is on its way. */
  sendAll(): void {
    for (let shard = 0; shard < this.batches.length; shard++) {
      if (this.batches[shard]!.recordCount > 0) this.#send(shard)
    }
  }

  #sendIdle(): void {
    this.#isScheduled = false
    for (let shard = 0; shard < this.batches.length; shard++) {
      if (this.batches[shard]!.recordCount > 0 && this.#inFlight[shard] === 0) this.#send(shard)
    }
  }

  /** Resolves when everything added so far has its outcome. */
  async drain(): Promise<void> {
    this.sendAll()
    await Promise.all(this.#queues)
  }

  #send(shard: number): void {
    const outcome = this.#outcomes[shard]!
    this.#outcomes[shard] = undefined
    const batch = this.batches[shard]!.finish({ ...NO_SOURCE, featureGroup: this.#featureGroup })
    const { gate } = this.#core
    let sent: Promise<void>
    if (gate.wouldWait(batch.bytes)) {
      this.#waitingBytes += batch.bytes
      sent = gate.acquire(batch.bytes).then(() => {
        this.#waitingBytes -= batch.bytes
        this.#admitNext()
        return this.#core.send(shard, batch)
      })
    } else {
      void gate.acquire(batch.bytes)
      sent = this.#core.send(shard, batch)
    }
    this.#inFlight[shard]!++
    this.#queues[shard] = Promise.allSettled([this.#queues[shard], sent]).then(() => {
      this.#inFlight[shard]!--
      if (this.#inFlight[shard] === 0 && this.batches[shard]!.recordCount > 0) this.#send(shard)
    })
    outcome.resolve(sent)
  }

  /** One caller at a time: what it writes decides whether there is room for the next. */
  #admitNext(): void {
    if (this.#callers.length === 0 || this.#waitingBytes > this.#core.gate.limit) return
    this.#callers.shift()!()
    setImmediate(() => this.#admitNext())
  }
}
