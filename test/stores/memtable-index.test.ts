/**
 * A memtable's index finds what was put into it and walks it in the order of the keys, however the hashes crowd.
 * The oracles are a Map and a sort.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type HashRange,
  hashRangeOfShard,
  type IndexMemory,
  MemtableIndex,
  STATE_ABSENT,
  STATE_RESOLVED,
} from '../../src/stores/memtable-index.ts'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { type PlacedRow, placeRows } from '../fixtures/packed-rows.ts'

const WHOLE = hashRangeOfShard(0, 1)

interface Entry {
  readonly id: string
  readonly high: number
  readonly low: number
}

/** Memory of another index, full of what must not be found again. */
const used = (capacity: number): IndexMemory => ({
  words: new Uint32Array((capacity + 64 + (capacity >>> 3)) * 4).fill(7),
  capacity,
})

class Table {
  readonly chunks = new RowChunks()
  readonly index: MemtableIndex
  /** Key to the newest row of the record. */
  readonly rows = new Map<string, PlacedRow>()
  readonly entries = new Map<string, Entry>()
  #lsn = 1

  constructor(range: HashRange = WHOLE, capacity?: number) {
    this.index = new MemtableIndex(range, this.chunks, capacity === undefined ? undefined : used(capacity))
  }

  put(entries: readonly Entry[], state = 0): void {
    const rows = entries.map(({ id, high, low }) => ({ id, seconds: 0, hash: { high, low } }))
    placeRows(this.chunks, rows, this.#lsn).forEach((placed, i) => {
      const slot = this.index.find(placed.chunk, placed.row)
      if (slot < 0) this.index.insert(slot, placed.chunk, placed.row, state)
      else this.index.replace(slot, placed.chunk, placed.row, state)
      const key = keyOf(entries[i]!)
      this.rows.set(key, placed)
      this.entries.set(key, entries[i]!)
    })
    this.#lsn += entries.length
  }

  /** All keys, in the order of the walk. */
  walk(): string[] {
    const keys: string[] = []
    const run: number[] = []
    for (let slot = 0; ; ) {
      slot = this.index.nextRun(slot, run)
      if (run.length === 0) return keys
      for (const each of run) {
        const chunk = this.index.chunkAt(each)
        const row = this.index.rowAt(each)
        const found = [...this.rows].find(([, placed]) => placed.chunk === chunk && placed.row === row)
        keys.push(found?.[0] ?? 'unknown')
      }
    }
  }

  check(): void {
    expect(this.index.size).toBe(this.rows.size)
    for (const [key, { chunk, row }] of this.rows) {
      const { id, high, low } = this.entries.get(key)!
      const bytes = Buffer.from(`?${id}`)
      const slot = this.index.findId(high, low, bytes, 1, bytes.length - 1)
      expect(slot).toBeGreaterThanOrEqual(0)
      expect(this.index.chunkAt(slot)).toBe(chunk)
      expect(this.index.rowAt(slot)).toBe(row)
    }
    expect(this.walk()).toEqual([...this.entries].sort(([, a], [, b]) => inOrder(a, b)).map(([key]) => key))
  }
}

const keyOf = ({ id, high, low }: Entry): string => `${high}:${low}:${id}`

const inOrder = (a: Entry, b: Entry): number =>
  a.high - b.high || a.low - b.low || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id))

/** Hashes at the ends of the range and in crowds, because an even spread would prove little. */
const entry = (range: HashRange): fc.Arbitrary<Entry> => {
  const last = range.low + range.span - 1
  return fc.record({
    id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }),
    high: fc.oneof(
      fc.integer({ min: range.low, max: last }),
      fc.constantFrom(range.low, range.low + 1, range.low + Math.floor(range.span / 2), last - 1, last),
    ),
    low: fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, 1, 0xffff_ffff)),
  })
}

describe("an index's memory", () => {
  it('serves another index, unless too little of it was used', () => {
    const first = new Table()
    const ids = Array.from({ length: 400 }, (_, i) => ({ id: `id-${i}`, high: i * 10_000_000, low: i }))
    first.put(ids.slice(0, 100))
    expect(first.index.memory).toBeUndefined()
    first.put(ids.slice(100))
    const memory = first.index.memory!
    const second = new MemtableIndex(WHOLE, first.chunks, memory)
    expect([second.size, second.bytes]).toEqual([0, first.index.bytes])
    expect(second.nextRun(0, [])).toBe(second.slotCount)
  })
})

