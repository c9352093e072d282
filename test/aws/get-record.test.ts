/** GetRecord: what comes back of a record, in which order and text, and when nothing does. */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { apiRecord, refused, type Texts } from '../fixtures/api.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const AT = '2026-03-01T12:00:00Z'
const LATER = '2026-03-01T12:00:01Z'

const store = sharedStore()
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  await store.current.createFeatureGroup({
    name: 'rides',
    recordIdentifier: 'ride_id',
    eventTime: 'ts',
    features: { distance: 'Fractional', ride_id: 'String', stops: 'Integral', ts: 'String', city: 'String' },
    offline: false,
  })
  await store.current.createFeatureGroup({
    name: 'numbers',
    recordIdentifier: 'id',
    eventTime: 'at',
    features: { id: 'Integral', at: 'Fractional' },
    offline: false,
  })
  await store.current.createFeatureGroup({
    name: 'offline',
    recordIdentifier: 'id',
    eventTime: 'at',
    features: { id: 'String', at: 'String' },
    online: false,
  })
})

const put = (texts: Texts, FeatureGroupName = 'rides'): Promise<void> =>
  plane.putRecord({ FeatureGroupName, Record: apiRecord(texts) })
const get = (id: string, more: Partial<DataPlaneInput<'GetRecord'>> = {}) =>
  plane.getRecord({ FeatureGroupName: 'rides', RecordIdentifierValueAsString: id, ...more })

describe('a record that was put', () => {
  it('comes in the order of the definition, without features that have no value (R-164, R-165)', async () => {
    await put({ ts: AT, city: 'Zürich', ride_id: 'r-1', distance: '12.50' })
    expect(await get('r-1')).toEqual({
      Record: apiRecord({ distance: '12.50', ride_id: 'r-1', ts: AT, city: 'Zürich' }),
    })
  })

  it('comes with the texts it was sent with, from the memory and from the disk (R-090)', async () => {
    const record = {
      distance: '1.E+01',
      ride_id: 'r-2',
      stops: '-007',
      ts: '2026-03-01T12:00:00.120Z',
      city: '',
    }
    await put(record)
    expect((await get('r-2')).Record).toEqual(apiRecord(record))
    await put({ id: '0010', at: '1787654321.0' }, 'numbers')
    await store.current.flush()
    expect((await get('r-2')).Record).toEqual(apiRecord(record))
    expect((await get('0010', { FeatureGroupName: 'numbers' })).Record).toEqual(
      apiRecord({ id: '0010', at: '1787654321.0' }),
    )
  })

  it('comes with the shortest texts if it was put as typed values (R-090)', async () => {
    const typed = store.current.featureGroup('rides')
    const values = { distance: 1e21, ride_id: 'typed', stops: 9007199254740993n, ts: new Date(AT), city: 'x' }
    await typed.put(values)
    expect((await get('typed')).Record).toEqual(
      apiRecord({
        distance: '1e+21',
        ride_id: 'typed',
        stops: '9007199254740993',
        ts: '2026-03-01T12:00:00.000Z',
        city: 'x',
      }),
    )
  })

  it('comes in part, in the order of the definition, the id and event time only if named (R-166, R-167)', async () => {
    await put({ ride_id: 'r-3', ts: AT, stops: '2', distance: '1' })
    expect((await get('r-3', { FeatureNames: ['stops', 'distance'] })).Record).toEqual(
      apiRecord({ distance: '1', stops: '2' }),
    )
    expect((await get('r-3', { FeatureNames: ['ts', 'city', 'ride_id', 'ts'] })).Record).toEqual(
      apiRecord({ ride_id: 'r-3', ts: AT }),
    )
  })

  it('comes empty, not absent, if none of the features asked for has a value (R-169)', async () => {
    await put({ ride_id: 'r-4', ts: AT })
    expect(await get('r-4', { FeatureNames: ['city'] })).toEqual({ Record: [] })
  })

  it('has no ExpiresAt without a time to live, or without asking (R-170)', async () => {
    await put({ ride_id: 'r-5', ts: AT })
    expect(await get('r-5', { ExpirationTimeResponse: 'Enabled' })).not.toHaveProperty('ExpiresAt')
    await plane.putRecord({
      FeatureGroupName: 'rides',
      Record: apiRecord({ ride_id: 'r-6', ts: LATER }),
      TtlDuration: { Unit: 'Weeks', Value: 5000 },
    })
    expect(await get('r-6', { ExpirationTimeResponse: 'Enabled' })).toHaveProperty('ExpiresAt')
    expect(await get('r-6', { ExpirationTimeResponse: 'Disabled' })).not.toHaveProperty('ExpiresAt')
    expect(await get('r-6')).not.toHaveProperty('ExpiresAt')
  })
})

describe('nothing comes', () => {
  it('as an empty output where there is no record, whatever is asked of it (R-160)', async () => {
    expect(await get('never')).toEqual({})
    expect(await get('never', { FeatureNames: ['city'], ExpirationTimeResponse: 'Enabled' })).toEqual({})
    expect(await get('not a number', { FeatureGroupName: 'numbers' })).toEqual({})
  })

  it.each(['SoftDelete', 'HardDelete'] as const)(
    'of a record after a %s (R-163, R-236)',
    async (DeletionMode) => {
      await put({ ride_id: DeletionMode, ts: AT })
      await plane.deleteRecord({
        FeatureGroupName: 'rides',
        RecordIdentifierValueAsString: DeletionMode,
        EventTime: LATER,
        DeletionMode,
      })
      expect(await get(DeletionMode)).toEqual({})
    },
  )
})

describe('a read is refused', () => {
  it('as ResourceNotFound if there is no such group (R-161)', async () => {
    expect(await refused(get('a', { FeatureGroupName: 'none' }))).toEqual({
      code: 'ResourceNotFound',
      status: 404,
      message: 'Feature group none was not found.',
    })
  })

  it('of a group without an online store (R-162)', async () => {
    expect(await refused(get('a', { FeatureGroupName: 'offline' }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'Feature group offline has no online store.',
    })
  })

  it.each([['unknown'], ['City'], ['-'], ['']])('for the feature name %j (R-168)', async (name) => {
    expect(await refused(get('a', { FeatureNames: ['city', name] }))).toMatchObject({
      code: 'ValidationError',
      status: 400,
      message: expect.stringContaining(name),
    })
  })

  it('for a value of ExpirationTimeResponse that there is not (R-171)', async () => {
    const ExpirationTimeResponse = 'enabled' as never
    expect(await refused(get('a', { ExpirationTimeResponse }))).toMatchObject({ code: 'ValidationError' })
  })

  it('without an id, or with one that no record can have (R-097, R-098, R-172)', async () => {
    expect((await refused(get(undefined as never))).message).toBe(
      'RecordIdentifierValueAsString: expected a value, found none.',
    )
    expect(await refused(get(''))).toMatchObject({ code: 'ValidationError' })
    expect(await refused(get('ä'.repeat(1025)))).toMatchObject({ code: 'ValidationError' })
    expect(await refused(get('\ud800'))).toMatchObject({ code: 'ValidationError' })
    expect(await get('ä'.repeat(1024))).toEqual({})
  })
})
