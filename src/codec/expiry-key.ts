/*
 * Keys of the online partition's index of expiries, ordered by time:
 *
 *   0  u32  zero (the partition's own records)      4  u8  1
 *   5  u40  big endian: the expiry in whole seconds since the year 0
 *  10       the key of the record (see online-key.ts)
 *
 * The value is empty.
 */
import { EVENT_SECONDS_MIN } from '../core/event-time.ts'

export const EXPIRY_KEY_HEADER_BYTES = 10
const TAG = 1

function writeHeader(target: Buffer, seconds: number): void {
  target.writeUInt32BE(0, 0)
  target[4] = TAG
  target.writeUIntBE(seconds - EVENT_SECONDS_MIN, 5, 5)
}

/**
 * @param target - at least EXPIRY_KEY_HEADER_BYTES and the record's key long
 * @returns the length of the key
 */
export function writeExpiryKey(target: Buffer, seconds: number, recordKey: Uint8Array): number {
  writeHeader(target, seconds)
  target.set(recordKey, EXPIRY_KEY_HEADER_BYTES)
  return EXPIRY_KEY_HEADER_BYTES + recordKey.length
}

/** The lowest key of a second, or above those of all legal ones. */
export function expiryBound(seconds: number): Buffer {
  const bound = Buffer.alloc(EXPIRY_KEY_HEADER_BYTES)
  writeHeader(bound, seconds)
  return bound
}

export const EXPIRY_KEYS_START = Buffer.from([0, 0, 0, 0, TAG])
export const EXPIRY_KEYS_END = Buffer.from([0, 0, 0, 0, TAG + 1])

/** Whole seconds since 1970. */
export const expiryKeySeconds = (key: Buffer): number => key.readUIntBE(5, 5) + EVENT_SECONDS_MIN
