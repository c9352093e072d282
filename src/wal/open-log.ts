/**
 * Opens a log: verifies it, cuts a torn tail, and never trusts the page cache for the tail. After a failed sync the
 * system may show bytes that are not on disk and call the next sync a success, so the last segment's frames are copied
 * into a new file, under a new epoch, and that file is made durable before anything is served. A crash at any step
 * leaves either the old file or the new one, and opening again does the same.
 */
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Epoch } from '../codec/frame.ts'
import { SEGMENT_HEADER_BYTES, STORE_ID_BYTES } from '../codec/segment-header.ts'
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { LSN_FIRST } from '../core/lsn.ts'
import { replaceFileAtomically } from '../io/atomic-file.ts'
import { makeDurableDirectory } from '../io/durable-directory.ts'
import type { FileSystem } from '../io/file-system.ts'
import { isTemporaryName, segmentFile, tornFile } from '../io/paths.ts'
import { type LogOptions, type LogState, WriteAheadLog } from './log.ts'
import type { OpenSegment } from './segment.ts'
import { createSegment, rewriteSegment } from './segment-copy.ts'
import { type LogEvidence, type VerifiedSegment, verifyLog } from './verify-log.ts'

export interface LogReport {
  readonly segments: number
  readonly bytes: number
  readonly frames: number
  /** Whether the log ended where its last frame did. */
  readonly cleanTail: boolean
  readonly tornBytes: number
  /** Where the torn bytes are kept. */
  readonly tornFile: string | undefined
}

/**
 * @param evidence - what is known outside the log; the log must reach as far
 * @throws LOG_CORRUPT for damage anywhere but in a proven torn tail; nothing is changed then
 * @throws INCOMPATIBLE_STORE if the log is another shard's, another store's or of another format version
 */
export function openLog(
  options: LogOptions,
  evidence: LogEvidence,
): { readonly log: WriteAheadLog; readonly report: LogReport } {
  const { fileSystem, directory } = options
  checkOptions(options)
  makeDurableDirectory(fileSystem, directory)
  const verified = verifyLog(fileSystem, directory, options, evidence)
  removeTemporaryFiles(fileSystem, directory)

  const last = verified.at(-1)
  const torn = last === undefined ? undefined : keepTornBytes(fileSystem, last)
  const log = new WriteAheadLog(options, {
    sealed: verified.slice(0, -1),
    ...(last === undefined ? startLog(options) : takeOver(options, last)),
  })
  const report = {
    segments: Math.max(1, verified.length),
    bytes: log.bytes,
    frames: verified.reduce((sum, segment) => sum + segment.frames, 0),
    cleanTail: torn === undefined,
    tornBytes: last?.tornBytes ?? 0,
    tornFile: torn,
  }
  return { log, report }
}

function checkOptions({ segmentBytes, storeId }: LogOptions): void {
  assert(segmentBytes % 8 === 0, 'segments are a multiple of 8 bytes')
  assert(segmentBytes >= limits.segmentBytesMin, 'segments have their least size')
  assert(segmentBytes + limits.framePayloadBytesMax < 2 ** 32, 'offsets in a segment fit in 32 bits')
  assert(storeId.length === STORE_ID_BYTES, 'a store id has 16 bytes')
}

function removeTemporaryFiles(fileSystem: FileSystem, directory: string): void {
  for (const name of fileSystem.list(directory)) {
    if (isTemporaryName(name)) fileSystem.unlink(join(directory, name))
  }
}

function keepTornBytes(fileSystem: FileSystem, segment: VerifiedSegment): string | undefined {
  if (segment.tornBytes === 0) return undefined
  const { path, endOffset, epoch } = segment
  const bytes = new Uint8Array(segment.tornBytes)
  const handle = fileSystem.open(path, 'read')
  try {
    const count = fileSystem.readAt(handle, bytes, endOffset)
    assert(count === bytes.length, 'torn bytes are read whole')
  } finally {
    fileSystem.close(handle)
  }
  const target = tornFile(path, { offset: endOffset, epoch: epochText(epoch) })
  replaceFileAtomically(fileSystem, target, bytes)
  return target
}

type OpenEnd = Pick<LogState, 'current' | 'nextLsn' | 'lastCrc'>

function startLog(options: LogOptions): OpenEnd {
  const { fileSystem, directory, segmentBytes, shard, shardCount, storeId } = options
  const header = {
    ...{ shard, shardCount, storeId },
    sequence: 1,
    firstLsn: LSN_FIRST,
    epoch: newEpoch(),
    previousCrc: 0,
  }
  const path = segmentFile(directory, header.firstLsn, header.sequence)
  const current = createSegment(fileSystem, { path, header, capacity: segmentBytes })
  return { current, nextLsn: LSN_FIRST, lastCrc: 0 }
}

function takeOver(options: LogOptions, last: VerifiedSegment): OpenEnd {
  const { fileSystem, segmentBytes } = options
  const nextLsn = last.endLsn
  const capacity = Math.max(segmentBytes, last.endOffset)
  if (last.frames > 0 || last.tornBytes > 0) {
    return { ...rewriteSegment(fileSystem, last, { epoch: newEpoch(), capacity }), nextLsn }
  }
  return { current: reuseSegment(fileSystem, last, capacity), nextLsn, lastCrc: last.lastCrc }
}

/** An empty segment has nothing the page cache could lie about; its header was synced before it got its name. */
function reuseSegment(fileSystem: FileSystem, segment: VerifiedSegment, capacity: number): OpenSegment {
  const { path, header } = segment
  const handle = fileSystem.open(path, 'modify')
  try {
    if (fileSystem.size(handle) < capacity) fileSystem.truncate(handle, capacity)
    // The crash may have come between its renaming and the sync of the directory.
    fileSystem.syncDirectory(dirname(path))
  } catch (error) {
    fileSystem.close(handle)
    throw error
  }
  return { handle, path, header, capacity, endOffset: SEGMENT_HEADER_BYTES }
}

function newEpoch(): Epoch {
  const bytes = randomBytes(8)
  return { low: bytes.readUInt32LE(0), high: bytes.readUInt32LE(4) }
}

const epochText = ({ low, high }: Epoch): string =>
  high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0')
