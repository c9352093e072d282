/** A store's life: feature groups made, found, deleted and made again; what a closed store does. */
import { describe, expect, it } from 'vitest'
import type { FeatureGroup, MillraceError } from '../../src/index.ts'
import { Millrace } from '../../src/index.ts'
import { offlineRows, parquetFiles } from '../fixtures/offline-rows.ts'
import { openStore, SMALL, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const TRIPS = {
  name: 'Trips',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', fare: 'Fractional' },
} as const

const AT = '2026-03-01T12:00:00Z'

async function idsOf(group: FeatureGroup<never> | FeatureGroup): Promise<string[]> {
  const ids: string[] = []
  for await (const id of group.ids()) ids.push(id)
  return ids.sort()
}

describe('a feature group', () => {
  const store = sharedStore()

  it('is described with its defaults (R-044, R-421, R-515)', async () => {
    await store.current.createFeatureGroup({ ...TRIPS, name: 'described' })
    const { createdAt, updatedAt, offlineDirectory, ...rest } = store.current.describe('described')
    expect(rest).toEqual({
      ...TRIPS,
      name: 'described',
      arn: 'arn:aws:sagemaker:local:000000000000:feature-group/described',
      online: true,
      tier: 'Standard',
      ttl: undefined,
      offline: true,
      description: '',
      tags: {},
      throughput: { mode: 'OnDemand' },
      status: 'created',
    })
    expect(updatedAt).toEqual(createdAt)
    expect(Math.abs(createdAt.getTime() - Date.now())).toBeLessThan(60_000)
    expect(offlineDirectory).toMatch(/\/offline-store\/described-\d{10}\/data$/)
    expect(offlineDirectory?.startsWith(store.current.directory)).toBe(true)
  })

  it('has no offline directory without an offline store', async () => {
    await store.current.createFeatureGroup({
      ...TRIPS,
      name: 'online-only',
      offline: false,
      description: 'd',
    })
    expect(store.current.describe('online-only')).toMatchObject({
      offline: false,
      offlineDirectory: undefined,
      description: 'd',
    })
  })

  it('is found in any case, and keeps the spelling it was made with (R-045)', async () => {
    const group = await store.current.createFeatureGroup({ ...TRIPS, name: 'CamelCase' })
    await group.put({ id: 'a', at: AT })
    expect(store.current.featureGroup('camelcase').name).toBe('CamelCase')
    expect(await store.current.featureGroup('CAMELCASE').get('a')).toEqual({ id: 'a', at: AT })
    await expect(store.current.createFeatureGroup({ ...TRIPS, name: 'camelCASE' })).rejects.toMatchObject({
      code: 'FEATURE_GROUP_EXISTS',
      message: expect.stringContaining('"CamelCase" exists already'),
    })
  })

  it('that does not exist is told with the ones that do', () => {
    const { current } = store
    for (const find of [() => current.featureGroup('tirps'), () => current.describe('tirps')]) {
      expect(find).toThrow(/no feature group "tirps"; the store has described/)
    }
    expect(() => store.current.featureGroup('constructor')).toThrow('there is no feature group "constructor"')
  })

  it('is made once by ensureFeatureGroup, and another definition is refused in words', async () => {
    const definition = { ...TRIPS, name: 'ensured' }
    const first = await store.current.ensureFeatureGroup(definition)
    await first.put({ id: 'a', at: AT, fare: 1 })
    const second = await store.current.ensureFeatureGroup(definition)
    expect(await second.get('a')).toEqual({ id: 'a', at: AT, fare: 1 })
    const others = [
      [{ ...definition, online: false }, 'online is true, not false'],
      [
        { ...definition, features: { ...TRIPS.features, fare: 'Integral' } },
        'fare: Fractional, not id: String',
      ],
      [{ ...definition, recordIdentifier: 'at' }, 'recordIdentifier is id, not at'],
    ] as const
    for (const [other, message] of others) {
      await expect(store.current.ensureFeatureGroup(other as typeof definition)).rejects.toThrow(message)
    }
  })

  it.each(['constructor', 'toString', 'hasOwnProperty', 'valueOf', 'a', '0', 'a-_-b', 'x'.repeat(64)])(
    'may be called %s, and so may its features',
    async (name) => {
      const features: Record<string, 'String' | 'Integral'> = {
        id1: 'String',
        at1: 'String',
        [name]: 'Integral',
      }
      const group = await store.current.createFeatureGroup({
        name,
        recordIdentifier: 'id1',
        eventTime: 'at1',
        features,
      })
      await group.put({ id1: 'r', at1: AT, [name]: 7 })
      await group.put({ id1: 'without', at1: AT })
      const record = await store.current.featureGroup(name).get('r')
      expect(Object.entries(record!).sort()).toEqual(Object.entries({ id1: 'r', at1: AT, [name]: 7 }).sort())
      expect(Object.keys((await group.get('without'))!).sort()).toEqual(['at1', 'id1'])
      await group.flush()
      const rows = await offlineRows(store.current.describe(name).offlineDirectory!)
      expect(rows.map((row) => (Object.hasOwn(row, name) ? row[name] : 'missing')).sort()).toEqual([
        '7',
        null,
      ])
    },
  )

  it('keeps to itself: the same id in two groups is two records', async () => {
    const one = await store.current.createFeatureGroup({ ...TRIPS, name: 'one' })
    const two = await store.current.createFeatureGroup({ ...TRIPS, name: 'two' })
    await one.put({ id: 'a', at: AT, fare: 1 })
    await two.put({ id: 'a', at: AT, fare: 2 })
    await one.put({ id: 'b', at: AT })
    await one.delete('a', '2026-03-01T12:00:01Z', { mode: 'hard' })
    expect([await one.get('a'), (await two.get('a'))?.fare]).toEqual([undefined, 2])
    expect([await idsOf(one as never), await idsOf(two as never)]).toEqual([['b'], ['a']])
    const page = await one.listRecords({ pageSize: 1 })
    expect(page.nextToken).toBeUndefined()
    await two.put({ id: 'c', at: AT })
    const { nextToken } = await two.listRecords({ pageSize: 1 })
    await expect(one.listRecords({ token: nextToken! })).rejects.toThrow(
      'not a token that listRecords of this',
    )
  })
})

describe('a deleted feature group', () => {
  it('is gone at once, keeps its files, and nothing of it shows in one made again under its name (R-541, R-542, R-543)', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const first = await store.createFeatureGroup(TRIPS)
    const before = store.describe('Trips').offlineDirectory!
    await first.ingest(Array.from({ length: 300 }, (_, i) => ({ id: `old-${i}`, at: AT, fare: i })))
    await store.flush()
    await first.put({ id: 'in the memtable', at: AT })
    const { nextToken } = await first.listRecords({ pageSize: 5 })
    await store.deleteFeatureGroup('trips')

    expect(store.list()).toEqual([])
    expect(() => store.featureGroup('Trips')).toThrow('the store has none yet')
    await expect(first.get('old-1')).rejects.toMatchObject({ code: 'FEATURE_GROUP_NOT_FOUND' })
    await expect(first.put({ id: 'a', at: AT })).rejects.toMatchObject({ code: 'FEATURE_GROUP_NOT_FOUND' })
    // what was accepted before is published.
    expect((await offlineRows(before)).length).toBe(301)

    const second = await store.createFeatureGroup(TRIPS)
    const after = store.describe('Trips').offlineDirectory!
    expect(after).not.toBe(before)
    expect(await idsOf(second as never)).toEqual([])
    expect(await second.get('old-1')).toBeUndefined()
    await expect(second.listRecords({ token: nextToken! })).rejects.toThrow('not a token')
    await second.put({ id: 'new', at: AT })
    await store.close()

    const reopened = await openStore({}, directory)
    const third = reopened.featureGroup('Trips')
    expect(await idsOf(third)).toEqual(['new'])
    expect((await offlineRows(reopened.describe('Trips').offlineDirectory!)).length).toBe(1)
    expect((await offlineRows(before)).length).toBe(301)
    expect((await reopened.stats()).featureGroups).toMatchObject([
      { name: 'Trips', online: { records: 1 }, offline: { files: 1, rows: 1 } },
    ])
  })

  it('takes the positions of its sources with it', async () => {
    const store = await openStore()
    const rows = [{ id: 'a', at: AT }]
    const first = await store.createFeatureGroup(TRIPS)
    await first.ingest(rows, { source: { id: 'file.csv' } })
    expect(await first.ingestPosition('file.csv')).toBe(1)
    await store.deleteFeatureGroup('Trips')
    const second = await store.createFeatureGroup(TRIPS)
    expect(await second.ingestPosition('file.csv')).toBe(0)
    expect(await second.ingest(rows, { source: { id: 'file.csv' } })).toMatchObject({
      accepted: 1,
      skipped: 0,
    })
  })

  it('ends an ingestion into it, and the store goes on', async () => {
    const store = await openStore()
    const doomed = await store.createFeatureGroup(TRIPS)
    const other = await store.createFeatureGroup({ ...TRIPS, name: 'other' })
    const started = Promise.withResolvers<void>()
    let isDeleted = false
    async function* endless(): AsyncGenerator<{ id: string; at: string }[]> {
      for (let n = 0; n < 1000; n++) {
        if (n === 20) started.resolve()
        if (isDeleted) await new Promise((resolve) => setImmediate(resolve))
        yield Array.from({ length: 1000 }, (_, i) => ({ id: `id-${n}-${i}`, at: AT }))
      }
    }
    const ingestion = doomed.ingest(endless()).then(
      () => 'it ended by itself',
      (error: MillraceError) => error.code,
    )
    await started.promise
    await store.deleteFeatureGroup('Trips')
    isDeleted = true
    expect(await ingestion).toBe('FEATURE_GROUP_NOT_FOUND')
    await other.put({ id: 'a', at: AT })
    await store.flush()
    expect((await offlineRows(store.describe('other').offlineDirectory!)).length).toBe(1)
    expect((await store.stats()).offline).toMatchObject({ unpublishedRows: 0, failure: undefined })
  })
})

