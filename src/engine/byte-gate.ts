/**
 * A ByteGate bounds the bytes that are on their way: who wants to add more waits, in order, until enough is
 * released. Owns: the balance. Invariant: the balance is zero when nothing is on its way.
 */
import { assert } from '../core/errors.ts'

export class ByteGate {
  held = 0
  readonly limit: number
  readonly #waiting: { bytes: number; resolve: () => void }[] = []

  constructor(limit: number) {
    this.limit = limit
  }

  /** Whether `bytes` more would have to wait. A portion larger than the limit passes when nothing else is held. */
  wouldWait(bytes: number): boolean {
    return this.#waiting.length > 0 || (this.held > 0 && this.held + bytes > this.limit)
  }

  async acquire(bytes: number): Promise<void> {
    if (this.wouldWait(bytes)) {
      // The releaser books the bytes for us, so nobody can slip in between.
      await new Promise<void>((resolve) => this.#waiting.push({ bytes, resolve }))
      return
    }
    this.held += bytes
  }

  release(bytes: number): void {
    this.held -= bytes
    assert(this.held >= 0, 'no more bytes are released than were held')
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.held > 0 && this.held + next.bytes > this.limit) return
      this.#waiting.shift()
      this.held += next.bytes
      next.resolve()
    }
  }
}
