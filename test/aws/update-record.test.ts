/** UpdateRecord: some features of a record change and the others stay, in one step; or nothing changes and the code says why. */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { apiRecord, refused, type Texts } from '../fixtures/api.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'

const [EARLIER, AT, LATER] = ['2026-03-01T11:59:59Z', '2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z']
const MANY = Array.from({ length: 101 }, (_, i) => `f${i}`)
const FEATURES = {
  id: 'String',
  at: 'String',
  note: 'String',
  count: 'Integral',
  score: 'Fractional',
} as const
const BASE = { recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const

const store = sharedStore()
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  await store.current.createFeatureGroup({ ...BASE, name: 'v2', online: { tier: 'Standard_V2' } })
  await store.current.createFeatureGroup({ ...BASE, name: 'standard' })
  await store.current.createFeatureGroup({ ...BASE, name: 'offline', online: false })
  await store.current.createFeatureGroup({
    ...BASE,
    name: 'wide',
    features: { ...FEATURES, ...Object.fromEntries(MANY.map((name) => [name, 'Integral' as const])) },
    online: { tier: 'Standard_V2' },
  })
})

const put = (texts: Texts, FeatureGroupName = 'v2'): Promise<void> =>
  plane.putRecord({ FeatureGroupName, Record: apiRecord(texts) })
const update = (id: string, features: Texts, more: Partial<DataPlaneInput<'UpdateRecord'>> = {}) =>
  plane.updateRecord({
    FeatureGroupName: 'v2',
    RecordIdentifierValueAsString: id,
    Features: apiRecord(features),
    ...more,
  })
const get = async (id: string, FeatureGroupName = 'v2'): Promise<unknown> =>
  (await plane.getRecord({ FeatureGroupName, RecordIdentifierValueAsString: id })).Record
const rowsOf = async (id: string) => {
  await store.current.flush()
  const rows = await offlineRows(store.current.describe('v2').offlineDirectory!)
  return rows.filter((row) => row['id'] === id)
}

describe('an update', () => {
  it('sets the features it lists and leaves the others, texts included (R-090, R-350, R-358)', async () => {
    await put({ id: 'part', at: AT, note: 'x', count: '007', score: '1.50' })
    await update('part', { note: 'y', count: '+8' })
    expect(await get('part')).toEqual(
      apiRecord({ id: 'part', at: AT, note: 'y', count: '+8', score: '1.50' }),
    )
    await update('part', { score: '2' })
    expect(await get('part')).toEqual(apiRecord({ id: 'part', at: AT, note: 'y', count: '+8', score: '2' }))
  })

  it('with an event time that is equal or newer moves the record to it (R-352, R-357)', async () => {
    await put({ id: 'moved', at: AT })
    await update('moved', { at: '2026-03-01T12:00:00.000Z', note: 'equal' })
    expect(await get('moved')).toEqual(
      apiRecord({ id: 'moved', at: '2026-03-01T12:00:00.000Z', note: 'equal' }),
    )
    await update('moved', { note: 'newer', at: LATER })
    expect(await get('moved')).toEqual(apiRecord({ id: 'moved', at: LATER, note: 'newer' }))
  })

  it('may list the event time alone, and the id if it is the same (R-362, R-370)', async () => {
    await put({ id: 'touched', at: AT, note: 'x' })
    await update('touched', { at: LATER })
    await update('touched', { id: 'touched', count: '1' })
    expect(await get('touched')).toEqual(apiRecord({ id: 'touched', at: LATER, note: 'x', count: '1' }))
  })

  it('appends the whole merged record offline, and goes to the stores it names (R-366)', async () => {
    await put({ id: 'rows', at: AT, note: 'x' })
    await update('rows', { count: '1' })
    await update('rows', { count: '2' }, { TargetStores: ['OfflineStore'] })
    await update('rows', { count: '3' }, { TargetStores: ['OnlineStore'] })
    expect(await get('rows')).toEqual(apiRecord({ id: 'rows', at: AT, note: 'x', count: '3' }))
    const rows = await rowsOf('rows')
    expect(rows.map((row) => [row['note'], row['count'], row['is_deleted']])).toEqual(
      expect.arrayContaining([
        ['x', null, false],
        ['x', '1', false],
        ['x', '2', false],
      ]),
    )
    expect(rows).toHaveLength(3)
  })

  it('loses no other of the same record, made at the same time (R-367)', async () => {
    await put({ id: 'together', at: AT }, 'wide')
    await Promise.all(
      MANY.map((name, i) => update('together', { [name]: String(i) }, { FeatureGroupName: 'wide' })),
    )
    expect(await get('together', 'wide')).toEqual(
      apiRecord({
        id: 'together',
        at: AT,
        ...Object.fromEntries(MANY.map((name, i) => [name, String(i)])),
      }),
    )
  })
})

