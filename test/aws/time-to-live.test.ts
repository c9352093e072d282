/**
 * Times to live as the API gives and tells them: which of three levels counts, what ExpiresAt says, and that a record is
 * gone to the millisecond. Time is a clock of the test.
 */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { TtlDuration } from '../../src/aws/data-plane-shapes.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { apiRecord, refused, type Texts } from '../fixtures/api.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const DAY_MS = 86_400_000

/** Now, at the beginning of a test; time never goes back, as it does not for the store. */
let startMs = Date.parse('2026-03-01T12:00:00Z')
/** The event time of now, a second later, ... */
const at = (seconds = 0, fraction = ''): string =>
  `${new Date(startMs + seconds * 1000).toISOString().slice(0, 19)}${fraction}Z`
const day = (days: number): string => at(days * 86_400)
const FEATURES = { id: 'String', at: 'String', note: 'String' } as const
const BASE = { recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const

const clock = new ManualClock(startMs)
const store = sharedStore({ clock })
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  const groupTtl = { ttl: { unit: 'Days', value: 4 } } as const
  await store.current.createFeatureGroup({ ...BASE, name: 'with', online: groupTtl })
  await store.current.createFeatureGroup({ ...BASE, name: 'without' })
  await store.current.createFeatureGroup({ ...BASE, name: 'v2', online: { tier: 'Standard_V2' } })
  await store.current.createFeatureGroup({ ...BASE, name: 'offline', online: false })
  await store.current.createFeatureGroup({
    name: 'fractional',
    recordIdentifier: 'id',
    eventTime: 'at',
    features: { id: 'String', at: 'Fractional' },
  })
})

beforeEach(() => {
  startMs += 40 * DAY_MS
  clock.set(startMs)
})

const ttl = (Value: number, Unit: TtlDuration['Unit'] = 'Days'): { TtlDuration: TtlDuration } => ({
  TtlDuration: { Unit, Value },
})
const put = (FeatureGroupName: string, texts: Texts, more: object = {}): Promise<void> =>
  plane.putRecord({ FeatureGroupName, Record: apiRecord(texts), ...more })
const get = (FeatureGroupName: string, RecordIdentifierValueAsString: string) =>
  plane.getRecord({ FeatureGroupName, RecordIdentifierValueAsString, ExpirationTimeResponse: 'Enabled' })

describe('the time to live of an entry of a batch', () => {
  const levels = [undefined, ttl(1)].flatMap((entry) =>
    [undefined, ttl(2)].flatMap((call) =>
      ['with', 'without'].map((group) => ({
        entry,
        call,
        group,
        expected: entry ? 1 : call ? 2 : group === 'with' ? 4 : 0,
      })),
    ),
  )

  it.each(levels)(
    'is its own ($entry), else that of the call ($call), else that of the group ($group) (R-292, R-391, R-392)',
    async ({ entry, call, group, expected }) => {
      const id = JSON.stringify([entry, call, group])
      const Entries = [{ FeatureGroupName: group, Record: apiRecord({ id, at: at() }), ...entry }]
      expect(await plane.batchWriteRecord({ Entries, ...call })).toEqual({
        Errors: [],
        UnprocessedEntries: [],
      })
      expect((await get(group, id)).ExpiresAt).toBe(expected === 0 ? undefined : day(expected))
    },
  )

  it('of the call is passed over where there is no online store, its own is an error (R-293)', async () => {
    const of = (id: string, FeatureGroupName: string, more: object = {}) => ({
      FeatureGroupName,
      Record: apiRecord({ id, at: at() }),
      ...more,
    })
    const wrong = of('own', 'offline', ttl(1))
    const aside = of('aside', 'with', { TargetStores: ['OfflineStore'] })
    const output = await plane.batchWriteRecord({ Entries: [of('a', 'offline'), wrong, aside], ...ttl(1) })
    expect(output.Errors.map(({ Entry }) => Entry)).toEqual([wrong])
    expect(output.UnprocessedEntries).toEqual([])
  })
})

