/** Which of the writes of a commit may be logged: everything a write can be refused for is decided here, before. */
import { BATCH_HEADER_BYTES } from '../codec/batch.ts'
import {
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  rowIdBytes,
  VALUE_NANOS,
  VALUE_SECONDS,
  valueStart,
  viewRows,
} from '../codec/row.ts'
import { MillraceError } from '../core/errors.ts'
import { compareInstants } from '../core/event-time.ts'
import type { PendingWrite } from './commit-queue.ts'
import type { OnlineSide } from './online-side.ts'
import { hasSource, type Sources } from './sources.ts'
import type { Stamps } from './stamps.ts'

export interface AdmissionInputs {
  readonly sources: Sources
  readonly online: OnlineSide
  readonly stamps: Stamps
}

/** Settles the writes that must not be logged, and returns the others. */
export function admit(
  taken: readonly PendingWrite[],
  { sources, online, stamps }: AdmissionInputs,
): PendingWrite[] {
  const tentative = new Map<string, number>()
  return taken.filter((write) => {
    let refusal: MillraceError | undefined
    const { header } = write
    if (write.isConditional) refusal = refusalOfHardDelete(write, online)
    if (hasSource(header)) {
      const key = `${header.sourceLow}:${header.sourceHigh}`
      const position = tentative.get(key) ?? sources.position(header.sourceLow, header.sourceHigh)
      refusal ??= sources.check(header, position)
      if (refusal === undefined) tentative.set(key, header.sourceUpTo)
    }
    if (refusal !== undefined) write.settle(refusal)
    else stamps.order(write)
    return refusal === undefined
  })
}

/** a hard delete must be later than the record or tombstone it removes. */
function refusalOfHardDelete(write: PendingWrite, online: OnlineSide): MillraceError | undefined {
  const view = viewRows(write.buffer, 0, write.bytes)
  const row = BATCH_HEADER_BYTES
  const stored = online.lookup(write.header.featureGroup, {
    hashHigh: view.u32[(row + ROW_HASH_HIGH) >>> 2]!,
    hashLow: view.u32[(row + ROW_HASH_LOW) >>> 2]!,
    source: view.u8,
    start: row + ROW_ID,
    bytes: rowIdBytes(view, row),
  })
  if (stored === undefined) return undefined
  const value = valueStart(view, row)
  const order = compareInstants(
    view.f64[(value + VALUE_SECONDS) >>> 3]!,
    view.u32[(value + VALUE_NANOS) >>> 2]!,
    stored.bytes.readDoubleLE(stored.start + VALUE_SECONDS),
    stored.bytes.readUInt32LE(stored.start + VALUE_NANOS),
  )
  if (order > 0) return undefined
  return new MillraceError(
    'EVENT_TIME_NOT_LATER',
    'a hard delete needs an event time later than the stored record; nothing was deleted',
  )
}
