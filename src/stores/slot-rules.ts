/**
 * The rules that decide which operation wins the online slot of a record (R-112..R-118, R-225..R-231, OQ-01, OQ-10).
 * One place for them: the memtable folds operations with `replaces`, and everything that lays a version over another
 * one uses `takesSlot`.
 */
import {
  isExpired,
  isTombstone,
  type Version,
  versionLsn,
  versionNanos,
  versionSeconds,
} from '../codec/version.ts'
import { compareInstants } from '../core/event-time.ts'

/**
 * Whether a put or soft delete replaces the slot's live record or tombstone: a put at an equal event time does
 * (the last arrival wins), a soft delete must be strictly later.
 *
 * Operations that meet in the memtable can be folded before the stored value under them is known: the fold keeps
 * the greater event time, and the winner's own rule then decides against the stored value. That gives the same
 * slot as applying them one by one, because an operation that loses against the stored value has an event time at
 * or below it, and so has everything the operation beat. It does not hold where versions expire: see expiring-slots.
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

/**
 * Whether an operation takes the slot that an older version holds; an expired version holds nothing.
 * @param atUs - when the operation was made
 */
export function takesSlot(newer: Version, atUs: number, older: Version): boolean {
  return (
    isExpired(older, atUs) ||
    replaces(
      isTombstone(newer),
      versionSeconds(newer),
      versionNanos(newer),
      versionSeconds(older),
      versionNanos(older),
    )
  )
}

/**
 * The same for a version of the log over one that may lie ahead of it: after a crash the partition can hold what was
 * logged later, and then that stays.
 */
export const prevails = (own: Version, atUs: number, under: Version): boolean =>
  versionLsn(under) < versionLsn(own) && takesSlot(own, atUs, under)
