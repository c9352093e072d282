/**
 * The write-ahead log of one shard while it is open.
 *
 * Owns: the segments, the handle of the current one, the numbering of records, and the poison.
 * Does not own: opening and repair (open-log.ts), the decision what may be trimmed (the shard), the directory lock.
 * Invariants: LSNs have no gaps and are never reused after they were acknowledged; every segment but the current one
 * is synced and takes no more frames; the bytes behind the last frame of the current one are zero, but for what a
 * refused write left, which is cleared before anything else is written; after a failed sync nothing is written.
 */
import { FRAME_HEADER_BYTES, FrameHeaderEncoder, type FrameKind } from '../codec/frame.ts'
import { SEGMENT_HEADER_BYTES } from '../codec/segment-header.ts'
import { assert, MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type Lsn, lsnAfter } from '../core/lsn.ts'
import type { FileSystem } from '../io/file-system.ts'
import { segmentFile } from '../io/paths.ts'
import { type ReplayedFrame, replaySegment } from './replay.ts'
import {
  type LogIdentity,
  type OpenSegment,
  publishSegment,
  type SealedSegment,
  writeSegmentHead,
} from './segment.ts'
import { SegmentPreparation } from './segment-preparation.ts'

export interface LogOptions extends LogIdentity {
  readonly fileSystem: FileSystem
  readonly directory: string
  /** Size of a segment; a frame that is larger gets a segment of its own size. A multiple of 8. */
  readonly segmentBytes: number
  /**
   * `strict`: an append is durable when it returns. `interval`: it survives the process, and is durable after the
   * next `sync`; whatever else the caller makes durable must wait for the log (`syncedLsn`), or the log will be found
   * to end before the evidence.
   */
  readonly durability: 'strict' | 'interval'
}

/** What opening found out. */
export interface LogState {
  readonly sealed: readonly SealedSegment[]
  readonly current: OpenSegment
  readonly nextLsn: Lsn
  readonly lastCrc: number
}

/** Larger frames allocate little per byte, and would only write everything twice. */
const ZERO_AHEAD_FRAME_BYTES_MAX = 64 * 1024
const ZEROS = new Uint8Array(256 * 1024)

export class WriteAheadLog {
  readonly #options: LogOptions
  readonly #fileSystem: FileSystem
  readonly #preparation: SegmentPreparation
  readonly #encoder = new FrameHeaderEncoder()
  /** Oldest first. */
  #sealed: SealedSegment[]
  #sealedBytes: number
  #current: OpenSegment
  #nextLsn: Lsn
  #lastCrc: number
  #syncedLsn: Lsn
  /** The current segment is durable below this offset. */
  #syncedOffset: number
  /** Below this offset the current segment has blocks on disk; behind its data they hold zeros. */
  #zeroedOffset = 0
  /** A refused write may have left bytes behind the last frame. */
  #hasRefusedBytes = false
  #poison: MillraceError | undefined
  #isClosed = false

  /** Use `openLog`: the state must be what the files hold, and durable. */
  constructor(options: LogOptions, state: LogState) {
    this.#options = options
    this.#fileSystem = options.fileSystem
    this.#preparation = new SegmentPreparation(options.fileSystem, options.directory, options.segmentBytes)
    this.#sealed = [...state.sealed]
    this.#sealedBytes = state.sealed.reduce((sum, segment) => sum + segment.endOffset, 0)
    this.#current = state.current
    this.#nextLsn = state.nextLsn
    this.#lastCrc = state.lastCrc
    this.#syncedLsn = state.nextLsn
    this.#syncedOffset = state.current.endOffset
  }

  /** The LSN the next record gets. */
  get nextLsn(): Lsn {
    return this.#nextLsn
  }

  /** The lowest LSN still in the log, or `nextLsn` if it holds no record. */
  get firstLsn(): Lsn {
    return this.#sealed[0]?.firstLsn ?? this.#current.header.firstLsn
  }

  /** Every LSN below is durable. */
  get syncedLsn(): Lsn {
    return this.#syncedLsn
  }

  /** Bytes of all segments up to the end of their data. */
  get bytes(): number {
    return this.#sealedBytes + this.#current.endOffset
  }

