/**
 * The engine's end of a shard's read lane (workers/read-lane).
 * Owns: the port, and who waits for which reply.
 */
import type { MessagePort } from 'node:worker_threads'
import { MillraceError } from '../core/errors.ts'
import type { ReadReply } from '../workers/protocol.ts'

interface Waiting {
  readonly resolve: (versions: ArrayBuffer) => void
  readonly reject: (error: MillraceError) => void
}

export class ReadClient {
  readonly #port: MessagePort
  readonly #waiting = new Map<number, Waiting>()
  #lastNumber = 0
  #failure: MillraceError | undefined

  constructor(port: MessagePort) {
    this.#port = port
    port.on('message', (reply: ReadReply) => this.#settle(reply))
    // A store that is open keeps the process alive by other means.
    port.unref()
  }

  /**
   * @param keys - packed ids (codec/key-request); moved
   * @returns per id u32 length, 0 if there is no record, then the value part
   */
  read(featureGroup: number, keys: ArrayBuffer, count: number): Promise<ArrayBuffer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const number = ++this.#lastNumber
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject })
      this.#port.postMessage({ number, featureGroup, keys, count }, [keys])
    })
  }

  /** The shard will not answer any more. */
  fail(error: MillraceError): void {
    this.#failure ??= error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    this.#port.close()
  }

  #settle(reply: ReadReply): void {
    const waiting = this.#waiting.get(reply.number)
    this.#waiting.delete(reply.number)
    if ('error' in reply) waiting?.reject(MillraceError.fromData(reply.error))
    else waiting?.resolve(reply.versions)
  }
}
