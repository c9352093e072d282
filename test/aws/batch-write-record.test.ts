/** BatchWriteRecord: every entry is a put of its own, with an outcome of its own, echoed as it was sent. */
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { BatchWriteRecordEntry, DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { limits } from '../../src/core/limits.ts'
import { apiRecord, refused, type Texts } from '../fixtures/api.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'

const [EARLIER, AT, LATER] = ['2026-03-01T11:59:59Z', '2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z']
const ARN = 'arn:aws:sagemaker:local:000000000000:feature-group/a'
const FEATURES = {
  id: 'String',
  at: 'String',
  note: 'String',
  count: 'Integral',
} as const
const BASE = { recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const

const store = sharedStore({ extensions: false })
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  for (const name of ['a', 'b']) await store.current.createFeatureGroup({ ...BASE, name })
  await store.current.createFeatureGroup({ ...BASE, name: 'offline', online: false })
  await store.current.createFeatureGroup({
    ...BASE,
    name: 'memory',
    online: { tier: 'InMemory' },
    offline: false,
  })
})

const entry = (FeatureGroupName: string, texts: Texts, more: Partial<BatchWriteRecordEntry> = {}) => ({
  FeatureGroupName,
  Record: apiRecord(texts),
  ...more,
})
const write = (
  Entries: readonly BatchWriteRecordEntry[],
  more: Partial<DataPlaneInput<'BatchWriteRecord'>> = {},
) => plane.batchWriteRecord({ Entries, ...more })
const get = async (FeatureGroupName: string, id: string): Promise<unknown> =>
  (await plane.getRecord({ FeatureGroupName, RecordIdentifierValueAsString: id })).Record
const rowsOf = async (name: string, id: string) => {
  await store.current.flush()
  const rows = await offlineRows(store.current.describe(name).offlineDirectory!)
  return rows.filter((row) => row['id'] === id)
}

describe('a batch of writes', () => {
  it('goes to several groups, by name and ARN, and lists nothing if all is well (R-270, R-271, R-274, R-291)', async () => {
    const entries = Array.from({ length: 25 }, (_, i) =>
      entry(i % 3 === 0 ? 'a' : i % 3 === 1 ? ARN : 'B', { id: `all ${i}`, at: AT, count: `0${i}` }),
    )
    expect(await write(entries)).toEqual({ Errors: [], UnprocessedEntries: [] })
    for (const { FeatureGroupName, Record } of entries) {
      expect(await get(FeatureGroupName, Record[0]!.ValueAsString!)).toEqual(Record)
    }
  })

  it('replaces whole records, in the stores each entry names (R-272, R-273)', async () => {
    await write([entry('a', { id: 'whole', at: AT, note: 'x' })])
    await write([
      entry('a', { id: 'whole', at: LATER, count: '1' }),
      entry('a', { id: 'off', at: AT }, { TargetStores: ['OfflineStore'] }),
      entry('a', { id: 'on', at: AT }, { TargetStores: ['OnlineStore'] }),
    ])
    expect(await get('a', 'whole')).toEqual(apiRecord({ id: 'whole', at: LATER, count: '1' }))
    expect(await get('a', 'off')).toBeUndefined()
    expect(await rowsOf('a', 'off')).toHaveLength(1)
    expect(await get('a', 'on')).toBeDefined()
    expect(await rowsOf('a', 'on')).toHaveLength(0)
  })

  it('applies entries of one record in the order of the list, each a row of its own (R-287, R-289, R-290, R-480)', async () => {
    const of = (at: string, note: string, name = 'a') => entry(name, { id: 'same', at, note })
    const other = entry('a', { id: 'other', at: AT, note: 'other' })
    await write([of(AT, '1'), other, of(LATER, '2'), of(EARLIER, '3', ARN), of(LATER, '4'), of(AT, '5')])
    expect(await get('a', 'same')).toEqual(apiRecord({ id: 'same', at: LATER, note: '4' }))
    const rows = await rowsOf('a', 'same')
    const inOrder = rows.sort((a, b) =>
      `${a['api_invocation_time']}` < `${b['api_invocation_time']}` ? -1 : 1,
    )
    expect(inOrder.map(({ note }) => note)).toEqual(['1', '2', '3', '4', '5'])
    expect(new Set(rows.map((row) => row['api_invocation_time'])).size).toBe(5)
  })

  it('gives all its rows one time of invocation (R-290)', async () => {
    const clock = store.current.core.clock.nowMs()
    await write(['s1', 's2', 's3'].map((id) => entry('a', { id, at: AT })))
    const rows = (await Promise.all(['s1', 's2', 's3'].map((id) => rowsOf('a', id)))).flat()
    const stamps = new Set(rows.map((row) => row['api_invocation_time']))
    expect(rows).toHaveLength(3)
    expect(stamps.size).toBe(1)
    expect(Date.parse(`${[...stamps][0]}`.replace(/\+00$/, 'Z'))).toBeGreaterThanOrEqual(Math.floor(clock))
  })

  it('is the same as its entries one by one (R-272, R-287)', async () => {
    const notes = ['x', 'y', 'z']
    const times = [LATER, AT, LATER]
    const records = notes.map((note, i) => ({ at: times[i]!, note }))
    await write(records.map((record) => entry('a', { id: 'batch', ...record })))
    for (const record of records) {
      await plane.putRecord({ FeatureGroupName: 'a', Record: apiRecord({ id: 'single', ...record }) })
    }
    const of = async (id: string) => (await get('a', id)) as { FeatureName: string }[]
    expect((await of('batch')).slice(1)).toEqual((await of('single')).slice(1))
    expect((await rowsOf('a', 'batch')).length).toBe((await rowsOf('a', 'single')).length)
  })
})

