/**
 * Goal: updates in part (b.10): what changes, what stays, what is refused and then leaves no trace, and that no update
 * is lost to another.
 * Method: a clock that only moves when it is told to; offline rows are read by DuckDB.
 */
import type { Json } from '@duckdb/node-api'
import { describe, expect, it } from 'vitest'
import {
  type FeatureGroup,
  ManualClock,
  type Millrace,
  type MillraceOptions,
  type TargetStore,
} from '../../src/index.ts'
import { parquetFiles, queryOffline } from '../fixtures/offline-rows.ts'
import { openStore } from '../fixtures/open-store.ts'

const DEFINITION = {
  name: 'changing',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: {
    id: 'String',
    at: 'String',
    a: 'Integral',
    b: 'Fractional',
    c: 'String',
    d: 'Integral',
  },
  online: { tier: 'Standard_V2' },
} as const

type Changing = FeatureGroup<typeof DEFINITION>

const AT = '2026-03-01T12:00:00Z'
const EQUAL = '2026-03-01T12:00:00.000Z'
const LATER = '2026-03-01T12:00:05Z'
const EARLIER = '2026-03-01T11:59:59.999999999Z'
const START = Date.parse(AT)
const WHOLE = { id: 'r', at: AT, a: 1, b: 2.5, c: 'three', d: 4 }

interface Opened {
  readonly store: Millrace
  readonly group: Changing
  readonly clock: ManualClock
}

async function openChanging(options: MillraceOptions = {}): Promise<Opened> {
  const clock = new ManualClock(START)
  const store = await openStore({ clock, ...options })
  return { store, group: await store.createFeatureGroup(DEFINITION), clock }
}

/** The rows of the offline store in the order in which they were accepted, without the service columns. */
async function history(store: Millrace): Promise<Record<string, Json>[]> {
  await store.flush()
  if (parquetFiles(store.directory).length === 0) return []
  const columns = 'exclude (write_time, api_invocation_time, filename)'
  return queryOffline(store.directory, `select * ${columns} from {offline} order by api_invocation_time`)
}

