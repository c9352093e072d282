/**
 * Goal: the service columns tell which of two rows of an id is the later one, whatever raced and whatever the clock
 * did, so that "the latest row" of the files and the online record agree.
 * Method: writes of one event time to few ids, on a clock that stands, jumps back or runs; DuckDB reads the files.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FeatureGroup, ManualClock, type Millrace } from '../../src/index.ts'
import { queryOffline } from '../fixtures/offline-rows.ts'
import { openStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const DEFINITION = {
  name: 'stamped',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', n: 'Integral' },
} as const

type Stamped = FeatureGroup<typeof DEFINITION>

const AT = '2026-03-01T12:00:00Z'
const START = Date.parse(AT)

interface StampedRow {
  readonly id: string
  readonly n: number | null
  readonly isDeleted: boolean
  readonly writeUs: bigint
  readonly invocationUs: bigint
  readonly file: string
}

/** All rows, by id and then by the time at which the store received them. */
async function stampedRows(store: Millrace): Promise<StampedRow[]> {
  await store.flush()
  const rows = await queryOffline(
    store.directory,
    `select id, n, is_deleted, filename, epoch_us(write_time) as w, epoch_us(api_invocation_time) as i
     from {offline} order by id, i, w`,
  )
  return rows.map(({ id, n, is_deleted, filename, w, i }) => ({
    id: String(id),
    n: n === null || n === undefined ? null : Number(n),
    isDeleted: is_deleted === true,
    writeUs: BigInt(String(w)),
    invocationUs: BigInt(String(i)),
    file: String(filename),
  }))
}

/** No two rows of an id have the same stamp. */
function expectNoTies(rows: readonly StampedRow[]): void {
  const stamps = new Set(rows.map(({ id, invocationUs }) => `${id} ${invocationUs}`))
  expect(stamps.size).toBe(rows.length)
}

/** */
function expectWriteTimes(rows: readonly StampedRow[]): void {
  const writeTimes = new Map<string, bigint>()
  for (const { file, writeUs, invocationUs } of rows) {
    expect(writeUs).toBeGreaterThanOrEqual(invocationUs)
    expect(writeTimes.get(file) ?? writeUs).toBe(writeUs)
    writeTimes.set(file, writeUs)
  }
}

const numbersOf = (rows: readonly StampedRow[], id: string): (number | null)[] =>
  rows.filter((row) => row.id === id).map(({ n }) => n)

