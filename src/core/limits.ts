/** Every bound in one place; their relations are asserted below, when this file is loaded. */
import { assert } from './errors.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** What one call of the API may hold (section (e) of the specification). */
export interface ApiLimits {
  readonly batchWriteEntriesMax: number
  /** Identifiers elements, ids per element, and ids in all (OQ-12). */
  readonly batchGetIdsMax: number
  readonly updateFeaturesMax: number
  readonly listPageMax: number
}

export const apiLimits: ApiLimits = {
  batchWriteEntriesMax: 25,
  batchGetIdsMax: 100,
  updateFeaturesMax: 100,
  listPageMax: 100,
}

/** The same with the `extensions` switch. */
export const extendedApiLimits: ApiLimits = {
  batchWriteEntriesMax: 1000,
  batchGetIdsMax: 1000,
  updateFeaturesMax: 2500,
  listPageMax: 10_000,
}

export const limits = {
  /** */
  recordIdBytesMax: 2048,
  /** UTF-8 bytes of the names and values of one record; of one value alike. */
  recordBytesMax: 358_400,
  /** Elements of one collection, and of all collections of one record: only empty strings could be more. */
  collectionElementsMax: 358_400,
  /** Section (e) of the specification. */
  featuresMax: 2500,
  nameLengthMax: 64,
  /** Added by one update. */
  featureAdditionsMax: 100,
  vectorDimensionMax: 8192,
  tagsMax: 50,
  /** Per feature, R-560. */
  featureParametersMax: 25,
  /** Characters. */
  descriptionLengthMax: 128,
  featureDescriptionLengthMax: 255,

  /** A batch being packed is sent to its shard when it reaches this size. */
  batchBytes: 256 * KIB,
  /** A batch may pass `batchBytes` by one record, of which every byte of text may be a number of eight bytes. */
  batchBytesMax: 4 * MIB,
  /** Smaller batches are copied together in the shard, so that a million single puts are not a million buffers. */
  batchAdoptBytesMin: 32 * KIB,

  /** One commit takes the batches that wait, up to this many bytes (and at least one batch). */
  commitBytesMax: 1 * MIB,
  /** Hard cap on a frame, so that a damaged length cannot ask for gigabytes. */
  framePayloadBytesMax: 16 * MIB,

  segmentBytes: 64 * MIB,
  segmentBytesMin: 64 * KIB,
  logBytes: 1024 * MIB,

  memoryBytes: 1024 * MIB,
  memoryBytesMin: 32 * MIB,
  /** A shard needs room for a few commits besides what waits to be merged and published. */
  shardMemoryBytesMin: 16 * MIB,

  /** offline within 15 minutes of the call. */
  flushAgeMsMax: 15 * 60_000,
  flushAgeMs: 5 * 60_000,
  /** Arrow bytes of one Parquet file; WASM memory grows to about five times this and never shrinks. */
  fileBytes: 48 * MIB,
  fileRows: 1_000_000,

  /** Records merged into the online partition in one transaction; longer transactions stall commits and reads. */
  mergeSliceRecords: 1000,
  /** The same while writers wait for room, and while somebody waits for the merge to end: fewer syncs. */
  mergeSliceRecordsFull: 2000,
  mergeSliceRecordsFlush: 4000,
  /** And while records are being read. */
  mergeSliceRecordsReading: 400,
  /** Rows turned into columns at once; a slice should stay in the processor's cache. */
  columnSliceRows: 8192,
  /** How long a shard merges, or makes columns, before it looks at its messages again. */
  turnMs: 8,
  /** The same, and the size of a commit, while records are being read: readers wait for one turn or two. */
  turnMsReading: 2,
  commitBytesReading: 256 * KIB,
  /** How long after a read a shard keeps its turns short. */
  readingMs: 250,

  /** Calls of the API that wait for room in a feature group's buffer; more are refused. */
  waitingCallsMax: 256,
  listPageMax: 10_000,
  ingestErrorsKept: 1000,
} as const

assert(
  limits.batchBytes + limits.recordBytesMax * 9 <= limits.batchBytesMax,
  'one record fits behind a full batch',
)
assert(
  limits.commitBytesMax + limits.batchBytesMax <= limits.framePayloadBytesMax,
  'a commit fits in a frame',
)
assert(limits.framePayloadBytesMax < limits.segmentBytes, 'a frame fits in a segment')
assert(limits.flushAgeMs <= limits.flushAgeMsMax, 'the default flush age is legal')
