/** Reads the frames of a manifest, and judges what stands behind the last good one. */
import { crc32 } from 'node:zlib'
import { isWholeFrame, MANIFEST_FRAME_HEADER_BYTES, manifestFrameBytes } from '../codec/manifest-entry.ts'
import { MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { replaceFileAtomically } from '../io/atomic-file.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { tornFile } from '../io/paths.ts'

/** Bytes of a file; `to` is exclusive. */
export interface FileRange {
  readonly from: number
  readonly to: number
}

/** Bytes that were cut off the end of a manifest: the rest of a write that was never acknowledged. */
export interface CutTail {
  readonly offset: number
  readonly bytes: number
  /** The file in which they are kept. */
  readonly keptAs: string
}

/** The frame at the start of a range; undefined if there is no whole one. */
export function readWholeFrame(
  fileSystem: FileSystem,
  file: FileHandle,
  range: FileRange,
): Uint8Array | undefined {
  const header = { from: range.from, to: Math.min(range.from + MANIFEST_FRAME_HEADER_BYTES, range.to) }
  const frameBytes = manifestFrameBytes(readRange(fileSystem, file, header))
  if (frameBytes === undefined || frameBytes > range.to - range.from) return undefined
  const frame = readRange(fileSystem, file, { from: range.from, to: range.from + frameBytes })
  return frame.length === frameBytes && isWholeFrame(frame) ? frame : undefined
}

/**
 * Cuts what follows the last whole frame, if it can be the rest of one write, and keeps a copy of it aside.
 * @throws MANIFEST_CORRUPT if it cannot: then synced entries were damaged
 */
export function cutTornTail(fileSystem: FileSystem, file: FileHandle, range: FileRange): CutTail {
  const tail = readRange(fileSystem, file, range)
  // The next frame is only written after the sync of the one before.
  const later = offsetOfWholeFrame(tail)
  if (later !== undefined) {
    const reason = `it was once complete, because a whole frame follows at offset ${range.from + later}`
    throw manifestDamage(file, range.from, reason)
  }
  if (tail.length > MANIFEST_FRAME_HEADER_BYTES + limits.framePayloadBytesMax) {
    throw manifestDamage(file, range.from, `the ${tail.length} bytes from there are more than one write`)
  }
  const keptAs = tornFile(file.path, { offset: range.from, epoch: crc32(tail).toString(16).padStart(8, '0') })
  replaceFileAtomically(fileSystem, keptAs, tail)
  fileSystem.truncate(file, range.from)
  fileSystem.dataSync(file)
  return { offset: range.from, bytes: tail.length, keptAs }
}

function offsetOfWholeFrame(tail: Uint8Array): number | undefined {
  for (let at = 8; at < tail.length; at += 8) {
    const frameBytes = manifestFrameBytes(tail.subarray(at))
    if (frameBytes === undefined || at + frameBytes > tail.length) continue
    if (isWholeFrame(tail.subarray(at, at + frameBytes))) return at
  }
  return undefined
}

export function manifestDamage(file: FileHandle, offset: number, reason: string): MillraceError {
  const message = `the manifest ${file.path} is damaged at offset ${offset}: ${reason}`
  return new MillraceError('MANIFEST_CORRUPT', message, { place: { file: file.path } })
}

function readRange(fileSystem: FileSystem, file: FileHandle, range: FileRange): Uint8Array {
  const bytes = new Uint8Array(range.to - range.from)
  return bytes.subarray(0, fileSystem.readAt(file, bytes, range.from))
}
