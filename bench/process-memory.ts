/** Memory of this process, in bytes, as Linux counts it; NaN elsewhere. */
import { readFileSync } from 'node:fs'

function statusBytes(field: string): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))
    return match === null ? Number.NaN : Number(match[1]) * 1024
  } catch {
    return Number.NaN
  }
}

/** Highest resident set so far; pages of mapped files (LMDB) count too. */
export const peakBytes = (): number => statusBytes('VmHWM')

/** Resident memory that belongs to no file. */
export const anonymousBytes = (): number => statusBytes('RssAnon')
