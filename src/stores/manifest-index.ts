/**
 * A ManifestIndex remembers of every published file what questions are asked about, and where its entry lies.
 * Owns: 48 bytes of numbers per file, a map of hours per feature group, the totals.
 * Does not own: the entries themselves; they are read from the manifest again when they are wanted.
 * Invariants: one file per (feature group, event hour, round), the last one added; the totals are their sums.
 */
import type { ManifestEntry } from '../codec/manifest-entry.ts'

export interface ManifestTotals {
  readonly files: number
  readonly rows: number
  readonly bytes: number
}

/** Where an entry lies: the offset of its frame, and its position in the frame. */
export interface EntryPlace {
  readonly frameOffset: number
  readonly position: number
}

/** Columns of a file's row of numbers. */
const ROUND = 0
const ROWS = 1
const BYTES = 2
const FRAME_OFFSET = 3
const POSITION = 4
/** The previous file of the same feature group and hour. */
const NEXT = 5
const STRIDE = 6
const NONE = -1

interface GroupFiles {
  /** Event hour to its latest file. */
  readonly hours: Map<number, number>
  totals: { files: number; rows: number; bytes: number }
}

const NO_FILES: ManifestTotals = Object.freeze({ files: 0, rows: 0, bytes: 0 })

export class ManifestIndex {
  readonly #groups = new Map<number, GroupFiles>()
  #cells = new Float64Array(64 * STRIDE)
  #count = 0

  add(entry: ManifestEntry, place: EntryPlace): void {
    const group = this.#groupOf(entry.featureGroup)
    const head = group.hours.get(entry.eventHour) ?? NONE
    let file = this.#find(head, entry.round)
    if (file === NONE) {
      file = this.#newFile()
      this.#cells[file + ROUND] = entry.round
      this.#cells[file + NEXT] = head
      group.hours.set(entry.eventHour, file)
      group.totals.files++
    }
    const cells = this.#cells
    group.totals.rows += entry.rows - cells[file + ROWS]!
    group.totals.bytes += entry.bytes - cells[file + BYTES]!
    cells[file + ROWS] = entry.rows
    cells[file + BYTES] = entry.bytes
    cells[file + FRAME_OFFSET] = place.frameOffset
    cells[file + POSITION] = place.position
  }

  /** Where the entry of a file lies; undefined if there is no such file. */
  find(featureGroup: number, eventHour: number, round: number): EntryPlace | undefined {
    const file = this.#find(this.#groups.get(featureGroup)?.hours.get(eventHour) ?? NONE, round)
    if (file === NONE) return undefined
    return { frameOffset: this.#cells[file + FRAME_OFFSET]!, position: this.#cells[file + POSITION]! }
  }

  totals(featureGroup: number): ManifestTotals {
    return this.#groups.get(featureGroup)?.totals ?? NO_FILES
  }

  /** An hour has few files, so they are a list. */
  #find(head: number, round: number): number {
    let file = head
    while (file !== NONE && this.#cells[file + ROUND] !== round) file = this.#cells[file + NEXT]!
    return file
  }

  #newFile(): number {
    const file = this.#count * STRIDE
    if (file === this.#cells.length) {
      const grown = new Float64Array(file * 2)
      grown.set(this.#cells)
      this.#cells = grown
    }
    this.#count++
    return file
  }

  #groupOf(featureGroup: number): GroupFiles {
    let group = this.#groups.get(featureGroup)
    if (group === undefined) {
      group = { hours: new Map(), totals: { files: 0, rows: 0, bytes: 0 } }
      this.#groups.set(featureGroup, group)
    }
    return group
  }
}