describe('an entry that is wrong', () => {
  const fine = entry('a', { id: 'fine', at: AT })
  const WRONG: readonly (readonly [string, BatchWriteRecordEntry, string, RegExp])[] = [
    [
      'a value',
      entry('a', { id: 'w', at: AT, count: 'four' }),
      'ValidationError',
      /\[count\] is not a valid Integ/,
    ],
    ['no id', entry('a', { at: AT }), 'ValidationError', /no value of feature \[id\]/],
    ['no event time', entry('a', { id: 'w' }), 'ValidationError', /no value of feature \[at\]/],
    ['an unknown feature', entry('a', { id: 'w', at: AT, x: '' }), 'ValidationError', /\[x\] is not defined/],
    [
      'no name of a feature',
      entry('a', { id: 'w', at: AT, '-': '' }),
      'ValidationError',
      /\[-\] is not defined/,
    ],
    [
      'its size',
      entry('a', { id: 'w', at: AT, note: 'x'.repeat(358_400) }),
      'ValidationError',
      /358\d\d\d bytes/,
    ],
    [
      'a long value',
      entry('a', { id: 'w', at: AT, note: 'x'.repeat(358_401) }),
      'ValidationError',
      /358401 bytes/,
    ],
    ['its group', entry('none', { id: 'w', at: AT }), 'ResourceNotFound', /group none was not found/],
    [
      'a store',
      entry('offline', { id: 'w', at: AT }, { TargetStores: ['OnlineStore'] }),
      'ValidationError',
      /no online store/,
    ],
    [
      'a store named twice',
      entry('a', { id: 'w', at: AT }, { TargetStores: ['OnlineStore', 'OnlineStore'] }),
      'ValidationError',
      /names OnlineStore twice/,
    ],
    [
      'a time to live without an online store',
      entry('offline', { id: 'w', at: AT }, { TtlDuration: { Unit: 'Days', Value: 1 } }),
      'ValidationError',
      /no online store/,
    ],
    [
      'a time to live past the calendar',
      entry('a', { id: 'w', at: AT }, { TtlDuration: { Unit: 'Weeks', Value: 1e9 } }),
      'ValidationError',
      /past the year 9999/,
    ],
  ]

  it.each(WRONG)(
    'for %s is told, and the others are written (R-276, R-277, R-278, R-280, R-283, R-286)',
    async (what, wrong, ErrorCode, message) => {
      const id = `beside ${what}`
      const beside = entry('a', { id, at: AT })
      const output = await write([wrong, beside])
      expect(output).toEqual({
        Errors: [{ Entry: wrong, ErrorCode, ErrorMessage: expect.stringMatching(message) }],
        UnprocessedEntries: [],
      })
      expect(output.Errors[0]!.Entry).toBe(wrong)
      expect(await get('a', id)).toBeDefined()
      expect(await get('a', 'w')).toBeUndefined()
    },
  )

  it('is echoed as it was sent, with null members and without defaults (R-282)', async () => {
    const sent = {
      Extra: 1,
      Record: [{ ValueAsString: 'w', FeatureName: 'id', ValueAsStringList: null }],
      TargetStores: null,
      FeatureGroupName: ARN,
    } as never as BatchWriteRecordEntry
    const copy = structuredClone(sent)
    const { Errors } = await write([fine, sent], { TtlDuration: { Unit: 'Hours', Value: 1 } })
    expect(Errors).toHaveLength(1)
    expect(Errors[0]!.Entry).toBe(sent)
    expect(JSON.stringify(Errors[0]!.Entry)).toBe(JSON.stringify(copy))
  })

  it('is told in the order of the request, and as often as it was sent (R-284, R-285)', async () => {
    const wrong = entry('a', { id: 'w' })
    const other = entry('none', { id: 'w' })
    const { Errors } = await write([other, wrong, fine, wrong])
    expect(Errors.map(({ Entry }) => Entry)).toEqual([other, wrong, wrong])
  })
})

