/**
 * An OnlinePartition is the durable part of one shard's online store: the latest version per record id in LMDB,
 * behind this narrow interface.
 * Owns: the LMDB environment, the number of records and tombstones per feature group, the merged LSN.
 * Does not own: what is newer (slot-rules), which records are merged when (merger), the log behind it.
 * Invariants: counts change in the same transaction as the records they count; `mergedLsn` never runs ahead of
 * what is on disk, because it is written last and confirmed by a second transaction.
 */
import type { Database, RangeOptions, RootDatabase } from 'lmdb'
import {
  EXPIRY_KEY_HEADER_BYTES,
  EXPIRY_KEYS_END,
  EXPIRY_KEYS_START,
  expiryBound,
  expiryKeySeconds,
  writeExpiryKey,
} from '../codec/expiry-key.ts'
import {
  KEY_ID,
  LONG_ID_BYTES,
  storedId,
  storedValueStart,
  withLongId,
  writeOnlineKey,
} from '../codec/online-key.ts'
import {
  FLAG_EXPIRY,
  FLAG_TOMBSTONE,
  ROW_BYTES,
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  ROW_INVOCATION_US,
  rowIdBytes,
  VALUE_FLAGS,
  VALUE_LSN,
  VALUE_NANOS,
  VALUE_SECONDS,
  valueOffset,
} from '../codec/row.ts'
import { expirySeconds, hasExpiry, isExpired, type Version } from '../codec/version.ts'
import { assert } from '../core/errors.ts'
import { EVENT_SECONDS_MAX, EVENT_SECONDS_MIN } from '../core/event-time.ts'
import { type MemtableIndex, STATE_ABSENT, STATE_RESOLVED } from './memtable-index.ts'
import {
  type OnlineCounts,
  openEnvironment,
  type PartitionState,
  readState,
  writeState,
} from './online-environment.ts'
import type { RowChunk } from './row-chunks.ts'
import { replaces } from './slot-rules.ts'

export interface ListedRecord {
  readonly key: Buffer
  readonly id: Buffer
  readonly version: Version
}

export interface PendingExpiry {
  /** Of the index of expiries; where a later look goes on. */
  readonly key: Buffer
  /** Whole seconds since 1970, rounded toward the past. */
  readonly seconds: number
  readonly featureGroup: number
  readonly hashHigh: number
  readonly hashLow: number
}

const EMPTY = Buffer.alloc(0)
const ANY_ABOVE = Buffer.alloc(KEY_ID + 1, 0xff)

export class OnlinePartition {
  mergedLsn: number
  readonly #database: Database<Buffer, Buffer>
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #counts: Map<number, OnlineCounts>
  readonly #key = Buffer.alloc(KEY_ID + LONG_ID_BYTES)
  /** The beginnings of `#key`, by length: making a view costs as much as a lookup's own work. */
  readonly #keyViews: Buffer[] = []
  readonly #expiryKey = Buffer.alloc(EXPIRY_KEY_HEADER_BYTES + KEY_ID + LONG_ID_BYTES)
  /** Called for every expiry that is stored, whole seconds since 1970. */
  onExpiry: (seconds: number, featureGroup: number, hashHigh: number, hashLow: number) => void = () =>
    undefined

  constructor(directory: string) {
    this.#root = openEnvironment(directory)
    this.#database = this.#root
    const state = readState(this.#root, directory)
    this.mergedLsn = state.mergedLsn
    this.#counts = new Map(state.counts)
  }

  countsOf(featureGroup: number): OnlineCounts {
    let counts = this.#counts.get(featureGroup)
    if (counts === undefined) {
      counts = { records: 0, tombstones: 0, bytes: 0, expiring: 0 }
      this.#counts.set(featureGroup, counts)
    }
    return counts
  }

  get counts(): ReadonlyMap<number, OnlineCounts> {
    return this.#counts
  }

  /** @returns the stored version; its bytes are only valid until the next read */
  get(
    featureGroup: number,
    hashHigh: number,
    hashLow: number,
    source: Uint8Array,
    idStart: number,
    idBytes: number,
  ): Version | undefined {
    const length = writeOnlineKey(this.#key, featureGroup, hashHigh, hashLow, source, idStart, idBytes)
    const bytes = this.#database.getBinaryFast(this.#keyView(length))
    if (bytes === undefined) return undefined
    return { bytes, start: storedValueStart(idBytes > LONG_ID_BYTES, bytes), end: bytes.length }
  }

  /**
   * Merges some entries of one feature group in one transaction, given in key order so that neighbours share
   * pages. Visible when it returns; durable when `confirm` of a later LSN has returned.
   */
  merge(featureGroup: number, index: MemtableIndex, slots: readonly number[]): void {
    const counts = this.countsOf(featureGroup)
    this.#write(() => {
      for (const slot of slots) {
        this.#mergeEntry(featureGroup, counts, index.chunkAt(slot), index.rowAt(slot), index.stateAt(slot))
      }
    })
  }

