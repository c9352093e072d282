/**
 * Goal: operations may be folded before the stored version under them is known, and the winner alone laid over it:
 * that gives the slot which applying all of them one by one gives. The memtable and the merge rest on this.
 * Method: every sequence of up to five puts and soft deletes at three times, over every slot; the rules of the
 * specification are written out again here.
 */
import { describe, expect, it } from 'vitest'
import { replaces } from '../../src/stores/slot-rules.ts'

interface Version {
  readonly isTombstone: boolean
  readonly time: number
  /** Which operation made it. */
  readonly label: string
}

/** b.4 and b.7: a put replaces what is not later, a soft delete what is earlier. */
const applied = (slot: Version | undefined, operation: Version): Version => {
  if (slot === undefined) return operation
  if (operation.isTombstone) return operation.time > slot.time ? operation : slot
  return operation.time >= slot.time ? operation : slot
}

const folded = (older: Version, newer: Version): Version =>
  replaces(newer.isTombstone, newer.time, 0, older.time, 0) ? newer : older

const TIMES = [1, 2, 3]
const KINDS = [false, true]

const SLOTS: readonly (Version | undefined)[] = [
  undefined,
  ...TIMES.flatMap((time) => KINDS.map((isTombstone) => ({ isTombstone, time, label: 'stored' }))),
]

function* sequences(length: number): Generator<Version[]> {
  if (length === 0) {
    yield []
    return
  }
  for (const rest of sequences(length - 1)) {
    for (const time of TIMES) {
      for (const isTombstone of KINDS) yield [...rest, { isTombstone, time, label: `operation ${length}` }]
    }
  }
}

describe('folding', () => {
  it.each([1, 2, 3, 4, 5])(
    'of any %i operations, laid over any slot, is applying them one by one',
    (length) => {
      for (const operations of sequences(length)) {
        const winner = operations.reduce(folded)
        for (const slot of SLOTS) {
          const oneByOne = operations.reduce<Version | undefined>(applied, slot)
          const laidOver = slot === undefined ? winner : folded(slot, winner)
          if (laidOver !== oneByOne)
            expect({ operations, slot, laidOver }).toEqual({ operations, slot, laidOver: oneByOne })
        }
      }
    },
  )
})

describe('an operation (R-112, R-113, R-114, R-226)', () => {
  it.each([
    ['put', 'later', true],
    ['put', 'equal', true],
    ['put', 'earlier', false],
    ['soft delete', 'later', true],
    ['soft delete', 'equal', false],
    ['soft delete', 'earlier', false],
  ])('%s at an %s time replaces the slot: %s', (kind, order, expected) => {
    const isTombstone = kind === 'soft delete'
    const nanos = order === 'later' ? 6 : order === 'equal' ? 5 : 4
    expect(replaces(isTombstone, 10, nanos, 10, 5)).toBe(expected)
    const seconds = order === 'later' ? 11 : order === 'equal' ? 10 : 9
    const otherNanos = order === 'equal' ? 5 : order === 'later' ? 0 : 999_999_999
    expect(replaces(isTombstone, seconds, otherNanos, 10, 5)).toBe(expected)
  })
})
