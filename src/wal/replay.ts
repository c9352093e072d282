/** Reads the frames of one segment back, with the same checks as when the log was opened. */
import { type Epoch, FRAME_HEADER_BYTES, type FrameKind } from '../codec/frame.ts'
import { SEGMENT_HEADER_BYTES } from '../codec/segment-header.ts'
import type { Lsn } from '../core/lsn.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { segmentCorrupt } from './segment.ts'
import { type ChainEnd, type Frame, followChain, SegmentReader } from './segment-reader.ts'

export interface ReplayedFrame {
  readonly kind: FrameKind
  readonly firstLsn: Lsn
  readonly recordCount: number
  readonly payload: Uint8Array
}

/** A segment known to be good up to `endOffset`. */
export interface ReadableSegment {
  readonly handle: FileHandle
  readonly firstLsn: Lsn
  readonly epoch: Epoch
  readonly previousCrc: number
  readonly endOffset: number
}

export function replaySegment(
  fileSystem: FileSystem,
  segment: ReadableSegment,
  fromLsn: Lsn,
  visit: (frame: ReplayedFrame) => void,
): void {
  readSegment(fileSystem, segment, ({ header, bytes }) => {
    const { kind, firstLsn, recordCount } = header
    if (recordCount === 0 ? firstLsn < fromLsn : firstLsn + recordCount <= fromLsn) return
    visit({ kind, firstLsn, recordCount, payload: bytes.slice(FRAME_HEADER_BYTES) })
  })
}

/** Visits every frame; each is borrowed for the call. @throws LOG_CORRUPT if they end before `endOffset` */
export function readSegment(
  fileSystem: FileSystem,
  segment: ReadableSegment,
  visit: (frame: Frame, offset: number) => void,
): ChainEnd {
  const { handle, endOffset, firstLsn, previousCrc, epoch } = segment
  const start = { offset: SEGMENT_HEADER_BYTES, nextLsn: firstLsn, previousCrc }
  const end = followChain(new SegmentReader(fileSystem, handle, endOffset), start, epoch, visit)
  if (end.offset !== endOffset) {
    const what = `offset ${end.offset}, LSN ${end.nextLsn} can no longer be read: ${end.defect}`
    throw segmentCorrupt(handle.path, what)
  }
  return end
}
