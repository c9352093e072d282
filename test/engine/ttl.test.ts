/**
 * Goal: times to live (b.11): who decides how long a record stays, that it is gone to the millisecond for every reader
 * and writer, and that each expired record leaves the online store with one marker, whatever happened to it before.
 * Method: a clock that only moves when it is told to. Stores reclaim by themselves every half second, so nothing here
 * may depend on whether they did; `expire()` makes them.
 */
import type { Json } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import {
  type FeatureGroup,
  ManualClock,
  type Millrace,
  type MillraceOptions,
  type OnlineStoreOptions,
  type TimeToLive,
} from '../../src/index.ts'
import { offlineRows, parquetFiles, queryOffline } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'

const FEATURES = { id: 'String', at: 'String', n: 'Integral', s: 'String' } as const
const DEFINITION = { name: 'fading', recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const
/** The event time is a number, and so is the id. */
const NUMERIC = {
  name: 'numeric',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'Integral', at: 'Fractional', s: 'String' },
} as const

type Fading = FeatureGroup<typeof DEFINITION>

const AT = '2026-03-01T12:00:00Z'
const START = Date.parse(AT)
const EARLIER = '2026-03-01T11:59:00Z'
const LATER = '2026-03-01T12:00:01Z'

const seconds = (value: number): TimeToLive => ({ unit: 'Seconds', value })
const TEN = { ttl: seconds(10) }

interface Opened {
  readonly store: Millrace
  readonly group: Fading
  readonly clock: ManualClock
}

async function openFading(options: MillraceOptions = {}, online: OnlineStoreOptions = {}): Promise<Opened> {
  const clock = new ManualClock(START)
  const store = await openStore({ clock, ...options })
  const definition = { ...DEFINITION, online: { tier: 'Standard_V2', ...online } } as const
  return { store, group: await store.createFeatureGroup(definition), clock }
}

async function idsOf(group: Fading, includeSoftDeleted = false): Promise<string[]> {
  const ids: string[] = []
  for await (const id of group.ids({ includeSoftDeleted, pageSize: 2 })) ids.push(id)
  return ids.sort()
}

/** Flushes, and gives the rows of the offline store in the order in which they were accepted. */
async function history(store: Millrace): Promise<Record<string, Json>[]> {
  await store.flush()
  if (parquetFiles(store.directory).length === 0) return []
  return queryOffline(store.directory, 'select * from {offline} order by api_invocation_time, id')
}

/** Takes out what has expired. @returns how many have, since the store was opened; it does so by itself too */
async function expiredOf(store: Millrace): Promise<number> {
  await store.expire()
  return (await store.stats()).shards.reduce((sum, { expired }) => sum + expired, 0)
}

const markersOf = async (store: Millrace): Promise<Record<string, Json>[]> =>
  (await history(store)).filter((row) => row['is_deleted'] === true)

