/**
 * The oracle: what one feature group holds, as one Map online and one list of rows per record id offline. Written from
 * the specification (state tables b.4 and b.7, updates b.10, times to live b.11), on purpose without a line of the
 * engine's code.
 */
import type {
  DeletionMode,
  ErrorCode,
  FeatureGroupDefinition,
  FeatureGroupUpdate,
  TargetStore,
  TimeToLive,
} from '../../src/index.ts'
import type { RecordKey } from '../fixtures/store-operations.ts'
import type { PlainRow } from '../fixtures/store-process.ts'
import {
  hourOf,
  type Instant,
  instantOf,
  instantOfMs,
  LAST_INSTANT,
  secondsLater,
  secondsOf,
  textOf,
} from './instants.ts'
import { type ExpiryMarker, OfflineHistory } from './offline-history.ts'

export type Outcome = 'accepted' | ErrorCode

export interface Targets {
  readonly stores?: readonly TargetStore[]
}

export interface WriteSettings extends Targets {
  readonly ttl?: TimeToLive
}

export interface DeleteSettings extends Targets {
  readonly mode: DeletionMode
}

/** The last record or deletion of an id. A hard delete leaves none. */
interface Slot {
  readonly instant: Instant
  /** Undefined for a tombstone. */
  readonly record: PlainRow | undefined
  readonly ttlSeconds: number | undefined
  readonly expiresAt: Instant | undefined
  /** Of a live record that has expired and may have been swept already. */
  marker: ExpiryMarker | undefined
}

const SECONDS = { Seconds: 1, Minutes: 60, Hours: 3600, Days: 86_400, Weeks: 604_800 } as const
const secondsIn = ({ unit, value }: TimeToLive): number => SECONDS[unit] * value

export class GroupModel {
  definition: FeatureGroupDefinition
  readonly histories = new Map<string, OfflineHistory>()
  /** Ids whose latest snapshot may say something else than the online store; see `#setAgreement`. */
  readonly disagreeing = new Set<string>()
  readonly #slots = new Map<string, Slot>()
  readonly #count: (branch: string) => void
  #nowMs: number

  /** @param count - called with the name of every branch that is taken */
  constructor(definition: FeatureGroupDefinition, nowMs: number, count: (branch: string) => void = () => {}) {
    this.definition = definition
    this.#nowMs = nowMs
    this.#count = count
  }

  get hasOnline(): boolean {
    return this.definition.online !== false
  }

  get hasOffline(): boolean {
    return this.definition.offline !== false
  }

