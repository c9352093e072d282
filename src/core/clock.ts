/** Time as a value: whatever needs it takes a Clock, so that tests can move it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970, UTC. May jump. */
  nowMs(): number
  /** Monotonic clock, milliseconds from an arbitrary start. Never jumps; for ages and durations. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

/**
 * A clock that stands still until it is moved, the same for all threads of a store: for tests of what depends on time,
 * such as times to live. Times are milliseconds, and may have fractions.
 */
export class ManualClock implements Clock {
  /** What threads share: wall time, monotonic time. */
  readonly shared: SharedArrayBuffer
  readonly #times: Float64Array

  /** @param start - the wall time to begin with, or the memory of another clock to follow */
  constructor(start: number | Date | SharedArrayBuffer) {
    this.shared = start instanceof SharedArrayBuffer ? start : new SharedArrayBuffer(16)
    this.#times = new Float64Array(this.shared)
    if (!(start instanceof SharedArrayBuffer)) this.#times[0] = Number(start)
  }

  nowMs(): number {
    return this.#times[0]!
  }

  monotonicMs(): number {
    return this.#times[1]!
  }

  /** Lets time pass. */
  advance(ms: number): void {
    this.#times[0] = this.#times[0]! + ms
    this.#times[1] = this.#times[1]! + Math.max(0, ms)
  }

  /** Sets the wall clock, as an administrator would; no time passes. */
  set(nowMs: number | Date): void {
    this.#times[0] = Number(nowMs)
  }
}
