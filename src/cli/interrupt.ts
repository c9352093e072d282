/**
 * Ctrl-C: the first one asks the command to stop at the next good place, a second one ends the process at once.
 * Owns: the handlers of SIGINT and SIGTERM while it listens. Does not own: what stopping means.
 * Invariant: the process is never ended by `process.exit` here, which hangs while a thread is inside an LMDB
 * transaction; the signal's own effect does not.
 */
import type { Clock } from '../core/clock.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** One Ctrl-C may arrive twice, from the terminal and from npm, which passes it on. */
const REPEAT_MS = 400

/** The command stopped because it was asked to; the message says how to go on. */
export class Interrupted extends Error {}

export class Interruption {
  readonly #controller = new AbortController()
  readonly #clock: Clock
  readonly #onRequest: () => void
  #requestedMs = 0
  readonly #listener = (signal: NodeJS.Signals): void => this.#handle(signal)

  private constructor(clock: Clock, onRequest: () => void) {
    this.#clock = clock
    this.#onRequest = onRequest
  }

  /** @param onRequest - called once, at the first signal */
  static listen(clock: Clock, onRequest: () => void): Interruption {
    const interruption = new Interruption(clock, onRequest)
    for (const signal of SIGNALS) process.on(signal, interruption.#listener)
    return interruption
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** @throws Interrupted once a signal has come */
  check(): void {
    if (this.signal.aborted) throw new Interrupted()
  }

  /** From here on a signal has its own effect again. */
  stopListening(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener)
  }

  #handle(signal: NodeJS.Signals): void {
    const nowMs = this.#clock.monotonicMs()
    if (!this.signal.aborted) {
      this.#requestedMs = nowMs
      this.#onRequest()
      this.#controller.abort()
    } else if (nowMs - this.#requestedMs >= REPEAT_MS) {
      this.stopListening()
      process.kill(process.pid, signal)
    }
  }
}