describe('invocation times', () => {
  it('rise strictly for one id in the order of its writes, though the clock stands (R-479)', async () => {
    const store = await openStore({ clock: new ManualClock(START) })
    const group = await store.createFeatureGroup(DEFINITION)
    for (let n = 0; n < 20; n++) await group.put({ id: 'a', at: AT, n })
    await Promise.all(Array.from({ length: 20 }, (_, i) => group.put({ id: 'a', at: AT, n: 20 + i })))
    await group.delete('a', AT)
    await group.put({ id: 'a', at: AT, n: 40 })
    const rows = await stampedRows(store)
    expect(numbersOf(rows, 'a')).toEqual([...Array(40).keys(), null, 40])
    expectNoTies(rows)
    expectWriteTimes(rows)
    // One microsecond each: they stay with the clock.
    const span = rows.at(-1)!.invocationUs - BigInt(START * 1000)
    expect(Number(span)).toBeLessThanOrEqual(rows.length)
  })

  it('of rows of one call differ where they are of one id, in the order given; online only the last is kept (R-290, R-427, R-480)', async () => {
    const store = await openStore({ clock: new ManualClock(START) })
    const group = await store.createFeatureGroup(DEFINITION)
    await group.ingest(Array.from({ length: 1000 }, (_, n) => ({ id: `${n % 7}`, at: AT, n })))
    const rows = await stampedRows(store)
    expect(rows.length).toBe(1000)
    expectNoTies(rows)
    for (let id = 0; id < 7; id++) {
      const numbers = numbersOf(rows, `${id}`)
      expect(numbers).toEqual([...numbers].sort((a, b) => Number(a) - Number(b)))
      expect((await group.get(`${id}`))?.n).toBe(numbers.at(-1))
    }
  })

  it('agree with the online store, whatever races: the latest row is the record (R-479)', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(DEFINITION)
    const ids = ['a', 'b', 'c']
    const puts = async (from: number): Promise<void> => {
      for (let n = from; n < from + 150; n++) {
        const id = ids[n % 3]!
        // Equal event times: the last arrival wins, deletes do not, hard deletes are refused.
        if (n % 11 === 0) await group.delete(id, AT)
        else
          await Promise.all([group.put({ id, at: AT, n }), group.put({ id: ids[(n + 1) % 3]!, at: AT, n })])
      }
    }
    const ingests = async (from: number): Promise<void> => {
      for (let i = 0; i < 10; i++) {
        await group.ingest(Array.from({ length: 300 }, (_, n) => ({ id: ids[n % 3]!, at: AT, n: from + n })))
      }
    }
    await Promise.all([
      puts(0),
      puts(10_000),
      ingests(20_000),
      ingests(30_000),
      group.flush(),
      ingests(40_000),
    ])
    const rows = await stampedRows(store)
    expectNoTies(rows)
    expectWriteTimes(rows)
    for (const id of ids) {
      const last = rows.filter((row) => row.id === id && !row.isDeleted).at(-1)
      expect((await group.get(id))?.n).toBe(last?.n)
    }
  })

  it('go on behind those of before when the store is opened again with its clock set back (R-455, R-479)', async () => {
    const directory = temporaryDirectory()
    const clock = new ManualClock(START)
    for (let n = 0; n < 6; n++) {
      const store = await openStore({ clock }, directory)
      const group = await store.ensureFeatureGroup(DEFINITION)
      await group.put({ id: 'a', at: AT, n })
      if (n % 3 === 1) await store.flush()
      // With and without rows in the log, with and without rows in files.
      await store.close({ flush: n % 2 === 0 })
      clock.advance(-60_000)
    }
    const store = await openStore({ clock }, directory)
    const rows = await stampedRows(store)
    expect(numbersOf(rows, 'a')).toEqual([0, 1, 2, 3, 4, 5])
    expectNoTies(rows)
    expectWriteTimes(rows)
    expect((await store.featureGroup('stamped').get('a'))?.['n']).toBe(5)
  })

  it('of markers of expired records lie behind the record, and before what is written next (R-399, R-479)', async () => {
    const clock = new ManualClock(START)
    const store = await openStore({ clock })
    const group = await store.createFeatureGroup(DEFINITION)
    await group.put({ id: 'a', at: AT, n: 1 }, { ttl: { unit: 'Seconds', value: 1 } })
    clock.advance(1000)
    await store.expire()
    clock.advance(-1000)
    await group.put({ id: 'a', at: '2026-03-01T12:00:01Z', n: 2 })
    expect(numbersOf(await stampedRows(store), 'a')).toEqual([1, null, 2])
  })

  it('are ordered for any interleaving of writes, flushes and jumps of the clock (R-455, R-479)', async () => {
    type Step = 'put' | 'ingest' | 'delete' | 'flush' | 'back' | 'forth'
    const steps = fc.array(
      fc.constantFrom<Step>('put', 'put', 'ingest', 'delete', 'flush', 'back', 'forth'),
      { minLength: 5, maxLength: 25 },
    )
    const clock = new ManualClock(START)
    const store = await openStore({ clock })
    let run = 0
    const play = async (group: Stamped, id: string, taken: readonly Step[]): Promise<(number | null)[]> => {
      const expected: (number | null)[] = []
      const waiting: Promise<unknown>[] = []
      for (const [n, step] of taken.entries()) {
        if (step === 'put') waiting.push(group.put({ id, at: AT, n }))
        if (step === 'delete') waiting.push(group.delete(id, AT))
        if (step === 'put') expected.push(n)
        if (step === 'delete') expected.push(null)
        if (step === 'back') clock.advance(-777)
        if (step === 'forth') clock.advance(1234)
        if (step === 'ingest' || step === 'flush') {
          // Puts are acknowledged first, so that the order in which they are accepted is known.
          await Promise.all(waiting.splice(0))
          if (step === 'flush') await group.flush()
          else await group.ingest([n, n].map((each) => ({ id, at: AT, n: each })))
          if (step === 'ingest') expected.push(n, n)
        }
      }
      await Promise.all(waiting)
      return expected
    }
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const name = `run-${run++}`
        const group = await store.createFeatureGroup({ ...DEFINITION, name })
        const expected = await play(group as unknown as Stamped, name, taken)
        if (expected.length === 0) return
        const rows = (await stampedRows(store)).filter(({ id }) => id === name)
        expect(rows.map(({ n }) => n)).toEqual(expected)
        expectNoTies(rows)
        expectWriteTimes(rows)
      }),
      { numRuns: 12 },
    )
  })
})
