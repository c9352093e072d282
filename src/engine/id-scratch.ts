/** A record id made ready: its UTF-8 bytes in a reused buffer, its hash and its shard. */
import { writeUtf8 } from '../codec/text.ts'
import { limits } from '../core/limits.ts'
import { hashHigh, hashLow, shardOfHash } from '../core/record-hash.ts'

export const ID_OK = 0
export const ID_EMPTY = 1
export const ID_TOO_LONG = 2
export const ID_ILL_FORMED = 3

export class IdScratch {
  readonly source = Buffer.alloc(limits.recordIdBytesMax * 3 + 8)
  bytes = 0
  high = 0
  low = 0
  shard = 0
  readonly #shardCount: number

  constructor(shardCount: number) {
    this.#shardCount = shardCount
  }

  /** @returns ID_OK, or what is wrong; the fields then mean nothing */
  setText(text: string): number {
    if (text.length === 0) return ID_EMPTY
    if (text.length > limits.recordIdBytesMax) return ID_TOO_LONG
    const bytes = writeUtf8(this.source, 0, text)
    if (bytes < 0) return ID_ILL_FORMED
    if (bytes > limits.recordIdBytesMax) return ID_TOO_LONG
    this.#finish(bytes)
    return ID_OK
  }

  /** The id is `source[start, end)`, well-formed UTF-8. */
  setUtf8(source: Uint8Array, start: number, end: number): number {
    const bytes = end - start
    if (bytes === 0) return ID_EMPTY
    if (bytes > limits.recordIdBytesMax) return ID_TOO_LONG
    for (let i = 0; i < bytes; i++) this.source[i] = source[start + i]!
    this.#finish(bytes)
    return ID_OK
  }

  #finish(bytes: number): void {
    this.bytes = bytes
    this.high = hashHigh(this.source, 0, bytes)
    this.low = hashLow(this.source, 0, bytes)
    this.shard = shardOfHash(this.high, this.#shardCount)
  }
}
