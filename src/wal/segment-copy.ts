/** Makes whole segment files: an empty one, and a copy of another one's frames under a new epoch. */
import { type Epoch, FRAME_HEADER_BYTES, FrameHeaderEncoder } from '../codec/frame.ts'
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from '../codec/segment-header.ts'
import { removeQuietly } from '../io/atomic-file.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { temporaryFile } from '../io/paths.ts'
import { readSegment } from './replay.ts'
import { type OpenSegment, publishSegment, writeSegmentHead } from './segment.ts'
import type { VerifiedSegment } from './verify-log.ts'

const COPY_BYTES = 1024 * 1024

interface SegmentPlan {
  readonly path: string
  readonly header: SegmentHeader
  readonly capacity: number
}

/** @returns a durable segment without frames, of which only the header takes space on disk */
export function createSegment(fileSystem: FileSystem, plan: SegmentPlan): OpenSegment {
  return makeSegment(fileSystem, plan, () => SEGMENT_HEADER_BYTES)
}

/** Replaces a segment by a durable copy of its frames, chained anew under `epoch`; whatever followed them is gone. */
export function rewriteSegment(
  fileSystem: FileSystem,
  segment: VerifiedSegment,
  options: { readonly epoch: Epoch; readonly capacity: number },
): { readonly current: OpenSegment; readonly lastCrc: number } {
  const { epoch, capacity } = options
  let lastCrc = segment.previousCrc
  const plan = { path: segment.path, header: { ...segment.header, epoch }, capacity }
  const current = makeSegment(fileSystem, plan, (target) => {
    const source = fileSystem.open(segment.path, 'read')
    const output = new CopyOutput(fileSystem, target)
    const encoder = new FrameHeaderEncoder()
    try {
      readSegment(fileSystem, { ...segment, handle: source }, (frame, offset) => {
        const payload = frame.bytes.subarray(FRAME_HEADER_BYTES)
        // The whole copy is synced before it is seen, so every frame in it proves those before it.
        const fields = { ...frame.header, epoch, previousCrc: lastCrc, syncedBytes: offset }
        lastCrc = encoder.encode(fields, [payload])
        output.put(encoder.bytes)
        output.put(payload)
      })
    } finally {
      fileSystem.close(source)
    }
    return output.finish()
  })
  return { current, lastCrc }
}

function makeSegment(
  fileSystem: FileSystem,
  plan: SegmentPlan,
  fill: (handle: FileHandle) => number,
): OpenSegment {
  const temporary = fileSystem.open(temporaryFile(plan.path), 'create')
  try {
    writeSegmentHead(fileSystem, temporary, plan.header, plan.capacity)
    const endOffset = fill(temporary)
    const handle = publishSegment(fileSystem, temporary, plan.path)
    return { ...plan, handle, endOffset }
  } catch (error) {
    fileSystem.close(temporary)
    removeQuietly(fileSystem, temporary.path)
    throw error
  }
}

/** Gathers small frames into large writes. */
class CopyOutput {
  readonly #fileSystem: FileSystem
  readonly #handle: FileHandle
  readonly #buffer = new Uint8Array(COPY_BYTES)
  #bufferedBytes = 0
  #offset = SEGMENT_HEADER_BYTES

  constructor(fileSystem: FileSystem, handle: FileHandle) {
    this.#fileSystem = fileSystem
    this.#handle = handle
  }

  put(bytes: Uint8Array): void {
    if (this.#bufferedBytes + bytes.length > this.#buffer.length) this.#flush()
    if (bytes.length > this.#buffer.length) {
      this.#write(bytes)
      return
    }
    this.#buffer.set(bytes, this.#bufferedBytes)
    this.#bufferedBytes += bytes.length
  }

  /** @returns the offset behind the last byte */
  finish(): number {
    this.#flush()
    return this.#offset
  }

  #flush(): void {
    this.#write(this.#buffer.subarray(0, this.#bufferedBytes))
    this.#bufferedBytes = 0
  }

  #write(bytes: Uint8Array): void {
    this.#fileSystem.writeAt(this.#handle, [bytes], this.#offset)
    this.#offset += bytes.length
  }
}