describe('the time to live of a put', () => {
  it('is its own, else that of the group (R-128, R-391)', async () => {
    await put('with', { id: 'own', at: at() }, ttl(1))
    await put('with', { id: 'group', at: at() })
    expect((await get('with', 'own')).ExpiresAt).toBe(day(1))
    expect((await get('with', 'group')).ExpiresAt).toBe(day(4))
  })

  it('counts from the event time, whenever the call is made (R-390)', async () => {
    clock.set(startMs + 3_600_000)
    await put('without', { id: 'late call', at: at() }, ttl(1))
    expect((await get('without', 'late call')).ExpiresAt).toBe(day(1))
  })

  it.each([
    ['Seconds', 2],
    ['Minutes', 2 * 60],
    ['Hours', 2 * 3600],
    ['Days', 2 * 86_400],
    ['Weeks', 2 * 604_800],
  ] as const)('may be in %s (R-403)', async (unit, seconds) => {
    await put('without', { id: unit, at: at() }, ttl(2, unit))
    expect((await get('without', unit)).ExpiresAt).toBe(at(seconds))
  })

  it.each([
    ['', ''],
    ['.0', ''],
    ['.25', '.250'],
    ['.000250', '.000250'],
    ['.000000001', '.000000001'],
  ])(
    'after an event time with the fraction "%s" ends with "%s" (R-401, OQ-26)',
    async (fraction, expected) => {
      await put('without', { id: 'fraction', at: at(0, fraction) }, ttl(1, 'Seconds'))
      expect((await get('without', 'fraction')).ExpiresAt).toBe(at(1, expected))
    },
  )

  it('ends as text also in a group with Fractional event times (R-402)', async () => {
    await put('fractional', { id: 'a', at: `${startMs / 1000}.5` }, ttl(1))
    expect((await get('fractional', 'a')).ExpiresAt).toBe(at(86_400, '.500'))
  })

  it('is refused without an online store, and passed over where nothing goes online (R-398, OQ-38)', async () => {
    expect(await refused(put('offline', { id: 'a', at: at() }, ttl(1)))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'TtlDuration: feature group offline has no online store that it could apply to.',
    })
    const offline = { TargetStores: ['OfflineStore'] }
    await put('without', { id: 'aside', at: at() }, { ...ttl(1), ...offline })
    await put('without', { id: 'aside', at: at() }, { ...ttl(1e9, 'Weeks'), ...offline })
  })

  it.each([
    [{ Unit: 'Days', Value: 0 }, 'ValidationError'],
    [{ Unit: 'Days', Value: -1 }, 'ValidationError'],
    [{ Unit: 'days', Value: 1 }, 'ValidationError'],
    [{ Unit: 'Months', Value: 1 }, 'ValidationError'],
    [{ Unit: 'Days' }, 'ValidationError'],
    [{ Value: 1 }, 'ValidationError'],
    [{}, 'ValidationError'],
    [{ Unit: null, Value: null }, 'ValidationError'],
    [{ Unit: 'Days', Value: 1.5 }, 'SerializationException'],
    [{ Unit: 'Days', Value: '1' }, 'SerializationException'],
  ])('must not be %j (R-294, R-405, OQ-48)', async (TtlDuration, code) => {
    expect(await refused(put('without', { id: 'bad', at: at() }, { TtlDuration }))).toMatchObject({
      code,
      status: 400,
    })
  })

  it('must end before the year 10000 (R-404)', async () => {
    const last = { id: 'last', at: '9999-12-24T23:59:59Z' }
    await put('without', last, ttl(1, 'Weeks'))
    expect((await get('without', 'last')).ExpiresAt).toBe('9999-12-31T23:59:59Z')
    for (const value of [2, 1e15, Number.MAX_VALUE]) {
      expect(await refused(put('without', last, ttl(value, 'Weeks')))).toMatchObject({
        code: 'ValidationError',
        message: expect.stringMatching(/^TtlDuration: .* past the year 9999\.$/),
      })
    }
  })
})

