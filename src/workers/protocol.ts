/**
 * What the engine and a shard thread say to each other: every request and its reply, as plain data. Buffers named
 * `transfer` are moved. Shards answer operating errors as data; a thrown error is a bug.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Seal, SealedHour } from '../codec/seal.ts'
import type { ErrorData } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'

export type Durability = 'strict' | 'interval'

export interface ShardConfig {
  readonly shard: number
  readonly shardCount: number
  /** 16 bytes that name the store. */
  readonly storeId: Uint8Array
  readonly walDirectory: string
  readonly onlineDirectory: string
  readonly durability: Durability
  readonly syncIntervalMs: number
  readonly segmentBytes: number
  /** Log bytes of this shard at which commits wait for merges and flushes. */
  readonly logBytes: number
  /** Bytes of rows, memtables and hour buffers of this shard at which commits wait. */
  readonly memoryBytes: number
  readonly flushAgeMs: number
  readonly flushRows: number
  readonly flushBytes: number
  /** Whether an expired record leaves a marker in the offline store. */
  readonly hasExpiryMarkers: boolean
  /** Memory of a clock that tests move; undefined for the system's. */
  readonly manualClock: SharedArrayBuffer | undefined
}

/**
 * Per (feature group, hour): every row up to this LSN is in a published file, the last of them in the file of this
 * round. Parallel arrays.
 */
export interface PublishedHours {
  readonly featureGroups: Uint32Array
  readonly eventHours: Int32Array
  readonly lastLsns: Float64Array
  readonly lastRounds: Float64Array
}

/** Rows of one sealed hour of one shard, as they will go into a file. */
export interface PartSummary extends SealedHour {
  readonly rows: number
  readonly bytes: number
  readonly latestSeconds: number
  readonly firstLsn: number
  readonly lastLsn: number
  /** The greatest invocation time of the rows, microseconds. */
  readonly lastInvocationUs: number
}

/** An hour whose columns are wanted, and the write time of its file. */
export interface FileHour extends SealedHour {
  readonly writeTimeUs: number
}

export interface PendingSeal {
  readonly round: number
  readonly writeTimeUs: number
  readonly parts: readonly PartSummary[]
}

export interface RecoveryReport {
  readonly records: number
  readonly tornBytes: number
  /** Highest round the log knows of; 0 without one. */
  readonly roundMax: number
  /** Of any row in the log, microseconds; 0 without one. */
  readonly lastInvocationUs: number
  /** Sealed but not published before the store was last closed or killed. */
  readonly pending: readonly PendingSeal[]
}

export interface ShardStatistics {
  readonly lastLsn: number
  /** Everything up to here is merged into the online partition, durably. */
  readonly mergedLsn: number
  /** Everything up to here is in published files. */
  readonly publishedLsn: number
  readonly queueBytes: number
  readonly chunkBytes: number
  readonly memtableBytes: number
  readonly memtableRecords: number
  readonly hourBufferBytes: number
  readonly unpublishedRows: number
  readonly openHours: number
  readonly logBytes: number
  /** Records that expired since the store was opened. */
  readonly expired: number
  /** Per feature group number. */
  readonly online: readonly { featureGroup: number; records: number; tombstones: number; bytes: number }[]
  readonly timings: Readonly<Record<TimedStage, number>>
}

/** Stages whose time a shard adds up, in milliseconds. */
export type TimedStage = 'log' | 'apply' | 'merge' | 'columns'

export interface ListPage {
  readonly ids: string[]
  /** Where the next page starts; undefined at the end. */
  readonly next: Uint8Array | undefined
}

export interface ColumnsReply {
  readonly parts: readonly (SealedHour & { ipc: Uint8Array<ArrayBuffer>; dictionaryColumns: string[] })[]
}

/** Why a shard asks for a flush round. */
export type Pressure = 'due' | 'memory' | 'log' | 'closing'

/** A read of records by id, on the read lane. transfer: keys */
export interface ReadRequest {
  readonly number: number
  readonly featureGroup: number
  /** Packed ids (codec/key-request). */
  readonly keys: ArrayBuffer
  readonly count: number
}

export type ReadReply =
  /** Per id: u32 length, 0 if absent, then the value part. transfer: versions */
  | { readonly number: number; readonly versions: ArrayBuffer }
  | { readonly number: number; readonly error: ErrorData }

export type ShardRequest =
  | {
      type: 'open'
      config: ShardConfig
      groups: FeatureGroupModel[]
      published: PublishedHours
      publishedLsn: number
      /** Rows in files have invocation times up to here, microseconds. */
      lastInvocationUs: number
      /** The shard's end of the read lane. transfer: readPort */
      readPort: MessagePort
    }
  /** transfer: buffer */
  | { type: 'write'; buffer: ArrayBuffer; bytes: number }
  /** One row whose condition the shard checks first: a hard delete or an update. transfer: buffer */
  | { type: 'conditional'; buffer: ArrayBuffer; bytes: number }
  | {
      type: 'list'
      featureGroup: number
      after: Uint8Array | undefined
      limit: number
      includeTombstones: boolean
    }
  | { type: 'position'; low: number; high: number }
  /** Answered when the shard wants a flush round. */
  | { type: 'pressure' }
  /** The hours that are due; or all hours, of one group or of all, that have rows logged up to an LSN. */
  | { type: 'hours'; wanted: 'due' }
  | { type: 'hours'; wanted: 'all'; featureGroup: number | undefined; upToLsn: number | undefined }
  | { type: 'seal'; seal: Seal }
  | { type: 'columns'; round: number; hours: readonly FileHour[] }
  | { type: 'published'; round: number; hours: readonly SealedHour[] }
  /** Answered when everything logged before is merged and durable in the online partition. */
  | { type: 'flushOnline' }
  /** Takes out every record whose time to live has passed by now. */
  | { type: 'expire' }
  /**
   * How far a feature group is published. Rows logged from now on get later invocation times than `upToUs`
   * (microseconds), so that no row can appear below the answer.
   */
  | { type: 'watermark'; featureGroup: number; upToUs: number }
  | { type: 'addGroup'; group: FeatureGroupModel }
  | { type: 'dropGroup'; featureGroup: number }
  | { type: 'statistics' }
  /** The store is closing: the shard writes nothing by itself any more, so that a flush is the last word. */
  | { type: 'quiesce' }
  | { type: 'close' }

export interface ShardReplies {
  open: RecoveryReport
  /** Buffers of rows that are gone, for the next batches. */
  write: ArrayBuffer[]
  conditional: ArrayBuffer[]
  list: ListPage
  position: number
  pressure: Pressure
  hours: { hours: SealedHour[]; lastLsn: number }
  seal: PartSummary[]
  columns: ColumnsReply
  published: undefined
  flushOnline: undefined
  /** Number of records. */
  expire: number
  /** Every row with an invocation time up to here is published, microseconds. */
  watermark: number
  addGroup: undefined
  dropGroup: undefined
  statistics: ShardStatistics
  quiesce: undefined
  close: undefined
}

export type ShardRequestOf<T extends ShardRequest['type']> = Extract<ShardRequest, { type: T }>

export type ShardReply<T = unknown> = { ok: true; value: T } | { ok: false; error: ErrorData }
