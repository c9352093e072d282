/** The token between two pages: opaque, URL-safe, self-contained, and refused if altered. */
import { crc32 } from 'node:zlib'
import { invalid } from '../core/errors.ts'

export interface ListStart {
  readonly shard: number
  /** Key of the last record listed in that shard. */
  readonly after: Uint8Array | undefined
}

const HEADER_BYTES = 12

export function encodeToken(featureGroup: number, shard: number, after: Uint8Array | undefined): string {
  const token = Buffer.alloc(HEADER_BYTES + (after?.length ?? 0))
  token.writeUInt32LE(featureGroup, 4)
  token.writeUInt32LE(shard, 8)
  if (after !== undefined) token.set(after, HEADER_BYTES)
  token.writeUInt32LE(crc32(token.subarray(4)), 0)
  return token.toString('base64url')
}

export function decodeToken(text: string | undefined, featureGroup: number, shards: number): ListStart {
  if (text === undefined) return { shard: 0, after: undefined }
  const token = Buffer.from(text, 'base64url')
  // Decoding passes over characters that are none of its alphabet, so the text is compared too.
  const isWhole =
    token.length >= HEADER_BYTES &&
    token.readUInt32LE(0) === crc32(token.subarray(4)) &&
    token.toString('base64url') === text
  if (!isWhole || token.readUInt32LE(4) !== featureGroup || token.readUInt32LE(8) >= shards) {
    throw invalid('token: not a token that listRecords of this feature group returned')
  }
  const after = token.length > HEADER_BYTES ? token.subarray(HEADER_BYTES) : undefined
  return { shard: token.readUInt32LE(8), after }
}
