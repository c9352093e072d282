/*
 * Ids to read, packed for a shard: per id u32 hash high, u32 hash low, u32 idBytes, the id. The reply holds per
 * id u32 length (0 = no record) and the value part, in the same order.
 */

export const KEY_HEADER_BYTES = 12
export const REPLY_HEADER_BYTES = 4

export class KeyRequestBuilder {
  count = 0
  #bytes = Buffer.alloc(4096)
  #end = 0

  add(hashHigh: number, hashLow: number, id: Uint8Array, idBytes: number): void {
    const end = this.#end + KEY_HEADER_BYTES + idBytes
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, end))
      grown.set(this.#bytes)
      this.#bytes = grown
    }
    this.#bytes.writeUInt32LE(hashHigh, this.#end)
    this.#bytes.writeUInt32LE(hashLow, this.#end + 4)
    this.#bytes.writeUInt32LE(idBytes, this.#end + 8)
    for (let i = 0; i < idBytes; i++) this.#bytes[this.#end + KEY_HEADER_BYTES + i] = id[i]!
    this.#end = end
    this.count++
  }

  /** Forgets the ids added so far. */
  clear(): void {
    this.count = 0
    this.#end = 0
  }

  /** @returns a copy of the request, which can be moved to another thread */
  finish(): ArrayBuffer {
    const start = this.#bytes.byteOffset
    return (this.#bytes.buffer as ArrayBuffer).slice(start, start + this.#end)
  }
}
