/**
 * The oracle: what a store of one feature group holds, as one Map and one list. Written from the specification's
 * state tables (b.4, b.7), on purpose without a line of the engine's code.
 */
import type { TargetStore } from '../../src/index.ts'
import type { PlainRow } from '../fixtures/store-process.ts'

export interface Put {
  readonly type: 'put'
  readonly record: PlainRow & { id: string; at: string }
  readonly stores: readonly TargetStore[]
}

export interface Delete {
  readonly type: 'delete'
  readonly id: string
  readonly at: string
  readonly mode: 'soft' | 'hard'
  readonly stores: readonly TargetStore[]
}

export type Write = Put | Delete

interface Slot {
  readonly nanos: bigint
  /** Undefined for a tombstone. */
  readonly record: PlainRow | undefined
}

/** An instant in nanoseconds, so that spellings do not matter. */
export function nanosOf(eventTime: string): bigint {
  const [seconds, fraction = ''] = eventTime.slice(0, -1).split('.')
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** A row of the offline store in one comparable text. */
export const offlineRow = (row: {
  hour: string
  id: unknown
  at: unknown
  n: unknown
  x: unknown
  s: unknown
  isDeleted: unknown
}): string => JSON.stringify([row.hour, row.id, row.at, row.n, row.x, row.s, row.isDeleted])

const plain = (value: PlainRow[string] | undefined): unknown =>
  value === undefined || value === null ? null : typeof value === 'bigint' ? String(value) : value

/** The offline row of a write. */
export function offlineRowOf(write: Write): string {
  const { at } = write.type === 'put' ? write.record : write
  const hour = at.slice(0, 13)
  if (write.type === 'delete') {
    return offlineRow({ hour, id: write.id, at, n: null, x: null, s: null, isDeleted: true })
  }
  const { id, n, x, s } = write.record
  const number = plain(n)
  return offlineRow({
    hour,
    id,
    at,
    n: number === null ? null : String(number),
    x: plain(x),
    s: plain(s),
    isDeleted: false,
  })
}

export class StoreModel {
  readonly slots = new Map<string, Slot>()
  /** In the order they were accepted. */
  readonly offline: string[] = []

  /** @returns whether the write is accepted */
  apply(write: Write): boolean {
    if (write.stores.includes('online') && !this.#applyOnline(write)) return false
    if (write.stores.includes('offline')) this.offline.push(offlineRowOf(write))
    return true
  }

  /** What `get` answers. */
  get(id: string): PlainRow | undefined {
    return this.slots.get(id)?.record
  }

  /** The ids that a listing gives. */
  ids(includeSoftDeleted: boolean): string[] {
    return [...this.slots]
      .filter(([, slot]) => includeSoftDeleted || slot.record !== undefined)
      .map(([id]) => id)
  }

  #applyOnline(write: Write): boolean {
    if (write.type === 'put') {
      const nanos = nanosOf(write.record.at)
      const slot = this.slots.get(write.record.id)
      if (slot === undefined || nanos >= slot.nanos) {
        this.slots.set(write.record.id, { nanos, record: stored(write.record) })
      }
      return true
    }
    const nanos = nanosOf(write.at)
    const slot = this.slots.get(write.id)
    const isLater = slot === undefined || nanos > slot.nanos
    if (write.mode === 'hard') {
      if (isLater) this.slots.delete(write.id)
      return isLater
    }
    if (isLater) this.slots.set(write.id, { nanos, record: undefined })
    return true
  }
}

/** A record as it is read back: without features that have no value, and numbers where they are exact. */
function stored(record: PlainRow): PlainRow {
  return Object.fromEntries(
    Object.entries(record)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => {
        const isSmall = typeof value === 'bigint' && Number.isSafeInteger(Number(value))
        return [name, isSmall ? Number(value) : value]
      }),
  )
}
