/**
 * Reads a log as it lies on disk and says what it holds, without changing anything.
 * Every segment is read to its end: damage in the middle has to be found before anything is served.
 */
import { join } from 'node:path'
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from '../codec/segment-header.ts'
import { assertNever, MillraceError } from '../core/errors.ts'
import { LSN_FIRST, type Lsn } from '../core/lsn.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { parseSegmentName, type SegmentName } from '../io/paths.ts'
import { type SegmentPosition, VERDICTS } from './recovery.ts'
import { type LogIdentity, readSegmentHeader, type SealedSegment, segmentCorrupt } from './segment.ts'
import { type ChainEnd, followChain, SegmentReader } from './segment-reader.ts'
import { inspectTail, type TailFacts } from './tail.ts'

export interface VerifiedSegment extends SealedSegment {
  readonly header: SegmentHeader
  readonly frames: number
  /** Crc of the last frame up to the segment's end. */
  readonly lastCrc: number
  /** Bytes behind the last frame that belong to no frame and have to be cut: a torn tail. */
  readonly tornBytes: number
}

export interface LogEvidence {
  /** The highest LSN known outside the log: in a store, the manifest or a checkpoint. 0 if there is none. */
  readonly highestLsn: number
}

interface NamedSegment extends SegmentName {
  readonly path: string
}

/**
 * @returns the segments, oldest first; only the last may have a torn tail
 * @throws LOG_CORRUPT, or INCOMPATIBLE_STORE
 */
export function verifyLog(
  fileSystem: FileSystem,
  directory: string,
  identity: LogIdentity,
  evidence: LogEvidence,
): VerifiedSegment[] {
  const named = listSegments(fileSystem, directory)
  if (named.length === 0 && evidence.highestLsn >= LSN_FIRST) {
    throw missingData(directory, 'holds no segment', evidence)
  }
  const verified: VerifiedSegment[] = []
  for (const [index, segment] of named.entries()) {
    const next = named[index + 1]
    const handle = fileSystem.open(segment.path, 'read')
    try {
      const header = readSegmentHeader(fileSystem, handle, { ...identity, ...segment })
      const previous = verified.at(-1)
      if (previous !== undefined) checkContinues(segment.path, header, previous)
      verified.push(verifySegment(fileSystem, handle, header, { next, evidence }))
    } finally {
      fileSystem.close(handle)
    }
  }
  return verified
}

function listSegments(fileSystem: FileSystem, directory: string): NamedSegment[] {
  const segments: NamedSegment[] = []
  for (const name of fileSystem.list(directory)) {
    const parsed = parseSegmentName(name)
    if (parsed !== undefined) segments.push({ ...parsed, path: join(directory, name) })
  }
  segments.sort((a, b) => a.sequence - b.sequence)
  for (const [index, segment] of segments.entries()) {
    const previous = segments[index - 1]
    if (previous === undefined || segment.sequence === previous.sequence + 1) continue
    const what = `segment ${previous.sequence + 1} is missing: segment ${previous.sequence} (from LSN `
    throw segmentCorrupt(
      segment.path,
      `${what}${previous.firstLsn}) is followed by segment ${segment.sequence}`,
    )
  }
  return segments
}

function checkContinues(path: string, header: SegmentHeader, previous: VerifiedSegment): void {
  if (header.firstLsn !== previous.endLsn) {
    const lost = lsnRange(previous.endLsn, header.firstLsn - 1)
    const where = `${previous.path} ends at offset ${previous.endOffset} before LSN ${previous.endLsn}`
    throw segmentCorrupt(path, `it starts at LSN ${header.firstLsn}, but ${where}: ${lost}`)
  }
  if (header.previousCrc !== previous.lastCrc) {
    const where = `the last frame of ${previous.path}, which ends at offset ${previous.endOffset}`
    throw segmentCorrupt(path, `it does not follow ${where}: a frame is missing at LSN ${header.firstLsn}`)
  }
}

function verifySegment(
  fileSystem: FileSystem,
  handle: FileHandle,
  header: SegmentHeader,
  around: { readonly next: NamedSegment | undefined; readonly evidence: LogEvidence },
): VerifiedSegment {
  const fileBytes = fileSystem.size(handle)
  const reader = new SegmentReader(fileSystem, handle, fileBytes)
  const start = { offset: SEGMENT_HEADER_BYTES, nextLsn: header.firstLsn, previousCrc: header.previousCrc }
  const end = followChain(reader, start, header.epoch, () => {})
  const prober = new SegmentReader(fileSystem, handle, fileBytes)
  const facts = inspectTail(reader, prober, { ...end, epoch: header.epoch })
  judge(handle.path, end, facts, around)
  return {
    path: handle.path,
    header,
    firstLsn: header.firstLsn,
    endLsn: end.nextLsn,
    endOffset: end.offset,
    epoch: header.epoch,
    previousCrc: header.previousCrc,
    lastCrc: end.previousCrc,
    frames: end.frames,
    tornBytes: facts.endOfBytes - end.offset,
  }
}

function judge(
  path: string,
  end: ChainEnd,
  facts: TailFacts,
  around: { readonly next: NamedSegment | undefined; readonly evidence: LogEvidence },
): void {
  const { next, evidence } = around
  const position: SegmentPosition = next === undefined ? 'last' : 'earlier'
  const isBeyond = evidence.highestLsn >= end.nextLsn
  const verdict = VERDICTS[position][facts.tail][isBeyond ? 'beyond' : 'covered']
  const where = `the frame at offset ${end.offset} is bad (${end.defect ?? 'end of file'})`
  switch (verdict) {
    case 'accept':
    case 'cut':
      return
    case 'refuse damage': {
      const known = next?.firstLsn ?? facts.laterLsn
      throw segmentCorrupt(
        path,
        `${where}: ${lsnRange(end.nextLsn, known === undefined ? undefined : known - 1)}`,
      )
    }
    case 'refuse missing data':
      throw missingData(
        path,
        facts.tail === 'clean' ? `ends at offset ${end.offset} with LSN ${end.nextLsn - 1}` : where,
        evidence,
      )
    default:
      assertNever(verdict)
  }
}

function lsnRange(first: Lsn, last: number | undefined): string {
  if (last === undefined) return `LSNs from ${first} on cannot be read`
  if (last < first) return `a seal or checkpoint before LSN ${first} cannot be read`
  return `LSNs ${first} to ${last} cannot be read`
}

const missingData = (path: string, what: string, evidence: LogEvidence): MillraceError =>
  new MillraceError(
    'LOG_CORRUPT',
    `acknowledged data is missing: log ${path} ${what}, but LSN ${evidence.highestLsn} is known to have been written`,
    { place: { file: path } },
  )
