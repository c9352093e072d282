/**
 * A feature group is changed while it holds data: records and files from before stay as they are, handles see the
 * change at once, and neither a crash nor a flush at the wrong moment mixes the two.
 */
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/core/clock.ts'
import { Catalog } from '../../src/engine/catalog.ts'
import type { FeatureGroup, FeatureGroupUpdate, Millrace } from '../../src/index.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { offlineRows, parquetFiles, queryOffline } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const TRIPS = {
  name: 'trips',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', fare: 'Fractional' },
} as const

const AT = '2026-03-01T12:00:00Z'
const TIP = { addFeatures: { tip: 'Integral', note: 'String' } } as const satisfies FeatureGroupUpdate

let last = 0
async function makeGroup(store: Millrace, changes: object = {}): Promise<FeatureGroup> {
  const name = `trips-${++last}`
  await store.createFeatureGroup({ ...TRIPS, name, ...changes })
  return store.featureGroup(name)
}

describe('adding features', () => {
  const store = sharedStore()

  it('lets a live handle write and read them; older records do not have them (R-531, R-533, R-127)', async () => {
    const group = await makeGroup(store.current)
    await group.put({ id: 'merged', at: AT, fare: 1 })
    await store.current.flush()
    await group.put({ id: 'memtable', at: AT, fare: 2 })
    await expect(group.put({ id: 'early', at: AT, tip: 1 })).rejects.toThrow('unknown feature "tip"')

    const described = await store.current.updateFeatureGroup(group.name.toUpperCase(), TIP)
    expect(Object.keys(described.features)).toEqual(['id', 'at', 'fare', 'tip', 'note'])
    await group.put({ id: 'new', at: AT, tip: 3, note: 'n' })
    const all = { merged: { fare: 1 }, memtable: { fare: 2 }, new: { tip: 3, note: 'n' } }
    const expected = Object.entries(all).map(([id, features]) => ({ id, at: AT, ...features }))
    expect(await group.getMany(Object.keys(all))).toEqual(expected)
    await store.current.flush()
    expect(await group.getMany(Object.keys(all))).toEqual(expected)
    // A record from before is replaced by one that has them.
    await group.put({ id: 'merged', at: AT, tip: 9 })
    expect(await group.get('merged')).toEqual({ id: 'merged', at: AT, tip: 9 })
  })

  it('gives new files the columns, and old files none (R-481, R-533)', async () => {
    const group = await makeGroup(store.current)
    await group.put({ id: 'old', at: AT, fare: 1 })
    await group.flush()
    // Waits for its file while the group is changed.
    await group.put({ id: 'waiting', at: AT, fare: 2 })
    await store.current.updateFeatureGroup(group.name, TIP)
    await group.put({ id: 'new', at: AT, fare: 3, tip: 4, note: 'n' })
    await group.flush()
    const directory = store.current.describe(group.name).offlineDirectory!
    const rows = await offlineRows(directory)
    const values = rows.map(({ id, fare, tip, note }) => [id, fare, tip, note]).sort()
    expect(values).toEqual([
      ['new', 3, '4', 'n'],
      ['old', 1, null, null],
      ['waiting', 2, null, null],
    ])
    const [first] = parquetFiles(directory).filter((path) =>
      rows.some((row) => row['id'] === 'old' && path.endsWith(row.file)),
    )
    const columns = await queryOffline(
      first!.slice(0, first!.lastIndexOf('/')),
      `describe select * from read_parquet('${first}', hive_partitioning=false)`,
    )
    expect(columns.map((column) => column['column_name'])).toEqual([
      'id',
      'at',
      'fare',
      'write_time',
      'api_invocation_time',
      'is_deleted',
    ])
  })

  it.each<readonly [string, FeatureGroupUpdate, RegExp]>([
    ['one that is there', { addFeatures: { fare: 'String' } }, /feature "fare" is defined twice/],
    ['one that differs in case', { addFeatures: { Fare: 'String' } }, /differ only in case/],
    ['a reserved one', { addFeatures: { is_deleted: 'String' } }, /is reserved/],
    ['a bad name', { addFeatures: { 'a b': 'String' } }, /feature name: expected/],
    ['none', { addFeatures: {} }, /expected 1 to 100 features, found 0/],
    [
      'a collection',
      { addFeatures: { x: { type: 'String', collection: 'List' } } },
      /needs an online store of tier InMemory.*`extensions: true`/,
    ],
    [
      '101',
      {
        addFeatures: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, 'String' as const])),
      },
      /expected 1 to 100 features, found 101/,
    ],
  ])('refuses %s, and changes nothing (R-531)', async (_, update, message) => {
    const group = await makeGroup(store.current)
    const before = store.current.describe(group.name)
    await expect(store.current.updateFeatureGroup(group.name, update)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
    expect(store.current.describe(group.name)).toEqual(before)
  })

  it('ends at 2,500 features (R-531)', async () => {
    const many = (from: number, count: number): Record<string, 'String'> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${from + i}`, 'String']))
    const group = await makeGroup(store.current, { features: { ...TRIPS.features, ...many(0, 2450) } })
    await store.current.updateFeatureGroup(group.name, { addFeatures: many(3000, 47) })
    await expect(
      store.current.updateFeatureGroup(group.name, { addFeatures: { one: 'String' } }),
    ).rejects.toThrow('expected 1 to 2500 features, found 2501')
  })
})

describe('one update', () => {
  const store = sharedStore()

  it.each<readonly [object, RegExp]>([
    [{}, /exactly one kind of change.*found none/],
    [{ ...TIP, tier: 'Standard_V2' }, /found addFeatures, ttl or tier/],
    [{ ttl: null, throughput: { mode: 'OnDemand' } }, /found ttl or tier, throughput/],
    [{ description: 'x' }, /unknown member "description"/],
  ])('makes one kind of change (R-530), %#', async (update, message) => {
    const group = await makeGroup(store.current)
    await expect(store.current.updateFeatureGroup(group.name, update)).rejects.toThrow(message)
  })

  it('may change ttl and tier together, being both of the online store (R-530)', async () => {
    const group = await makeGroup(store.current)
    const ttl = { unit: 'Hours', value: 6 } as const
    const described = await store.current.updateFeatureGroup(group.name, { ttl, tier: 'Standard_V2' })
    expect(described).toMatchObject({ ttl, tier: 'Standard_V2' })
  })

  it('moves the time of the last update, also within a millisecond (R-536)', async () => {
    const own = await openStore({ clock: new ManualClock(new Date(AT)) })
    const group = await makeGroup(own)
    const made = own.describe(group.name)
    expect(made.updatedAt).toEqual(new Date(AT))
    const times = [made.updatedAt.getTime()]
    for (const value of [1, 2]) {
      const { updatedAt } = await own.updateFeatureGroup(group.name, { ttl: { unit: 'Days', value } })
      times.push(updatedAt.getTime())
    }
    expect(times[1]).toBeGreaterThan(times[0]!)
    expect(times[2]).toBeGreaterThan(times[1]!)
    expect(own.describe(group.name).createdAt).toEqual(made.createdAt)
  })

  it('is refused while another one is in progress (R-532, OQ-42)', async () => {
    const group = await makeGroup(store.current)
    const first = store.current.updateFeatureGroup(group.name, TIP)
    await expect(store.current.updateFeatureGroup(group.name, { ttl: null })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('another update is in progress'),
    })
    await first
    await store.current.updateFeatureGroup(group.name, { ttl: null })
  })

  it('of a group that is deleted meanwhile is told so, and leaves nothing behind', async () => {
    const group = await makeGroup(store.current)
    await group.put({ id: 'a', at: AT })
    const updating = store.current.updateFeatureGroup(group.name, TIP).then(
      () => 'updated',
      (error: { code: string }) => error.code,
    )
    await store.current.deleteFeatureGroup(group.name)
    expect(['updated', 'FEATURE_GROUP_NOT_FOUND']).toContain(await updating)
    expect(store.current.list().map(({ name }) => name)).not.toContain(group.name)
    await expect(store.current.updateFeatureGroup(group.name, TIP)).rejects.toMatchObject({
      code: 'FEATURE_GROUP_NOT_FOUND',
    })
  })

  it('changes throughput by the rules of creation (R-425, R-516)', async () => {
    const group = await makeGroup(store.current)
    const throughput = { mode: 'Provisioned', readUnits: 1, writeUnits: 2 } as const
    expect(await store.current.updateFeatureGroup(group.name, { throughput })).toMatchObject({ throughput })
    await expect(store.current.updateFeatureGroup(group.name, { tier: 'Standard_V2' })).rejects.toThrow(
      'Provisioned is only for the tier Standard',
    )
    // However often it is asked for: no limit per day.
    for (let i = 0; i < 3; i++) {
      await store.current.updateFeatureGroup(group.name, { throughput: { mode: 'OnDemand' } })
      await store.current.updateFeatureGroup(group.name, { throughput })
    }
  })
})

describe('the tier', () => {
  const store = sharedStore()

  it('goes from Standard to Standard_V2 in place (R-424)', async () => {
    const group = await makeGroup(store.current)
    expect(store.current.describe(group.name).tier).toBe('Standard')
    await group.put({ id: 'a', at: AT, fare: 1 })
    await expect(group.update('a', { fare: 2 })).rejects.toThrow('this one is Standard')
    await store.current.updateFeatureGroup(group.name, { tier: 'Standard_V2' })
    expect(await group.get('a')).toEqual({ id: 'a', at: AT, fare: 1 })
    await group.update('a', { fare: 2 })
    expect(await group.get('a')).toEqual({ id: 'a', at: AT, fare: 2 })
  })

  it.each([
    ['Standard', 'InMemory'],
    ['Standard_V2', 'Standard'],
    ['Standard_V2', 'InMemory'],
    ['InMemory', 'Standard'],
    ['InMemory', 'Standard_V2'],
  ] as const)('never goes from %s to %s (R-424)', async (from, to) => {
    const group = await makeGroup(store.current, { online: { tier: from }, offline: false })
    await expect(store.current.updateFeatureGroup(group.name, { tier: to })).rejects.toThrow(
      `only Standard can be changed, and only to Standard_V2, found ${from} to "${to}"`,
    )
  })

  it('is not there without an online store, nor is a ttl (R-534)', async () => {
    const group = await makeGroup(store.current, { online: false })
    for (const update of [
      { tier: 'Standard_V2' },
      { ttl: { unit: 'Days', value: 1 } },
      { ttl: null },
    ] as const) {
      await expect(store.current.updateFeatureGroup(group.name, update)).rejects.toThrow('online store')
    }
  })
})

describe('the ttl', () => {
  const store = sharedStore()

  it('applies to records written after the change, and may be removed (R-392, R-393, R-394)', async () => {
    const group = await makeGroup(store.current)
    const earlier = new Date(Date.now() - 7_200_000).toISOString()
    await group.put({ id: 'before', at: earlier })
    await store.current.updateFeatureGroup(group.name, { ttl: { unit: 'Hours', value: 1 } })
    await group.put({ id: 'under ttl', at: earlier })
    await store.current.updateFeatureGroup(group.name, { ttl: null })
    expect(store.current.describe(group.name).ttl).toBeUndefined()
    await group.put({ id: 'after', at: earlier })
    const found = await group.getMany(['before', 'under ttl', 'after'])
    expect(found.map((record) => record?.['id'])).toEqual(['before', undefined, 'after'])
  })

  it('is a whole number of a unit (R-405)', async () => {
    const group = await makeGroup(store.current)
    for (const ttl of [
      { unit: 'Hours', value: 0 },
      { unit: 'Months', value: 1 },
    ]) {
      await expect(
        store.current.updateFeatureGroup(group.name, { ttl } as FeatureGroupUpdate),
      ).rejects.toThrow('ttl: ')
    }
  })
})

describe('a change and a crash', () => {
  it('that follows it: reopening knows the change, and rows in the log from before keep working (R-533)', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const group = await makeGroup(store)
    await group.put({ id: 'before', at: AT, fare: 1 })
    await store.updateFeatureGroup(group.name, TIP)
    await group.put({ id: 'after', at: AT, tip: 2 })
    const described = store.describe(group.name)
    await store.close({ flush: false })

    const reopened = await openStore({}, directory)
    expect(reopened.recovery.replayedRecords).toBe(2)
    expect(reopened.describe(group.name)).toEqual(described)
    const again = reopened.featureGroup(group.name)
    const expected = [
      { id: 'before', at: AT, fare: 1 },
      { id: 'after', at: AT, tip: 2 },
    ]
    expect(await again.getMany(['before', 'after'])).toEqual(expected)
    await reopened.flush()
    expect(await again.getMany(['before', 'after'])).toEqual(expected)
    const rows = await offlineRows(described.offlineDirectory!)
    expect(rows.map(({ id, fare, tip }) => [id, fare, tip]).sort()).toEqual([
      ['after', null, '2'],
      ['before', 1, null],
    ])
  })

  it('between the catalog and the shards does no harm: opening tells the shards', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const group = await makeGroup(store)
    await group.put({ id: 'before', at: AT, fare: 1 })
    await store.close({ flush: false })
    // What the update does first, and nothing of what follows.
    const catalog = new Catalog(nodeFileSystem, directory)
    const model = catalog.find(group.name)!
    catalog.replace({ ...model, features: [...model.features, { name: 'tip', type: 'Integral' }] })

    const reopened = await openStore({}, directory)
    const again = reopened.featureGroup(group.name)
    await again.put({ id: 'after', at: AT, tip: 2 })
    await again.flush()
    expect(await again.getMany(['before', 'after'])).toEqual([
      { id: 'before', at: AT, fare: 1 },
      { id: 'after', at: AT, tip: 2 },
    ])
    expect((await offlineRows(directory)).map(({ id, tip }) => [id, tip]).sort()).toEqual([
      ['after', '2'],
      ['before', null],
    ])
  })
})

it('waits for the flush round under way', async () => {
  const store = await openStore()
  const group = await makeGroup(store)
  await group.put({ id: 'a', at: AT })
  const order: string[] = []
  const flushing = group.flush().then(() => order.push('flushed'))
  await new Promise((resolve) => setImmediate(resolve))
  await store.updateFeatureGroup(group.name, TIP).then(() => order.push('updated'))
  await flushing
  expect(order).toEqual(['flushed', 'updated'])
})

it('mixes with ingestions and flush rounds: every row is in one file, with its values', async () => {
  const store = await openStore()
  const group = await makeGroup(store)
  const steps = 6
  const rowsPerStep = 1000
  for (let step = 0; step < steps; step++) {
    const feature = `f${step}`
    const rows = Array.from({ length: rowsPerStep }, (_, i) => ({ id: `id-${step}-${i}`, at: AT, fare: i }))
    const update = async (): Promise<void> => {
      await store.updateFeatureGroup(group.name, { addFeatures: { [feature]: 'Integral' } })
      await group.put({ id: `single-${step}`, at: AT, [feature]: step })
    }
    await Promise.all([group.ingest(rows), group.flush(), update(), group.flush()])
  }
  await store.flush()
  const offline = await offlineRows(store.describe(group.name).offlineDirectory!)
  expect(offline.length).toBe(steps * (rowsPerStep + 1))
  expect(new Set(offline.map(({ id }) => id)).size).toBe(offline.length)
  for (let step = 0; step < steps; step++) {
    const feature = `f${step}`
    expect(offline.find(({ id }) => id === `single-${step}`)?.[feature]).toBe(String(step))
    expect(await group.get(`single-${step}`)).toEqual({ id: `single-${step}`, at: AT, [feature]: step })
  }
  expect((await store.stats()).offline.failure).toBeUndefined()
})
