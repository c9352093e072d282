/**
 * PutRecord as a caller sees it: where a record goes, how its feature group is named, and what is refused without a trace.
 * The state tables of puts and deletes are played through in test/engine/state-tables.test.ts, on the same engine.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import { apiRecord, refused, type Texts } from '../fixtures/api.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const AT = '2026-03-01T12:00:00Z'
const LATER = '2026-03-01T12:00:01Z'
const FEATURES = { id: 'String', at: 'String', note: 'String', count: 'Integral' } as const
const BASE = { recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const

const store = sharedStore({ location: { accountId: '123456789012', region: 'us-west-2' } })
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  await store.current.createFeatureGroup({ ...BASE, name: 'Both' })
  await store.current.createFeatureGroup({ ...BASE, name: 'online', offline: false })
  await store.current.createFeatureGroup({ ...BASE, name: 'offline', online: false })
})

const put = (FeatureGroupName: string, texts: Texts, more: object = {}): Promise<void> =>
  plane.putRecord({ FeatureGroupName, Record: apiRecord(texts), ...more })
const get = async (FeatureGroupName: string, id: string): Promise<unknown> =>
  (await plane.getRecord({ FeatureGroupName, RecordIdentifierValueAsString: id })).Record

describe('a put', () => {
  it('is visible when it resolves (R-124), to every spelling of its group (R-040, R-044, R-045)', async () => {
    const record = { id: 'a', at: AT, note: 'x', count: '+007' }
    const arn = 'arn:aws:sagemaker:us-west-2:123456789012:feature-group/'
    for (const name of [
      'Both',
      'both',
      'BOTH',
      `${arn}Both`,
      `${arn}both`,
      `${arn.replace('aws', 'aws-cn')}Both`,
    ]) {
      await put(name, { ...record, note: name })
      expect(await get(name, 'a')).toEqual(apiRecord({ ...record, note: name }))
    }
  })

  it('replaces the whole record: what it leaves out has no value (R-084, R-110)', async () => {
    await put('Both', { id: 'whole', at: AT, note: 'x', count: '1' })
    await put('Both', { id: 'whole', at: LATER, count: '2' })
    expect(await get('Both', 'whole')).toEqual(apiRecord({ id: 'whole', at: LATER, count: '2' }))
  })

  it('goes to every store of the group, or to those named (R-111, R-119, R-120)', async () => {
    await put('Both', { id: 'default', at: AT, note: 'both' })
    await put('Both', { id: 'on', at: AT, note: 'on' }, { TargetStores: ['OnlineStore'] })
    await put('Both', { id: 'off', at: AT, note: 'off' }, { TargetStores: ['OfflineStore'] })
    await put('Both', { id: 'two', at: AT, note: 'two' }, { TargetStores: ['OfflineStore', 'OnlineStore'] })
    await put('offline', { id: 'only', at: AT, note: 'only' })
    await store.current.flush()
    const of = async (name: string): Promise<unknown[]> =>
      (await offlineRows(store.current.describe(name).offlineDirectory!)).map(({ id }) => id)
    expect(await of('Both')).toEqual(expect.arrayContaining(['default', 'off', 'two']))
    expect(await of('Both')).not.toContain('on')
    expect(await of('offline')).toEqual(['only'])
    expect(await get('Both', 'off')).toBeUndefined()
    for (const id of ['default', 'on', 'two']) expect(await get('Both', id)).toBeDefined()
  })

  it('older than the stored record is no error, and changes nothing online (R-113, R-119)', async () => {
    const record = { id: 'older', at: LATER, note: 'new' }
    await put('Both', record)
    await put('Both', { ...record, at: AT, note: 'old' })
    await put('Both', { ...record, at: AT, note: 'old' }, { TargetStores: ['OnlineStore'] })
    expect(await get('Both', 'older')).toEqual(apiRecord(record))
  })

  it('twice is as once online (R-028)', async () => {
    const record = { id: 'again', at: AT, count: '1' }
    await put('Both', record)
    await put('Both', record)
    expect(await get('Both', 'again')).toEqual(apiRecord(record))
  })

  it('may have a feature as soon as its group has it; older records have no value of it (R-127, R-533)', async () => {
    await store.current.createFeatureGroup({ ...BASE, name: 'growing' })
    await put('growing', { id: 'old', at: AT, note: 'x' })
    expect(await refused(put('growing', { id: 'new', at: AT, more: '1' }))).toMatchObject({
      code: 'ValidationError',
    })
    await store.current.updateFeatureGroup('growing', { addFeatures: { more: 'Integral' } })
    await put('growing', { id: 'new', at: AT, more: '1' })
    expect(await get('growing', 'new')).toEqual(apiRecord({ id: 'new', at: AT, more: '1' }))
    expect(await get('growing', 'old')).toEqual(apiRecord({ id: 'old', at: AT, note: 'x' }))
  })

  it('keeps ids apart that differ only in text (R-099)', async () => {
    const ids = ['1', '01', '1.0', '1.00', 'a', 'A', '\u00e9', 'e\u0301']
    for (const id of ids) await put('Both', { id, at: AT, note: id })
    for (const id of ids) expect(await get('Both', id)).toEqual(apiRecord({ id, at: AT, note: id }))
  })
})

describe('a put is refused', () => {
  const RECORD = { id: 'refused', at: AT }

  it.each([
    [
      'a store that the group does not have',
      'online',
      ['OfflineStore'],
      'Feature group online has no offline store.',
    ],
    [
      'a store that the group does not have',
      'offline',
      ['OnlineStore'],
      'Feature group offline has no online store.',
    ],
    ['a store twice', 'Both', ['OnlineStore', 'OnlineStore'], 'TargetStores names OnlineStore twice.'],
    ['no store', 'Both', [], 'TargetStores: expected 1 to 2 elements, found 0.'],
    [
      'a store that there is not',
      'Both',
      ['Online'],
      /^TargetStores\[0\]: expected one of OnlineStore, OfflineSt/,
    ],
  ] as const)('for naming %s (R-121)', async (_, name, TargetStores, message) => {
    expect(await refused(put(name, RECORD, { TargetStores }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
    expect(await get('Both', 'refused')).toBeUndefined()
  })

  it.each([
    'none',
    'arn:aws:sagemaker:us-west-2:123456789012:feature-group/none',
    'arn:aws:sagemaker:us-east-1:123456789012:feature-group/Both',
    'arn:aws:sagemaker:us-west-2:000000000000:feature-group/Both',
  ])('as ValidationError if there is no group %s (R-043, R-122)', async (name) => {
    expect(await refused(put(name, RECORD))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: `Feature group ${name} was not found.`,
    })
  })

  it('the same way while its group is being deleted, and says so (R-123)', async () => {
    await store.current.createFeatureGroup({ ...BASE, name: 'going' })
    await put('going', RECORD)
    const deletion = store.current.deleteFeatureGroup('going')
    expect(await refused(put('going', RECORD))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'Feature group going was not found: its status is Deleting.',
    })
    await deletion
    expect((await refused(put('going', RECORD))).message).toBe('Feature group going was not found.')
  })

  it.each(['-a', 'a-', 'a_', 'a b', 'a.b', '', 'x'.repeat(65)])(
    'for the name %j of a group, which breaks the pattern (R-041)',
    async (name) => {
      expect(await refused(put(name, RECORD))).toMatchObject({ code: 'ValidationError', status: 400 })
    },
  )

  it('for a wrong shape before anything else, and for a wrong group before a wrong record (R-031, R-080)', async () => {
    expect(await refused(put('none', {}))).toMatchObject({
      code: 'ValidationError',
      message: 'Record: expected at least 1 elements, found 0.',
    })
    expect((await refused(put('none', { nope: '' }))).message).toMatch(/was not found/)
    expect((await refused(put('online', { nope: '' }, { TargetStores: ['OfflineStore'] }))).message).toMatch(
      /no off/,
    )
    expect((await refused(put('online', { nope: '' }))).message).toMatch(/^Feature \[nope\] is not defined/)
  })

  it('for a wrong JSON type, as SerializationException (R-014)', async () => {
    const Record = [{ FeatureName: 'id', ValueAsString: 5 }] as never
    expect(await refused(plane.putRecord({ FeatureGroupName: 'Both', Record }))).toMatchObject({
      code: 'SerializationException',
      status: 400,
    })
  })

  it('without a trace in either store (R-032)', async () => {
    const bad = { id: 'trace', at: AT, count: 'many' }
    expect(await refused(put('Both', bad))).toMatchObject({ code: 'ValidationError' })
    expect(await get('Both', 'trace')).toBeUndefined()
    await store.current.flush()
    const rows = await offlineRows(store.current.describe('Both').offlineDirectory!)
    expect(rows.map(({ id }) => id)).not.toContain('trace')
  })
})

it('is refused as ServiceUnavailable by a store that is closed (d.2)', async () => {
  const { openStore } = await import('../fixtures/open-store.ts')
  const other = await openStore()
  await other.createFeatureGroup({ ...BASE, name: 'both' })
  const closed = new DataPlane(other)
  await other.close()
  expect(
    await refused(closed.putRecord({ FeatureGroupName: 'both', Record: apiRecord({ id: 'a', at: AT }) })),
  ).toMatchObject({ code: 'ServiceUnavailable', status: 503 })
})
