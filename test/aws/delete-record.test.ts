/**
 * DeleteRecord: both modes, the stores they go to, and what is refused. The state table is played through in
 * test/engine/state-tables.test.ts; here are the rules that the API adds to it.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { apiRecord, refused } from '../fixtures/api.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const [EARLIER, AT, LATER] = ['2026-03-01T11:59:59Z', '2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z']
const HARD = { DeletionMode: 'HardDelete' } as const

const store = sharedStore()
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  const features = { id: 'String', at: 'String', note: 'String' } as const
  const base = { recordIdentifier: 'id', eventTime: 'at', features } as const
  await store.current.createFeatureGroup({ ...base, name: 'both' })
  await store.current.createFeatureGroup({ ...base, name: 'offline', online: false })
  await store.current.createFeatureGroup({
    name: 'numbers',
    recordIdentifier: 'id',
    eventTime: 'at',
    features: { id: 'Integral', at: 'Fractional', note: 'String' },
  })
})

const put = (id: string, at: string): Promise<void> =>
  plane.putRecord({ FeatureGroupName: 'both', Record: apiRecord({ id, at, note: at }) })
const remove = (id: string, EventTime: string, more: Partial<DataPlaneInput<'DeleteRecord'>> = {}) =>
  plane.deleteRecord({ FeatureGroupName: 'both', RecordIdentifierValueAsString: id, EventTime, ...more })
const isThere = async (id: string): Promise<boolean> =>
  (await plane.getRecord({ FeatureGroupName: 'both', RecordIdentifierValueAsString: id })).Record !==
  undefined

async function markersOf(name: string, id: string): Promise<unknown[]> {
  await store.current.flush()
  const rows = await offlineRows(store.current.describe(name).offlineDirectory!)
  return rows.filter((row) => row['id'] === id && row['is_deleted'] === true)
}

describe('a delete', () => {
  it('is a SoftDelete by default: an older put stays hidden afterwards (R-221, R-222)', async () => {
    await put('soft', AT)
    await remove('soft', LATER)
    expect(await isThere('soft')).toBe(false)
    await put('soft', AT)
    expect(await isThere('soft')).toBe(false)
    await put('soft', LATER)
    expect(await isThere('soft')).toBe(true)
  })

  it('that is a HardDelete leaves nothing: any put is visible afterwards (R-117, R-223, R-235)', async () => {
    await put('hard', AT)
    await remove('hard', LATER, HARD)
    expect(await isThere('hard')).toBe(false)
    await put('hard', EARLIER)
    expect(await isThere('hard')).toBe(true)
  })

  it('sees a put that was made just before it', async () => {
    const writes = [put('at once', AT), remove('at once', LATER, HARD)]
    await Promise.all(writes)
    expect(await isThere('at once')).toBe(false)
  })

  it('appends a marker to the stores it goes to (R-224, R-226, R-232, R-233, R-234)', async () => {
    await put('marked', AT)
    await remove('marked', AT)
    expect(await isThere('marked')).toBe(true)
    expect(await markersOf('both', 'marked')).toEqual([
      expect.objectContaining({ id: 'marked', at: AT, note: null, is_deleted: true }),
    ])
    await remove('marked', EARLIER, { TargetStores: ['OfflineStore'], ...HARD })
    expect(await isThere('marked')).toBe(true)
    expect(await markersOf('both', 'marked')).toHaveLength(2)
    await remove('marked', LATER, { TargetStores: ['OnlineStore'] })
    expect(await isThere('marked')).toBe(false)
    expect(await markersOf('both', 'marked')).toHaveLength(2)
  })

  it('in an offline store alone compares with nothing (R-234)', async () => {
    await remove('only', AT, { FeatureGroupName: 'offline', ...HARD })
    await remove('only', EARLIER, { FeatureGroupName: 'offline', ...HARD })
    expect(await markersOf('offline', 'only')).toHaveLength(2)
  })

  it('has the types of its group in its marker (R-220)', async () => {
    await remove('0042', '1772366400.5', { FeatureGroupName: 'numbers' })
    expect(await markersOf('numbers', '42')).toEqual([
      expect.objectContaining({ id: '42', at: 1772366400.5, note: null }),
    ])
  })
})

describe('a delete is refused', () => {
  it('in mode HardDelete if it is not later, also online only, and leaves no marker (R-225, R-227, R-233)', async () => {
    await put('kept', AT)
    for (const TargetStores of [undefined, ['OnlineStore'] as const]) {
      for (const time of [EARLIER, AT, '2026-03-01T12:00:00.000Z']) {
        expect(await refused(remove('kept', time, TargetStores ? { ...HARD, TargetStores } : HARD))).toEqual({
          code: 'ValidationError',
          status: 400,
          message: expect.stringMatching(/^EventTime .* must be later .* HardDelete; nothing was deleted\.$/),
        })
      }
    }
    expect(await isThere('kept')).toBe(true)
    expect(await markersOf('both', 'kept')).toEqual([])
  })

  it('without its event time or in another format than that of the group (R-220)', async () => {
    expect(await refused(remove('a', undefined as never))).toMatchObject({ code: 'ValidationError' })
    expect((await refused(remove('a', '1772366400'))).message).toMatch(/^The event time, EventTime, must be/)
    expect((await refused(remove('1', AT, { FeatureGroupName: 'numbers' }))).message).toMatch(/Unix seconds/)
  })

  it('for an id that no record can have (R-097, R-098)', async () => {
    for (const id of ['', 'x'.repeat(2049)]) {
      expect(await refused(remove(id, AT))).toMatchObject({ code: 'ValidationError', status: 400 })
    }
    expect((await refused(remove('a', '1', { FeatureGroupName: 'numbers' }))).message).toMatch(/Integral/)
  })

  it('for another mode than the two (R-221)', async () => {
    expect(await refused(remove('a', AT, { DeletionMode: 'softdelete' as never }))).toMatchObject({
      code: 'ValidationError',
      message: 'DeletionMode: expected one of SoftDelete, HardDelete, found "softdelete".',
    })
  })

  it('as ValidationError if there is no such group (R-237)', async () => {
    expect(await refused(remove('a', AT, { FeatureGroupName: 'none' }))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'Feature group none was not found.',
    })
  })

  it('for a store that the group does not have (R-121)', async () => {
    const online = { FeatureGroupName: 'offline', TargetStores: ['OnlineStore'] } as const
    expect((await refused(remove('a', AT, online))).message).toBe(
      'Feature group offline has no online store.',
    )
  })
})
