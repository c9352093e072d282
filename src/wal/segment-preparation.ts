/**
 * The file that will be the next segment, filled with zeros ahead of need: a sync into blocks that were written once
 * is faster than one that has to allocate them, and rolling then only writes a header.
 *
 * Owns: the hidden file and its handle until `release`.
 * Does not own: when to roll (log.ts), and what a segment holds.
 * Invariant: each zero-filled step is synced by itself, so that no later sync has to carry all of them.
 */
import { MillraceError } from '../core/errors.ts'
import { removeQuietly } from '../io/atomic-file.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { preparedSegmentFile } from '../io/paths.ts'

const ZEROS = new Uint8Array(256 * 1024)

export class SegmentPreparation {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #segmentBytes: number
  #handle: FileHandle | undefined
  #filledBytes = 0
  #hasGivenUp = false

  constructor(fileSystem: FileSystem, directory: string, segmentBytes: number) {
    this.#fileSystem = fileSystem
    this.#path = preparedSegmentFile(directory)
    this.#segmentBytes = segmentBytes
  }

  /**
   * Fills up to `bytes` more. A full disk is no error here: the space is given back and the next segment will be
   * allocated as it is written.
   * @returns whether there is more to fill
   */
  fill(bytes: number): boolean {
    if (this.#hasGivenUp || this.#filledBytes === this.#segmentBytes) return false
    const end = Math.min(this.#segmentBytes, this.#filledBytes + bytes)
    try {
      this.#fileSystem.writeAt(this.open(), zeros(end - this.#filledBytes), this.#filledBytes)
    } catch (error) {
      this.discard()
      this.#hasGivenUp = true
      if (error instanceof MillraceError && error.code === 'DISK_FULL') return false
      throw error
    }
    this.#fileSystem.dataSync(this.open())
    this.#filledBytes = end
    return end < this.#segmentBytes
  }

  /** The hidden file, filled as far as it got, or else new and empty. */
  open(): FileHandle {
    this.#handle ??= this.#fileSystem.open(this.#path, 'create')
    return this.#handle
  }

  /** The file has become a segment: start over with another one. */
  release(): void {
    this.#handle = undefined
    this.#filledBytes = 0
    this.#hasGivenUp = false
  }

  /** Removes the hidden file, if there is one. */
  discard(): void {
    const handle = this.#handle
    this.release()
    if (handle === undefined) return
    this.#fileSystem.close(handle)
    removeQuietly(this.#fileSystem, handle.path)
  }
}

function zeros(bytes: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  for (let rest = bytes; rest > 0; rest -= ZEROS.length) {
    pieces.push(rest >= ZEROS.length ? ZEROS : ZEROS.subarray(0, rest))
  }
  return pieces
}
