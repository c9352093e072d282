/**
 * Goal: a store's own offline files say the same as its online store, as of now and as of earlier, and bring it back.
 * Method: real stores and real Parquet; an oracle of plain arrays for generated operations.
 */
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { openDuckDb } from '../../src/query/duckdb.ts'
import { sqlFile, sqlText } from '../../src/query/sql.ts'
import { parquetFiles } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { all, instantOf } from '../query/offline-files.ts'

const RIDES = {
  name: 'rides',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', fare: 'Fractional', riders: 'Integral', note: 'String' },
} as const

let count = 0
const newName = (): string => `rides-${count++}`

describe('the history of a store', () => {
  const store = sharedStore()
  const newGroup = () => store.current.createFeatureGroup({ ...RIDES, name: newName() })

  it('has types that follow from the definition', async () => {
    const group = await newGroup()
    await group.put({ id: 'a', at: '2026-03-01T12:00:00Z', fare: 1.5 })
    for await (const row of group.history({ columns: ['fare'], asOfEventTime: new Date() })) {
      expectTypeOf(row.fare).toEqualTypeOf<number | undefined>()
      expectTypeOf(row.write_time).toEqualTypeOf<Date>()
      // @ts-expect-error a feature that was not asked for
      expect(row.note).toBeUndefined()
    }
    const [joined] = await all(group.pointInTimeJoin([{ id: 'a', at: '2026-03-02T00:00:00Z', label: true }]))
    expectTypeOf(joined!.row.label).toEqualTypeOf<boolean>()
    expectTypeOf(joined!.features?.riders).toEqualTypeOf<number | bigint | undefined>()
    expect(joined).toEqual({
      row: { id: 'a', at: '2026-03-02T00:00:00Z', label: true },
      features: { id: 'a', at: '2026-03-01T12:00:00Z', fare: 1.5 },
    })
    // @ts-expect-error no such feature
    expect(() => group.history({ columns: ['fair'] })).toThrow('has no feature "fair"')
  })

  it('sees what was acknowledged before, markers included, and texts and values as they were written (R-451, R-473)', async () => {
    const group = await newGroup()
    const record = {
      id: '\u0000"𝄞\n',
      at: '0000-02-29T23:59:59.100Z',
      fare: -0,
      riders: -(2n ** 63n),
      note: "it's\u0000",
    }
    await group.put(record)
    await group.delete(record.id, '9999-12-31T23:59:59.999999999Z')
    const rows = await all(group.history({ ids: [record.id], sorted: true }))
    expect(rows).toEqual([
      { ...record, write_time: expect.any(Date), api_invocation_time: expect.any(Date), is_deleted: false },
      {
        id: record.id,
        at: '9999-12-31T23:59:59.999999999Z',
        write_time: expect.any(Date),
        api_invocation_time: expect.any(Date),
        is_deleted: true,
      },
    ])
    for (const { write_time, api_invocation_time } of rows)
      expect(write_time.getTime()).toBeGreaterThanOrEqual(api_invocation_time.getTime())
    expect(await all(group.history({ view: 'latest' }))).toEqual([])
    expect(await all(group.history({ view: 'latest', asOfEventTime: '2026-01-01T00:00:00Z' }))).toHaveLength(
      1,
    )
  })

  it('was shorter as of a moment before a late row was written (R-477)', async () => {
    const group = await newGroup()
    await group.put({ id: 'a', at: '2026-03-01T12:00:00Z', note: 'first' })
    const [first] = await all(group.history())
    const moment = first!.write_time
    await new Promise((resolve) => setTimeout(resolve, 5))
    await group.put({ id: 'a', at: '2026-03-01T11:00:00Z', note: 'late' })
    const base = [{ id: 'a', at: '2026-03-01T11:30:00Z' }]
    const notes = async (asOfWriteTime?: Date) => {
      const options = asOfWriteTime === undefined ? {} : { asOfWriteTime }
      const [joined] = await all(group.pointInTimeJoin(base, options))
      return [(await all(group.history(options))).length, joined?.features?.note]
    }
    expect(await notes(moment)).toEqual([1, undefined])
    expect(await notes()).toEqual([2, 'late'])
  })

  it('reads files from before a feature was added, alone and beside those that have it (R-533)', async () => {
    const typed = await newGroup()
    const group = store.current.featureGroup(typed.name)
    await group.put({ id: 'old', at: '2026-03-01T12:00:00Z', fare: 1 })
    await group.flush()
    const addFeatures = { tip: 'Integral', hour: 'String' } as const
    await store.current.updateFeatureGroup(group.name, { addFeatures })
    const columns = ['id', 'fare', 'tip', 'hour']
    expect(await all(group.history({ columns }))).toEqual([
      {
        id: 'old',
        fare: 1,
        write_time: expect.any(Date),
        api_invocation_time: expect.any(Date),
        is_deleted: false,
      },
    ])
    await group.put({ id: 'new', at: '2026-03-01T12:30:00Z', tip: 2, hour: 'x' })
    const rows = await all(group.history({ view: 'latest', sorted: true, columns }))
    expect(rows).toMatchObject([
      { id: 'new', tip: 2, hour: 'x' },
      { id: 'old', fare: 1 },
    ])
    expect(rows[1]).not.toHaveProperty('tip')
    const base = ['old', 'new'].map((id) => ({ id, at: '2026-03-02T00:00:00Z' }))
    const joined = await all(group.pointInTimeJoin(base, { columns: ['tip'] }))
    expect(joined.map(({ features }) => features)).toEqual([{}, { tip: 2 }])
    expect(await group.checkAgreement()).toMatchObject({ isAgreed: true, onlineRecords: 2 })
  })

  it('counts only files that the manifest names', async () => {
    const group = await newGroup()
    await group.put({ id: 'a', at: '2026-03-01T12:00:00Z' })
    await group.flush()
    const [file] = parquetFiles(store.current.describe(group.name).offlineDirectory!)
    const duckDb = await openDuckDb()
    await duckDb.connection.run(
      `COPY (FROM ${sqlFile(file!)}) TO ${sqlText(join(file!, '..', 'stranger.parquet'))} (FORMAT parquet)`,
    )
    duckDb.close()
    expect(await all(group.history())).toHaveLength(1)
  })

  it.each<[string, object, string]>([
    ['a number', { rows: [5] }, 'row 0: expected an object, found 5'],
    ['no id', { rows: [{ at: '2026-03-01T12:00:00Z' }] }, 'row 0, "id": expected a well-formed text'],
    [
      'a date without a time',
      {
        rows: [
          { id: 'a', at: '2026-03-01T12:00:00Z' },
          { id: 'a', at: '2026-03-01' },
        ],
      },
      'row 1, "at": expected YYYY-MM-DDThh:mm:ss[.1 to 9 digits]Z, years 0000 to 9999 or a Date, found "2026-03-01"',
    ],
  ])(
    'refuses base rows of which one is or has %s, and names it',
    async (_, { rows }: { rows?: object[] }, message) => {
      const group = await newGroup()
      await expect(all(group.pointInTimeJoin(rows!))).rejects.toThrow(message)
    },
  )

  it('is refused where there is no offline store', async () => {
    const group = await store.current.createFeatureGroup({ ...RIDES, name: newName(), offline: false })
    const message = `feature group "${group.name}" has no offline store to read from`
    expect(() => group.history()).toThrow(message)
    expect(() => group.pointInTimeJoin([])).toThrow(message)
  })

  it('of generated writes agrees with the online store, after every flush and as of every earlier one (R-112, R-113, R-114, R-116, R-475, R-477)', async () => {
    const times = [
      '2026-03-01T12:00:00Z',
      '2026-03-01T12:00:00.000000001Z',
      '0000-01-01T00:00:00Z',
      '2026-03-01T12:00:00.000Z',
    ]
    const write = fc.record({
      id: fc.constantFrom('a', 'b', 'c'),
      at: fc.constantFrom(...times),
      isDelete: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(write, { maxLength: 10 }), { maxLength: 3 }), async (rounds) => {
        const group = await newGroup()
        const online = new Map<string, { instant: bigint | number; record: object | undefined }>()
        const snapshots: { at: Date; records: object[] }[] = []
        let riders = 0
        for (const writes of rounds) {
          for (const { id, at, isDelete } of writes) {
            const instant = instantOf(at)
            const slot = online.get(id)
            // A soft delete at the record's own event time is where the stores rightly differ.
            if (isDelete && slot?.instant === instant) continue
            const record = { id, at, riders: riders++ }
            if (isDelete) await group.delete(id, at)
            else await group.put(record)
            if (slot === undefined || instant >= slot.instant)
              online.set(id, { instant, record: isDelete ? undefined : record })
          }
          await group.flush()
          await new Promise((resolve) => setTimeout(resolve, 3))
          const records = ['a', 'b', 'c'].flatMap((id) => online.get(id)?.record ?? [])
          snapshots.push({ at: new Date(), records })
          await new Promise((resolve) => setTimeout(resolve, 3))
          expect(await group.checkAgreement()).toMatchObject({
            isAgreed: true,
            offlineRecords: records.length,
          })
        }
        for (const { at, records } of snapshots) {
          const found = await all(group.history({ view: 'latest', asOfWriteTime: at, sorted: true }))
          expect(found).toMatchObject(records)
          expect(found).toHaveLength(records.length)
        }
      }),
      { numRuns: 10 },
    )
  })
})

