/*
 * The manifest's bytes. Little endian, everything 8-byte aligned.
 *
 * Header, 16 bytes:
 *   0  8 bytes  magic "MRManif\n"
 *   8  u32      format version     12  u32  CRC-32 of bytes 0..11
 *
 * Then frames, one per sync:
 *   0  u32      bodyBytes, a multiple of 8, more than 0
 *   4  u32      CRC-32 of bytes 0..3 and the body
 *   8           body: a JSON array of one or more entries, filled up with spaces
 *
 * One frame per sync is what makes a torn write recognisable: the frame before a whole one was synced, so if that is
 * damaged, it was damaged later. JSON has no zero bytes and a length has at least one, so nothing inside a body looks
 * like a frame. A change of the entries or the frames needs a new format version.
 */
import { crc32 } from 'node:zlib'
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

/** The rows that one shard gave to a file. */
export interface ManifestPart {
  readonly shard: number
  readonly rows: number
  /** LSNs of the first and the last of the rows; rows of other hours may lie between. */
  readonly firstLsn: number
  readonly lastLsn: number
}

/** One published offline file. Feature group, event hour and round name it. */
export interface ManifestEntry {
  readonly featureGroup: number
  readonly featureGroupName: string
  readonly round: number
  /** Whole hours since 1970, UTC. */
  readonly eventHour: number
  /** Relative to the data directory. */
  readonly path: string
  readonly rows: number
  readonly bytes: number
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string
  readonly latestEventSeconds: number
  readonly writeTimeUs: number
  readonly parts: readonly ManifestPart[]
}

export interface ManifestFrame {
  readonly bytes: Uint8Array
  readonly entries: readonly ManifestEntry[]
}

export const MANIFEST_HEADER_BYTES = 16
export const MANIFEST_FRAME_HEADER_BYTES = 8
export const MANIFEST_FORMAT_VERSION = 1
const MAGIC = Buffer.from('MRManif\n', 'latin1')
const HEADER_CRC_AT = 12

export function encodeManifestHeader(): Uint8Array {
  const bytes = Buffer.alloc(MANIFEST_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(MANIFEST_FORMAT_VERSION, 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, HEADER_CRC_AT)), HEADER_CRC_AT)
  return bytes
}

/** @returns the format version; undefined if this is not an undamaged manifest header */
export function decodeManifestHeader(bytes: Uint8Array): number | undefined {
  if (bytes.length < MANIFEST_HEADER_BYTES) return undefined
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, MANIFEST_HEADER_BYTES)
  if (!view.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  if (crc32(view.subarray(0, HEADER_CRC_AT)) !== view.readUInt32LE(HEADER_CRC_AT)) return undefined
  return view.readUInt32LE(8)
}

/** Frames for some entries, in their order: one, unless they pass the size a frame may have. */
export function encodeManifestFrames(entries: readonly ManifestEntry[]): ManifestFrame[] {
  const frames: ManifestFrame[] = []
  let taken: ManifestEntry[] = []
  let texts: string[] = []
  let bytes = 0
  const finish = (): void => {
    if (taken.length > 0) frames.push({ bytes: encodeFrame(`[${texts.join(',')}]`), entries: taken })
    taken = []
    texts = []
    bytes = 0
  }
  for (const entry of entries) {
    assert(isManifestEntry(entry), 'a manifest entry is complete')
    const text = JSON.stringify(entry)
    // Brackets, comma and filling take less than 16 bytes.
    const textBytes = Buffer.byteLength(text) + 1
    if (bytes + textBytes + 16 > limits.framePayloadBytesMax) finish()
    taken.push(entry)
    texts.push(text)
    bytes += textBytes
  }
  finish()
  return frames
}

function encodeFrame(text: string): Uint8Array {
  const textBytes = Buffer.byteLength(text)
  const bodyBytes = (textBytes + 7) & ~7
  assert(bodyBytes <= limits.framePayloadBytesMax, 'a manifest entry fits in a frame')
  const frame = Buffer.alloc(MANIFEST_FRAME_HEADER_BYTES + bodyBytes, 0x20)
  frame.writeUInt32LE(bodyBytes, 0)
  frame.write(text, MANIFEST_FRAME_HEADER_BYTES)
  frame.writeUInt32LE(frameCrc(frame), 4)
  return frame
}

/**
 * Bytes of the frame that starts with `header`, header included; nothing in it can be trusted until `isWholeFrame`.
 * @param header - at least 8 bytes, or what is left of the file
 * @returns undefined if no frame starts so
 */
export function manifestFrameBytes(header: Uint8Array): number | undefined {
  if (header.length < MANIFEST_FRAME_HEADER_BYTES) return undefined
  const bodyBytes = new DataView(header.buffer, header.byteOffset, 4).getUint32(0, true)
  if (bodyBytes === 0 || bodyBytes % 8 !== 0 || bodyBytes > limits.framePayloadBytesMax) return undefined
  return MANIFEST_FRAME_HEADER_BYTES + bodyBytes
}

export function isWholeFrame(frame: Uint8Array): boolean {
  assert(frame.length === manifestFrameBytes(frame), 'a whole frame is checked')
  return new DataView(frame.buffer, frame.byteOffset, 8).getUint32(4, true) === frameCrc(frame)
}

const frameCrc = (frame: Uint8Array): number =>
  crc32(frame.subarray(MANIFEST_FRAME_HEADER_BYTES), crc32(frame.subarray(0, 4)))

/**
 * The entries of a whole frame.
 * @returns undefined if the body is not what this version writes
 */
export function decodeManifestFrame(frame: Uint8Array): readonly ManifestEntry[] | undefined {
  const body = Buffer.from(frame.buffer, frame.byteOffset, frame.length).subarray(MANIFEST_FRAME_HEADER_BYTES)
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
  return Array.isArray(value) && value.every(isManifestEntry) ? value : undefined
}

const ENTRY_TEXTS = ['featureGroupName', 'path', 'sha256'] as const satisfies (keyof ManifestEntry)[]
const ENTRY_NUMBERS = [
  'featureGroup',
  'round',
  'eventHour',
  'rows',
  'bytes',
  'latestEventSeconds',
  'writeTimeUs',
] as const satisfies (keyof ManifestEntry)[]
const PART_NUMBERS = ['shard', 'rows', 'firstLsn', 'lastLsn'] as const satisfies (keyof ManifestPart)[]

function isManifestEntry(value: unknown): value is ManifestEntry {
  if (!isObject(value)) return false
  const { parts } = value as Partial<Record<keyof ManifestEntry, unknown>>
  return (
    ENTRY_TEXTS.every((name) => typeof value[name] === 'string') &&
    ENTRY_NUMBERS.every((name) => Number.isSafeInteger(value[name])) &&
    Array.isArray(parts) &&
    parts.every((part) => isObject(part) && PART_NUMBERS.every((name) => Number.isSafeInteger(part[name])))
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
