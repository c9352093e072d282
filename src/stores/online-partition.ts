/**
 * An OnlinePartition is the durable part of one shard's online store: the latest version per record id in LMDB,
 * behind this narrow interface.
 * Owns: the LMDB environment, the number of records and tombstones per feature group, the merged LSN.
 * Does not own: what is newer (slot-rules), which records are merged when (merger), the log behind it.
 * Invariants: counts change in the same transaction as the records they count; `mergedLsn` never runs ahead of
 * what is on disk, because it is written last and confirmed by a second transaction.
 */
import { type Database, open, type RangeOptions, type RootDatabase } from 'lmdb'
import {
  KEY_ID,
  LONG_ID_BYTES,
  storedId,
  storedValueStart,
  withLongId,
  writeOnlineKey,
} from '../codec/online-key.ts'
import {
  FLAG_TOMBSTONE,
  ROW_BYTES,
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  rowIdBytes,
  VALUE_FLAGS,
  VALUE_LSN,
  VALUE_NANOS,
  VALUE_SECONDS,
  valueOffset,
} from '../codec/row.ts'
import { MillraceError } from '../core/errors.ts'
import { type MemtableIndex, STATE_ABSENT, STATE_RESOLVED } from './memtable-index.ts'
import type { RowChunk } from './row-chunks.ts'
import { replaces } from './slot-rules.ts'

export interface OnlineCounts {
  records: number
  tombstones: number
  /** Bytes of values of live records. */
  bytes: number
}

interface PartitionState {
  mergedLsn: number
  counts: [number, OnlineCounts][]
}

/** A stored value: `bytes` is only valid until the next read. */
export interface StoredValue {
  readonly bytes: Buffer
  /** Where the value part starts in `bytes`. */
  readonly start: number
  readonly end: number
}

export interface ListedRecord {
  readonly key: Buffer
  readonly id: Buffer
  readonly isTombstone: boolean
}

const STATE_KEY = Buffer.from('\0\0\0\0partition')
const ANY_ABOVE = Buffer.alloc(KEY_ID + 1, 0xff)

export class OnlinePartition {
  mergedLsn: number
  readonly #database: Database<Buffer, Buffer>
  readonly #root: RootDatabase<Buffer, Buffer>
  readonly #counts: Map<number, OnlineCounts>
  readonly #key = Buffer.alloc(KEY_ID + LONG_ID_BYTES)

  constructor(directory: string) {
    try {
      this.#root = open<Buffer, Buffer>({
        path: directory,
        encoding: 'binary',
        keyEncoding: 'binary',
        // Address space, not memory: growing the map later would stall readers.
        mapSize: 256 * 1024 ** 3,
        maxDbs: 1,
        // Random reads of a store larger than memory would drag in whole read-ahead windows.
        noReadAhead: true,
        // Commits are flushed in the background and a crash falls back to the last flushed snapshot; the log
        // behind `mergedLsn` covers the rest. `safeRestore` makes that so even without a reboot.
        overlappingSync: true,
        safeRestore: true,
        permissionsMode: 0o600,
      } as Parameters<typeof open<Buffer, Buffer>>[0] & { permissionsMode: number })
    } catch (cause) {
      throw new MillraceError(
        'ONLINE_STORE_CORRUPT',
        `the online partition ${directory} cannot be opened: ${cause instanceof Error ? cause.message : cause}`,
        { cause, place: { file: directory } },
      )
    }
    this.#database = this.#root
    const state = this.#readState(directory)
    this.mergedLsn = state.mergedLsn
    this.#counts = new Map(state.counts)
  }

  countsOf(featureGroup: number): OnlineCounts {
    let counts = this.#counts.get(featureGroup)
    if (counts === undefined) {
      counts = { records: 0, tombstones: 0, bytes: 0 }
      this.#counts.set(featureGroup, counts)
    }
    return counts
  }

  get counts(): ReadonlyMap<number, OnlineCounts> {
    return this.#counts
  }

  get(
    featureGroup: number,
    hashHigh: number,
    hashLow: number,
    source: Uint8Array,
    idStart: number,
    idBytes: number,
  ): StoredValue | undefined {
    const length = writeOnlineKey(this.#key, featureGroup, hashHigh, hashLow, source, idStart, idBytes)
    const bytes = this.#database.getBinaryFast(this.#key.subarray(0, length))
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
    const keys = [...this.#keys(featureGroup, undefined, recordsMax)]
    this.#write(() => {
      for (const key of keys) this.#database.remove(key)
      if (keys.length < recordsMax) this.#counts.delete(featureGroup)
    })
    return keys.length === recordsMax
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
        isTombstone: (value[start + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0,
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
    const key = this.#key.subarray(0, length)
    const isTombstone = (u8[value + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0
    const stored = this.#database.getBinaryFast(key)
    if (stored !== undefined) {
      const start = storedValueStart(idBytes > LONG_ID_BYTES, stored)
      // After a crash the partition may be ahead of the rows being replayed.
      if (stored.readDoubleLE(start + VALUE_LSN) >= f64[(value + VALUE_LSN) >>> 3]!) return
      if (
        (state & STATE_RESOLVED) === 0 &&
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
      if ((stored[start + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0) counts.tombstones--
      else {
        counts.records--
        counts.bytes -= stored.length
      }
    }
    if ((state & STATE_ABSENT) !== 0) {
      if (stored !== undefined) this.#database.remove(key)
      return
    }
    const valueBytes = u8.subarray(value, row + u32[(row + ROW_BYTES) >>> 2]!)
    const bytes =
      idBytes > LONG_ID_BYTES
        ? withLongId(u8.subarray(row + ROW_ID, row + ROW_ID + idBytes), valueBytes)
        : valueBytes
    this.#database.put(key, bytes)
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
      this.#database.put(STATE_KEY, Buffer.from(JSON.stringify(state)))
    })
  }

  #readState(directory: string): PartitionState {
    const bytes = this.#database.getBinary(STATE_KEY)
    if (bytes === undefined) return { mergedLsn: 0, counts: [] }
    try {
      return JSON.parse(bytes.toString()) as PartitionState
    } catch (cause) {
      throw new MillraceError(
        'ONLINE_STORE_CORRUPT',
        `the online partition ${directory} has a damaged state record`,
        {
          cause,
          place: { file: directory },
        },
      )
    }
  }

  #keys(featureGroup: number, after: Buffer | undefined, limit: number): Iterable<Buffer> {
    return this.#database.getKeys({
      start: after ?? this.#groupStart(featureGroup),
      end: this.#groupStart(featureGroup + 1),
      limit,
      snapshot: false,
    })
  }

  #groupStart(featureGroup: number): Buffer {
    if (featureGroup > 0xffff_ffff) return ANY_ABOVE
    const start = Buffer.alloc(4)
    start.writeUInt32BE(featureGroup)
    return start
  }
}