describe('an update', () => {
  it.each(['in the memtable', 'in LMDB', 'in both'])(
    'of a record %s sets the features given and keeps the others and the event time (R-350, R-358)',
    async (place) => {
      const { store, group } = await openChanging()
      await group.put(WHOLE)
      if (place !== 'in the memtable') await store.flush()
      if (place === 'in both') await group.put({ ...WHOLE, c: 'newer' })
      await group.update('r', { b: -0.5, d: 5 })
      const c = place === 'in both' ? 'newer' : 'three'
      expect(await group.get('r')).toEqual({ id: 'r', at: AT, a: 1, b: -0.5, c, d: 5 })
      await store.flush()
      expect(await group.get('r')).toEqual({ id: 'r', at: AT, a: 1, b: -0.5, c, d: 5 })
    },
  )

  it('gives a value to a feature that had none', async () => {
    const { group } = await openChanging()
    await group.put({ id: 'r', at: AT })
    await group.update('r', { c: 'now' })
    expect(await group.get('r')).toEqual({ id: 'r', at: AT, c: 'now' })
  })

  it('cannot take a value away: null changes nothing (R-364)', async () => {
    const { group } = await openChanging()
    await group.put(WHOLE)
    await group.update('r', { a: 9, c: null } as never)
    expect(await group.get('r')).toEqual({ ...WHOLE, a: 9 })
  })

  it('takes an equal or newer event time, which the record then has (R-357)', async () => {
    const { group } = await openChanging()
    await group.put(WHOLE)
    await group.update('r', { at: EQUAL, a: 2 })
    expect(await group.get('r')).toEqual({ ...WHOLE, at: EQUAL, a: 2 })
    await group.update('r', { at: LATER, a: 3 })
    expect(await group.get('r')).toEqual({ ...WHOLE, at: LATER, a: 3 })
    // A put must beat the event time that the update brought.
    await group.put({ ...WHOLE, a: 7 })
    expect((await group.get('r'))?.a).toBe(3)
  })

  it('of the event time alone is a touch (R-370)', async () => {
    const { store, group } = await openChanging()
    await group.put(WHOLE)
    await group.update('r', { at: LATER })
    expect(await group.get('r')).toEqual({ ...WHOLE, at: LATER })
    expect((await history(store)).length).toBe(2)
  })

  it('with an older event time is refused, and leaves no trace in either store (R-356)', async () => {
    const { store, group } = await openChanging()
    await group.put(WHOLE)
    await expect(group.update('r', { at: EARLIER, a: 2 })).rejects.toMatchObject({ code: 'EVENT_TIME_OLDER' })
    expect(await group.get('r')).toEqual(WHOLE)
    expect((await history(store)).map(({ a }) => a)).toEqual(['1'])
  })

  it.each(['absent', 'soft-deleted', 'hard-deleted', 'offline'])(
    'of a record that is %s is refused for that before its event time is looked at, and makes nothing (R-354, R-368)',
    async (state) => {
      const { store, group } = await openChanging()
      if (state === 'offline') await group.put(WHOLE, { stores: ['offline'] })
      else if (state !== 'absent') await group.put(WHOLE)
      if (state === 'soft-deleted') await group.delete('r', LATER)
      if (state === 'hard-deleted') await group.delete('r', LATER, { mode: 'hard' })
      const before = await history(store)
      for (const at of [EARLIER, LATER])
        await expect(group.update('r', { at, a: 2 })).rejects.toMatchObject({ code: 'RECORD_NOT_FOUND' })
      expect(await group.get('r')).toBeUndefined()
      expect(await history(store)).toEqual(before)
    },
  )

  it('may name the id if it is the same, and no other (R-352, R-362)', async () => {
    const { group } = await openChanging()
    await group.put(WHOLE)
    await group.update('r', { id: 'r', a: 2 })
    await expect(group.update('r', { id: 'R', a: 3 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await group.get('r')).toEqual({ ...WHOLE, a: 2 })
  })

  it.each([
    ['an unknown feature', { nope: 1 }],
    ['a fraction for an Integral', { a: 1.5 }],
    ['text for a Fractional', { b: '1' }],
    ['a number for a String', { c: 1 }],
    ['an event time that is none', { at: 'today' }],
  ])('is checked like a record: %s is refused (R-363)', async (_, changes) => {
    const { group } = await openChanging()
    await group.put(WHOLE)
    await expect(group.update('r', changes as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await group.get('r')).toEqual(WHOLE)
  })

  it('is measured by the merged record: 358,400 bytes may be reached, not passed (R-363)', async () => {
    const { group } = await openChanging()
    const others = { id: 'r', at: AT, a: 1 }
    await group.put(others)
    const used = 'idatac'.length + 'r'.length + AT.length + '1'.length
    const largest = 'ü'.repeat((358_400 - used) / 2)
    expect(Buffer.byteLength(largest) + used).toBe(358_400)
    await group.update('r', { c: largest })
    expect((await group.get('r'))?.c).toBe(largest)
    await expect(group.update('r', { a: 12 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await group.update('r', { a: 2 })
    expect((await group.get('r'))?.a).toBe(2)
    // What is replaced does not count.
    await group.update('r', { c: 'small', a: 12_345 })
  })

  it('keeps every other value to the bit', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup({
      ...DEFINITION,
      features: { ...DEFINITION.features, e: 'Fractional', f: 'Fractional', g: 'Integral' },
    })
    const values = {
      id: 'r',
      at: '0000-01-01T00:00:00.000000001Z',
      a: -(2n ** 63n),
      g: 2n ** 63n - 1n,
      b: -0,
      e: 5e-324,
      f: Number.MAX_VALUE,
      c: '\u0000 \u{1F980} a\u0308',
    }
    await group.put(values)
    for (let d = 0; d < 3; d++) await group.update('r', { d })
    await store.flush()
    await group.update('r', { d: 3 })
    const record = await group.get('r')
    expect(record).toEqual({ ...values, d: 3 })
    expect(Object.is(record?.b, -0)).toBe(true)
  })

  it('replaces a collection as a whole, and keeps the others (R-365)', async () => {
    const store = await openStore({ extensions: true })
    const group = await store.createFeatureGroup({
      name: 'collections',
      recordIdentifier: 'id',
      eventTime: 'at',
      features: {
        id: 'String',
        at: 'String',
        list: { type: 'Integral', collection: 'List' },
        set: { type: 'String', collection: 'Set' },
      },
      online: { tier: 'Standard_V2' },
    })
    await group.put({ id: 'r', at: AT, list: [1, 2, 3], set: ['x', 'y'] })
    await group.update('r', { list: [4] })
    expect(await group.get('r')).toEqual({ id: 'r', at: AT, list: [4], set: ['x', 'y'] })
    await group.update('r', { list: [] })
    expect(await group.get('r')).toEqual({ id: 'r', at: AT, list: [], set: ['x', 'y'] })
  })

  it.each<readonly [readonly TargetStore[] | undefined, 'old' | 'new', number]>([
    [undefined, 'new', 2],
    [['online', 'offline'], 'new', 2],
    [['online'], 'new', 1],
    [['offline'], 'old', 2],
  ])(
    'into %j leaves the %s record online and %i whole rows offline (R-366)',
    async (stores, online, count) => {
      const { store, group } = await openChanging()
      await group.put(WHOLE)
      await group.update('r', { at: LATER, a: 2 }, stores === undefined ? {} : { stores })
      const merged = { ...WHOLE, at: LATER, a: 2 }
      expect(await group.get('r')).toEqual(online === 'new' ? merged : WHOLE)
      const rows = await history(store)
      expect(rows.length).toBe(count)
      if (count === 2) {
        const { is_deleted, ...row } = rows[1]!
        expect(is_deleted).toBe(false)
        expect(row).toEqual({ id: 'r', at: LATER, a: '2', b: 2.5, c: 'three', d: '4' })
      }
    },
  )

  it.each([
    ['Standard', true],
    ['Standard_V2', false],
  ] as const)('in the tier %s is refused: %s (R-351)', async (tier, isRefused) => {
    const store = await openStore()
    const group = await store.createFeatureGroup({ ...DEFINITION, online: { tier } })
    await group.put(WHOLE)
    const update = group.update('r', { a: 2 })
    if (isRefused) await expect(update).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    else await update
    expect((await group.get('r'))?.a).toBe(isRefused ? 1 : 2)
  })

  it('is taken in the tier InMemory, and refused without an online store (R-351)', async () => {
    const store = await openStore()
    const memory = await store.createFeatureGroup({
      ...DEFINITION,
      name: 'memory',
      online: { tier: 'InMemory' },
      offline: false,
    })
    await memory.put(WHOLE)
    await memory.update('r', { a: 2 })
    expect((await memory.get('r'))?.a).toBe(2)
    const offline = await store.createFeatureGroup({ ...DEFINITION, name: 'offline', online: false })
    await offline.put(WHOLE)
    await expect(offline.update('r', { a: 2 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('the time to live of an updated record', () => {
  const TEN = { ttl: { unit: 'Seconds', value: 10 } } as const
  const expiresAfter = async ({ group, clock }: Opened, ms: number): Promise<void> => {
    clock.set(START + ms - 1)
    expect(await group.get('r')).toBeDefined()
    clock.advance(1)
    expect(await group.get('r')).toBeUndefined()
  }

  it('is counted from the event time given with it (R-360)', async () => {
    const opened = await openChanging()
    await opened.group.put(WHOLE)
    await opened.group.update('r', { at: LATER }, TEN)
    await expiresAfter(opened, 15_000)
  })

  it('may not be given without an event time (R-359)', async () => {
    const { group } = await openChanging()
    await group.put(WHOLE)
    await expect(group.update('r', { a: 2 }, TEN)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await group.get('r')).toEqual(WHOLE)
  })

  it('is as long as before, and moves with the event time (R-361)', async () => {
    const opened = await openChanging()
    await opened.group.put(WHOLE, TEN)
    await opened.group.update('r', { at: LATER, a: 2 })
    await expiresAfter(opened, 15_000)
  })

  it('stays where it is without a new event time (R-361)', async () => {
    const opened = await openChanging()
    await opened.group.put(WHOLE, TEN)
    opened.clock.advance(9000)
    await opened.group.update('r', { a: 2 })
    await expiresAfter(opened, 10_000)
  })

  it('is not taken from the group anew: a record without one stays (R-361)', async () => {
    const clock = new ManualClock(START)
    const store = await openStore({ clock })
    const online = { tier: 'Standard_V2', ttl: { unit: 'Seconds', value: 10 } } as const
    const group = await store.createFeatureGroup({ ...DEFINITION, online })
    await group.put(WHOLE, { ttl: { unit: 'Weeks', value: 1 } })
    await group.update('r', { at: LATER })
    clock.advance(3_600_000)
    expect(await group.get('r')).toEqual({ ...WHOLE, at: LATER })
  })

  it('may not be moved past the year 9999 by an event time (R-361, R-404)', async () => {
    const { group } = await openChanging()
    await group.put(WHOLE, TEN)
    const update = group.update('r', { at: '9999-12-31T23:59:55Z' })
    await expect(update).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await group.get('r')).toEqual(WHOLE)
  })
})

describe('concurrent updates', () => {
  it('of different features of one record do not lose each other (R-126, R-367)', async () => {
    const { store, group } = await openChanging()
    await group.put(WHOLE)
    for (let round = 1; round <= 20; round++) {
      await Promise.all([
        group.update('r', { a: round }),
        group.update('r', { b: round / 4 }),
        group.update('r', { c: `c${round}` }),
        group.update('r', { d: -round }),
      ])
      expect(await group.get('r')).toEqual({
        id: 'r',
        at: AT,
        a: round,
        b: round / 4,
        c: `c${round}`,
        d: -round,
      })
      if (round % 7 === 0) await store.flush()
    }
    // Every row is whole: each has everything that was accepted before it.
    const rows = await history(store)
    expect(rows.length).toBe(81)
    for (const row of rows.slice(1)) expect(Object.values(row)).not.toContain(null)
  })

  it('see the puts made before them, though they are still on their way (R-124)', async () => {
    const { group } = await openChanging()
    const ids = Array.from({ length: 200 }, (_, i) => `r-${i}`)
    await Promise.all(ids.flatMap((id, i) => [group.put({ ...WHOLE, id, a: i }), group.update(id, { d: i })]))
    expect(await group.getMany(ids)).toEqual(ids.map((id, i) => ({ ...WHOLE, id, a: i, d: i })))
  })

  it('and puts and deletes of many records end as if they came one by one', async () => {
    const { group } = await openChanging()
    const ids = Array.from({ length: 50 }, (_, i) => `r-${i}`)
    await group.ingest(ids.map((id) => ({ ...WHOLE, id })))
    const outcomes = await Promise.allSettled(
      ids.flatMap((id) => [
        group.update(id, { a: 2 }),
        group.delete(id, LATER, { mode: 'hard' }),
        group.update(id, { a: 3 }),
      ]),
    )
    // All three are conditional, so they are decided in the order in which they were made.
    expect(outcomes.map(({ status }) => status)).toEqual(
      ids.flatMap(() => ['fulfilled', 'fulfilled', 'rejected']),
    )
    expect(await group.getMany(ids)).toEqual(ids.map(() => undefined))
  })
})
