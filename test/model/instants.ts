/** Event times as instants, so that spellings do not matter, and back as text. By BigInt, on purpose without the engine's code. */

/** Nanoseconds since 1970. */
export type Instant = bigint

const NANOS_PER_SECOND = 1_000_000_000n
export const LAST_INSTANT: Instant = instantOf('9999-12-31T23:59:59.999999999Z')

/** Of a String event time, or of Unix seconds. */
export function instantOf(eventTime: string | number): Instant {
  if (typeof eventTime === 'string') {
    const [seconds, fraction = ''] = eventTime.slice(0, -1).split('.')
    return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
  }
  const [whole, fraction = ''] = String(Math.abs(eventTime)).split('.')
  const nanos = BigInt(whole!) * NANOS_PER_SECOND + BigInt(fraction.padEnd(9, '0'))
  return eventTime < 0 ? -nanos : nanos
}

export const instantOfMs = (ms: number): Instant => BigInt(ms) * 1_000_000n
export const secondsLater = (instant: Instant, seconds: number): Instant =>
  instant + BigInt(seconds) * NANOS_PER_SECOND

/** A fraction of 3, 6 or 9 digits, and none for whole seconds (R-401, OQ-26). */
export function textOf(instant: Instant): string {
  const nanos = instant % NANOS_PER_SECOND
  const fraction = nanos < 0n ? nanos + NANOS_PER_SECOND : nanos
  const seconds = new Date(Number((instant - fraction) / 1_000_000n)).toISOString().slice(0, 19)
  const digits = String(fraction)
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '')
  return digits === '' ? `${seconds}Z` : `${seconds}.${digits}Z`
}

/** Unix seconds as the nearest double; for instants after 1970. */
export const secondsOf = (instant: Instant): number =>
  Number(`${instant / NANOS_PER_SECOND}.${String(instant % NANOS_PER_SECOND).padStart(9, '0')}`)

/** `YYYY-MM-DDTHH`, the hour's directory. */
export const hourOf = (instant: Instant): string => textOf(instant).slice(0, 13)