describe('what may succeed later', () => {
  it('is told apart, in the order of the request and as it was sent (R-279, R-280, R-284)', async () => {
    const busy = vi.spyOn(store.current.session('b'), 'write')
    busy.mockRejectedValueOnce(new MillraceError('THROTTLED', 'too much at once'))
    busy.mockRejectedValueOnce(new MillraceError('DISK_FULL', 'the disk is full'))
    const entries = ['1', '2', '3'].map((id) => entry('b', { id: `later ${id}`, at: AT }))
    const fine = entry('a', { id: 'now', at: AT })
    const wrong = entry('a', { id: 'never' })
    const output = await write([entries[0]!, fine, entries[1]!, wrong, entries[2]!])
    expect(output.UnprocessedEntries).toEqual([entries[0], entries[1]])
    expect(output.UnprocessedEntries[0]).toBe(entries[0])
    expect(output.Errors.map(({ Entry }) => Entry)).toEqual([wrong])
    expect(await get('b', 'later 3')).toBeDefined()
    expect(await write(output.UnprocessedEntries)).toEqual({ Errors: [], UnprocessedEntries: [] })
    expect(await get('b', 'later 1')).toBeDefined()
  })

  it('fails the whole call if nothing was written, so that clients send it again (R-281)', async () => {
    const busy = vi.spyOn(store.current.session('b'), 'write')
    busy.mockRejectedValueOnce(new MillraceError('DISK_FULL', 'the disk is full'))
    expect(
      await refused(write([entry('b', { id: 'x', at: AT }), entry('none', { id: 'x', at: AT })])),
    ).toEqual({
      code: 'ServiceUnavailable',
      status: 503,
      message: 'Nothing could be written now; send the request again later.',
    })
  })

  it('under overload is waited for: no entry of many large calls comes back, and none is lost (R-281, R-291)', async () => {
    const loaded = await openLoaded()
    const big = 'x'.repeat(300_000)
    const ids = Array.from({ length: 100 }, (_, i) => `${i}`)
    const entries = ids.map((id) => entry('g', { id, at: AT, note: big }))
    const calls = [0, 25, 50, 75].map((from) =>
      loaded.batchWriteRecord({ Entries: entries.slice(from, from + 25) }),
    )
    for (const output of await Promise.all(calls))
      expect(output).toEqual({ Errors: [], UnprocessedEntries: [] })
    const { RecordIdentifiers } = await loaded.listRecords({ FeatureGroupName: 'g' })
    expect([...RecordIdentifiers].sort()).toEqual([...ids].sort())
  })

  it('is refused as ServiceUnavailable if too many calls wait, and what waited is written in order (R-281)', async () => {
    const loaded = await openLoaded()
    const big = 'x'.repeat(300_000)
    const first = loaded.batchWriteRecord({
      Entries: Array.from({ length: 25 }, (_, i) => entry('g', { id: `${i}`, at: AT, note: big })),
    })
    const puts = await Promise.allSettled(
      Array.from({ length: limits.waitingCallsMax + 10 }, (_, i) =>
        loaded.putRecord({ FeatureGroupName: 'g', Record: apiRecord({ id: 'last', at: AT, count: `${i}` }) }),
      ),
    )
    expect(await first).toEqual({ Errors: [], UnprocessedEntries: [] })
    const refusals = puts.slice(limits.waitingCallsMax)
    expect(puts.slice(0, limits.waitingCallsMax).every(({ status }) => status === 'fulfilled')).toBe(true)
    for (const outcome of refusals) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'ServiceUnavailable', statusCode: 503 },
      })
    }
    const of = { FeatureGroupName: 'g', RecordIdentifierValueAsString: 'last' }
    expect((await loaded.getRecord(of)).Record).toEqual(
      apiRecord({ id: 'last', at: AT, count: `${limits.waitingCallsMax - 1}` }),
    )
  })
})

