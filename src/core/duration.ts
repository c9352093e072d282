/** Durations as the specification writes them: a unit and a whole number, no calendar effects. */
import { invalid, quote } from './errors.ts'

export const SECONDS_PER_UNIT = {
  Seconds: 1,
  Minutes: 60,
  Hours: 3600,
  Days: 86_400,
  Weeks: 604_800,
} as const

export type DurationUnit = keyof typeof SECONDS_PER_UNIT

const UNITS = Object.keys(SECONDS_PER_UNIT)

/**
 * @param where - begins the message, such as `option ttl`
 * @returns whole seconds; not necessarily a safe integer, since a value has no upper bound
 * @throws INVALID_ARGUMENT
 */
export function durationSeconds(
  duration: { readonly unit: unknown; readonly value: unknown },
  where: string,
): number {
  const { unit, value } = duration
  if (typeof unit !== 'string' || !Object.hasOwn(SECONDS_PER_UNIT, unit)) {
    throw invalid(`${where}: unit: expected one of ${UNITS.join(', ')}, found ${show(unit)}`)
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw invalid(`${where}: value: expected a whole number of at least 1, found ${show(value)}`)
  }
  return value * SECONDS_PER_UNIT[unit as DurationUnit]
}

const show = (value: unknown): string => (typeof value === 'string' ? quote(value) : String(value))