describe('a record whose time has come', () => {
  it('is there a millisecond before, and nowhere from then on (R-163, R-192, R-327, R-395)', async () => {
    await put('without', { id: 'ending', at: at() }, ttl(30, 'Seconds'))
    const seen = async () => ({
      get: (await get('without', 'ending')).Record !== undefined,
      batch: (
        await plane.batchGetRecord({
          Identifiers: [{ FeatureGroupName: 'without', RecordIdentifiersValueAsString: ['ending'] }],
        })
      ).Records.length,
      list: (
        await plane.listRecords({ FeatureGroupName: 'without', IncludeSoftDeletedRecords: true })
      ).RecordIdentifiers.includes('ending'),
    })
    clock.set(startMs + 29_999)
    expect(await seen()).toEqual({ get: true, batch: 1, list: true })
    clock.set(startMs + 30_000)
    expect(await seen()).toEqual({ get: false, batch: 0, list: false })
  })

  it('is not there to be updated (R-354, R-395)', async () => {
    await put('v2', { id: 'updated', at: at() }, ttl(1, 'Seconds'))
    clock.set(startMs + 1000)
    const Features = apiRecord({ note: 'x' })
    const call = plane.updateRecord({
      FeatureGroupName: 'v2',
      RecordIdentifierValueAsString: 'updated',
      Features,
    })
    expect(await refused(call)).toMatchObject({ code: 'ResourceNotFound', status: 404 })
  })

  it('when it is put is accepted, and takes the place of an older one (R-396)', async () => {
    clock.set(startMs + 60_000)
    await put('without', { id: 'past', at: at(-3600) })
    await put('without', { id: 'past', at: at() }, ttl(1, 'Seconds'))
    expect(await get('without', 'past')).toEqual({})
  })

  it('goes in every tier, and its rows offline stay (R-406, R-407, R-408)', async () => {
    await store.current.createFeatureGroup({
      ...BASE,
      name: 'memory',
      offline: false,
      online: { tier: 'InMemory', ttl: { unit: 'Seconds', value: 30 } },
    })
    for (const name of ['without', 'v2', 'memory']) {
      await put(name, { id: 'tier', at: at() }, name === 'memory' ? {} : ttl(30, 'Seconds'))
      await put(name, { id: 'short', at: at() }, ttl(15, 'Seconds'))
    }
    for (const [seconds, expected] of [
      [14, ['tier', 'short']],
      [15, ['tier']],
      [35, []],
    ] as const) {
      clock.set(startMs + seconds * 1000)
      for (const name of ['without', 'v2', 'memory']) {
        const found = ['tier', 'short'].map(async (id) =>
          (await get(name, id)).Record === undefined ? [] : [id],
        )
        expect((await Promise.all(found)).flat(), `${name} after ${seconds} s`).toEqual(expected)
      }
    }
    await store.current.flush()
    const rows = await offlineRows(store.current.describe('v2').offlineDirectory!)
    expect(rows.filter((row) => row['id'] === 'tier' && row['is_deleted'] === false)).toHaveLength(1)
  })

  it('is not changed by an older put, whatever that says (R-397, OQ-39)', async () => {
    await put('without', { id: 'older', at: at() }, ttl(2))
    await put('without', { id: 'older', at: at(-60) }, ttl(1, 'Minutes'))
    await put('without', { id: 'older', at: at(-60) })
    expect((await get('without', 'older')).ExpiresAt).toBe(day(2))
  })

  it('keeps that time as a soft-deleted one, and is then not even listed as such (R-239, R-327, OQ-40)', async () => {
    await put('without', { id: 'tombstone', at: at() }, ttl(30, 'Seconds'))
    await plane.deleteRecord({
      FeatureGroupName: 'without',
      RecordIdentifierValueAsString: 'tombstone',
      EventTime: at(1),
    })
    const isListed = async (): Promise<boolean> => {
      const all = { FeatureGroupName: 'without', IncludeSoftDeletedRecords: true }
      return (await plane.listRecords(all)).RecordIdentifiers.includes('tombstone')
    }
    clock.set(startMs + 29_999)
    expect(await isListed()).toBe(true)
    clock.set(startMs + 30_000)
    expect(await isListed()).toBe(false)
    await put('without', { id: 'tombstone', at: at() })
    expect((await get('without', 'tombstone')).Record).toBeDefined()
  })

  it('stays if it was put again without a time to live (R-400)', async () => {
    await put('without', { id: 'again', at: at() }, ttl(1, 'Seconds'))
    await put('without', { id: 'again', at: at() })
    expect(await get('without', 'again')).toEqual({ Record: apiRecord({ id: 'again', at: at() }) })
    clock.set(startMs + 10_000)
    expect((await get('without', 'again')).Record).toBeDefined()
  })
})

it('of a group that changes counts for records put from then on (R-391, R-393)', async () => {
  const change = (value: number | null) =>
    store.current.updateFeatureGroup('with', { ttl: value === null ? null : { unit: 'Days', value } })
  await put('with', { id: 'before', at: at() })
  await change(1)
  await put('with', { id: 'after', at: at() })
  await change(null)
  await put('with', { id: 'none', at: at() })
  const expiries = ['before', 'after', 'none'].map(async (id) => (await get('with', id)).ExpiresAt)
  expect(await Promise.all(expiries)).toEqual([day(4), day(1), undefined])
  await change(4)
})

describe('the time to live of an update', () => {
  const update = (id: string, features: Texts, more: object = {}): Promise<void> =>
    plane.updateRecord({
      FeatureGroupName: 'v2',
      RecordIdentifierValueAsString: id,
      Features: apiRecord(features),
      ...more,
    })

  it('counts from the event time that comes with it (R-360)', async () => {
    await put('v2', { id: 'given', at: at() })
    await update('given', { at: day(1) }, ttl(1))
    expect((await get('v2', 'given')).ExpiresAt).toBe(day(2))
  })

  it('left out is that of the record, which moves with the event time (R-361, OQ-23)', async () => {
    await put('v2', { id: 'kept', at: at() }, ttl(1))
    await update('kept', { note: 'x' })
    expect((await get('v2', 'kept')).ExpiresAt).toBe(day(1))
    await update('kept', { at: day(1) })
    expect((await get('v2', 'kept')).ExpiresAt).toBe(day(2))
    await put('v2', { id: 'none', at: at() })
    await update('none', { at: day(1) })
    expect((await get('v2', 'none')).ExpiresAt).toBeUndefined()
  })
})