  /**
   * Reads the log in order: each frame with a record at or above `fromLsn`, and each frame without records whose
   * position is at or above it.
   * @param visit - may keep the payload: each has a buffer of its own, aligned to 8 bytes. It must not append.
   * @throws LOG_CORRUPT if a segment no longer reads as it did when the log was opened
   */
  replay(fromLsn: Lsn, visit: (frame: ReplayedFrame) => void): void {
    this.#checkUsable()
    for (const segment of [...this.#sealed]) {
      if (segment.endLsn < fromLsn) continue
      const handle = this.#fileSystem.open(segment.path, 'read')
      try {
        replaySegment(this.#fileSystem, { ...segment, handle }, fromLsn, visit)
      } finally {
        this.#fileSystem.close(handle)
      }
    }
    const { handle, header, endOffset } = this.#current
    replaySegment(this.#fileSystem, { ...header, handle, endOffset }, fromLsn, visit)
  }

  /**
   * Writes one frame; under `strict` it is durable on return.
   * @param payload - pieces whose lengths sum to a multiple of 8, at most `limits.framePayloadBytesMax`; not retained
   * @returns the LSN of the first record; without records, the LSN the next one will get
   * @throws DISK_FULL if the frame was refused: nothing of it counts, and a later append may succeed
   * @throws LOG_POISONED if a write or sync failed, now or earlier: whether that frame survives is unknown
   */
  append(kind: FrameKind, recordCount: number, payload: readonly Uint8Array[]): Lsn {
    this.#checkUsable()
    let frameBytes = FRAME_HEADER_BYTES
    for (const piece of payload) frameBytes += piece.length
    assert(frameBytes <= FRAME_HEADER_BYTES + limits.framePayloadBytesMax, 'a payload fits in a frame')
    if (this.#current.endOffset + frameBytes > this.#current.capacity) this.#roll(frameBytes)
    this.#clearRefusedBytes()

    const firstLsn = this.#nextLsn
    const crc = this.#encoder.encode(
      {
        kind,
        recordCount,
        firstLsn,
        epoch: this.#current.header.epoch,
        syncedBytes: this.#syncedOffset,
        previousCrc: this.#lastCrc,
      },
      payload,
    )
    this.#write(payload, frameBytes)
    // IMPORTANT: under strict durability the frame counts only after the sync; a failed one leaves the log as it was.
    if (this.#options.durability === 'strict') this.#syncCurrent()
    this.#current.endOffset += frameBytes
    this.#lastCrc = crc
    this.#nextLsn = lsnAfter(firstLsn, recordCount)
    if (this.#options.durability === 'strict') this.#markSynced()
    return firstLsn
  }

  /** Makes every append durable. @throws LOG_POISONED if that failed, now or earlier; it is never tried again */
  sync(): void {
    this.#checkUsable()
    if (this.#syncedOffset === this.#current.endOffset) return
    this.#syncCurrent()
    this.#markSynced()
  }

  /**
   * Deletes the oldest segments, as long as all their frames end at or below `belowLsn`; never the current one.
   * @param belowLsn - no record below this LSN is needed any more
   * @returns segments removed
   */
  trim(belowLsn: Lsn): number {
    this.#checkUsable()
    let removed = 0
    while (this.#sealed[0] !== undefined && this.#sealed[0].endLsn <= belowLsn) {
      this.#removeSegment(this.#sealed[0])
      this.#sealed.shift()
      removed++
    }
    return removed
  }

  /**
   * Readies the next segment in small steps, so that rolling does not stall; starts when the current one is half full.
   * @param bytes - to fill and sync in this step
   * @returns whether there is more to do
   */
  prepareNextSegment(bytes: number): boolean {
    this.#checkUsable()
    assert(bytes > 0, 'a step fills something')
    if (this.#current.endOffset * 2 < this.#current.capacity) return false
    try {
      return this.#preparation.fill(bytes)
    } catch (error) {
      this.#failFor(error, 'the next segment could not be prepared')
    }
  }

  /** Syncs what is not synced and lets go of the files. Idempotent. @throws LOG_POISONED if that sync failed */
  close(): void {
    if (this.#isClosed) return
    try {
      if (this.#poison === undefined) {
        this.#clearRefusedBytes()
        this.sync()
      }
    } finally {
      this.#isClosed = true
      this.#fileSystem.close(this.#current.handle)
      this.#preparation.discard()
    }
  }

  #removeSegment(segment: SealedSegment): void {
    try {
      this.#fileSystem.unlink(segment.path)
      // One at a time, so that no crash can leave a hole: only the removal of the oldest is ever pending.
      this.#fileSystem.syncDirectory(this.#options.directory)
    } catch (error) {
      this.#failFor(error, 'a segment could not be removed')
    }
    this.#sealedBytes -= segment.endOffset
  }

  #write(payload: readonly Uint8Array[], frameBytes: number): void {
    const { handle, endOffset } = this.#current
    const zeros = this.#zerosBehind(frameBytes)
    try {
      this.#fileSystem.writeAt(handle, [this.#encoder.bytes, ...payload, ...zeros], endOffset)
      if (zeros[0] !== undefined) this.#zeroedOffset = endOffset + frameBytes + zeros[0].length
    } catch (error) {
      if (!isDiskFull(error)) this.#failFor(error, 'a write failed')
      this.#hasRefusedBytes = true
      throw error
    }
  }

  /**
   * A sync that has to allocate blocks commits the file system's journal; one that overwrites does not. So a small
   * frame that reaches new blocks brings some more of them, as zeros, for the frames behind it.
   */
  #zerosBehind(frameBytes: number): Uint8Array[] {
    const { endOffset, capacity } = this.#current
    const end = endOffset + frameBytes
    if (frameBytes > ZERO_AHEAD_FRAME_BYTES_MAX || end <= this.#zeroedOffset) return []
    const bytes = Math.min(ZEROS.length, capacity - end)
    return bytes > 0 ? [ZEROS.subarray(0, bytes)] : []
  }

  /**
   * Cutting needs no space, and what is cut reads as zeros once the file has its size again; it gets its size back so
   * that the syncs to come need not carry a new one each time.
   */
  #clearRefusedBytes(): void {
    if (!this.#hasRefusedBytes) return
    const { handle, endOffset, capacity } = this.#current
    try {
      this.#fileSystem.truncate(handle, endOffset)
      this.#fileSystem.truncate(handle, capacity)
    } catch (error) {
      this.#failFor(error, 'the rest of a refused write could not be cleared')
    }
    this.#zeroedOffset = endOffset
    this.#hasRefusedBytes = false
  }

  #roll(frameBytes: number): void {
    this.#endCurrent()
    const { header, path, endOffset, handle: endedHandle } = this.#current
    const nextHeader = {
      ...header,
      sequence: header.sequence + 1,
      firstLsn: this.#nextLsn,
      previousCrc: this.#lastCrc,
    }
    const capacity = Math.max(this.#options.segmentBytes, SEGMENT_HEADER_BYTES + frameBytes)
    try {
      writeSegmentHead(this.#fileSystem, this.#preparation.open(), nextHeader, capacity)
    } catch (error) {
      if (!isDiskFull(error)) this.#failFor(error, 'a new segment could not be made')
      this.#preparation.discard()
      throw error
    }
    const nextPath = segmentFile(this.#options.directory, nextHeader.firstLsn, nextHeader.sequence)
    try {
      const handle = publishSegment(this.#fileSystem, this.#preparation.open(), nextPath)
      this.#preparation.release()
      this.#current = {
        handle,
        path: nextPath,
        header: nextHeader,
        capacity,
        endOffset: SEGMENT_HEADER_BYTES,
      }
      this.#fileSystem.close(endedHandle)
    } catch (error) {
      this.#failFor(error, 'a new segment could not be made durable')
    }
    this.#syncedOffset = SEGMENT_HEADER_BYTES
    this.#zeroedOffset = SEGMENT_HEADER_BYTES
    this.#sealedBytes += endOffset
    this.#sealed.push({ ...header, path, endOffset, endLsn: this.#nextLsn })
  }

  /**
   * Cuts the current segment to its data and makes all of it durable. A segment may only be followed by another one
   * when nothing in it can be torn. Should the next one then not come to be for want of space, this one goes on
   * taking frames that fit.
   */
  #endCurrent(): void {
    try {
      this.#fileSystem.truncate(this.#current.handle, this.#current.endOffset)
    } catch (error) {
      this.#failFor(error, 'a segment could not be ended')
    }
    this.#hasRefusedBytes = false
    this.#syncCurrent()
    this.#markSynced()
  }

  #syncCurrent(): void {
    try {
      this.#fileSystem.dataSync(this.#current.handle)
    } catch (error) {
      this.#failFor(error, 'a sync failed')
    }
  }

  #markSynced(): void {
    this.#syncedOffset = this.#current.endOffset
    this.#syncedLsn = this.#nextLsn
  }

  /** The system may drop what it failed to write and report success on the next try: nothing is tried again. */
  #failFor(cause: unknown, what: string): never {
    const advice = 'whether the last writes survive is unknown; reopen the store, recovery decides'
    const reason = cause instanceof Error ? cause.message : String(cause)
    this.#poison = new MillraceError('LOG_POISONED', `${what} (${reason}): ${advice}`, { cause })
    throw this.#poison
  }

  #checkUsable(): void {
    if (this.#isClosed) throw new MillraceError('CLOSED', `the log in ${this.#options.directory} is closed`)
    if (this.#poison === undefined) return
    throw new MillraceError('LOG_POISONED', this.#poison.message, { cause: this.#poison })
  }
}

const isDiskFull = (error: unknown): boolean => error instanceof MillraceError && error.code === 'DISK_FULL'
