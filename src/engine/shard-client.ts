/**
 * The engine's end of one shard thread.
 * Owns: a pool of exactly one thread (piscina has no affinity, so a shared pool cannot keep a shard on its thread).
 * Invariant: a thread is never terminated, because ending one inside an LMDB transaction would hang the process:
 * no task has a signal, and the pool is closed only after the shard has answered `close`.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { FixedQueue, Piscina } from 'piscina'
import { assert, MillraceError } from '../core/errors.ts'
import type { ShardReplies, ShardReply, ShardRequest, ShardRequestOf } from '../workers/protocol.ts'
import { ReadClient } from './read-client.ts'
import { workerUrl } from './worker-url.ts'

const CLOSE_TIMEOUT_MS = 120_000

export class ShardClient {
  readonly shard: number
  readonly reads: ReadClient
  readonly #pool: Piscina
  #readPort: MessagePort | undefined
  #failure: MillraceError | undefined

  constructor(shard: number, onFailure: (error: MillraceError) => void) {
    this.shard = shard
    const { port1, port2 } = new MessageChannel()
    this.reads = new ReadClient(port1)
    this.#readPort = port2
    this.#pool = new Piscina({
      filename: workerUrl('shard-worker'),
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // The default parks the event loop between tasks: timers, merges and flushes would stop.
      atomics: 'disabled',
      // Requests of all kinds interleave in the shard; how much may wait is bounded in bytes, not in tasks.
      concurrentTasksPerWorker: 1_000_000,
      taskQueue: new FixedQueue(),
      recordTiming: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
    })
    this.#pool.on('error', (cause: unknown) => {
      this.#failure ??= died(shard, cause)
      this.reads.fail(this.#failure)
      onFailure(this.#failure)
    })
  }

  /** The first request: opens the shard, and gives it its end of the read lane. */
  open(request: Omit<ShardRequestOf<'open'>, 'type' | 'readPort'>): Promise<ShardReplies['open']> {
    const readPort = this.#readPort
    assert(readPort !== undefined, 'a shard is opened once')
    this.#readPort = undefined
    return this.request({ type: 'open', ...request, readPort }, [readPort])
  }

  /**
   * @param transfer - buffers of the request to move instead of copying
   * @throws MillraceError as the shard answered it, or STORE_FAILED if the thread died
   */
  async request<T extends ShardRequest['type']>(
    request: Extract<ShardRequest, { type: T }>,
    transfer?: readonly (ArrayBuffer | MessagePort)[],
  ): Promise<ShardReplies[T]> {
    if (this.#failure !== undefined) throw this.#failure
    let reply: ShardReply<ShardReplies[T]>
    try {
      const options = transfer === undefined ? {} : { transferList: [...transfer] }
      reply = (await this.#pool.run(request, options)) as ShardReply<ShardReplies[T]>
    } catch (cause) {
      throw this.#failure ?? died(this.shard, cause)
    }
    if (!reply.ok) throw MillraceError.fromData(reply.error)
    return reply.value
  }

  /** Ends the thread; the shard must have been closed, or have failed. */
  async close(): Promise<void> {
    await this.#pool.close()
    this.reads.fail(new MillraceError('CLOSED', 'the store is closed'))
  }
}

function died(shard: number, cause: unknown): MillraceError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError(
    'STORE_FAILED',
    `the thread of shard ${shard} died (${reason}); reopen the store, recovery decides`,
    { cause },
  )
}
