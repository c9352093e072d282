/**
 * The shard's end of the read lane: a channel of its own for reads of records, beside the pool's messages. A shard looks
 * at it in the middle of its turns too (`serve`), between two slices of a merge or behind a commit, so that a read does
 * not wait for the whole turn.
 * Owns: the port. Does not own: what is read.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { MillraceError } from '../core/errors.ts'
import type { ReadReply, ReadRequest } from './protocol.ts'

/** Reads answered at one look, so that they cannot keep a shard from its writes. */
const READS_PER_LOOK_MAX = 64

export class ReadLane {
  readonly #port: MessagePort
  readonly #read: (request: ReadRequest) => ArrayBuffer

  /** @param read - answers a request, or throws why not */
  constructor(port: MessagePort, read: (request: ReadRequest) => ArrayBuffer) {
    this.#port = port
    this.#read = read
    port.on('message', (request: ReadRequest) => this.#answer(request))
  }

  /** Answers the reads that wait. To be called where the stores are whole, not in the middle of a change. */
  serve(): void {
    for (let i = 0; i < READS_PER_LOOK_MAX; i++) {
      const received = receiveMessageOnPort(this.#port) as { message: ReadRequest } | undefined
      if (received === undefined) return
      this.#answer(received.message)
    }
  }

  close(): void {
    this.#port.close()
  }

  #answer(request: ReadRequest): void {
    const { number } = request
    let reply: ReadReply
    try {
      const versions = this.#read(request)
      reply = { number, versions }
      this.#port.postMessage(reply, [versions])
    } catch (thrown) {
      reply = { number, error: MillraceError.from(thrown).toData() }
      this.#port.postMessage(reply)
    }
  }
}