describe('the list of feature groups', () => {
  it('is in the order they were made, and survives reopening', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    for (const name of ['b', 'a', 'c']) await store.createFeatureGroup({ ...TRIPS, name })
    await store.deleteFeatureGroup('a')
    await store.createFeatureGroup({ ...TRIPS, name: 'A' })
    const before = store.list()
    expect(before.map((group) => group.name)).toEqual(['b', 'c', 'A'])
    await store.close()
    const reopened = await openStore({}, directory)
    expect(reopened.list()).toEqual(before)
    // The order of the features is the order of the columns.
    expect(Object.keys(reopened.describe('b').features)).toEqual(['id', 'at', 'fare'])
  })
})

describe('closing', () => {
  it('makes every operation fail as closed', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(TRIPS)
    await store.close()
    const operations: (() => unknown)[] = [
      () => group.put({ id: 'a', at: AT }),
      () => group.get('a'),
      () => group.getMany(['a']),
      () => group.delete('a', AT),
      () => group.delete('a', AT, { mode: 'hard' }),
      () => group.ingest([]),
      () => group.ingestPosition('s'),
      () => group.listRecords(),
      () => group.flush(),
      () => store.flush(),
      () => store.stats(),
      () => store.list(),
      () => store.describe('Trips'),
      () => store.featureGroup('Trips'),
      () => store.createFeatureGroup({ ...TRIPS, name: 'x' }),
      () => store.ensureFeatureGroup(TRIPS),
      () => store.deleteFeatureGroup('Trips'),
    ]
    for (const operation of operations) {
      await expect((async () => operation())(), String(operation)).rejects.toMatchObject({ code: 'CLOSED' })
    }
  })

  it('may be asked for twice, also at the same time', async () => {
    const store = await openStore()
    await Promise.all([store.close(), store.close()])
    await store.close()
  })

  it('happens at the end of an `await using` block, with everything written', async () => {
    const directory = temporaryDirectory()
    {
      await using store = await Millrace.open(directory, SMALL)
      const group = await store.createFeatureGroup(TRIPS)
      void group.put({ id: 'not awaited', at: AT })
    }
    expect((await offlineRows(directory)).map(({ id }) => id)).toEqual(['not awaited'])
    const store = await openStore({}, directory)
    expect(store.recovery).toEqual({ replayedRecords: 0, tornBytes: 0 })
    expect(await store.featureGroup('Trips').get('not awaited')).toEqual({ id: 'not awaited', at: AT })
  })

  it('without flushing leaves rows in the log, and they become files later', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const group = await store.createFeatureGroup(TRIPS)
    await group.put({ id: 'a', at: AT })
    await store.close({ flush: false })
    expect(parquetFiles(directory)).toEqual([])
    const reopened = await openStore({}, directory)
    expect(reopened.recovery.replayedRecords).toBe(1)
    expect(await reopened.featureGroup('Trips').get('a')).toEqual({ id: 'a', at: AT })
    await reopened.flush()
    expect((await offlineRows(directory)).length).toBe(1)
  })

  it('ends an ingestion under way as closed, and keeps what of it was accepted exactly once', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const group = await store.createFeatureGroup(TRIPS)
    const started = Promise.withResolvers<void>()
    async function* endless(): AsyncGenerator<{ id: string; at: string }[]> {
      for (let n = 0; n < 10_000; n++) {
        if (n === 20) started.resolve()
        yield Array.from({ length: 1000 }, (_, i) => ({ id: `id-${n}-${i}`, at: AT }))
      }
    }
    const ingestion = group.ingest(endless(), { source: { id: 's' } }).then(
      () => 'it ended by itself',
      (error: MillraceError) => error.code,
    )
    await started.promise
    await store.close()
    expect(await ingestion).toBe('CLOSED')
    const reopened = await openStore({}, directory)
    expect(reopened.recovery.replayedRecords).toBe(0)
    const again = reopened.featureGroup('Trips')
    const online = (await idsOf(again)).length
    const rows = await offlineRows(directory)
    expect(online).toBeGreaterThan(0)
    expect(rows.length).toBe(online)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(online)
    const position = await again.ingestPosition('s')
    expect(position).toBeGreaterThan(0)
    expect(position).toBeLessThanOrEqual(online)
  })
})