describe('an index', () => {
  it.each([
    [0, 1],
    [0, 3],
    [1, 3],
    [2, 3],
    [255, 256],
  ])('of shard %i of %i finds every record and walks them in key order', (shard, shardCount) => {
    const range = hashRangeOfShard(shard, shardCount)
    fc.assert(
      fc.property(
        fc.array(fc.array(entry(range), { minLength: 1, maxLength: 30 }), { maxLength: 6 }),
        (batches) => {
          const table = new Table(range, 8)
          for (const batch of batches) table.put(batch)
          table.check()
        },
      ),
      { numRuns: 60 },
    )
  })

  it.each([0, 0x8000_0000, 0xffff_ffff])('holds a crowd of equal hashes at %i', (high) => {
    const table = new Table(WHOLE, 64)
    table.put(Array.from({ length: 300 }, (_, i) => ({ id: `id-${i}`, high, low: i % 3 })))
    table.check()
  })

  it('grows past its first table, and keeps the states', () => {
    const table = new Table()
    const entries = Array.from({ length: 5000 }, (_, i) => ({
      id: `id-${i}`,
      high: Math.imul(i, 0x9e37_79b1) >>> 0,
      low: i,
    }))
    table.put(entries.slice(0, 2500), STATE_ABSENT | STATE_RESOLVED)
    table.put(entries.slice(2500))
    expect(table.index.size).toBe(5000)
    entries.forEach(({ id, high, low }, i) => {
      const bytes = Buffer.from(id)
      const slot = table.index.findId(high, low, bytes, 0, bytes.length)
      expect(table.index.stateAt(slot)).toBe(i < 2500 ? (STATE_ABSENT | STATE_RESOLVED) >>> 0 : 0)
    })
  })

  it('spreads records that come in the order of their hashes, and takes a bounded table for it', () => {
    const longestRun = (table: Table): number => {
      const run: number[] = []
      let longest = 0
      for (let slot = 0; ; longest = Math.max(longest, run.length)) {
        slot = table.index.nextRun(slot, run)
        if (run.length === 0) return longest
      }
    }
    const inHashOrder = (step: number): Entry[] =>
      Array.from({ length: 5000 }, (_, i) => ({ id: `id-${i}`, high: i * step, low: i }))
    const spread = new Table()
    spread.put(inHashOrder(20_000))
    expect(longestRun(spread)).toBeLessThan(1500)
    // Neighbours that no table of a reasonable size can tell apart stay together.
    const crowd = new Table()
    crowd.put(inHashOrder(1))
    expect(longestRun(crowd)).toBe(5000)
    expect(crowd.index.bytes).toBeLessThan(5000 * 128 * 18)
    expect(crowd.walk().length).toBe(5000)
  })

  it('does not find what is not there', () => {
    const table = new Table()
    table.put([{ id: 'a', high: 5, low: 5 }])
    const find = (id: string, high: number, low: number): number => {
      const bytes = Buffer.from(id)
      return table.index.findId(high, low, bytes, 0, bytes.length)
    }
    expect(find('a', 5, 5)).toBeGreaterThanOrEqual(0)
    for (const slot of [find('b', 5, 5), find('a', 5, 6), find('a', 6, 5), find('aa', 5, 5)])
      expect(slot).toBeLessThan(0)
  })

  it('starts the walk anywhere: at the run that a hash belongs to', () => {
    const table = new Table(WHOLE, 64)
    const entries = Array.from({ length: 40 }, (_, i) => ({ id: `id-${i}`, high: i * 100_000_000, low: 0 }))
    table.put(entries)
    const run: number[] = []
    for (const { high } of entries) {
      const seen: number[] = []
      for (let slot = table.index.runStart(high); ; ) {
        slot = table.index.nextRun(slot, run)
        if (run.length === 0) break
        seen.push(...run)
      }
      // Everything from this hash on is there; a few before it may be, because they share its run.
      expect(seen.length).toBeGreaterThanOrEqual(entries.filter((each) => each.high >= high).length)
    }
  })
})

describe('the ranges of the shards', () => {
  it.each([1, 2, 3, 7, 8, 256])('of %i cover every hash once, in order', (shardCount) => {
    let next = 0
    for (let shard = 0; shard < shardCount; shard++) {
      const { low, span } = hashRangeOfShard(shard, shardCount)
      expect(low).toBe(next)
      expect(span).toBeGreaterThan(0)
      next = low + span
    }
    expect(next).toBe(0x1_0000_0000)
  })
})