  /** Moves the clock. Back only after a sweep: what has expired and is not swept yet would live again. */
  setNow(nowMs: number): void {
    this.#nowMs = nowMs
    for (const [id, slot] of this.#slots) {
      if (!this.#isExpired(slot) || slot.marker !== undefined) continue
      if (slot.record === undefined) this.#count('expiry of a tombstone')
      else if (this.hasOffline) slot.marker = this.#history(id).openMarker(this.#expiryRow(id, slot))
    }
  }

  /** Takes out what has expired. @returns how many slots that were at most */
  sweep(): number {
    let count = 0
    for (const [id, slot] of this.#slots) {
      if (!this.#isExpired(slot)) continue
      this.#history(id).closeMarker(slot.marker)
      this.#slots.delete(id)
      if (slot.record !== undefined) this.#count('expiry swept')
      count++
    }
    return count
  }

  /** What was written before stays as it is: without the features, and with the expiry that it has. */
  change({ addFeatures, ttl, tier }: FeatureGroupUpdate): Outcome {
    const { features, online } = this.definition
    const settings = typeof online === 'object' ? online : {}
    if (addFeatures !== undefined) {
      const isTaken = Object.keys(addFeatures).some((name) => name in features)
      if (isTaken) return this.#refuse('feature added twice')
      this.definition = { ...this.definition, features: { ...features, ...addFeatures } }
      this.#count('feature added')
      return 'accepted'
    }
    if (!this.hasOnline) return this.#refuse('change of an online store that is not there')
    if (ttl !== undefined) {
      const { ttl: _, ...others } = settings
      this.definition = { ...this.definition, online: ttl === null ? others : { ...settings, ttl } }
      this.#count(ttl === null ? 'group ttl removed' : 'group ttl set')
    }
    if (tier !== undefined) {
      this.definition = { ...this.definition, online: { ...settings, tier } }
      this.#count('tier changed')
    }
    return 'accepted'
  }

  put(record: PlainRow, settings: WriteSettings): Outcome {
    const { stores = this.#allStores(), ttl } = settings
    if (!this.#areFeaturesKnown(record)) return this.#refuse('unknown feature')
    if (!this.#areTargetsValid(stores) || (ttl !== undefined && !this.hasOnline)) return this.#refuse('put')
    const id = this.#idOf(record)
    const at = instantOf(this.#eventTimeOf(record)!)
    const ttlSeconds = this.#effectiveTtl(ttl)
    const expiresAt = ttlSeconds === undefined ? undefined : secondsLater(at, ttlSeconds)
    if (stores.includes('online')) {
      if (expiresAt !== undefined && expiresAt > LAST_INSTANT) return this.#refuse('put past the calendar')
      const { slot, state } = this.#find(id)
      const order = slot === undefined ? '' : ` ${orderOf(at, slot.instant)}`
      this.#count(`put, slot ${state}${order}`)
      if (slot === undefined || at >= slot.instant) {
        if (slot?.expiresAt !== undefined && expiresAt === undefined)
          this.#count('put makes a record permanent again')
        if (slot?.expiresAt === undefined || slot.expiresAt !== expiresAt)
          this.#count('put replaces the expiry')
        this.#setAgreement(id, at, { isFirst: slot === undefined, stores, expiresAt })
        this.#replace(id, {
          instant: at,
          record: stored(record, this.definition),
          ttlSeconds,
          expiresAt,
          marker: undefined,
        })
      } else if (ttlSeconds !== undefined) this.#count('put older discards its ttl')
    } else this.#count('put offline only')
    this.#noteOfflineOnly(id, at, stores)
    if (stores.includes('offline')) this.#append(id, at, record)
    return 'accepted'
  }

  delete(
    key: RecordKey,
    eventTime: string | number,
    { mode, stores = this.#allStores() }: DeleteSettings,
  ): Outcome {
    if (!this.#areTargetsValid(stores)) return this.#refuse('delete')
    const id = String(key)
    const at = instantOf(eventTime)
    if (stores.includes('online')) {
      const { slot, state } = this.#find(id)
      const order = slot === undefined ? '' : ` ${orderOf(at, slot.instant)}`
      this.#count(`${mode} delete, slot ${state}${order}`)
      const isLater = slot === undefined || at > slot.instant
      if (mode === 'hard') {
        if (!isLater) return 'EVENT_TIME_NOT_LATER'
        // A record that has expired may go without its own marker, and an older one says nothing about it.
        this.#setAgreement(id, at, { isFirst: state === 'expired', stores })
        this.#remove(id)
      } else if (isLater) {
        const expiresAt = slot?.expiresAt
        if (expiresAt !== undefined) this.#count(`soft delete keeps the expiry of a ${state} slot`)
        this.#setAgreement(id, at, { isFirst: slot === undefined, stores })
        this.#replace(id, {
          instant: at,
          record: undefined,
          ttlSeconds: undefined,
          expiresAt,
          marker: undefined,
        })
      } else if (state === 'live' && at === slot.instant) this.disagreeing.add(id)
    } else this.#count(`${mode} delete offline only`)
    this.#noteOfflineOnly(id, at, stores)
    if (stores.includes('offline')) {
      this.#history(id).append(this.#markerRow(id, at, eventTime))
    }
    return 'accepted'
  }

  update(key: RecordKey, changes: PlainRow, { stores = this.#allStores(), ttl }: WriteSettings): Outcome {
    const { tier = 'Standard' } = typeof this.definition.online === 'object' ? this.definition.online : {}
    const id = String(key)
    const given = this.#eventTimeOf(changes)
    const changedId = changes[this.definition.recordIdentifier]
    if (tier === 'Standard') return this.#refuse('update on tier Standard')
    if (!this.#areFeaturesKnown(changes)) return this.#refuse('unknown feature')
    if (!this.#areTargetsValid(stores)) return this.#refuse('update')
    if (ttl !== undefined && given === undefined) return this.#refuse('update with ttl, without event time')
    if (changedId !== undefined && String(changedId) !== id) return this.#refuse('update of another id')
    const ttlGiven = ttl === undefined ? undefined : secondsIn(ttl)
    if (ttlGiven !== undefined && secondsLater(instantOf(given!), ttlGiven) > LAST_INSTANT) {
      return this.#refuse('update past the calendar')
    }
    const { slot, state } = this.#find(id)
    const order =
      slot === undefined || given === undefined ? '' : ` ${orderOf(instantOf(given), slot.instant)}`
    this.#count(`update, slot ${state}${order}`)
    if (slot?.record === undefined) return 'RECORD_NOT_FOUND'
    const at = given === undefined ? slot.instant : instantOf(given)
    if (at < slot.instant) return 'EVENT_TIME_OLDER'
    const ttlSeconds = ttlGiven ?? slot.ttlSeconds
    const expiresAt = ttlSeconds === undefined ? undefined : secondsLater(at, ttlSeconds)
    if (expiresAt !== undefined && expiresAt > LAST_INSTANT)
      return this.#refuse('update whose own ttl passes the calendar')
    if (ttlGiven === undefined && ttlSeconds !== undefined && at !== slot.instant)
      this.#count('update moves the expiry')
    const record = stored({ ...slot.record, ...changes }, this.definition)
    if (stores.includes('online')) {
      this.#setAgreement(id, at, { isFirst: false, stores, expiresAt })
      this.#replace(id, { instant: at, record, ttlSeconds, expiresAt, marker: undefined })
    } else this.#count('update offline only')
    this.#noteOfflineOnly(id, at, stores)
    if (stores.includes('offline')) this.#append(id, at, record)
    return 'accepted'
  }

  /** What `get` answers. */
  get(key: RecordKey): PlainRow | undefined {
    const { slot, state } = this.#find(String(key))
    this.#count(`get, slot ${state}`)
    return slot?.record
  }

  /** The ids that a listing gives, in no order. */
  ids(includeSoftDeleted: boolean): string[] {
    return [...this.#slots]
      .filter(([, slot]) => !this.#isExpired(slot) && (includeSoftDeleted || slot.record !== undefined))
      .map(([id]) => id)
  }

  /** Whether something has expired that nobody had to sweep yet. */
  get hasUnswept(): boolean {
    return [...this.#slots.values()].some((slot) => this.#isExpired(slot))
  }

  /** All offline rows, markers of expiries included, where none of these is optional. */
  offlineTexts(): string[] {
    return [...this.histories.values()].flatMap(({ rows, markers }) => [
      ...rows.map(({ text }) => text),
      ...markers.map(({ row }) => row.text),
    ])
  }

  /** The offline row of a put. */
  textOfPut(record: PlainRow): string {
    return this.#row(this.#idOf(record), instantOf(this.#eventTimeOf(record)!), record, false).text
  }

  /** The offline row of a delete. */
  textOfDelete(id: string, eventTime: string | number): string {
    return this.#markerRow(id, instantOf(eventTime), eventTime).text
  }

  /** The offline row that the online record of an id would have. */
  onlineRowText(id: string): string | undefined {
    const { slot } = this.#find(id)
    return slot?.record === undefined ? undefined : this.#row(id, slot.instant, slot.record, false).text
  }

  #find(
    id: string,
  ): { slot: Slot; state: 'live' | 'tombstone' } | { slot: undefined; state: 'absent' | 'expired' } {
    const slot = this.#slots.get(id)
    if (slot === undefined) return { slot, state: 'absent' }
    if (this.#isExpired(slot)) return { slot: undefined, state: 'expired' }
    return { slot, state: slot.record === undefined ? 'tombstone' : 'live' }
  }

  #isExpired({ expiresAt }: Slot): boolean {
    return expiresAt !== undefined && instantOfMs(this.#nowMs) >= expiresAt
  }

  /** A record that has expired before it is written is never visible and leaves no marker (R-396, OQ-11). */
  #replace(id: string, slot: Slot): void {
    this.#overwritten(id)
    if (!this.#isExpired(slot)) this.#slots.set(id, slot)
    else {
      this.#slots.delete(id)
      this.#count(`born expired: ${slot.record === undefined ? 'tombstone' : 'record'}`)
    }
  }

  /** Nothing expired remains to be swept for certain, but its marker may still come (R-229 says nothing of it). */
  #remove(id: string): void {
    const marker = this.#slots.get(id)?.marker
    if (marker === undefined) this.#slots.delete(id)
    else marker.isOptional = true
  }

  /** An expired record that is overwritten was perhaps not swept. */
  #overwritten(id: string): void {
    const marker = this.#slots.get(id)?.marker
    if (marker === undefined) return
    marker.isOptional = true
    this.#history(id).closeMarker(marker)
  }

  /**
   * Whether the latest snapshot of an id will equal its online record: if the write that made the slot is, of all the
   * id's rows and markers, the last of those with the greatest event time. It is not after a write to an empty slot that
   * is older than some row, after a record that was born expired (it is in the files and not online), after a soft
   * delete with exactly the record's event time (it leaves the record and appends a marker), and after a write to one
   * store that would have counted in the other. Nor where one feature is id and event time: its markers do not tell
   * theirs.
   */
  #setAgreement(
    id: string,
    at: Instant,
    {
      isFirst,
      stores,
      expiresAt,
    }: { isFirst: boolean; stores: readonly TargetStore[]; expiresAt?: Instant | undefined },
  ): void {
    const latest = this.histories.get(id)?.latest
    const isLatest = latest === undefined || at >= latest
    const isBornExpired = expiresAt !== undefined && instantOfMs(this.#nowMs) >= expiresAt
    if (isBornExpired || (isFirst && !isLatest) || stores.length < 2) this.disagreeing.add(id)
    else if (isLatest) this.disagreeing.delete(id)
  }

  #noteOfflineOnly(id: string, at: Instant, stores: readonly TargetStore[]): void {
    const latest = this.histories.get(id)?.latest
    if (!stores.includes('online') && (latest === undefined || at >= latest)) this.disagreeing.add(id)
  }

  #append(id: string, at: Instant, record: PlainRow): void {
    this.#history(id).append(this.#row(id, at, record, false))
  }

  #markerRow(id: string, at: Instant, eventTime: string | number): OfflineHistory['rows'][number] {
    const { eventTime: name } = this.definition
    return this.#row(id, at, { [name]: eventTime }, true)
  }

  /** ET = ExpiresAt (OQ-11), in the type of the event time. */
  #expiryRow(id: string, { expiresAt }: Slot): OfflineHistory['rows'][number] {
    const { features, eventTime } = this.definition
    const at = expiresAt!
    return this.#markerRow(id, at, features[eventTime] === 'String' ? textOf(at) : secondsOf(at))
  }

  #row(id: string, instant: Instant, record: PlainRow, isDeleted: boolean): OfflineHistory['rows'][number] {
    const { features, recordIdentifier } = this.definition
    // Where one feature is both, it is the id (R-473 wants both set; there is one column).
    const values = Object.entries(features).map(([name, type]) => {
      const value = name === recordIdentifier ? id : record[name]
      return type === 'Integral' && typeof value === 'number' ? BigInt(value) : value
    })
    return { text: rowText(hourOf(instant), values, isDeleted), instant, isDeleted, nowMs: this.#nowMs }
  }

  #history(id: string): OfflineHistory {
    let history = this.histories.get(id)
    if (history === undefined) {
      history = new OfflineHistory()
      this.histories.set(id, history)
    }
    return history
  }

  #idOf = (record: PlainRow): string => String(record[this.definition.recordIdentifier])

  #eventTimeOf = (record: PlainRow): string | number | undefined =>
    record[this.definition.eventTime] as string | number | undefined

  #allStores(): TargetStore[] {
    return [...(this.hasOnline ? ['online' as const] : []), ...(this.hasOffline ? ['offline' as const] : [])]
  }

  #areFeaturesKnown(record: PlainRow): boolean {
    const { features } = this.definition
    const added = Object.keys(record).filter((name) => ADDED_FEATURES.has(name))
    const isKnown = added.every((name) => name in features)
    if (isKnown && added.length > 0) this.#count('feature of later written')
    return isKnown
  }

  #areTargetsValid(stores: readonly TargetStore[]): boolean {
    return (
      stores.length > 0 &&
      new Set(stores).size === stores.length &&
      (this.hasOnline || !stores.includes('online')) &&
      (this.hasOffline || !stores.includes('offline'))
    )
  }

