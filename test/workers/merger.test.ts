/** A merge carries every record of a memtable into the partition, in slices, whatever is dropped meanwhile. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Memtable } from '../../src/stores/memtable.ts'
import { hashRangeOfShard } from '../../src/stores/memtable-index.ts'
import { OnlinePartition } from '../../src/stores/online-partition.ts'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { Merger } from '../../src/workers/merger.ts'
import { placeRows } from '../fixtures/packed-rows.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

let partition: OnlinePartition
beforeEach(() => {
  partition = new OnlinePartition(temporaryDirectory())
})
afterEach(() => partition.close())

/** A memtable with some records in each of some feature groups. */
function memtableOf(records: ReadonlyMap<number, number>): Memtable {
  const chunks = new RowChunks()
  const memtable = new Memtable(hashRangeOfShard(0, 1), chunks)
  let lsn = 1
  for (const [featureGroup, count] of records) {
    const index = memtable.indexFor(featureGroup)
    if (count === 0) continue
    const rows = Array.from({ length: count }, (_, i) => ({ id: `id-${i}`, seconds: 1 }))
    for (const { chunk, row } of placeRows(chunks, rows, lsn)) memtable.upsert(index, chunk, row)
    lsn += count
  }
  return memtable
}

const recordsIn = (featureGroup: number): number =>
  [...partition.list(featureGroup, undefined, 100_000)].length

function mergeAll(merger: Merger, sliceRecords: number): number {
  let steps = 1
  while (merger.step(sliceRecords)) steps++
  return steps
}

describe('a merge', () => {
  it.each([1, 10, 1000, 100_000])('in slices of %i records carries all of them', (sliceRecords) => {
    const merger = new Merger(
      memtableOf(
        new Map([
          [3, 700],
          [1, 900],
        ]),
      ),
      partition,
    )
    expect(merger.remaining).toBe(1600)
    const steps = mergeAll(merger, sliceRecords)
    expect([recordsIn(1), recordsIn(3)]).toEqual([900, 700])
    expect(merger.remaining).toBe(0)
    // A run of neighbouring slots is never cut, so a slice may be somewhat larger than asked for.
    expect(steps).toBeLessThanOrEqual(Math.ceil(1600 / sliceRecords) + 4)
    expect(merger.step(sliceRecords)).toBe(false)
  })

  it('of a memtable without records is over at once', () => {
    expect(new Merger(memtableOf(new Map()), partition).step(10)).toBe(false)
    expect(
      mergeAll(
        new Merger(
          memtableOf(
            new Map([
              [1, 0],
              [2, 0],
            ]),
          ),
          partition,
        ),
        10,
      ),
    ).toBeLessThan(4)
  })

  it('leaves out a feature group that is dropped while it runs', () => {
    for (const dropped of [1, 2, 3]) {
      const memtable = memtableOf(
        new Map([
          [1, 100],
          [2, 100],
          [3, 100],
        ]),
      )
      const merger = new Merger(memtable, partition)
      merger.step(10)
      memtable.drop(dropped)
      while (partition.removeFeatureGroup(dropped, 1000));
      mergeAll(merger, 10)
      expect([1, 2, 3].map(recordsIn)).toEqual([1, 2, 3].map((each) => (each === dropped ? 0 : 100)))
      for (const each of [1, 2, 3]) while (partition.removeFeatureGroup(each, 1000));
    }
  })
})
