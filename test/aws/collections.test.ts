/** Collections through the operations: written, read, updated and refused as a whole. */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { BatchWriteRecordEntry } from '../../src/aws/data-plane-shapes.ts'
import { apiRecord, refused, type Texts } from '../fixtures/api.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const AT = '1772366400.25'
const store = sharedStore()
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  await store.current.createFeatureGroup({
    name: 'items',
    recordIdentifier: 'id',
    eventTime: 'at',
    features: {
      id: 'String',
      at: 'Fractional',
      embedding: { type: 'Fractional', collection: 'Vector', dimension: 3 },
      tags: { type: 'String', collection: 'Set' },
      counts: { type: 'Integral', collection: 'List' },
    },
    online: { tier: 'InMemory' },
    offline: false,
  })
})

const put = (texts: Texts): Promise<void> =>
  plane.putRecord({ FeatureGroupName: 'items', Record: apiRecord(texts) })
const get = async (id: string): Promise<unknown> =>
  (await plane.getRecord({ FeatureGroupName: 'items', RecordIdentifierValueAsString: id })).Record

describe('a collection', () => {
  it('is told as ValueAsStringList, in the texts it was sent with, from memory and disk (R-090, R-164)', async () => {
    const record = { id: 'i-9', at: AT, embedding: ['0.25', '-1.5', '3e-2'], counts: ['007', '1', '007'] }
    await put(record)
    expect(await get('i-9')).toEqual(apiRecord(record))
    await store.current.flush()
    expect(await get('i-9')).toEqual(apiRecord(record))
  })

  it('may be empty, which is not the same as left out, and a Set has each element once (R-094, R-095)', async () => {
    await put({ id: 'empty', at: AT, tags: [], counts: [] })
    expect(await get('empty')).toEqual(apiRecord({ id: 'empty', at: AT, tags: [], counts: [] }))
    await put({ id: 'set', at: AT, tags: ['b', 'a', 'b'] })
    expect(await get('set')).toEqual(apiRecord({ id: 'set', at: AT, tags: ['b', 'a'] }))
  })

  it('is replaced as a whole by an update, and kept by one that does not list it (R-365)', async () => {
    await put({ id: 'updated', at: AT, tags: ['a'], counts: ['+1', '2'] })
    const update = (texts: Texts): Promise<void> =>
      plane.updateRecord({
        FeatureGroupName: 'items',
        RecordIdentifierValueAsString: 'updated',
        Features: apiRecord(texts),
      })
    await update({ tags: ['b', 'c'] })
    expect(await get('updated')).toEqual(
      apiRecord({ id: 'updated', at: AT, tags: ['b', 'c'], counts: ['+1', '2'] }),
    )
    await update({ counts: [] })
    expect(await get('updated')).toEqual(apiRecord({ id: 'updated', at: AT, tags: ['b', 'c'], counts: [] }))
  })

  it('with a null element is refused, in a batch as an error of its entry (R-093)', async () => {
    const Record = [
      ...apiRecord({ id: 'null', at: AT }),
      { FeatureName: 'tags', ValueAsStringList: ['x', null] },
    ]
    const wrong = { FeatureGroupName: 'items', Record } as never as BatchWriteRecordEntry
    const fine = { FeatureGroupName: 'items', Record: apiRecord({ id: 'fine', at: AT }) }
    expect(await refused(plane.putRecord(wrong as never))).toMatchObject({
      code: 'ValidationError',
      message: 'Record[2].ValueAsStringList[1]: expected a value, found null.',
    })
    expect((await plane.batchWriteRecord({ Entries: [wrong, fine] })).Errors).toEqual([
      {
        Entry: wrong,
        ErrorCode: 'ValidationError',
        ErrorMessage: 'Element 1 of feature [tags] is null; an element is a value.',
      },
    ])
    expect(await get('null')).toBeUndefined()
    expect(await get('fine')).toBeDefined()
  })

  it('and a single value are not taken for each other (R-086, OQ-37)', async () => {
    expect((await refused(put({ id: 'x', at: AT, tags: 'a' }))).message).toMatch(/exactly ValueAsStringList/)
    expect((await refused(put({ id: ['x'], at: AT }))).message).toMatch(/exactly ValueAsString is required/)
  })
})
