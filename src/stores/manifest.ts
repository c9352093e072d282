/**
 * The Manifest names every published offline file: a file that is not in it does not count as published, and its
 * rows are made into the same file again.
 * Owns: the manifest file and the index of its entries.
 * Does not own: the files it names; they are durable under their names before they are appended here.
 * Invariants: one frame per sync; the index knows exactly the synced entries; of several entries with one key
 * (feature group, event hour, round) the last one counts; after a failed sync nothing is appended any more.
 */
import {
  decodeManifestFrame,
  decodeManifestHeader,
  encodeManifestFrames,
  encodeManifestHeader,
  MANIFEST_FORMAT_VERSION,
  MANIFEST_HEADER_BYTES,
  type ManifestEntry,
  type ManifestFrame,
} from '../codec/manifest-entry.ts'
import { MillraceError } from '../core/errors.ts'
import { replaceFileAtomically } from '../io/atomic-file.ts'
import type { FileHandle, FileSystem } from '../io/file-system.ts'
import { type CutTail, cutTornTail, manifestDamage, readWholeFrame } from './manifest-frames.ts'
import { ManifestIndex, type ManifestTotals } from './manifest-index.ts'

export class Manifest {
  /** What opening cut off; undefined if the manifest ended with a whole frame. */
  readonly cutTail: CutTail | undefined
  readonly #fileSystem: FileSystem
  readonly #file: FileHandle
  readonly #index = new ManifestIndex()
  /** Where the next frame goes. */
  #end = MANIFEST_HEADER_BYTES
  #state: 'open' | 'poisoned' | 'closed' = 'open'

  /**
   * Opens a manifest, or creates an empty one, and reads all of it.
   * @throws MANIFEST_CORRUPT naming the offset of the damage; INCOMPATIBLE_STORE for another format version
   */
  static open(fileSystem: FileSystem, path: string): Manifest {
    if (!fileSystem.exists(path)) replaceFileAtomically(fileSystem, path, encodeManifestHeader())
    const file = fileSystem.open(path, 'modify')
    try {
      return new Manifest(fileSystem, file)
    } catch (error) {
      fileSystem.close(file)
      throw error
    }
  }

  private constructor(fileSystem: FileSystem, file: FileHandle) {
    this.#fileSystem = fileSystem
    this.#file = file
    checkHeader(fileSystem, file)
    const size = fileSystem.size(file)
    while (this.#end < size) {
      const frame = readWholeFrame(fileSystem, file, { from: this.#end, to: size })
      if (frame === undefined) break
      this.#take({ bytes: frame, entries: entriesOf(file, this.#end, frame) })
    }
    if (this.#end < size) this.cutTail = cutTornTail(fileSystem, file, { from: this.#end, to: size })
  }

  /**
   * Names published files. Durable on return: one write and one sync for all of them (for more than 16 MiB of
   * entries, one for every 16 MiB).
   * @throws DISK_FULL or IO_FAILED if they could not be written; they may be appended again.
   * @throws LOG_POISONED if a sync failed, now or earlier; opening again decides what is in the manifest.
   */
  append(entries: readonly ManifestEntry[]): void {
    this.#checkOpen()
    for (const frame of encodeManifestFrames(entries)) this.#appendFrame(frame)
  }

  /** Whether the file of this round is published. */
  has(featureGroup: number, eventHour: number, round: number): boolean {
    return this.#index.find(featureGroup, eventHour, round) !== undefined
  }

  /** Number of files of a feature group, and their rows and bytes. */
  totals(featureGroup: number): ManifestTotals {
    return this.#index.totals(featureGroup)
  }

  /** Every file, in the order in which they were named. Reads the manifest again: entries are not kept in memory. */
  *entries(): Generator<ManifestEntry> {
    const to = this.#end
    for (let from = MANIFEST_HEADER_BYTES; from < to; ) {
      const frame = readWholeFrame(this.#fileSystem, this.#file, { from, to })
      if (frame === undefined)
        throw manifestDamage(this.#file, from, 'a frame that was whole at opening no longer is')
      const entries = entriesOf(this.#file, from, frame)
      for (const [position, entry] of entries.entries()) {
        const place = this.#index.find(entry.featureGroup, entry.eventHour, entry.round)
        if (place?.frameOffset === from && place.position === position) yield entry
      }
      from += frame.length
    }
  }

  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#fileSystem.close(this.#file)
  }

  #appendFrame(frame: ManifestFrame): void {
    try {
      this.#fileSystem.writeAt(this.#file, [frame.bytes], this.#end)
    } catch (error) {
      this.#cutBack()
      throw error
    }
    try {
      this.#fileSystem.dataSync(this.#file)
    } catch (cause) {
      this.#state = 'poisoned'
      throw this.#poisoned(cause)
    }
    this.#take(frame)
  }

  /** Part of a frame may be written; without it the next frame stands where it belongs. */
  #cutBack(): void {
    try {
      this.#fileSystem.truncate(this.#file, this.#end)
    } catch {
      this.#state = 'poisoned'
    }
  }

  #take(frame: ManifestFrame): void {
    frame.entries.forEach((entry, position) => {
      this.#index.add(entry, { frameOffset: this.#end, position })
    })
    this.#end += frame.bytes.length
  }

  #checkOpen(): void {
    if (this.#state === 'closed') throw new MillraceError('CLOSED', 'the manifest is closed')
    if (this.#state === 'poisoned') throw this.#poisoned()
  }

  #poisoned(cause?: unknown): MillraceError {
    const { path } = this.#file
    const message = `a write to the manifest ${path} failed and its outcome is unknown; reopen the store`
    return new MillraceError('LOG_POISONED', message, { cause, place: { file: path } })
  }
}

function checkHeader(fileSystem: FileSystem, file: FileHandle): void {
  const bytes = new Uint8Array(MANIFEST_HEADER_BYTES)
  const version = decodeManifestHeader(bytes.subarray(0, fileSystem.readAt(file, bytes, 0)))
  if (version === undefined) throw manifestDamage(file, 0, 'its header is not intact')
  if (version !== MANIFEST_FORMAT_VERSION) {
    const message = `expected manifest format ${MANIFEST_FORMAT_VERSION}, found ${version} in ${file.path}`
    throw new MillraceError('INCOMPATIBLE_STORE', message, { place: { file: file.path } })
  }
}

function entriesOf(file: FileHandle, offset: number, frame: Uint8Array): readonly ManifestEntry[] {
  const entries = decodeManifestFrame(frame)
  if (entries === undefined)
    throw manifestDamage(file, offset, 'its checksum is right but its content is not')
  return entries
}