describe('an update is refused', () => {
  it('as ResourceNotFound if there is no record, and makes none (R-354, R-368)', async () => {
    await put({ id: 'soft', at: AT })
    await plane.deleteRecord({
      FeatureGroupName: 'v2',
      RecordIdentifierValueAsString: 'soft',
      EventTime: LATER,
    })
    for (const id of ['never', 'soft']) {
      expect(await refused(update(id, { note: 'x', at: EARLIER }))).toEqual({
        code: 'ResourceNotFound',
        status: 404,
        message: expect.stringContaining(`"${id}"`),
      })
      expect(await get(id)).toBeUndefined()
    }
    expect(await rowsOf('never')).toEqual([])
  })

  it('as ResourceNotFound if there is no such group (R-355)', async () => {
    expect(await refused(update('a', { note: 'x' }, { FeatureGroupName: 'none' }))).toMatchObject({
      code: 'ResourceNotFound',
      status: 404,
      message: 'Feature group none was not found.',
    })
  })

  it('as ConflictException if its event time is older, and nothing changes in either store (R-356)', async () => {
    await put({ id: 'conflict', at: AT, note: 'x' })
    expect(await refused(update('conflict', { note: 'y', at: EARLIER }))).toMatchObject({
      code: 'ConflictException',
      status: 409,
    })
    expect(await get('conflict')).toEqual(apiRecord({ id: 'conflict', at: AT, note: 'x' }))
    expect(await rowsOf('conflict')).toHaveLength(1)
  })

  it('on the tier Standard and without an online store, after the record was checked (R-031, R-351)', async () => {
    await put({ id: 'a', at: AT }, 'standard')
    expect(await refused(update('a', { note: 'x' }, { FeatureGroupName: 'standard' }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message:
        'UpdateRecord needs an online store of tier Standard_V2 or InMemory; that of feature group standard is Standard.',
    })
    expect((await refused(update('a', { nope: 'x' }, { FeatureGroupName: 'standard' }))).message).toMatch(
      /\[nope\]/,
    )
    expect((await refused(update('a', { note: 'x' }, { FeatureGroupName: 'offline' }))).message).toBe(
      'Feature group offline has no online store.',
    )
  })

  it('with a time to live but no event time to count it from (R-359)', async () => {
    await put({ id: 'ttl', at: AT })
    const TtlDuration = { Unit: 'Days', Value: 1 } as const
    for (const more of [{ TtlDuration }, { TtlDuration, TargetStores: ['OfflineStore'] as const }]) {
      expect(await refused(update('ttl', { note: 'x' }, more))).toMatchObject({
        code: 'ValidationError',
        status: 400,
        message: expect.stringMatching(/^TtlDuration needs an event time/),
      })
    }
  })

  it('for more than 100 features, the event time counted (R-353)', async () => {
    await put({ id: 'most', at: AT }, 'wide')
    const of = (count: number) => Object.fromEntries(MANY.slice(0, count).map((name) => [name, '1']))
    const wide = { FeatureGroupName: 'wide' }
    expect(await refused(update('most', { ...of(100), at: AT }, wide))).toMatchObject({
      code: 'ValidationError',
    })
    await update('most', { ...of(99), at: AT }, wide)
    expect(await refused(update('most', {}, wide))).toMatchObject({ code: 'ValidationError' })
  })

  it('for another id among its features (R-362)', async () => {
    await put({ id: 'own', at: AT })
    expect(await refused(update('own', { id: 'other' }))).toMatchObject({
      code: 'ValidationError',
      status: 400,
    })
  })

  it('if the merged record is too large, though the changes are not (R-363)', async () => {
    await put({ id: 'large', at: AT, note: 'x'.repeat(358_350) })
    expect(await refused(update('large', { count: '1'.repeat(18), score: '2'.repeat(18) }))).toMatchObject({
      code: 'ValidationError',
      status: 400,
    })
    await update('large', { count: '1' })
  })

  it('for a value left out, which is not a way to remove it (R-364)', async () => {
    await put({ id: 'null', at: AT, note: 'x' })
    const Features = [{ FeatureName: 'note' }]
    expect(await refused(update('null', {}, { Features }))).toMatchObject({ code: 'ValidationError' })
    expect(await get('null')).toEqual(apiRecord({ id: 'null', at: AT, note: 'x' }))
  })
})

it('works at once on a group that became Standard_V2 (R-369)', async () => {
  await store.current.createFeatureGroup({ ...BASE, name: 'migrated' })
  await put({ id: 'a', at: AT, note: 'x' }, 'migrated')
  const migrated = { FeatureGroupName: 'migrated' }
  expect(await refused(update('a', { note: 'y' }, migrated))).toMatchObject({ code: 'ValidationError' })
  await store.current.updateFeatureGroup('migrated', { tier: 'Standard_V2' })
  await update('a', { note: 'y' }, migrated)
  expect(await get('a', 'migrated')).toEqual(apiRecord({ id: 'a', at: AT, note: 'y' }))
})

it('works on every tier, and with more features, with the extensions (R-351, R-353)', async () => {
  const extended = await openStore({ extensions: true })
  await extended.createFeatureGroup({
    ...BASE,
    name: 'g',
    features: { ...FEATURES, ...Object.fromEntries(MANY.map((name) => [name, 'Integral' as const])) },
  })
  const other = new DataPlane(extended)
  const of = { FeatureGroupName: 'g', RecordIdentifierValueAsString: 'a' }
  await other.putRecord({ FeatureGroupName: 'g', Record: apiRecord({ id: 'a', at: AT }) })
  const features = Object.fromEntries(MANY.map((name) => [name, '1']))
  await other.updateRecord({ ...of, Features: apiRecord(features) })
  expect((await other.getRecord(of)).Record).toHaveLength(MANY.length + 2)
})
