/*
 * Keys of the online partition, big endian so that bytes order like numbers:
 *
 *   0  u32  feature group number (0 = the partition's own records)
 *   4  u32  high half of the id's hash     8  u32  low half
 *  12       the id; or, where the id is longer than LONG_ID_BYTES, 0xFF and its SHA-256
 *
 * A well-formed UTF-8 id never starts with 0xFF, so the two forms cannot meet. A value under a long id's key is
 * preceded by the id: u32 idBytes, u32 zero, the id padded to 8.
 */
import { createHash } from 'node:crypto'
import { roundUp8 } from './row.ts'

export const KEY_ID = 12
/** LMDB takes keys of up to 1,978 bytes with pages of 4 KiB. */
export const LONG_ID_BYTES = 1900
const LONG_MARK = 0xff

/**
 * Writes the key of a record.
 * @param target - at least KEY_ID + LONG_ID_BYTES bytes
 * @returns the length of the key
 */
export function writeOnlineKey(
  target: Buffer,
  featureGroup: number,
  hashHigh: number,
  hashLow: number,
  source: Uint8Array,
  idStart: number,
  idBytes: number,
): number {
  target.writeUInt32BE(featureGroup, 0)
  target.writeUInt32BE(hashHigh, 4)
  target.writeUInt32BE(hashLow, 8)
  if (idBytes <= LONG_ID_BYTES) {
    for (let i = 0; i < idBytes; i++) target[KEY_ID + i] = source[idStart + i]!
    return KEY_ID + idBytes
  }
  target[KEY_ID] = LONG_MARK
  const digest = createHash('sha256')
    .update(source.subarray(idStart, idStart + idBytes))
    .digest()
  target.set(digest, KEY_ID + 1)
  return KEY_ID + 1 + digest.length
}

export const isLongKey = (key: Uint8Array): boolean => key[KEY_ID] === LONG_MARK

/** Where the value part starts in a stored value. */
export const storedValueStart = (isLong: boolean, stored: Buffer): number =>
  isLong ? 8 + roundUp8(stored.readUInt32LE(0)) : 0

/** The id that a stored key and value belong to. */
export function storedId(key: Buffer, stored: Buffer): Buffer {
  if (!isLongKey(key)) return key.subarray(KEY_ID)
  return stored.subarray(8, 8 + stored.readUInt32LE(0))
}

/** A long id's stored value: the id, then the value part. */
export function withLongId(id: Uint8Array, value: Uint8Array): Buffer {
  const start = 8 + roundUp8(id.length)
  const stored = Buffer.alloc(start + value.length)
  stored.writeUInt32LE(id.length, 0)
  stored.set(id, 8)
  stored.set(value, start)
  return stored
}