  #effectiveTtl(ttl: TimeToLive | undefined): number | undefined {
    const byDefault = typeof this.definition.online === 'object' ? this.definition.online.ttl : undefined
    const effective = ttl ?? byDefault
    return effective === undefined ? undefined : secondsIn(effective)
  }

  #refuse(what: string): 'INVALID_ARGUMENT' {
    this.#count(`refused: ${what}`)
    return 'INVALID_ARGUMENT'
  }
}

/** Features that groups get, or do not get, while they hold records. */
const ADDED_FEATURES = new Set(['later', 'latest'])

const orderOf = (at: Instant, before: Instant): string =>
  at > before ? 'newer' : at === before ? 'equal' : 'older'

/**
 * A row of an offline store in one comparable text: 64-bit integers as text, as DuckDB gives them; without the nulls at
 * its end, because features may have been added after it.
 */
export function rowText(hour: string, values: readonly unknown[], isDeleted: unknown): string {
  const plain = values.map((value) => (typeof value === 'bigint' ? String(value) : (value ?? null)))
  const length = plain.findLastIndex((value) => value !== null) + 1
  return JSON.stringify([hour, plain.slice(0, length), isDeleted])
}

/** A record as it is read back: in the order of the definition, without features that have no value, numbers where they are exact. */
function stored(record: PlainRow, { features }: FeatureGroupDefinition): PlainRow {
  return Object.fromEntries(
    Object.keys(features)
      .filter((name) => record[name] !== null && record[name] !== undefined)
      .map((name) => {
        const value = record[name]!
        const isSmall = typeof value === 'bigint' && Number.isSafeInteger(Number(value))
        return [name, isSmall ? Number(value) : value]
      }),
  )
}