  /**
   * Records that everything up to `lsn` is merged, and proves it durable: LMDB can report a failed flush of its
   * own bookkeeping as success, but then it accepts no further transaction, so a second one confirms the first.
   */
  async confirm(lsn: number): Promise<void> {
    this.mergedLsn = lsn
    this.#write(() => undefined)
    await this.#root.flushed
    this.#write(() => undefined)
    await this.#root.flushed
  }

  /** Removes up to `recordsMax` records of a feature group. @returns whether any may be left */
  removeFeatureGroup(featureGroup: number, recordsMax: number): boolean {
    const keys: Buffer[] = []
    let records = 0
    for (const { key, version } of this.list(featureGroup, undefined, recordsMax)) {
      records++
      keys.push(key)
      if (hasExpiry(version)) keys.push(Buffer.from(this.#expiryKeyOf(version, key)))
    }
    this.#write(() => {
      for (const key of keys) this.#database.remove(key)
      if (records < recordsMax) this.#counts.delete(featureGroup)
    })
    return records === recordsMax
  }

  /** The records of a feature group whose keys are greater than `after`, in key order. */
  *list(featureGroup: number, after: Buffer | undefined, limit: number): Generator<ListedRecord> {
    const range = this.#database.getRange({
      start: after ?? this.#groupStart(featureGroup),
      ...(after === undefined ? {} : { exclusiveStart: true }),
      end: this.#groupStart(featureGroup + 1),
      limit,
      // A long read transaction would stop LMDB from reusing pages.
      snapshot: false,
    } as RangeOptions)
    for (const { key, value } of range) {
      const start = storedValueStart(key[KEY_ID] === 0xff, value)
      yield {
        key,
        id: storedId(key, value),
        version: { bytes: value, start, end: value.length },
      }
    }
  }

  /** The keys of a feature group greater than `after`, in order. */
  keys(featureGroup: number, after: Buffer | undefined, limit: number): Iterable<Buffer> {
    return this.#database.getKeys({
      start: after ?? this.#groupStart(featureGroup),
      ...(after === undefined ? {} : { exclusiveStart: true }),
      end: this.#groupStart(featureGroup + 1),
      limit,
      snapshot: false,
    } as RangeOptions)
  }

  /** The id of the record stored under a key. */
  idOfKey(key: Buffer): string {
    const stored = this.#database.getBinaryFast(key)
    assert(stored !== undefined, 'a listed key is stored')
    return storedId(key, stored).toString('utf8')
  }

  /** The ids of the stored records with a hash: nearly always none or one. */
  idsOfHash(featureGroup: number, hashHigh: number, hashLow: number): Buffer[] {
    const start = Buffer.alloc(KEY_ID)
    start.writeUInt32BE(featureGroup, 0)
    start.writeUInt32BE(hashHigh, 4)
    start.writeUInt32BE(hashLow, 8)
    const ids: Buffer[] = []
    for (const { key, value } of this.#database.getRange({ start, snapshot: false } as RangeOptions)) {
      if (key.compare(start, 0, KEY_ID, 0, KEY_ID) !== 0) break
      ids.push(Buffer.from(storedId(key, value)))
    }
    return ids
  }

  /**
   * What expires in a range of time, in its order.
   * @param after - key of the last entry seen; undefined to start at `fromSeconds`
   * @param untilSeconds - whole seconds since 1970, exclusive
   */
  *expiries(
    after: Buffer | undefined,
    fromSeconds: number,
    untilSeconds: number,
    limit: number,
  ): Generator<PendingExpiry> {
    const keys = this.#database.getKeys({
      start: after ?? (fromSeconds < EVENT_SECONDS_MIN ? EXPIRY_KEYS_START : expiryBound(fromSeconds)),
      ...(after === undefined ? {} : { exclusiveStart: true }),
      end:
        untilSeconds > EVENT_SECONDS_MAX
          ? EXPIRY_KEYS_END
          : expiryBound(Math.max(untilSeconds, EVENT_SECONDS_MIN)),
      limit,
      snapshot: false,
    } as RangeOptions)
    for (const key of keys) {
      yield {
        key,
        seconds: expiryKeySeconds(key),
        featureGroup: key.readUInt32BE(EXPIRY_KEY_HEADER_BYTES),
        hashHigh: key.readUInt32BE(EXPIRY_KEY_HEADER_BYTES + 4),
        hashLow: key.readUInt32BE(EXPIRY_KEY_HEADER_BYTES + 8),
      }
    }
  }

  /** Closes the environment. Only after a quiet end: never after a failed commit. */
  async close(): Promise<void> {
    await this.#root.flushed
    await this.#root.close()
  }

  /** @param source - the row to merge, at `row` in its chunk */
  #mergeEntry(featureGroup: number, counts: OnlineCounts, chunk: RowChunk, row: number, state: number): void {
    const { u8, u32, f64 } = chunk
    const idBytes = rowIdBytes(chunk, row)
    const value = row + valueOffset(idBytes)
    const length = writeOnlineKey(
      this.#key,
      featureGroup,
      u32[(row + ROW_HASH_HIGH) >>> 2]!,
      u32[(row + ROW_HASH_LOW) >>> 2]!,
      u8,
      row + ROW_ID,
      idBytes,
    )
    const key = this.#keyView(length)
    const end = row + u32[(row + ROW_BYTES) >>> 2]!
    const flags = u8[value + VALUE_FLAGS]!
    const isTombstone = (flags & FLAG_TOMBSTONE) !== 0
    const stored = this.#database.getBinaryFast(key)
    if (stored !== undefined) {
      const start = storedValueStart(idBytes > LONG_ID_BYTES, stored)
      // After a crash the partition may be ahead of the rows being replayed.
      if (stored.readDoubleLE(start + VALUE_LSN) >= f64[(value + VALUE_LSN) >>> 3]!) return
      const storedFlags = stored[start + VALUE_FLAGS]!
      const older =
        (storedFlags & FLAG_EXPIRY) === 0 ? undefined : { bytes: stored, start, end: stored.length }
      const isGone = older !== undefined && isExpired(older, f64[(row + ROW_INVOCATION_US) >>> 3]!)
      if (
        (state & STATE_RESOLVED) === 0 &&
        !isGone &&
        !replaces(
          isTombstone,
          f64[(value + VALUE_SECONDS) >>> 3]!,
          u32[(value + VALUE_NANOS) >>> 2]!,
          stored.readDoubleLE(start + VALUE_SECONDS),
          stored.readUInt32LE(start + VALUE_NANOS),
        )
      ) {
        return
      }
      if (older !== undefined) {
        this.#database.remove(this.#expiryKeyOf(older, key))
        counts.expiring--
      }
      if ((storedFlags & FLAG_TOMBSTONE) !== 0) counts.tombstones--
      else {
        counts.records--
        counts.bytes -= stored.length
      }
    }
    if ((state & STATE_ABSENT) !== 0) {
      if (stored !== undefined) this.#database.remove(key)
      return
    }
    const valueBytes = u8.subarray(value, end)
    const bytes =
      idBytes > LONG_ID_BYTES
        ? withLongId(u8.subarray(row + ROW_ID, row + ROW_ID + idBytes), valueBytes)
        : valueBytes
    this.#database.put(key, bytes)
    if ((flags & FLAG_EXPIRY) !== 0) {
      const version = { bytes: u8, start: value, end }
      this.#database.put(this.#expiryKeyOf(version, key), EMPTY)
      const word = row >>> 2
      this.onExpiry(
        expirySeconds(version),
        featureGroup,
        u32[word + (ROW_HASH_HIGH >>> 2)]!,
        u32[word + (ROW_HASH_LOW >>> 2)]!,
      )
      counts.expiring++
    }
    if (isTombstone) counts.tombstones++
    else {
      counts.records++
      counts.bytes += bytes.length
    }
  }

  /** Runs `change` and writes the partition's own state in one transaction. */
  #write(change: () => void): void {
    // The callback must return nothing: a returned put is a promise, and the transaction would stay open.
    this.#root.transactionSync(() => {
      change()
      const state: PartitionState = { mergedLsn: this.mergedLsn, counts: [...this.#counts] }
      writeState(this.#database, state)
    })
  }

  /** Valid until the next key is written. */
  #keyView(length: number): Buffer {
    let view = this.#keyViews[length]
    if (view === undefined) {
      view = this.#key.subarray(0, length)
      this.#keyViews[length] = view
    }
    return view
  }

  /** Valid until the next call. */
  #expiryKeyOf(version: Version, recordKey: Uint8Array): Buffer {
    return this.#expiryKey.subarray(0, writeExpiryKey(this.#expiryKey, expirySeconds(version), recordKey))
  }

  #groupStart(featureGroup: number): Buffer {
    if (featureGroup > 0xffff_ffff) return ANY_ABOVE
    const start = Buffer.alloc(4)
    start.writeUInt32BE(featureGroup)
    return start
  }
}
