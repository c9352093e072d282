/**
 * The rules that decide which operation wins the online slot of a record (R-112..R-118, R-225..R-231, OQ-01).
 * One place for them: the memtable folds operations with `replaces`, the merge and every read lay a memtable
 * entry over the stored value with the same function.
 */
import { compareInstants } from '../core/event-time.ts'

/**
 * Whether a put or soft delete replaces the slot's live record or tombstone: a put at an equal event time does
 * (the last arrival wins), a soft delete must be strictly later.
 *
 * Operations that meet in the memtable can be folded before the stored value under them is known: the fold keeps
 * the greater event time, and the winner's own rule then decides against the stored value. That gives the same
 * slot as applying them one by one, because an operation that loses against the stored value has an event time at
 * or below it, and so has everything the operation beat.
 */
export function replaces(
  isTombstone: boolean,
  seconds: number,
  nanos: number,
  slotSeconds: number,
  slotNanos: number,
): boolean {
  const order = compareInstants(seconds, nanos, slotSeconds, slotNanos)
  return isTombstone ? order > 0 : order >= 0
}
