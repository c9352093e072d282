/**
 * Reads one segment front to back through a window, so that memory stays bounded whatever the segment's size.
 *
 * Owns: the window. Does not own: the file handle.
 * Invariants: offsets are multiples of 8; what `view` and `readFrame` return is borrowed until the next call.
 */
import {
  decodeFrameHeader,
  type Epoch,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  isIntact,
  isPlausible,
  isSameEpoch,
} from '../codec/frame.ts'
import { assert } from '../core/errors.ts'
import { type Lsn, lsnAfter } from '../core/lsn.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'

const WINDOW_BYTES = 1024 * 1024

/** A frame whose checksum is right. Whether it belongs where it stands is for the chain to say. */
export interface Frame {
  readonly header: FrameHeader
  /** Header and payload. */
  readonly bytes: Uint8Array
}

export class SegmentReader {
  /** Nothing is read at or beyond this offset. */
  readonly endOffset: number
  readonly #fileSystem: FileSystem
  readonly #handle: FileHandle
  #window = new Uint8Array(WINDOW_BYTES)
  #windowOffset = 0
  #windowBytes = 0

  constructor(fileSystem: FileSystem, handle: FileHandle, endOffset: number) {
    this.#fileSystem = fileSystem
    this.#handle = handle
    this.endOffset = endOffset
  }

  /** The bytes from `offset` on; fewer than `length` only at the end. */
  view(offset: number, length: number): Uint8Array {
    assert(offset % 8 === 0, 'a segment is read at multiples of 8 bytes')
    const wanted = Math.max(0, Math.min(length, this.endOffset - offset))
    const isHeld = offset >= this.#windowOffset && offset + wanted <= this.#windowOffset + this.#windowBytes
    if (!isHeld) this.#moveWindow(offset, wanted)
    const start = offset - this.#windowOffset
    return this.#window.subarray(start, Math.min(start + wanted, this.#windowBytes))
  }

  /** The frame at an offset, or why there is none. */
  readFrame(offset: number): Frame | string {
    const header = decodeFrameHeader(this.view(offset, FRAME_HEADER_BYTES))
    if (typeof header === 'string') return header
    const bytes = this.view(offset, header.frameBytes)
    if (bytes.length < header.frameBytes) return 'the frame runs past the end of the file'
    return isIntact(header, bytes) ? { header, bytes } : 'checksum mismatch'
  }

  #moveWindow(offset: number, wanted: number): void {
    if (wanted > this.#window.length) this.#window = new Uint8Array(wanted)
    const target = this.#window.subarray(0, Math.min(this.#window.length, this.endOffset - offset))
    this.#windowOffset = offset
    this.#windowBytes = 0 // nothing is held should the read throw
    this.#windowBytes = this.#fileSystem.readAt(this.#handle, target, offset)
  }
}

/** What the next frame has to continue. */
export interface ChainLink {
  readonly offset: number
  readonly nextLsn: Lsn
  readonly previousCrc: number
}

export interface ChainEnd extends ChainLink {
  readonly frames: number
  /** Why the frame at `offset` does not continue the chain; undefined at the very end of the file. */
  readonly defect: string | undefined
}

/** Follows the frames of a segment for as long as each continues the one before. */
export function followChain(
  reader: SegmentReader,
  start: ChainLink,
  epoch: Epoch,
  visit: (frame: Frame, offset: number) => void,
): ChainEnd {
  let { offset, nextLsn, previousCrc } = start
  let frames = 0
  while (offset < reader.endOffset) {
    const frame = reader.readFrame(offset)
    const defect =
      typeof frame === 'string' ? frame : chainDefect(frame.header, { offset, nextLsn, previousCrc }, epoch)
    if (typeof frame === 'string' || defect !== undefined) {
      return { offset, nextLsn, previousCrc, frames, defect }
    }
    const { frameBytes, recordCount, crc } = frame.header
    visit(frame, offset)
    offset += frameBytes
    nextLsn = lsnAfter(nextLsn, recordCount)
    previousCrc = crc
    frames++
  }
  return { offset, nextLsn, previousCrc, frames, defect: undefined }
}

function chainDefect(header: FrameHeader, link: ChainLink, epoch: Epoch): string | undefined {
  if (!isSameEpoch(header.epoch, epoch)) return 'the frame has the epoch of another segment'
  if (header.firstLsn !== link.nextLsn) {
    return `the frame starts at LSN ${header.firstLsn}, expected ${link.nextLsn}`
  }
  if (header.previousCrc !== link.previousCrc) return 'the frame does not follow the frame before it'
  if (header.syncedBytes > link.offset) return 'the frame claims a sync of what did not exist yet'
  if (!isPlausible(header)) return `the frame has the unknown kind ${header.kind}`
  return undefined
}
