/** Feature groups made and deleted at the same time, where their files lie, and what a catalog keeps. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { MillraceError } from '../../src/index.ts'
import { catalogFile } from '../../src/io/paths.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const TRIPS = {
  name: 'trips',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String' },
} as const

const AT = '2026-03-01T12:00:00Z'
const codeOf = (error: MillraceError): string => error.code

describe('at the same time', () => {
  const store = sharedStore()

  it('one of two creations of a name succeeds, in any case (R-045, R-507)', async () => {
    const outcomes = await Promise.all(
      ['Twice', 'twice', 'TWICE'].map((name) =>
        store.current.createFeatureGroup({ ...TRIPS, name }).then(() => 'made', codeOf),
      ),
    )
    expect(outcomes).toEqual(['made', 'FEATURE_GROUP_EXISTS', 'FEATURE_GROUP_EXISTS'])
    expect(store.current.describe('twice').name).toBe('Twice')
  })

  it('ensuring one name gives handles that work at once', async () => {
    const name = 'ensured'
    const groups = await Promise.all(
      [1, 2, 3].map(() => store.current.ensureFeatureGroup({ ...TRIPS, name })),
    )
    await Promise.all(groups.map((group, i) => group.put({ id: `id-${i}`, at: AT })))
    expect((await groups[0]!.getMany(['id-0', 'id-1', 'id-2'])).map((record) => record?.id)).toEqual([
      'id-0',
      'id-1',
      'id-2',
    ])
  })

  it('many are made, more than AWS makes in parallel (R-508)', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `parallel-${i}`)
    await Promise.all(names.map((name) => store.current.createFeatureGroup({ ...TRIPS, name })))
    for (const name of names) expect(store.current.describe(name).status).toBe('created')
    await Promise.all(names.map((name) => store.current.deleteFeatureGroup(name)))
    expect(store.current.list().filter(({ name }) => name.startsWith('parallel'))).toEqual([])
  })

  it('two are deleted, each with its own rows, and one twice (R-540, R-544)', async () => {
    const groups = await Promise.all(
      ['left', 'right'].map((name) => store.current.createFeatureGroup({ ...TRIPS, name })),
    )
    const directories = groups.map(({ name }) => store.current.describe(name).offlineDirectory!)
    const puts = groups.map((group) => group.put({ id: group.name, at: AT }))
    await Promise.all([
      ...puts,
      store.current.deleteFeatureGroup('left'),
      store.current.deleteFeatureGroup('right'),
      store.current.deleteFeatureGroup('Left'),
    ])
    for (const [i, directory] of directories.entries()) {
      expect((await offlineRows(directory)).map(({ id }) => id)).toEqual([groups[i]!.name])
    }
    await expect(store.current.deleteFeatureGroup('left')).rejects.toMatchObject({
      code: 'FEATURE_GROUP_NOT_FOUND',
    })
  })

  it('a name that is being deleted is taken, and reads and writes of it fail (R-507, R-542)', async () => {
    const group = await store.current.createFeatureGroup({ ...TRIPS, name: 'going' })
    await group.put({ id: 'a', at: AT })
    const deleting = store.current.deleteFeatureGroup('going')
    await expect(store.current.createFeatureGroup({ ...TRIPS, name: 'Going' })).rejects.toMatchObject({
      code: 'FEATURE_GROUP_EXISTS',
      message: expect.stringContaining('is being deleted'),
    })
    await expect(group.get('a')).rejects.toMatchObject({ code: 'FEATURE_GROUP_NOT_FOUND' })
    await deleting
    await store.current.createFeatureGroup({ ...TRIPS, name: 'going' })
  })

  it('the store is closed: what was begun is finished', async () => {
    const directory = temporaryDirectory()
    const own = await openStore({}, directory)
    const group = await own.createFeatureGroup(TRIPS)
    await own.createFeatureGroup({ ...TRIPS, name: 'doomed' })
    await group.put({ id: 'a', at: AT })
    const update = own
      .updateFeatureGroup('trips', { addFeatures: { x: 'String' } })
      .then(() => 'done', codeOf)
    const deletion = own.deleteFeatureGroup('doomed').then(() => 'done', codeOf)
    await own.close()
    expect(['done', 'CLOSED']).toContain(await update)
    expect(['done', 'CLOSED']).toContain(await deletion)
    const reopened = await openStore({}, directory)
    expect(reopened.list().map(({ name }) => name)).toEqual(['trips'])
  })
})

it('warns of names that the Spark writer reserves, and takes them (R-046)', async () => {
  const store = await openStore()
  const warnings: string[] = []
  const listen = (warning: Error): void => void warnings.push(warning.message)
  process.on('warning', listen)
  try {
    await store.createFeatureGroup({ ...TRIPS, features: { ...TRIPS.features, Month: 'Integral' } })
    await store.updateFeatureGroup('trips', { addFeatures: { hour: 'Integral', minute: 'Integral' } })
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', listen)
  }
  expect(warnings).toEqual(
    ['Month', 'hour'].map(
      (name) => `feature group "trips": the Spark writer of SageMaker reserves the names of ${name}`,
    ),
  )
})

describe('the place of offline files', () => {
  const location = { accountId: '123456789012', region: 'us-west-2' }
  const store = sharedStore({ location })

  it.each([
    ['s3://lake/fs/', 'lake/fs'],
    ['s3://lake', 'lake'],
    ['s3://lake//a///b', 'lake/a/b'],
    ['s3://lake/../../etc', 'lake/%2E./%2E./etc'],
    ['s3://../x', '%2E./x'],
    ['s3://lake/.hidden/./x', 'lake/%2Ehidden/%2E/x'],
    ['s3://lake/a\\b%2F\u0007', 'lake/a%5Cb%252F%07'],
    ['s3://lake/Zürich 2026', 'lake/Zürich 2026'],
    ['https://host.example/lake', 'host.example/lake'],
  ])('of %j is %s, below the store (R-460, R-511)', async (s3Uri, expected) => {
    const name = `at-${s3Uri.length}`
    const group = await store.current.createFeatureGroup({ ...TRIPS, name, offline: { s3Uri } })
    const { offlineDirectory, createdAt } = store.current.describe(name)
    const seconds = Math.floor(createdAt.getTime() / 1000)
    const below = join(store.current.directory, 'offline', expected)
    expect(offlineDirectory).toBe(
      `${below}/123456789012/sagemaker/us-west-2/offline-store/${name}-${seconds}/data`,
    )
    await group.put({ id: 'a', at: AT })
    await group.flush()
    expect((await offlineRows(offlineDirectory!)).map(({ id }) => id)).toEqual(['a'])
    await store.current.deleteFeatureGroup(name)
  })

  it.each([
    ['file:///etc', /expected a URI such as s3:\/\/bucket\/prefix/],
    ['s3://', /expected a URI/],
    ['s3:///x', /expected a URI/],
    ['s3://lake/\ud800', /expected a URI/],
    [`s3://lake/${'x'.repeat(256)}`, /at most 255 bytes between two slashes/],
    [`s3://lake/${'x'.repeat(200)}${'/yyyyyyyyy'.repeat(190)}`, /prefix of at most 2048 bytes/],
  ])('is refused for %j before anything is made', async (s3Uri, message) => {
    const definition = { ...TRIPS, name: 'refused', offline: { s3Uri } }
    await expect(store.current.createFeatureGroup(definition)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
    expect(() => store.current.describe('refused')).toThrow('there is no feature group')
  })

  it('differs for one made again within a second, in each place (R-543)', async () => {
    const directories = new Set<string>()
    for (const s3Uri of ['s3://one', 's3://two', 's3://one', 's3://one/', 's3://two']) {
      const group = await store.current.createFeatureGroup({ ...TRIPS, name: 'again', offline: { s3Uri } })
      await group.put({ id: 'a', at: AT })
      const { offlineDirectory } = store.current.describe('again')
      directories.add(offlineDirectory!)
      await store.current.deleteFeatureGroup('again')
      expect((await offlineRows(offlineDirectory!)).length).toBe(1)
    }
    expect(directories.size).toBe(5)
  })
})

describe('a description', () => {
  it('tells tier, ttl, tags, throughput and ARN, the same after reopening (R-044, R-421)', async () => {
    const directory = temporaryDirectory()
    const location = { accountId: '123456789012', region: 'eu-central-1', partition: 'aws-cn' }
    const store = await openStore({ location }, directory)
    const definition = {
      ...TRIPS,
      name: 'CamelCase',
      features: { ...TRIPS.features, embedding: { type: 'Fractional', collection: 'Vector', dimension: 2 } },
      online: { tier: 'InMemory', ttl: { unit: 'Weeks', value: 2 } },
      offline: false,
      description: 'd',
      tags: { team: 'ml', constructor: 'x' },
    } as const
    await store.createFeatureGroup(definition)
    const described = store.describe('camelcase')
    expect(described).toMatchObject({
      arn: 'arn:aws-cn:sagemaker:eu-central-1:123456789012:feature-group/CamelCase',
      features: definition.features,
      tier: 'InMemory',
      ttl: { unit: 'Weeks', value: 2 },
      tags: definition.tags,
      throughput: { mode: 'OnDemand' },
      offlineDirectory: undefined,
    })
    await store.close()
    const reopened = await openStore({ location }, directory)
    expect(reopened.describe('camelcase')).toEqual(described)
    // What the definition leaves out is taken as it is; what it states must agree.
    await reopened.ensureFeatureGroup({ ...definition, online: true })
    await expect(
      reopened.ensureFeatureGroup({ ...definition, online: { tier: 'Standard' } }),
    ).rejects.toThrow('InMemory')
    await expect(
      reopened.ensureFeatureGroup({ ...definition, online: { ttl: { unit: 'Days', value: 1 } } }),
    ).rejects.toThrow('its ttl is 2 Weeks, not 1 Days')
  })

  it('has the tier Standard by default, and none without an online store (R-421)', async () => {
    const store = await openStore()
    await store.createFeatureGroup(TRIPS)
    await store.createFeatureGroup({ ...TRIPS, name: 'offline-only', online: false })
    expect(store.describe('trips').tier).toBe('Standard')
    expect(store.describe('offline-only').tier).toBeUndefined()
  })
})

it('refuses a catalog of another layout, and says which', async () => {
  const directory = temporaryDirectory()
  const store = await openStore({}, directory)
  await store.close()
  writeFileSync(catalogFile(directory), '{"version":1,"nextNumber":1,"groups":[]}')
  await expect(openStore({}, directory)).rejects.toMatchObject({
    code: 'CATALOG_CORRUPT',
    message: expect.stringContaining('expected layout 2, found 1'),
  })
})
