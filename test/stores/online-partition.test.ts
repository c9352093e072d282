/**
 * What a memtable folded and a merge laid over LMDB is what applying the operations one by one gives, and merging the
 * same again changes nothing: neither records nor counts. The oracle is a Map. One LMDB environment serves all runs;
 * each run is a feature group of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FLAG_TOMBSTONE, VALUE_FLAGS, VALUE_LSN, VALUE_SECONDS } from '../../src/codec/row.ts'
import type { Version } from '../../src/codec/version.ts'
import { hashHigh, hashLow } from '../../src/core/record-hash.ts'
import { Memtable } from '../../src/stores/memtable.ts'
import { hashRangeOfShard } from '../../src/stores/memtable-index.ts'
import { OnlinePartition } from '../../src/stores/online-partition.ts'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { placeRows, type TestRow } from '../fixtures/packed-rows.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const RANGE = hashRangeOfShard(0, 1)

interface Slot {
  readonly seconds: number
  readonly lsn: number
  readonly isTombstone: boolean
}

type Operation = Pick<TestRow, 'id' | 'seconds'> & { readonly operation: 'put' | 'soft' | 'hard' }

/** As the shard does: a hard delete that is not later never reaches the log. */
function applied(slots: Map<string, Slot>, { id, seconds, operation }: Operation, lsn: number): boolean {
  const slot = slots.get(id)
  const isLater = slot === undefined || seconds > slot.seconds
  if (operation === 'hard') {
    if (!isLater) return false
    slots.delete(id)
  } else if (isLater || (operation === 'put' && seconds === slot.seconds)) {
    slots.set(id, { seconds, lsn, isTombstone: operation === 'soft' })
  }
  return true
}

function get(partition: OnlinePartition, featureGroup: number, id: string): Version | undefined {
  const bytes = Buffer.from(id)
  return partition.get(
    featureGroup,
    hashHigh(bytes, 0, bytes.length),
    hashLow(bytes, 0, bytes.length),
    bytes,
    0,
    bytes.length,
  )
}

