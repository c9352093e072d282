/**
 * The value part of a row as one version of a record, wherever it lies: in a chunk, in LMDB's read buffer, in a reply.
 * See row.ts for the layout. Works on bytes of any alignment.
 */
import { eventTimeText } from '../core/event-time.ts'
import {
  expiryBytes,
  FLAG_EXPIRY,
  FLAG_TEXTS,
  FLAG_TOMBSTONE,
  TEXT_ENTRY_BYTES,
  TEXTS_FOOTER_BYTES,
  VALUE_DIGITS,
  VALUE_FLAGS,
  VALUE_LSN,
  VALUE_NANOS,
  VALUE_SECONDS,
} from './row.ts'

/** `bytes[start, end)` is the value part. */
export interface Version {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

export const versionFlags = ({ bytes, start }: Version): number => bytes[start + VALUE_FLAGS]!

export const isTombstone = (version: Version): boolean => (versionFlags(version) & FLAG_TOMBSTONE) !== 0

export const hasExpiry = (version: Version): boolean => (versionFlags(version) & FLAG_EXPIRY) !== 0

export const versionLsn = ({ bytes, start }: Version): number => bytes.readDoubleLE(start + VALUE_LSN)

export const versionSeconds = ({ bytes, start }: Version): number => bytes.readDoubleLE(start + VALUE_SECONDS)

export const versionNanos = ({ bytes, start }: Version): number => bytes.readUInt32LE(start + VALUE_NANOS)

export const versionDigits = ({ bytes, start }: Version): number => bytes[start + VALUE_DIGITS]!

/** The text of a String event time, of the value part at `start`. */
export const eventTimeTextAt = (bytes: Buffer, start: number): string =>
  eventTimeText(
    bytes.readDoubleLE(start + VALUE_SECONDS),
    bytes.readUInt32LE(start + VALUE_NANOS),
    bytes[start + VALUE_DIGITS]!,
  )

/** Whole seconds since 1970; only of a version that has an expiry. */
export const expirySeconds = ({ bytes, end }: Version): number => bytes.readDoubleLE(end - 16)

export const expiryNanos = ({ bytes, end }: Version): number => bytes.readUInt32LE(end - 8)

/** Gives a version the expiry of another; it must have room for one. */
export function copyExpiry(from: Version, to: Version): void {
  to.bytes.writeDoubleLE(expirySeconds(from), to.end - 16)
  to.bytes.writeUInt32LE(expiryNanos(from), to.end - 8)
  to.bytes[to.start + VALUE_FLAGS] = versionFlags(to) | FLAG_EXPIRY
}

/** Whether a version's time to live has passed. */
export function isExpired(version: Version, nowUs: number): boolean {
  if (!hasExpiry(version)) return false
  const seconds = Math.floor(nowUs / 1_000_000)
  const expiry = expirySeconds(version)
  if (expiry !== seconds) return expiry < seconds
  return expiryNanos(version) <= (nowUs - seconds * 1_000_000) * 1000
}

/** The texts of numbers that have one of their own, by slot; undefined if none has. */
export function exactTexts(version: Version): Map<number, string> | undefined {
  const flags = versionFlags(version)
  if ((flags & FLAG_TEXTS) === 0) return undefined
  const { bytes, start } = version
  const footer = version.end - expiryBytes(flags) - TEXTS_FOOTER_BYTES
  const entries = start + bytes.readUInt32LE(footer)
  const count = bytes.readUInt32LE(footer + 4)
  const texts = new Map<number, string>()
  for (let i = 0; i < count; i++) {
    const entry = entries + i * TEXT_ENTRY_BYTES
    const from = start + bytes.readUInt32LE(entry + 4)
    texts.set(bytes.readUInt32LE(entry), bytes.toString('latin1', from, from + bytes.readUInt32LE(entry + 8)))
  }
  return texts
}
