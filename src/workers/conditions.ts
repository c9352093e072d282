/**
 * Writes whose outcome depends on the stored record: a hard delete is refused unless it is later, an update becomes a
 * put of the whole merged record. Decided before anything is logged, so the log holds only what took place.
 */
import { BATCH_HEADER_BYTES, readBatchHeader } from '../codec/batch.ts'
import { BatchBuilder } from '../codec/batch-builder.ts'
import { fillMerged } from '../codec/merge-row.ts'
import {
  FLAG_NO_TIME,
  OPERATION_PUT,
  OPERATION_UPDATE,
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  ROW_INVOCATION_US,
  ROW_OPERATION,
  ROW_TARGETS,
  type RowView,
  rowIdBytes,
  valueStart,
  viewRows,
} from '../codec/row.ts'
import { recordElements, recordTextBytes } from '../codec/text-size.ts'
import {
  expirySeconds,
  hasExpiry,
  isTombstone,
  type Version,
  versionDigits,
  versionFlags,
  versionNanos,
  versionSeconds,
} from '../codec/version.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { compareInstants, EVENT_SECONDS_MAX } from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import type { RecordSchema } from '../core/model.ts'
import type { PendingWrite } from './commit-queue.ts'
import type { IdPlace, OnlineSide } from './online-side.ts'

/** The one row of a conditional write. */
interface ConditionalRow {
  readonly view: RowView
  readonly row: number
  readonly id: IdPlace
  readonly version: Version
  readonly invocationUs: number
}

/** @returns the write to log in its place, or why it is refused */
export function settleCondition(
  write: PendingWrite,
  online: OnlineSide,
  schema: RecordSchema | undefined,
): PendingWrite | MillraceError {
  const row = openRow(write)
  const stored = online.lookup(write.header.featureGroup, row.id, row.invocationUs)
  if (row.view.u8[row.row + ROW_OPERATION] !== OPERATION_UPDATE) {
    return isLater(row.version, stored) ? write : NOT_LATER
  }
  if (schema === undefined) {
    return new MillraceError(
      'FEATURE_GROUP_NOT_FOUND',
      'the feature group of an update was deleted meanwhile',
    )
  }
  return settleUpdate(write, row, stored, schema)
}

const NOT_LATER = new MillraceError(
  'EVENT_TIME_NOT_LATER',
  'a hard delete needs an event time later than the stored record; nothing was deleted',
)

/** a hard delete must be later than the record or tombstone it removes. */
function isLater(own: Version, stored: Version | undefined): boolean {
  return stored === undefined || compareTimes(own, stored) > 0
}

const compareTimes = (a: Version, b: Version): number =>
  compareInstants(versionSeconds(a), versionNanos(a), versionSeconds(b), versionNanos(b))

function settleUpdate(
  write: PendingWrite,
  { view, row, id, version, invocationUs }: ConditionalRow,
  stored: Version | undefined,
  schema: RecordSchema,
): PendingWrite | MillraceError {
  const idText = (): string => view.u8.toString('utf8', id.start, id.start + id.bytes)
  if (stored === undefined || isTombstone(stored)) {
    return new MillraceError('RECORD_NOT_FOUND', `there is no record ${quote(idText())} to update`, {
      place: { featureGroup: schema.group.name },
    })
  }
  const keepsEventTime = (versionFlags(version) & FLAG_NO_TIME) !== 0
  if (!keepsEventTime && compareTimes(version, stored) < 0) {
    return new MillraceError(
      'EVENT_TIME_OLDER',
      `the event time of the update is older than that of the stored record ${quote(idText())}; read it again`,
      { place: { featureGroup: schema.group.name } },
    )
  }
  const time = keepsEventTime ? stored : version
  const ttlSeconds = ttlOf(version, stored)
  if (versionSeconds(time) + ttlSeconds > EVENT_SECONDS_MAX) {
    return invalid('the record keeps its time to live, which takes the expiry past the year 9999', {
      featureGroup: schema.group.name,
    })
  }
  const head = {
    operation: OPERATION_PUT,
    targets: view.u8[row + ROW_TARGETS]!,
    invocationUs,
    slotCount: schema.slotCount,
    flags: 0,
    ttlSeconds,
  }
  const builder = new BatchBuilder(
    () => new ArrayBuffer(BATCH_HEADER_BYTES + (stored.end - stored.start) * 2 + 4096),
  )
  const source = view.u8.subarray(id.start, id.start + id.bytes)
  const [seconds, nanos] = [versionSeconds(time), versionNanos(time)]
  builder.beginRow(head, source, id.bytes, id.hashHigh, id.hashLow, seconds, nanos, versionDigits(time))
  fillMerged(builder, schema, stored, version, keepsEventTime)
  builder.endRow()
  const { buffer, bytes } = builder.finish(write.header)
  const merged = viewRows(buffer, 0, bytes)
  const mergedRow = openRowAt(merged)
  const size = recordTextBytes(schema, id.bytes, mergedRow.version)
  if (size > limits.recordBytesMax) {
    return invalid(
      `a record has at most ${limits.recordBytesMax} bytes of names and values; with the changes it would have ${size}`,
      { featureGroup: schema.group.name },
    )
  }
  const elements = recordElements(schema, mergedRow.version)
  if (elements > limits.collectionElementsMax) {
    return invalid(
      `the collections of a record have at most ${limits.collectionElementsMax} elements; with the changes it would have ${elements}`,
      { featureGroup: schema.group.name },
    )
  }
  return { ...write, buffer, bytes, header: readBatchHeader(merged, 0) }
}

/** the duration given with the update, else the one the record has. */
function ttlOf(changes: Version, stored: Version): number {
  if (hasExpiry(changes)) return expirySeconds(changes) - versionSeconds(changes)
  return hasExpiry(stored) ? expirySeconds(stored) - versionSeconds(stored) : 0
}

const openRow = (write: PendingWrite): ConditionalRow => openRowAt(viewRows(write.buffer, 0, write.bytes))

function openRowAt(view: RowView): ConditionalRow {
  const row = BATCH_HEADER_BYTES
  const { u32, f64 } = view
  const end = row + u32[row >>> 2]!
  return {
    view,
    row,
    id: {
      hashHigh: u32[(row + ROW_HASH_HIGH) >>> 2]!,
      hashLow: u32[(row + ROW_HASH_LOW) >>> 2]!,
      source: view.u8,
      start: row + ROW_ID,
      bytes: rowIdBytes(view, row),
    },
    version: { bytes: view.u8, start: valueStart(view, row), end },
    invocationUs: f64[(row + ROW_INVOCATION_US) >>> 3]!,
  }
}