function slotOf(value: Version | undefined): Slot | undefined {
  if (value === undefined) return undefined
  const { bytes, start } = value
  return {
    seconds: bytes.readDoubleLE(start + VALUE_SECONDS),
    lsn: bytes.readDoubleLE(start + VALUE_LSN),
    isTombstone: (bytes[start + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0,
  }
}

/** A memtable of some operations, with LSNs from `firstLsn`. */
function memtableOf(featureGroup: number, operations: readonly Operation[], firstLsn: number): Memtable {
  const chunks = new RowChunks()
  const memtable = new Memtable(RANGE, chunks)
  const index = memtable.indexFor(featureGroup)
  if (operations.length === 0) return memtable
  placeRows(chunks, operations, firstLsn).forEach(({ chunk, row }, i) => {
    if (operations[i]!.operation === 'hard') memtable.remove(index, chunk, row)
    else memtable.upsert(index, chunk, row)
  })
  return memtable
}

function merge(partition: OnlinePartition, featureGroup: number, memtable: Memtable): void {
  const index = memtable.indexes.get(featureGroup)!
  const run: number[] = []
  const slots: number[] = []
  for (let slot = 0; ; ) {
    slot = index.nextRun(slot, run)
    if (run.length === 0) break
    slots.push(...run)
  }
  partition.merge(featureGroup, index, slots)
}

const LONG = 'long '.repeat(400)
const operation: fc.Arbitrary<Operation> = fc.record({
  id: fc.constantFrom('a', 'b', 'c', `${LONG}x`, `${LONG}y`),
  seconds: fc.integer({ min: 1, max: 4 }),
  operation: fc.constantFrom('put' as const, 'put' as const, 'soft' as const, 'hard' as const),
})

describe('merged generations', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  let partition: OnlinePartition
  let featureGroup = 0
  beforeAll(() => {
    partition = new OnlinePartition(directory)
  })
  afterAll(async () => {
    await partition.close()
    rmSync(directory, { recursive: true, force: true })
  })

  function check(slots: ReadonlyMap<string, Slot>): void {
    for (const id of ['a', 'b', 'c', `${LONG}x`, `${LONG}y`]) {
      expect(slotOf(get(partition, featureGroup, id)), id.slice(-9)).toEqual(slots.get(id))
    }
    const listed = [...partition.list(featureGroup, undefined, 100)]
    expect(listed.map(({ id }) => id.toString()).sort()).toEqual([...slots.keys()].sort())
    const tombstones = [...slots.values()].filter((slot) => slot.isTombstone).length
    const { records, tombstones: counted, bytes } = partition.countsOf(featureGroup)
    expect({ records, counted }).toEqual({ records: slots.size - tombstones, counted: tombstones })
    expect(bytes > 0).toBe(records > 0)
  }

  it('give what applying the operations one by one gives, also if some are merged again', () => {
    const generation = fc.record({
      operations: fc.array(operation, { maxLength: 12 }),
      isRepeated: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(generation, { minLength: 1, maxLength: 5 }), (generations) => {
        featureGroup++
        const slots = new Map<string, Slot>()
        let lsn = 1
        for (const { operations, isRepeated } of generations) {
          const firstLsn = lsn
          const accepted = operations.filter((each) => {
            if (!applied(slots, each, lsn)) return false
            lsn++
            return true
          })
          const memtable = memtableOf(featureGroup, accepted, firstLsn)
          merge(partition, featureGroup, memtable)
          check(slots)
          if (!isRepeated) continue
          merge(partition, featureGroup, memtable)
          check(slots)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('replayed from an earlier LSN, in other generations, end in the same slots', () => {
    const cuts = fc.array(fc.nat(40), { maxLength: 4 })
    fc.assert(
      fc.property(
        fc.array(operation, { minLength: 1, maxLength: 40 }),
        cuts,
        cuts,
        (operations, first, second) => {
          featureGroup++
          const slots = new Map<string, Slot>()
          let lsn = 1
          const accepted = operations.filter((each) => applied(slots, each, lsn) && ++lsn > 0)
          // Merged once, and then, as after a crash before the merge was confirmed, all of it once more.
          for (const ends of [first, second]) {
            let from = 0
            for (const end of [...new Set([...ends, accepted.length])].sort((a, b) => a - b)) {
              const to = Math.min(end, accepted.length)
              merge(partition, featureGroup, memtableOf(featureGroup, accepted.slice(from, to), from + 1))
              from = to
            }
          }
          check(slots)
        },
      ),
      { numRuns: 150 },
    )
  })
})

describe('a partition', () => {
  it('keeps records, counts and the merged LSN over a restart', async () => {
    const directory = temporaryDirectory()
    const first = new OnlinePartition(directory)
    expect(first.mergedLsn).toBe(0)
    const rows = [
      { id: 'a', seconds: 1, operation: 'put' as const },
      { id: 'b', seconds: 1, operation: 'soft' as const },
    ]
    merge(first, 1, memtableOf(1, rows, 1))
    await first.confirm(2)
    const { bytes } = first.countsOf(1)
    await first.close()
    const second = new OnlinePartition(directory)
    expect(second.mergedLsn).toBe(2)
    expect(second.countsOf(1)).toEqual({ records: 1, tombstones: 1, bytes, expiring: 0 })
    expect(slotOf(get(second, 1, 'a'))).toEqual({ seconds: 1, lsn: 1, isTombstone: false })
    await second.close()
  })

  it('lists in pages of keys, and removes one feature group in portions without touching its neighbours', async () => {
    const partition = new OnlinePartition(temporaryDirectory())
    const rows = Array.from({ length: 50 }, (_, i) => ({
      id: `id-${i}`,
      seconds: 1,
      operation: 'put' as const,
    }))
    for (const featureGroup of [1, 2, 0xffff_fffe])
      merge(partition, featureGroup, memtableOf(featureGroup, rows, 1))
    const keys: string[] = []
    for (let after: Buffer | undefined; ; ) {
      const page = [...partition.list(2, after, 7)]
      keys.push(...page.map(({ key }) => key.toString('hex')))
      if (page.length < 7) break
      after = page.at(-1)!.key
    }
    expect(keys.length).toBe(50)
    expect(keys).toEqual([...keys].sort())

    let portions = 0
    while (partition.removeFeatureGroup(2, 20)) portions++
    expect(portions).toBe(2)
    expect([...partition.list(2, undefined, 100)]).toEqual([])
    expect(partition.counts.has(2)).toBe(false)
    for (const featureGroup of [1, 0xffff_fffe]) {
      expect([...partition.list(featureGroup, undefined, 100)].length).toBe(50)
      expect(partition.countsOf(featureGroup).records).toBe(50)
    }
    await partition.close()
  })
})
