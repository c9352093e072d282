/**
 * Goal: a feature group's watermark tells the truth: every row up to it is in files, and none appears below it later.
 * Method: DuckDB counts the rows of the files; a clock that tests move tells writes apart; a race at the end.
 */
import { describe, expect, it } from 'vitest'
import { type FeatureGroup, ManualClock, type MillraceOptions } from '../../src/index.ts'
import { parquetFiles, queryOffline } from '../fixtures/offline-rows.ts'
import { openStore } from '../fixtures/open-store.ts'

const DEFINITION = {
  name: 'marks',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', n: 'Integral' },
} as const

type Marks = FeatureGroup<typeof DEFINITION>

const START = Date.UTC(2026, 2, 1, 12)
const AT = '2026-03-01T12:00:00Z'

async function openMarks(
  options: MillraceOptions = {},
): Promise<{ store: Awaited<ReturnType<typeof openStore>>; group: Marks; clock: ManualClock }> {
  const clock = new ManualClock(START)
  const store = await openStore({ clock, ...options })
  return { store, group: await store.createFeatureGroup(DEFINITION), clock }
}

const watermarkMs = async (group: { watermark(): Promise<Date> }): Promise<number> =>
  (await group.watermark()).getTime()

/** Rows in files whose invocation time is at or before a moment. */
async function rowsUpTo(directory: string, ms: number): Promise<number> {
  if (parquetFiles(directory).length === 0) return 0
  const [row] = await queryOffline(
    directory,
    `select count(*)::int as n from {offline} where epoch_us(api_invocation_time) <= ${ms * 1000}`,
  )
  return Number(row?.['n'])
}

describe('the watermark of a feature group', () => {
  it('stays before a write that waits for its file, and passes it once it is there (R-483)', async () => {
    const { group, clock } = await openMarks()
    for (let second = 0; second < 3; second++) {
      await group.put({ id: `id-${second}`, at: AT })
      clock.advance(1000)
    }
    expect(await watermarkMs(group)).toBeLessThan(START)
    await group.flush()
    expect(await watermarkMs(group)).toBe(START + 3000)
  })

  it('is the oldest row that waits on any shard, in any hour', async () => {
    const { group, clock } = await openMarks({ shards: 4, memoryBytes: 64 * 1024 * 1024 })
    await group.put({ id: 'published', at: AT })
    await group.flush()
    clock.advance(1000)
    await group.put({ id: 'oldest', at: '1999-01-01T00:00:00Z' })
    clock.advance(1000)
    await Promise.all(Array.from({ length: 50 }, (_, i) => group.put({ id: `${i}`, at: AT })))
    // Whole milliseconds, rounded down: the row has the first microsecond of its own.
    expect(await watermarkMs(group)).toBe(START + 999)
  })

  it('is not held back by other groups, nor by an idle time without writes', async () => {
    const { store, group, clock } = await openMarks()
    const other = await store.createFeatureGroup({ ...DEFINITION, name: 'other' })
    await Promise.all([group, other].map((each) => each.put({ id: 'a', at: AT })))
    await group.flush()
    clock.advance(60_000)
    expect(await watermarkMs(group)).toBe(START + 60_000)
    expect(await watermarkMs(other)).toBeLessThanOrEqual(START)
  })

  it('counts markers and rows of the offline store alone, not writes of the online store alone', async () => {
    const { group, clock } = await openMarks()
    await group.put({ id: 'a', at: AT }, { stores: ['online'] })
    clock.advance(1000)
    expect(await watermarkMs(group)).toBe(START + 1000)
    clock.advance(1000)
    await group.delete('a', AT)
    clock.advance(1000)
    expect(await watermarkMs(group)).toBe(START + 1999)
  })

  it('stays before rows that only the log has after a restart, and never passes them', async () => {
    const { store, group, clock } = await openMarks()
    await group.put({ id: 'a', at: AT })
    clock.advance(5000)
    await store.close({ flush: false })
    const again = await openStore({ clock }, store.directory)
    const reopened = again.featureGroup('marks')
    expect(await watermarkMs(reopened)).toBeLessThan(START)
    await reopened.flush()
    expect(await watermarkMs(reopened)).toBe(START + 5000)
  })

  it('goes on where it was when the wall clock is set back', async () => {
    const { group, clock } = await openMarks()
    clock.advance(10_000)
    const before = await watermarkMs(group)
    clock.set(START)
    await group.put({ id: 'a', at: AT })
    expect(await watermarkMs(group)).toBeGreaterThanOrEqual(before)
    await group.flush()
    expect(await watermarkMs(group)).toBeGreaterThanOrEqual(before)
  })

  it('has a write that is overtaken on its way stamped anew', async () => {
    const { store, group, clock } = await openMarks({ shards: 1 })
    // The put gathers until the end of this turn of the event loop; the question does not wait.
    const put = group.put({ id: 'a', at: AT })
    clock.advance(1000)
    const ms = await watermarkMs(group)
    expect(ms).toBe(START + 1000)
    await put
    await group.flush()
    expect(await rowsUpTo(store.directory, ms)).toBe(0)
    expect(await rowsUpTo(store.directory, ms + 1)).toBe(1)
  })

  it('is refused where there is no offline store', async () => {
    const { store } = await openMarks()
    const group = await store.createFeatureGroup({ ...DEFINITION, name: 'online-only', offline: false })
    await expect(group.watermark()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('never has a row appear below it, while writers and flushes race with it', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(DEFINITION)
    let isWriting = true
    const write = async (name: string): Promise<void> => {
      for (let n = 0; isWriting; n++) {
        if (n % 3 === 0)
          await group.ingest(Array.from({ length: 500 }, (_, i) => ({ id: `${i}`, at: AT, n })))
        else await Promise.all([group.put({ id: name, at: AT, n }), group.put({ id: `${n}`, at: AT, n })])
      }
    }
    const writers = ['a', 'b', 'c'].map(write)
    const seen: { ms: number; rows: number }[] = []
    for (let i = 0; i < 12; i++) {
      const flushed = i % 3 === 0 ? group.flush() : undefined
      const ms = await watermarkMs(group)
      seen.push({ ms, rows: await rowsUpTo(store.directory, ms) })
      await flushed
    }
    isWriting = false
    await Promise.all(writers)
    await group.flush()
    for (const { ms, rows } of seen) expect(await rowsUpTo(store.directory, ms)).toBe(rows)
    expect(seen.map(({ ms }) => ms)).toEqual(seen.map(({ ms }) => ms).sort((a, b) => a - b))
    expect(seen.at(-1)!.rows).toBeGreaterThan(0)
  })
})