describe('the online store', () => {
  const IDS = Array.from({ length: 1500 }, (_, n) => `r${n}`)

  /** A store whose writes went to the offline store alone, and the records of a group in which they went to both. */
  async function storeWithoutOnline() {
    const store = await openStore()
    const both = await store.createFeatureGroup({ ...RIDES, name: 'both' })
    const rides = await store.createFeatureGroup(RIDES)
    const rows = Array.from({ length: 3000 }, (_, n) => ({
      id: IDS[n % 1500]!,
      at: `2026-03-0${1 + (n % 7)}T12:00:00.${String(n)
        .padStart(1 + (n % 9), '0')
        .slice(0, 9)}Z`,
      fare: n / 3,
      riders: n % 5 === 0 ? 2n ** 62n + BigInt(n) : n,
      note: n % 3 === 0 ? null : `it's ${n}`,
    }))
    for (const group of [both, rides]) {
      const stores = group === both ? (['online', 'offline'] as const) : (['offline'] as const)
      await group.ingest(rows, { stores })
      await group.delete('r7', '2027-01-01T00:00:00Z', { stores })
      await group.delete('r8', '2027-01-01T00:00:00Z', { stores, mode: 'hard' })
    }
    return { store, rides, records: await both.getMany(IDS) }
  }

  it('is rebuilt from offline files with every value, and both agree', async () => {
    const { store, rides, records } = await storeWithoutOnline()
    const before = await rides.checkAgreement({ differencesMax: 2, idsMax: 100 })
    expect(before).toMatchObject({
      isAgreed: false,
      offlineRecords: 1498,
      onlineRecords: 0,
      missingOnline: 1498,
    })
    expect(before.differences).toHaveLength(2)

    const progress: number[] = []
    const report = await rides.rebuildOnline({
      verify: true,
      onProgress: ({ written, records: total }) => progress.push(written / total),
    })
    expect(report).toMatchObject({ records: 1498, written: 1498, rejected: 0, isAborted: false })
    expect(report.agreement).toEqual({
      isAgreed: true,
      offlineRecords: 1498,
      onlineRecords: 1498,
      missingOnline: 0,
      missingOffline: 0,
      different: 0,
      differences: [],
    })
    expect(progress.at(-1)).toBe(1)
    expect(await rides.getMany(IDS)).toEqual(records)
    // Nothing was appended to the files.
    await store.flush()
    expect((await store.stats()).featureGroups.map(({ offline }) => offline.rows)).toEqual([3002, 3002])
  })

  it('keeps what is later or only there when it is rebuilt (R-112, R-113)', async () => {
    const { rides } = await storeWithoutOnline()
    const online = { stores: ['online'] } as const
    await rides.put({ id: 'r1', at: '2030-01-01T00:00:00Z', note: 'later' }, online)
    await rides.put({ id: 'r2', at: '2020-01-01T00:00:00Z', note: 'earlier' }, online)
    await rides.put({ id: 'extra', at: '2020-01-01T00:00:00Z' }, online)
    const { agreement } = await rides.rebuildOnline({ verify: true })
    expect(agreement).toMatchObject({ isAgreed: false, missingOnline: 0, missingOffline: 1, different: 1 })
    expect(agreement?.differences).toEqual([
      expect.objectContaining({ id: 'r1', kind: 'different', online: '2030-01-01T00:00:00Z' }),
      { id: 'extra', kind: 'missingOffline' },
    ])
    expect((await rides.get('r1'))?.note).toBe('later')
    expect((await rides.get('r2'))?.note).toBe("it's 1502")
  })

  it('is compared in parts, with the same result', async () => {
    const { rides } = await storeWithoutOnline()
    await rides.rebuildOnline()
    await rides.put({ id: 'extra', at: '2020-01-01T00:00:00Z' }, { stores: ['online'] })
    await rides.delete('r3', '2030-01-01T00:00:00Z', { stores: ['online'] })
    const whole = await rides.checkAgreement()
    expect(whole).toMatchObject({ missingOnline: 1, missingOffline: 1, different: 0, onlineRecords: 1498 })
    const parts = await rides.checkAgreement({ idsMax: 200 })
    expect({ ...parts, differences: [] }).toEqual({ ...whole, differences: [] })
  })

  it('is not rebuilt further once a signal says so', async () => {
    const { rides } = await storeWithoutOnline()
    const report = await rides.rebuildOnline({ signal: AbortSignal.abort(), verify: true })
    expect(report).toMatchObject({ isAborted: true, agreement: undefined })
    await expect(rides.checkAgreement({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    )
  })

  it('cannot be rebuilt where there is none', async () => {
    const store = await openStore()
    const offline = await store.createFeatureGroup({ ...RIDES, online: false })
    await expect(offline.rebuildOnline()).rejects.toThrow(
      'feature group "rides" has no online store to rebuild',
    )
  })

  it('gets collections back as they were, too', async () => {
    const store = await openStore({ extensions: true })
    const items = await store.createFeatureGroup({
      name: 'items',
      recordIdentifier: 'id',
      eventTime: 'at',
      features: {
        id: 'Integral',
        at: 'Fractional',
        words: { type: 'String', collection: 'List' },
        codes: { type: 'Integral', collection: 'Set' },
        embedding: { type: 'Fractional', collection: 'Vector', dimension: 2 },
      },
      online: { tier: 'InMemory' },
    })
    const records = [
      {
        id: 2n ** 63n - 1n,
        at: -62_167_219_200,
        words: ['b', '', 'b'],
        codes: [2n ** 62n, 1],
        embedding: [0.1, -0],
      },
      { id: -7, at: 1_772_366_400.25, words: [], embedding: [5e-324, 1e300] },
    ]
    await items.ingest(records, { stores: ['offline'] })
    const report = await items.rebuildOnline({ verify: true })
    expect(report).toMatchObject({
      written: 2,
      rejected: 0,
      agreement: { isAgreed: true, offlineRecords: 2 },
    })
    expect(await items.getMany([2n ** 63n - 1n, -7])).toEqual(records)
    expect(await all(items.history({ view: 'latest', sorted: true, columns: ['codes'] }))).toMatchObject([
      {},
      { codes: [2n ** 62n, 1] },
    ])
    await items.put({ id: -7, at: 1_772_366_400.25, words: ['x'] }, { stores: ['online'] })
    const { differences } = await items.checkAgreement()
    expect(differences).toEqual([
      { id: '-7', kind: 'different', feature: 'words', offline: [], online: ['x'] },
    ])
  })
})
