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
