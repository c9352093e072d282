/** Looks at what stands behind the last good frame of a segment. */
import {
  decodeFrameHeader,
  type Epoch,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC_TEXT,
  isSameEpoch,
} from '../codec/frame.ts'
import type { Lsn } from '../core/lsn.ts'
import type { Tail } from './recovery.ts'
import type { SegmentReader } from './segment-reader.ts'

const SCAN_BYTES = 256 * 1024

// The magic as a native word, so that scanning compares whole words without regard to byte order.
const MAGIC_WORD = new Uint32Array(new TextEncoder().encode(FRAME_MAGIC_TEXT).buffer)[0]

export interface TailFacts {
  readonly tail: Tail
  /** Offset behind the last byte that is not zero; where the tail starts if there is none. */
  readonly endOfBytes: number
  /** First LSN of the first whole later frame. */
  readonly laterLsn: Lsn | undefined
}

/**
 * @param scanner - reads through the tail
 * @param prober - reads the frames the scanner comes upon; a second reader, so that the scanner's window stays put
 */
export function inspectTail(
  scanner: SegmentReader,
  prober: SegmentReader,
  start: { readonly offset: number; readonly nextLsn: Lsn; readonly epoch: Epoch },
): TailFacts {
  let endOfBytes = start.offset
  let laterLsn: Lsn | undefined
  let isProven = false
  for (let offset = start.offset; offset < scanner.endOffset; offset += SCAN_BYTES) {
    const bytes = scanner.view(offset, SCAN_BYTES)
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2)
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!
      if (word === 0) continue
      endOfBytes = offset + index * 4 + 4
      if (word !== MAGIC_WORD || index % 2 === 1 || isProven) continue
      const candidate = laterFrame(prober, offset + index * 4, start)
      if (candidate === undefined) continue
      laterLsn ??= candidate.firstLsn
      isProven = candidate.isProof
    }
    // A file cut at an odd place ends in less than a word.
    for (let at = words.length * 4; at < bytes.length; at++) if (bytes[at] !== 0) endOfBytes = offset + at + 1
  }
  return { tail: tailOf(endOfBytes > start.offset, laterLsn, isProven), endOfBytes, laterLsn }
}

function tailOf(hasBytes: boolean, laterLsn: Lsn | undefined, isProven: boolean): Tail {
  if (!hasBytes) return 'clean'
  if (laterLsn === undefined) return 'noise'
  return isProven ? 'proving frame' : 'unproven frame'
}

function laterFrame(
  prober: SegmentReader,
  offset: number,
  start: { readonly offset: number; readonly nextLsn: Lsn; readonly epoch: Epoch },
): { readonly firstLsn: Lsn; readonly isProof: boolean } | undefined {
  // The epoch is compared before anything is summed: user data cannot know it, so it cannot make this slow.
  const header = decodeFrameHeader(prober.view(offset, FRAME_HEADER_BYTES))
  if (typeof header === 'string' || !isSameEpoch(header.epoch, start.epoch)) return undefined
  if (header.firstLsn < start.nextLsn || typeof prober.readFrame(offset) === 'string') return undefined
  // A whole frame exactly where another was expected cannot come from a torn write either.
  return { firstLsn: header.firstLsn, isProof: header.syncedBytes > start.offset || offset === start.offset }
}
