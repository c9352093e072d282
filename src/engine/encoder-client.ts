/**
 * The engine's end of the encoder threads.
 * Owns: one pool of stateless threads. They have low priority: Parquet may be late, writes and reads may not.
 */
import { Piscina } from 'piscina'
import { MillraceError } from '../core/errors.ts'
import type { EncodedFile, EncodeReply, EncodeRequest } from '../workers/encoder.ts'
import { workerUrl } from './worker-url.ts'

const CLOSE_TIMEOUT_MS = 120_000

export class EncoderClient {
  readonly threads: number
  /** Time the threads spent on files, milliseconds, and the WASM memory of one of them. */
  encodeMs = 0
  wasmMemoryBytes = 0
  readonly #pool: Piscina

  constructor(threads: number) {
    this.threads = threads
    this.#pool = new Piscina({
      filename: workerUrl('encoder-worker'),
      // Loading the encoder takes longer than opening a store; the first file starts it.
      minThreads: 0,
      maxThreads: threads,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      concurrentTasksPerWorker: 1,
      niceIncrement: 5,
      recordTiming: false,
      closeTimeout: CLOSE_TIMEOUT_MS,
    })
    // A thread that dies takes its task with it, which is rejected; the pool starts another.
    this.#pool.on('error', () => undefined)
  }

  /** Encodes and publishes files. Durable on return; the manifest does not know them yet. */
  async encode(request: EncodeRequest): Promise<readonly EncodedFile[]> {
    const transferList = request.files.flatMap((file) => file.parts.map((part) => part.buffer as ArrayBuffer))
    let reply: EncodeReply
    try {
      reply = (await this.#pool.run(request, { transferList })) as EncodeReply
    } catch (cause) {
      throw MillraceError.from(cause, 'STORE_FAILED', 'an encoder thread died')
    }
    if (!reply.ok) throw MillraceError.fromData(reply.error)
    this.encodeMs += reply.encodeMs
    this.wasmMemoryBytes = Math.max(this.wasmMemoryBytes, reply.wasmMemoryBytes)
    return reply.files
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }
}
