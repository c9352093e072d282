/**
 * ScratchMemory keeps buffers for the next time they are needed. The first touch of a fresh page costs more than
 * filling it, so a shard that builds columns again and again should build them in the same memory.
 * Owns: buffers that nobody uses now. Invariant: it keeps at most `bytesMax` bytes.
 */

/** Smaller buffers come from memory that the allocator reuses anyway. */
const POOLED_BYTES_MIN = 16 * 1024

export class ScratchMemory {
  readonly #bytesMax: number
  readonly #free = new Map<number, ArrayBuffer[]>()
  #bytes = 0

  constructor(bytesMax = 64 * 1024 * 1024) {
    this.#bytesMax = bytesMax
  }

  /** At least `bytes` bytes, with anything in them. */
  take(bytes: number): ArrayBuffer {
    if (bytes < POOLED_BYTES_MIN) return new ArrayBuffer(bytes)
    const size = sizeClass(bytes)
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return new ArrayBuffer(size)
    this.#bytes -= size
    return buffer
  }

  /** Gives buffers back; nobody may use them any more. */
  release(buffers: readonly ArrayBuffer[]): void {
    for (const buffer of buffers) {
      const size = buffer.byteLength
      if (size < POOLED_BYTES_MIN || this.#bytes + size > this.#bytesMax) continue
      const list = this.#free.get(size) ?? []
      list.push(buffer)
      this.#free.set(size, list)
      this.#bytes += size
    }
  }
}

/** The next size with three significant bits: little is wasted, and few sizes exist. */
function sizeClass(bytes: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(bytes)) - 2)
  return Math.ceil(bytes / step) * step
}

/** The buffers of one piece of work, given back together. */
export class ScratchLease {
  readonly #memory: ScratchMemory
  readonly #taken: ArrayBuffer[] = []

  constructor(memory: ScratchMemory) {
    this.#memory = memory
  }

  take(bytes: number): ArrayBuffer {
    const buffer = this.#memory.take(bytes)
    this.#taken.push(buffer)
    return buffer
  }

  end(): void {
    this.#memory.release(this.#taken.splice(0))
  }
}
