/**
 * What the offline store must hold of one record id: its rows in the order of acceptance, and the markers of its
 * expiries. When an expired record is swept is the store's choice until it is asked to; a marker therefore has a window
 * among the rows, and is optional if the record was overwritten before anyone had to sweep it.
 */
import type { Instant } from './instants.ts'

export interface ModelRow {
  readonly text: string
  readonly instant: Instant
  readonly isDeleted: boolean
  /** The clock when the call was made. */
  readonly nowMs: number
}

export interface ExpiryMarker {
  readonly row: ModelRow
  /** It stands after that many rows at least, and at most. */
  readonly from: number
  to: number
  isOptional: boolean
}

export class OfflineHistory {
  readonly rows: ModelRow[] = []
  readonly markers: ExpiryMarker[] = []
  /** The latest event time of all rows and of all markers there may be. */
  latest: Instant | undefined

  append(row: ModelRow): void {
    this.rows.push(row)
    this.#cover(row.instant)
  }

  /** The record has expired; from now on its marker may be there. */
  openMarker(row: ModelRow): ExpiryMarker {
    const marker = { row, from: this.rows.length, to: Number.POSITIVE_INFINITY, isOptional: false }
    this.markers.push(marker)
    this.#cover(row.instant)
    return marker
  }

  /** After this, no marker of it can come any more. */
  closeMarker(marker: ExpiryMarker | undefined): void {
    if (marker !== undefined) marker.to = this.rows.length
  }

  /**
   * Holds rows, in the order of their invocation stamps, against the history.
   * @returns what each of them is; a text that says what is wrong if they do not fit
   */
  match(texts: readonly string[]): ModelRow[] | string {
    // Markers come in the order of their windows; so a state is how many rows and how many markers are behind us.
    let furthest = { behind: 0, rows: 0 }
    const isDeadEnd = new Set<string>()
    const found: ModelRow[] = []
    const taking = (row: ModelRow, rows: number, markers: number): boolean => {
      found.push(row)
      if (walk(rows, markers)) return true
      found.pop()
      return false
    }
    const walk = (rows: number, markers: number): boolean => {
      const behind = found.length
      if (behind > furthest.behind) furthest = { behind, rows }
      if (behind === texts.length && rows === this.rows.length && this.#mayEnd(markers)) return true
      const state = `${behind} ${rows} ${markers}`
      if (isDeadEnd.has(state)) return false
      const marker = this.markers[markers]
      if (marker !== undefined) {
        const isInWindow = marker.from <= rows && rows <= marker.to
        if (isInWindow && marker.row.text === texts[behind] && taking(marker.row, rows, markers + 1))
          return true
        if (marker.isOptional && walk(rows, markers + 1)) return true
      }
      const row = this.rows[rows]
      const isOverdue = marker !== undefined && rows >= marker.to
      if (!isOverdue && row !== undefined && row.text === texts[behind] && taking(row, rows + 1, markers))
        return true
      isDeadEnd.add(state)
      return false
    }
    if (walk(0, 0)) return found
    const { behind, rows } = furthest
    const nearby = this.markers.filter(({ from, to }) => from <= rows && rows <= to)
    return [
      `row ${behind} of ${texts.length} is ${texts[behind]?.slice(0, 300) ?? 'missing'},`,
      `expected ${this.rows[rows]?.text.slice(0, 300) ?? 'none of the rows'}`,
      ...nearby.map(
        ({ row, isOptional }) => `or the ${isOptional ? 'optional ' : ''}expiry marker ${row.text}`,
      ),
      `; in all ${this.rows.length} rows and ${this.markers.length} expiry markers`,
    ].join(' ')
  }

  #mayEnd(markers: number): boolean {
    return this.markers.slice(markers).every(({ isOptional, to }) => isOptional || to === Infinity)
  }

  #cover(instant: Instant): void {
    if (this.latest === undefined || instant > this.latest) this.latest = instant
  }
}