describe('an expiry', () => {
  it.each(['in the memtable', 'in LMDB'])(
    'hides a record %s from its millisecond on, and not one before (R-163, R-327, R-354, R-390, R-395)',
    async (place) => {
      const { store, group, clock } = await openFading()
      await group.put({ id: 'a', at: AT, n: 1 }, TEN)
      await group.put({ id: 'stays', at: AT })
      if (place === 'in LMDB') await store.flush()
      clock.set(START + 9_999)
      expect(await group.get('a')).toEqual({ id: 'a', at: AT, n: 1 })
      expect(await idsOf(group)).toEqual(['a', 'stays'])
      await group.update('a', { n: 2 })
      clock.set(START + 10_000)
      expect(await group.get('a')).toBeUndefined()
      expect((await group.getMany(['a', 'stays', 'a'])).map((record) => record?.id)).toEqual([
        undefined,
        'stays',
        undefined,
      ])
      expect(await idsOf(group)).toEqual(['stays'])
      expect(await idsOf(group, true)).toEqual(['stays'])
      await expect(group.update('a', { n: 3 })).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' })
    },
  )

  it('has the nanoseconds of the event time, also of a Fractional one (R-402)', async () => {
    const { store, group, clock } = await openFading()
    const numeric = await store.createFeatureGroup(NUMERIC)
    await group.put({ id: 'a', at: '2026-03-01T12:00:00.000000001Z' }, TEN)
    await numeric.put({ id: 1, at: START / 1000 + 0.25 }, TEN)
    clock.set(START + 10_000)
    expect(await group.get('a')).toBeDefined()
    clock.set(START + 10_001)
    expect(await group.get('a')).toBeUndefined()
    clock.set(START + 10_249)
    expect(await numeric.get(1)).toBeDefined()
    clock.set(START + 10_250)
    expect(await numeric.get(1)).toBeUndefined()
  })

  it('counts from the event time, whenever the call was made (R-390)', async () => {
    const { group, clock } = await openFading()
    clock.advance(3_600_000)
    await group.put({ id: 'a', at: AT }, { ttl: seconds(3601) })
    await group.put({ id: 'future', at: '2030-01-01T00:00:00Z' }, TEN)
    expect(await idsOf(group)).toEqual(['a', 'future'])
    clock.advance(1000)
    expect(await idsOf(group)).toEqual(['future'])
    clock.set(Date.UTC(2030, 0, 1, 0, 0, 9, 999))
    expect(await idsOf(group)).toEqual(['future'])
    clock.advance(1)
    expect(await idsOf(group)).toEqual([])
  })

  it('in the past is accepted: the record is never seen, what it replaces is gone, its row is offline (R-396)', async () => {
    const { store, group, clock } = await openFading()
    await group.put({ id: 'a', at: EARLIER, n: 1 })
    clock.advance(60_000)
    await group.put({ id: 'a', at: AT, n: 2 }, TEN)
    await group.put({ id: 'new', at: AT, n: 3 }, TEN)
    expect(await group.getMany(['a', 'new'])).toEqual([undefined, undefined])
    expect(await idsOf(group, true)).toEqual([])
    expect(await expiredOf(store)).toBe(0)
    // Nothing left that could expire, so no marker either.
    expect((await history(store)).map(({ n, is_deleted }) => [n, is_deleted])).toEqual([
      ['1', false],
      ['2', false],
      ['3', false],
    ])
  })

  it('of an older put is discarded with it (R-397)', async () => {
    const { store, group, clock } = await openFading()
    await group.put({ id: 'kept', at: AT })
    await group.put({ id: 'timed', at: AT }, { ttl: seconds(100) })
    for (const id of ['kept', 'timed']) await group.put({ id, at: EARLIER }, { ttl: seconds(65) })
    clock.set(START + 99_999)
    expect(await idsOf(group)).toEqual(['kept', 'timed'])
    clock.advance(1)
    expect(await idsOf(group)).toEqual(['kept'])
    expect(await expiredOf(store)).toBe(1)
  })

  it('is replaced with its record: a put without one makes it permanent (R-400)', async () => {
    const { store, group, clock } = await openFading()
    for (const id of ['permanent', 'longer', 'shorter']) await group.put({ id, at: AT }, TEN)
    await store.flush()
    await group.put({ id: 'permanent', at: AT })
    await group.put({ id: 'longer', at: AT }, { ttl: seconds(20) })
    await group.put({ id: 'shorter', at: AT }, { ttl: seconds(5) })
    clock.advance(5000)
    expect(await idsOf(group)).toEqual(['longer', 'permanent'])
    clock.advance(15_000)
    expect(await idsOf(group)).toEqual(['permanent'])
    await store.expire()
    clock.set(Date.UTC(2250, 11, 31))
    expect(await idsOf(group)).toEqual(['permanent'])
    expect((await markersOf(store)).map(({ id }) => id).sort()).toEqual(['longer', 'shorter'])
  })

  it('is kept by a tombstone, which then disappears without a second marker (R-239, R-327)', async () => {
    const { store, group, clock } = await openFading()
    await group.put({ id: 'a', at: AT }, TEN)
    await group.delete('a', LATER)
    await group.delete('a', '2026-03-01T12:00:02Z')
    await store.flush()
    clock.set(START + 9999)
    expect(await idsOf(group, true)).toEqual(['a'])
    clock.advance(1)
    expect(await idsOf(group, true)).toEqual([])
    expect(await expiredOf(store)).toBe(1)
    expect((await markersOf(store)).map(({ at }) => at)).toEqual([LATER, '2026-03-01T12:00:02Z'])
    // The slot is as empty as if there had never been a record.
    await group.put({ id: 'a', at: EARLIER })
    expect(await group.get('a')).toEqual({ id: 'a', at: EARLIER })
  })
})