/** A store whose budget one large call exceeds. */
async function openLoaded(): Promise<DataPlane> {
  const small = await openStore({ memoryBytes: limits.memoryBytesMin })
  await small.createFeatureGroup({ ...BASE, name: 'g', offline: false })
  return new DataPlane(small)
}

describe('a batch of writes is refused as a whole, and nothing is written', () => {
  const fine = entry('a', { id: 'not written', at: AT })

  it.each<[string, readonly BatchWriteRecordEntry[]]>([
    ['without entries', []],
    ['with 26 entries', Array.from({ length: 26 }, () => fine)],
    ['for an entry without a group', [fine, { ...fine, FeatureGroupName: undefined as never }]],
    ['for an entry without a record', [fine, { ...fine, Record: undefined as never }]],
    ['for an empty record', [fine, { ...fine, Record: [] }]],
    ['for a store that there is not', [fine, { ...fine, TargetStores: ['Online' as never] }]],
    ['for a unit that there is not', [fine, { ...fine, TtlDuration: { Unit: 'days' as never, Value: 1 } }]],
    ['for a time to live of 0', [fine, { ...fine, TtlDuration: { Unit: 'Days', Value: 0 } }]],
    ['for an empty time to live', [fine, { ...fine, TtlDuration: {} as never }]],
    ['for a name that breaks the pattern', [fine, { ...fine, FeatureGroupName: 'a-' }]],
  ])('%s (R-270, R-275, R-294)', async (_, entries) => {
    expect(await refused(write(entries))).toMatchObject({ code: 'ValidationError', status: 400 })
    expect(await get('a', 'not written')).toBeUndefined()
  })

  it('as ResourceNotFound if none of its groups is there (R-278, OQ-08)', async () => {
    const entries = [entry('none', { id: 'x', at: AT }), entry('neither', { at: 'wrong too' })]
    expect(await refused(write(entries))).toEqual({
      code: 'ResourceNotFound',
      status: 404,
      message: 'Feature group none was not found.',
    })
  })

  it('but takes more entries with the extensions (R-270)', async () => {
    const extended = await openStore({ extensions: true })
    await extended.createFeatureGroup({ ...BASE, name: 'a' })
    const Entries = Array.from({ length: 26 }, (_, i) => entry('a', { id: `${i}`, at: AT }))
    const output = await new DataPlane(extended).batchWriteRecord({ Entries })
    expect(output).toEqual({ Errors: [], UnprocessedEntries: [] })
  })
})
