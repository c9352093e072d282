/**
 * The Expirer takes records out of the online store whose time to live has passed, and leaves a marker of each in the
 * offline store. Readers do not wait for it: they never see an expired record. It gives back space.
 * Owns: the timer wheel with the expiries of the near horizon, and how far the index of stored expiries is loaded.
 * Does not own: the records, the log. Invariant: every version with an expiry is in the wheel, or in the index of the
 * online partition behind what is loaded, or on its way there in a memtable; so nothing needs a scan of the store.
 *
 * A timer says only when to look: the record may have been overwritten meanwhile. What is expired leaves through the
 * log, like every other change, so that replay repeats it in its place.
 */
import { NO_SOURCE } from '../codec/batch.ts'
import { BatchBuilder, type PackedBatch } from '../codec/batch-builder.ts'
import { slotBits } from '../codec/merge-row.ts'
import { FLAG_TOMBSTONE, OPERATION_EXPIRE, TARGET_OFFLINE, TARGET_ONLINE } from '../codec/row.ts'
import {
  expiryNanos,
  expirySeconds,
  hasExpiry,
  isExpired,
  isTombstone,
  type Version,
} from '../codec/version.ts'
import { fractionDigits } from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import type { RecordSchema } from '../core/model.ts'
import { TimerWheel } from '../ttl/timer-wheel.ts'
import type { OnlineSide } from './online-side.ts'
import type { Stamps } from './stamps.ts'

const TICK_MS = 250
/** Expiries nearer than this are in the wheel. */
const HORIZON_MS = 60_000
/** About 10 MB per shard; what does not fit waits in the index. */
const TIMERS_MAX = 300_000
/** Timers looked at, and index entries loaded, at one time. */
const STEP = 2000

export interface ExpirerParts {
  readonly online: OnlineSide
  readonly stamps: Stamps
  readonly schemas: ReadonlyMap<number, RecordSchema>
  /** Whether an expired record leaves a marker in the offline store. */
  readonly hasMarkers: boolean
}

interface Loaded {
  /** The last entry taken from the index; undefined before the first. */
  after: Buffer | undefined
  /** Its second, or the bound up to which there was nothing more. */
  seconds: number
}

export class Expirer {
  readonly #parts: ExpirerParts
  readonly #wheel: TimerWheel
  #loaded: Loaded = { after: undefined, seconds: Number.NEGATIVE_INFINITY }
  #nowMs: number

  constructor(parts: ExpirerParts, nowMs: number) {
    this.#parts = parts
    this.#nowMs = nowMs
    this.#wheel = new TimerWheel({ startMs: nowMs, tickMs: TICK_MS, entriesMax: TIMERS_MAX })
    parts.online.onExpiry = (featureGroup, hashHigh, hashLow, version) =>
      this.#schedule(featureGroup, hashHigh, hashLow, version)
    parts.online.partition.onExpiry = (seconds, featureGroup, hashHigh, hashLow) => {
      // What is stored behind the place reached would be missed. It is mostly in the wheel already; twice is harmless.
      if (seconds > this.#loaded.seconds) return
      const isAdded = this.#wheel.add(seconds * 1000, featureGroup, hashHigh, hashLow)
      if (!isAdded) this.#loaded = { after: undefined, seconds }
    }
  }

  get bytes(): number {
    return this.#wheel.bytes
  }

  /**
   * Looks at some of what is due.
   * @returns the rows to log, per feature group, and whether more may be due
   */
  step(nowMs: number): { batches: PackedBatch[]; hasMore: boolean } {
    this.#nowMs = nowMs
    const isLoading = this.#load(nowMs)
    const batches: PackedBatch[] = []
    const builders = new Map<number, BatchBuilder>()
    // A record that was overwritten has several timers, and what is packed here is not applied yet.
    const seen = new Set<string>()
    const fired = this.#wheel.advance(nowMs, STEP, (featureGroup, hashHigh, hashLow) => {
      const name = `${featureGroup}:${hashHigh}:${hashLow}`
      if (seen.has(name)) return
      seen.add(name)
      const builder = builders.get(featureGroup) ?? new BatchBuilder()
      builders.set(featureGroup, builder)
      this.#look(builder, featureGroup, hashHigh, hashLow)
      if (builder.bytes >= limits.batchBytes) batches.push(builder.finish({ ...NO_SOURCE, featureGroup }))
    })
    for (const [featureGroup, builder] of builders) {
      if (builder.recordCount > 0) batches.push(builder.finish({ ...NO_SOURCE, featureGroup }))
    }
    return { batches, hasMore: fired === STEP || isLoading }
  }

  /** The shard could not log what a step gave: the records are still there and must be looked at again. */
  retry(): void {
    this.#loaded = { after: undefined, seconds: Number.NEGATIVE_INFINITY }
  }

  #schedule(featureGroup: number, hashHigh: number, hashLow: number, version: Version): void {
    const deadlineMs = expiryMs(version)
    if (deadlineMs <= this.#nowMs + HORIZON_MS) this.#wheel.add(deadlineMs, featureGroup, hashHigh, hashLow)
  }

  /** Brings stored expiries of the near horizon into the wheel. @returns whether it stopped before their end */
  #load(nowMs: number): boolean {
    const { partition } = this.#parts.online
    const until = Math.floor((nowMs + HORIZON_MS) / 1000)
    if (until <= this.#loaded.seconds) return false
    let count = 0
    for (const { key, seconds, featureGroup, hashHigh, hashLow } of partition.expiries(
      this.#loaded.after,
      this.#loaded.seconds,
      until,
      STEP,
    )) {
      count++
      if (!this.#wheel.add(seconds * 1000, featureGroup, hashHigh, hashLow)) return false
      this.#loaded = { after: key, seconds }
    }
    if (count === STEP) return true
    this.#loaded = { after: this.#loaded.after, seconds: until }
    return false
  }

  /** Packs the expiry of a record, if it is due. */
  #look(builder: BatchBuilder, featureGroup: number, hashHigh: number, hashLow: number): void {
    const { online, schemas, stamps } = this.#parts
    const schema = schemas.get(featureGroup)
    if (schema === undefined) return
    for (const { id, version } of online.versionsOfHash(featureGroup, hashHigh, hashLow)) {
      if (!hasExpiry(version)) continue
      if (!isExpired(version, this.#nowMs * 1000)) {
        this.#schedule(featureGroup, hashHigh, hashLow, version)
        continue
      }
      const isMarked = this.#parts.hasMarkers && schema.group.offline && !isTombstone(version)
      const head = {
        operation: OPERATION_EXPIRE,
        targets: isMarked ? TARGET_ONLINE | TARGET_OFFLINE : TARGET_ONLINE,
        invocationUs: stamps.next(this.#nowMs * 1000),
        slotCount: schema.slotCount,
        flags: FLAG_TOMBSTONE,
        ttlSeconds: 0,
      }
      const seconds = expirySeconds(version)
      const nanos = expiryNanos(version)
      builder.beginRow(head, id, id.length, hashHigh, hashLow, seconds, nanos, fractionDigits(nanos))
      const { identifier, eventTime } = schema
      if (identifier.slot >= 0) {
        const bits = slotBits(version, identifier.slot)
        if (bits !== undefined) builder.setIntegerWords(identifier.slot, bits.low, bits.high)
      }
      if (eventTime.slot >= 0) builder.setFractional(eventTime.slot, seconds + nanos / 1e9)
      builder.endRow()
    }
  }
}

const expiryMs = (version: Version): number =>
  expirySeconds(version) * 1000 + Math.ceil(expiryNanos(version) / 1e6)