describe('how long a record stays', () => {
  const clock = new ManualClock(START)
  const store = sharedStore({ clock, expiryMarkers: false })

  it.each([
    ['the default of its group', 20, undefined, 20],
    ['its own, though it is shorter', 20, 10, 10],
    ['its own, though it is longer', 20, 30, 30],
    ['its own, where the group has none', undefined, 10, 10],
  ])('is %s (R-391)', async (what, groupSeconds, ownSeconds, expected) => {
    clock.set(START)
    const name = what.replace(/\W+/g, '-')
    const online = groupSeconds === undefined ? {} : { ttl: seconds(groupSeconds) }
    const group = await store.current.createFeatureGroup({ ...DEFINITION, name, online })
    const own = ownSeconds === undefined ? {} : { ttl: seconds(ownSeconds) }
    await group.put({ id: 'put', at: AT }, own)
    await group.ingest([{ id: 'ingested', at: AT }], own)
    clock.set(START + expected * 1000 - 1)
    expect(await idsOf(group as unknown as Fading)).toEqual(['ingested', 'put'])
    clock.advance(1)
    expect(await idsOf(group as unknown as Fading)).toEqual([])
  })

  it('is that of the example: 30 seconds for the group, 15 for a record of its own (R-406)', async () => {
    clock.set(START)
    const online = { ttl: seconds(30) }
    const group = await store.current.createFeatureGroup({ ...DEFINITION, name: 'example', online })
    await group.put({ id: 'group', at: AT })
    await group.put({ id: 'own', at: AT }, { ttl: seconds(15) })
    const found = async (): Promise<boolean[]> =>
      (await group.getMany(['group', 'own'])).map((record) => record !== undefined)
    expect(await found()).toEqual([true, true])
    clock.advance(15_000)
    expect(await found()).toEqual([true, false])
    clock.advance(20_000)
    expect(await found()).toEqual([false, false])
    expect(await group.get('group')).toBeUndefined()
  })

  it('has no end by default (R-392)', async () => {
    clock.set(START)
    const group = await store.current.createFeatureGroup({ ...DEFINITION, name: 'endless' })
    await group.put({ id: 'a', at: AT })
    clock.set(Date.UTC(2250, 11, 31))
    expect(await group.get('a')).toBeDefined()
  })

  it.each([
    ['Seconds', 1000],
    ['Minutes', 60_000],
    ['Hours', 3_600_000],
    ['Days', 86_400_000],
    ['Weeks', 604_800_000],
  ] as const)('may be told in %s, of %i milliseconds each (R-403)', async (unit, ms) => {
    clock.set(START)
    const group = await store.current.createFeatureGroup({ ...DEFINITION, name: unit })
    await group.put({ id: 'a', at: AT }, { ttl: { unit, value: 3 } })
    clock.set(START + ms * 3 - 1)
    expect(await group.get('a')).toBeDefined()
    clock.advance(1)
    expect(await group.get('a')).toBeUndefined()
  })

  it.each(['Standard', 'Standard_V2'] as const)('works in the tier %s (R-408)', async (tier) => {
    clock.set(START)
    const group = await store.current.createFeatureGroup({
      ...DEFINITION,
      name: `in-${tier}`,
      online: { tier },
    })
    await group.put({ id: 'a', at: AT }, TEN)
    clock.advance(10_000)
    expect(await group.get('a')).toBeUndefined()
  })

  it('works in the tier InMemory (R-408)', async () => {
    clock.set(START)
    const group = await store.current.createFeatureGroup({
      ...DEFINITION,
      name: 'in-memory',
      online: { tier: 'InMemory' },
      offline: false,
    })
    await group.put({ id: 'a', at: AT }, TEN)
    clock.advance(10_000)
    expect(await group.get('a')).toBeUndefined()
  })

  it.each([
    [{ unit: 'Seconds', value: 0 }],
    [{ unit: 'Seconds', value: -1 }],
    [{ unit: 'Seconds', value: 1.5 }],
    [{ unit: 'Seconds', value: '1' }],
    [{ unit: 'Seconds', value: Number.NaN }],
    [{ unit: 'seconds', value: 1 }],
    [{ unit: 'Months', value: 1 }],
    [{ unit: 'Seconds' }],
    [{ value: 1 }],
    [{}],
  ])('may not be %j (f.7, R-405)', async (ttl) => {
    const group = await store.current.ensureFeatureGroup({ ...DEFINITION, name: 'refusing' })
    const options = { ttl: ttl as TimeToLive }
    await expect(group.put({ id: 'a', at: AT }, options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(group.ingest([{ id: 'a', at: AT }], options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(await group.get('a')).toBeUndefined()
  })

  it('ends with the year 9999 at the latest (R-404)', async () => {
    clock.set(START)
    const group = await store.current.createFeatureGroup({ ...DEFINITION, name: 'calendar' })
    const last = '9999-12-31T23:59:58.999999999Z'
    await group.put({ id: 'last', at: last }, { ttl: seconds(1) })
    expect(await group.get('last')).toBeDefined()
    for (const [at, value] of [
      [last, 2],
      [AT, Number.MAX_SAFE_INTEGER],
      [AT, 1e300],
    ] as const) {
      const put = group.put({ id: 'a', at }, { ttl: { unit: 'Weeks', value } })
      await expect(put, `${at} ${value}`).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    // Past what 64 bits of nanoseconds can tell.
    await group.put({ id: 'far', at: AT }, { ttl: { unit: 'Weeks', value: 400_000 } })
    clock.set(Date.UTC(2262, 5, 1))
    expect(await group.get('far')).toBeDefined()
  })

  it('cannot be told where there is no online store, and means nothing to a write of the offline store (R-398)', async () => {
    clock.set(START)
    const offline = await store.current.createFeatureGroup({ ...DEFINITION, name: 'offline', online: false })
    await expect(offline.put({ id: 'a', at: AT }, TEN)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(offline.ingest([{ id: 'a', at: AT }], TEN)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    const both = await store.current.createFeatureGroup({ ...DEFINITION, name: 'both' })
    await both.put({ id: 'a', at: AT, n: 1 })
    await both.put({ id: 'a', at: LATER, n: 2 }, { ...TEN, stores: ['offline'] })
    clock.advance(60_000)
    expect((await both.get('a'))?.n).toBe(1)
  })
})

describe('a record that expired', () => {
  it("leaves the online store with one marker of its id and expiry, in the columns' types (R-399, R-473)", async () => {
    const { store, group, clock } = await openFading()
    const numeric = await store.createFeatureGroup(NUMERIC)
    await group.put({ id: 'whole', at: AT, n: 1, s: 'x' }, TEN)
    await group.put({ id: 'fine', at: '2026-03-01T12:00:00.123456789Z', n: 1, s: 'x' }, TEN)
    await numeric.put({ id: 2n ** 60n, at: START / 1000 + 0.5, s: 'x' }, TEN)
    clock.advance(3_600_000)
    expect(await expiredOf(store)).toBe(3)
    expect(await expiredOf(store)).toBe(3)
    const markers = await markersOf(store)
    expect(markers.map(({ id, at, n, s }) => [String(id), String(at), n ?? null, s]).sort()).toEqual([
      [String(2n ** 60n), String(START / 1000 + 10.5), null, null],
      ['fine', '2026-03-01T12:00:10.123456789Z', null, null],
      ['whole', '2026-03-01T12:00:10Z', null, null],
    ])
    // They lie in the hour of the expiry, and their invocation time is that of the sweep.
    const rows = await offlineRows(store.directory)
    for (const { hour, is_deleted, api_invocation_time } of rows.filter(
      (row) => row['is_deleted'] === true,
    )) {
      expect([hour, is_deleted]).toEqual(['2026-03-01T12', true])
      expect(String(api_invocation_time)).toContain('2026-03-01 13:00:00')
    }
  })

  it('keeps its rows in the offline store, and the clock does not hide them (R-407)', async () => {
    const { store, group, clock } = await openFading()
    await group.put({ id: 'a', at: AT, n: 7 }, TEN)
    clock.advance(60_000)
    await store.expire()
    const rows = await history(store)
    expect(rows.map(({ n, is_deleted }) => [n, is_deleted])).toEqual([
      ['7', false],
      [null, true],
    ])
  })

  it('leaves one marker, however often it was overwritten and has timers of its past (R-399)', async () => {
    const { store, group, clock } = await openFading()
    for (let i = 1; i <= 8; i++) {
      await group.put({ id: 'a', at: AT, n: i }, { ttl: seconds(10 - i) })
      if (i % 3 === 0) await store.flush()
    }
    clock.advance(2000)
    expect(await expiredOf(store)).toBe(1)
    clock.advance(60_000)
    expect(await expiredOf(store)).toBe(1)
    expect((await markersOf(store)).map(({ at }) => at)).toEqual(['2026-03-01T12:00:02Z'])
  })

  it('leaves one marker for each of its lives (R-399)', async () => {
    const { store, group, clock } = await openFading()
    for (let life = 0; life < 3; life++) {
      await group.put({ id: 'a', at: AT, n: life }, { ttl: seconds((life + 1) * 10) })
      clock.set(START + (life + 1) * 10_000)
      expect(await expiredOf(store)).toBe(life + 1)
    }
    expect((await markersOf(store)).map(({ at }) => at)).toEqual([
      '2026-03-01T12:00:10Z',
      '2026-03-01T12:00:20Z',
      '2026-03-01T12:00:30Z',
    ])
  })

  it('leaves none if it was deleted, written over or expired when written, or if markers are off (R-399)', async () => {
    for (const expiryMarkers of [true, false]) {
      const { store, group, clock } = await openFading({ expiryMarkers })
      for (const id of ['soft', 'hard', 'over']) await group.put({ id, at: AT }, TEN)
      if (!expiryMarkers) await group.put({ id: 'expires', at: AT }, TEN)
      await group.delete('soft', LATER, { stores: ['online'] })
      await group.delete('hard', LATER, { mode: 'hard', stores: ['online'] })
      await group.put({ id: 'over', at: AT })
      clock.advance(60_000)
      await group.put({ id: 'born', at: AT }, TEN)
      await store.expire()
      expect(await markersOf(store)).toEqual([])
      await store.close()
    }
  })

  it('leaves none in a group without an offline store', async () => {
    const clock = new ManualClock(START)
    const store = await openStore({ clock })
    const group = await store.createFeatureGroup({ ...DEFINITION, offline: false })
    await group.put({ id: 'a', at: AT }, TEN)
    clock.advance(10_000)
    expect(await expiredOf(store)).toBe(1)
    expect(await history(store)).toEqual([])
  })

  it.each([
    ['in the log alone', { flush: false }],
    ['in LMDB', { flush: true }],
  ])(
    'while the store was closed with it %s is gone at once, and leaves one marker (R-395, R-399)',
    async (_, how) => {
      const { store, group, clock } = await openFading()
      await group.put({ id: 'a', at: AT }, TEN)
      await group.put({ id: 'again', at: AT }, { ttl: seconds(5) })
      await group.put({ id: 'again', at: AT }, TEN)
      await group.put({ id: 'stays', at: AT }, { ttl: seconds(1000) })
      await store.close(how)
      clock.advance(10_000)
      const second = await openStore({ clock }, store.directory)
      const reopened = second.featureGroup<typeof DEFINITION>('fading')
      expect(await reopened.get('a')).toBeUndefined()
      expect(await idsOf(reopened, true)).toEqual(['stays'])
      await second.expire()
      // Expired once for all: also after what took it out was replayed or merged.
      await second.close(how)
      const third = await openStore({ clock }, store.directory)
      expect(await expiredOf(third)).toBe(0)
      expect((await markersOf(third)).map(({ id }) => id).sort()).toEqual(['a', 'again'])
      expect(await idsOf(third.featureGroup<typeof DEFINITION>('fading'), true)).toEqual(['stays'])
    },
  )

  it('goes by itself soon, without anybody asking (R-399)', async () => {
    const { store, group, clock } = await openFading({ shards: 1 })
    await group.put({ id: 'a', at: AT }, TEN)
    clock.advance(11_000)
    for (let attempt = 0; (await store.stats()).shards[0]!.expired === 0; attempt++) {
      expect(attempt).toBeLessThan(100)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect((await markersOf(store)).length).toBe(1)
  })
})

describe('many records that expire', () => {
  const COUNT = 200_000

  function* rows(): Generator<{ id: string; at: string; n: number }[]> {
    for (let from = 0; from < COUNT; from += 10_000) {
      yield Array.from({ length: 10_000 }, (_, i) => ({ id: `id-${from + i}`, at: AT, n: from + i }))
    }
  }

  it('are gone at once when their store is opened after their time, and leave in portions', async () => {
    const { store, group, clock } = await openFading({ shards: 1, memoryBytes: 128 * 1024 * 1024 })
    await group.ingest(rows(), { ttl: seconds(3600) })
    await group.put({ id: 'stays', at: AT })
    await store.close()
    clock.advance(3_600_000)
    const again = await openStore({ clock, shards: 1, memoryBytes: 128 * 1024 * 1024 }, store.directory)
    expect(again.recovery.replayedRecords).toBe(0)
    const reopened = again.featureGroup<typeof DEFINITION>('fading')
    expect(await reopened.getMany(['id-0', `id-${COUNT - 1}`, 'stays'])).toEqual([
      undefined,
      undefined,
      { id: 'stays', at: AT },
    ])
    expect((await reopened.listRecords({ pageSize: 10 })).ids).toEqual(['stays'])
    // Reads were answered before anything, or all of it, was taken out.
    expect((await again.stats()).shards[0]!.expired).toBeLessThan(COUNT)
    await again.expire()
    expect((await again.stats()).shards[0]!.expired).toBe(COUNT)
    await again.flush()
    expect((await again.stats()).featureGroups[0]).toMatchObject({
      online: { records: 1 },
      offline: { rows: 2 * COUNT + 1 },
    })
  })
})
