/**
 * How an operation takes its slot in a feature group whose versions may expire.
 *
 * Where nothing expires, operations on a record fold in the memtable without a look at what lies below it. Where
 * versions expire that is not enough: a put of an older event time takes the slot of a version that expired meanwhile
 * so which of two folded operations stands depends on the version below both. Here the second operation on a
 * record therefore settles the first one against what lies below; the first needs no look, so that ids that are written
 * once between two merges cost nothing more.
 */
import { copyExpiry, hasExpiry, isExpired, isTombstone, type Version, versionLsn } from '../codec/version.ts'
import type { Memtable } from '../stores/memtable.ts'
import { type MemtableIndex, STATE_ABSENT, STATE_RESOLVED } from '../stores/memtable-index.ts'
import type { RowChunk } from '../stores/row-chunks.ts'
import { prevails, takesSlot } from '../stores/slot-rules.ts'

/**
 * Applies a put or soft delete.
 * @param below - the version under this memtable
 * @returns the version that now has an expiry to wait for; undefined if there is none
 */
export function applyExpiring(
  memtable: Memtable,
  index: MemtableIndex,
  chunk: RowChunk,
  row: number,
  version: Version,
  atUs: number,
  below: () => Version | undefined,
): Version | undefined {
  const slot = index.find(chunk, row)
  const isDelete = isTombstone(version)
  const isBornExpired = isExpired(version, atUs)
  if (slot < 0 && !isDelete && !isBornExpired) {
    memtable.place(index, slot, chunk, row, 0)
    return hasExpiry(version) ? version : undefined
  }
  const current = currentVersion(index, slot, below)
  if (current !== undefined) {
    // At replay the partition may hold what is logged further on.
    if (versionLsn(current) >= versionLsn(version)) return undefined
    if (!takesSlot(version, atUs, current)) return undefined
  }
  if (isBornExpired) {
    // It is never visible and leaves nothing that could expire (OQ-11).
    memtable.place(index, slot, chunk, row, STATE_ABSENT | STATE_RESOLVED)
    return undefined
  }
  // a tombstone keeps the expiry of what it hides.
  const keeps = isDelete && current !== undefined && hasExpiry(current) && !isExpired(current, atUs)
  if (keeps) copyExpiry(current, version)
  memtable.place(index, slot, chunk, row, STATE_RESOLVED)
  return hasExpiry(version) ? version : undefined
}

function currentVersion(
  index: MemtableIndex,
  slot: number,
  below: () => Version | undefined,
): Version | undefined {
  if (slot < 0) return below()
  const state = index.stateAt(slot)
  if ((state & STATE_ABSENT) !== 0) return undefined
  const own = index.versionAt(slot)
  if ((state & STATE_RESOLVED) !== 0) return own
  const under = below()
  return under === undefined || prevails(own, index.invocationUsAt(slot), under) ? own : under
}
