/**
 * What callers do with records, apart from the state tables: values that come back to the bit, ids that are not
 * mixed up, reading, listing, deleting, and which stores a group has.
 */
import { describe, expect, it } from 'vitest'
import type { FeatureGroup, Millrace, TargetStore } from '../../src/index.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const AT = '2026-03-01T12:00:00Z'

const VALUES = {
  name: 'values',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', s: 'String', n: 'Integral', x: 'Fractional' },
} as const

const NUMERIC = {
  name: 'numeric',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'Integral', at: 'Fractional', s: 'String' },
} as const

let lastGroup = 0
const newGroup = (store: Millrace): Promise<FeatureGroup<typeof VALUES>> =>
  store.createFeatureGroup({ ...VALUES, name: `values-${++lastGroup}` }) as unknown as Promise<
    FeatureGroup<typeof VALUES>
  >

async function idsOf(group: Pick<FeatureGroup, 'ids'>, includeSoftDeleted = false): Promise<string[]> {
  const ids: string[] = []
  for await (const id of group.ids({ includeSoftDeleted, pageSize: 3 })) ids.push(id)
  return ids.sort()
}

const rowsOf = async (store: Millrace, name: string): Promise<Record<string, unknown>[]> =>
  offlineRows(store.describe(name).offlineDirectory!)

describe('a value', () => {
  const store = sharedStore()
  let lastId = 0

  const INTEGERS = [
    ...[
      0,
      -1,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
      2n ** 53n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      4_294_967_295,
      -4_294_967_296,
    ],
  ]
  const DOUBLES = [-0, 0, 5e-324, -5e-324, Number.MAX_VALUE, Number.MIN_VALUE, 0.1 + 0.2, 1e21, 2 ** -1074]
  const TEXTS = [
    '',
    ' ',
    '\0',
    'a\nb',
    '🚕',
    'e\u0301',
    'é',
    '"',
    "'",
    '\\',
    'a\ufeffb',
    'x'.repeat(100_000),
    '日本'.repeat(20_000),
  ]

  it('comes back to the bit, from memory, from LMDB and from Parquet (f.3, R-089, R-471)', async () => {
    const group = await store.current.createFeatureGroup(VALUES)
    const records = [
      ...INTEGERS.map((n, i) => ({ id: `n${i}`, at: AT, n })),
      ...DOUBLES.map((x, i) => ({ id: `x${i}`, at: AT, x })),
      ...TEXTS.map((s, i) => ({ id: `s${i}`, at: AT, s })),
      { id: 'nothing', at: AT },
      { id: 'nulls', at: AT, s: null, n: undefined, x: null },
    ]
    await Promise.all(records.map((record) => group.put(record)))
    const expected = records.map(({ id, at, ...rest }) => {
      const values = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined)
      return Object.fromEntries([['id', id], ['at', at], ...values])
    })
    const ids = records.map((record) => record.id)
    const fromMemory = await group.getMany(ids)
    await store.current.flush()
    const fromLmdb = await group.getMany(ids)
    for (const found of [fromMemory, fromLmdb]) {
      // toStrictEqual tells -0 from 0 and undefined from absent.
      found.forEach((record, i) => {
        expect(record, ids[i]!).toStrictEqual(expected[i])
      })
    }
    const rows = new Map((await rowsOf(store.current, 'values')).map((row) => [row['id'], row]))
    for (const { id, ...rest } of expected as Record<string, unknown>[]) {
      const { n = null, x = null, s = null } = rest
      const row = rows.get(id)!
      expect({ n: row['n'], x: row['x'], s: row['s'] }).toStrictEqual({
        n: n === null ? null : String(n),
        x,
        s,
      })
    }
  })

  it.each([
    '0000-01-01T00:00:00Z',
    '0000-12-31T23:59:59.999999999Z',
    '0099-06-15T12:00:00.5Z',
    '1969-12-31T23:59:59.999999999Z',
    '1970-01-01T00:00:00Z',
    '2024-02-29T23:59:59.1Z',
    '2026-03-01T12:00:00.120Z',
    '2026-03-01T12:00:00.000000000Z',
    '9999-12-31T23:59:59.999999999Z',
  ])(
    'may be the event time %s: its text, its hour and its order are kept (f.4, R-101, R-461)',
    async (at) => {
      const group = await store.current.ensureFeatureGroup({ ...VALUES, name: 'times' })
      await group.put({ id: at, at })
      expect(await group.get(at)).toEqual({ id: at, at })
      await store.current.flush()
      expect(await group.get(at)).toEqual({ id: at, at })
      const rows = (await rowsOf(store.current, 'times')).filter((row) => row['id'] === at)
      expect(rows.map((row) => [row['at'], row['hour']])).toEqual([[at, at.slice(0, 13)]])
    },
  )

  it.each([
    [-62_167_219_200, '0000-01-01T00'],
    [-0.000000001, '1969-12-31T23'],
    [-1, '1969-12-31T23'],
    [0, '1970-01-01T00'],
    [1_772_366_400, '2026-03-01T12'],
    [1_772_366_400.25, '2026-03-01T12'],
    [253_402_300_799, '9999-12-31T23'],
  ])('may be the Fractional event time %d, in the hour %s (f.5, R-461)', async (at, hour) => {
    const group = await store.current.ensureFeatureGroup({ ...NUMERIC, name: 'seconds' })
    const id = ++lastId
    await group.put({ id, at })
    expect(await group.get(id)).toStrictEqual({ id, at })
    await store.current.flush()
    const rows = (await rowsOf(store.current, 'seconds')).filter((row) => row['at'] === at)
    expect(rows.map((row) => row['hour'])).toEqual([hour])
  })

  it('orders Fractional event times finer than a microsecond', async () => {
    const group = await store.current.createFeatureGroup({ ...NUMERIC, name: 'fine' })
    await group.put({ id: 1, at: 0.000000002, s: 'first' })
    await group.put({ id: 1, at: 0.000000001, s: 'earlier' })
    expect((await group.get(1))?.s).toBe('first')
    await group.put({ id: 1, at: 0.000000003, s: 'later' })
    expect((await group.get(1))?.s).toBe('later')
  })

  it('that is left out of a later record is gone, not kept from the one before (R-084, R-110)', async () => {
    const group = await store.current.createFeatureGroup({ ...VALUES, name: 'overwritten' })
    await group.put({ id: 'a', at: AT, s: 's', n: 1, x: 1 })
    await group.put({ id: 'a', at: AT, n: 2 })
    expect(await group.get('a')).toStrictEqual({ id: 'a', at: AT, n: 2 })
  })
})

describe('an id', () => {
  const store = sharedStore()
  const LONG = 'x'.repeat(2047)
  const IDS = [
    ...[
      'a',
      'A',
      'á',
      'a\u0301',
      '1',
      '01',
      '1.0',
      ' 1',
      '1 ',
      '\0',
      '\0\0',
      '🚕',
      'constructor',
      '__proto__',
    ],
    ...[`${LONG}a`, `${LONG}b`, 'é'.repeat(1024), 'x'.repeat(1900), 'x'.repeat(1901)],
    // The SHA-256 of a long id is in its key: an id of the same bytes must not be mistaken for it.
    `\u00ff${'x'.repeat(32)}`,
  ]

  it('is told from all that look like it: in case, normal form, zeros, spaces, and by its last byte (R-097, R-099)', async () => {
    const group = await store.current.createFeatureGroup(VALUES)
    await Promise.all(IDS.map((id, n) => group.put({ id, at: AT, n })))
    const expected = IDS.map((id, n) => ({ id, at: AT, n }))
    expect(await group.getMany(IDS)).toEqual(expected)
    await store.current.flush()
    expect(await group.getMany(IDS)).toEqual(expected)
    expect(await idsOf(group)).toEqual([...IDS].sort())
    // Half of them deleted: the others stay.
    for (const id of IDS.filter((_, i) => i % 2 === 0))
      await group.delete(id, '2026-03-01T12:00:01Z', { mode: 'hard' })
    const rest = expected.map((record, i) => (i % 2 === 0 ? undefined : record))
    expect(await group.getMany(IDS)).toEqual(rest)
    await store.current.flush()
    expect(await group.getMany(IDS)).toEqual(rest)
    expect(await idsOf(group)).toEqual(IDS.filter((_, i) => i % 2 === 1).sort())
  })

  it('of a number may be given as a number, a bigint or its text', async () => {
    const group = await store.current.createFeatureGroup(NUMERIC)
    const big = 2n ** 63n - 1n
    await group.put({ id: 7, at: 1, s: 'seven' })
    await group.put({ id: big, at: 1, s: 'big' })
    const found = await group.getMany([7, 7n, '7', big, String(big), '07', '7.0', ' 7'])
    expect(found.map((record) => record?.s)).toEqual([
      ...['seven', 'seven', 'seven', 'big', 'big'],
      ...[undefined, undefined, undefined],
    ])
    expect(await group.get(big)).toStrictEqual({ id: big, at: 1, s: 'big' })
    await group.delete('7', 2)
    expect(await group.get(7)).toBeUndefined()
    await group.flush()
    const markers = (await rowsOf(store.current, 'numeric')).filter((row) => row['is_deleted'] === true)
    expect(markers.map(({ id, at, s }) => ({ id, at, s }))).toEqual([{ id: '7', at: 2, s: null }])
  })

  it.each(['07', ' 7', '0x7', '7.0', '', 'seven', '9223372036854775808'])(
    'given as the text %j is no Integral id: a delete refuses it instead of deleting another',
    async (id) => {
      const group = await store.current.ensureFeatureGroup({ ...NUMERIC, name: 'integral-ids' })
      await group.put({ id: 7, at: 1, s: 'seven' })
      await group.put({ id: 0, at: 1, s: 'zero' })
      for (const mode of ['soft', 'hard'] as const) {
        await expect(group.delete(id, 2, { mode })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      }
      expect((await group.getMany([7, 0])).map((record) => record?.s)).toEqual(['seven', 'zero'])
    },
  )

  it.each(['1.0', '01', ' 1', '1e0', '', 'one', 'Infinity'])(
    'given as the text %j is no Fractional id: a delete refuses it instead of deleting another',
    async (id) => {
      const features = { id: 'Fractional', at: 'Fractional' } as const
      const group = await store.current.ensureFeatureGroup({ ...NUMERIC, name: 'fractional-ids', features })
      await group.put({ id: 1, at: 1 })
      await group.put({ id: 0, at: 1 })
      await expect(group.delete(id, 2)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      expect(await idsOf(group as never)).toEqual(['0', '1'])
    },
  )

  it('may be the event time too (R-099, R-503)', async () => {
    const features = { at: 'String', s: 'String' } as const
    const group = await store.current.createFeatureGroup({
      ...VALUES,
      name: 'clock',
      recordIdentifier: 'at',
      features,
    })
    await group.put({ at: AT, s: 'one' })
    await group.put({ at: '2026-03-01T12:00:00.0Z', s: 'two' })
    expect((await group.getMany([AT, '2026-03-01T12:00:00.0Z'])).map((record) => record?.s)).toEqual([
      'one',
      'two',
    ])
    await store.current.flush()
    expect(await group.get(AT)).toEqual({ at: AT, s: 'one' })
    expect((await rowsOf(store.current, 'clock')).map((row) => row['at']).sort()).toEqual([
      '2026-03-01T12:00:00.0Z',
      AT,
    ])
  })
})

describe('the size of a record', () => {
  it('may be 358,400 bytes to the last, everywhere; one more is refused (R-091, R-096)', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(VALUES)
    const s = 'é'.repeat((358_400 - 'ida'.length - 'at'.length - AT.length - 's'.length - 1) / 2)
    const text = `${s}x`.slice(0, -1)
    const padding = 358_400 - 'ida'.length - 'at'.length - AT.length - 's'.length - Buffer.byteLength(text)
    const exact = { id: 'a', at: AT, s: text + 'x'.repeat(padding) }
    await group.put(exact)
    await expect(group.put({ ...exact, s: `${exact.s}x` })).rejects.toThrow(
      /at most 358400 bytes.*found 358401/,
    )
    expect(await group.get('a')).toEqual(exact)
    const report = await group.ingest([exact, { ...exact, s: `${exact.s}x` }])
    expect(report).toMatchObject({ accepted: 1, rejected: 1 })
    await store.flush()
    expect(await group.get('a')).toEqual(exact)
    expect((await rowsOf(store, 'values')).map((row) => row['s'] === exact.s)).toEqual([true, true])
  })

  it('of many of the largest is no problem', async () => {
    const store = await openStore({ flush: { bytes: 64 * 1024 } })
    const group = await store.createFeatureGroup(VALUES)
    const s = 'x'.repeat(358_000)
    await group.ingest(Array.from({ length: 60 }, (_, i) => ({ id: `id-${i % 20}`, at: AT, s, n: i })))
    await store.flush()
    const rows = await rowsOf(store, 'values')
    expect(rows.map((row) => Number(row['n'])).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 60 }, (_, i) => i),
    )
    expect((await group.get('id-3'))?.n).toBe(43)
  })
})

describe('puts', () => {
  const shared = sharedStore()

  it('of one turn are applied in their order (R-126)', async () => {
    const group = await newGroup(shared.current)
    await Promise.all(Array.from({ length: 5000 }, (_, n) => group.put({ id: `id-${n % 50}`, at: AT, n })))
    const found = await group.getMany(Array.from({ length: 50 }, (_, i) => `id-${i}`))
    expect(found.map((record) => record?.n)).toEqual(Array.from({ length: 50 }, (_, i) => 4950 + i))
  })

  it('are visible when they are acknowledged, and a hard delete sees those made before it (R-124)', async () => {
    const group = await newGroup(shared.current)
    for (let n = 0; n < 50; n++) {
      const first = group.put({ id: 'a', at: '2026-03-01T12:00:01Z', n })
      const refused = group.delete('a', AT, { mode: 'hard' })
      await expect(refused).rejects.toMatchObject({ code: 'EVENT_TIME_NOT_LATER' })
      await first
      expect((await group.get('a'))?.n).toBe(n)
      await group.delete('a', '2026-03-01T12:00:02Z', { mode: 'hard' })
      expect(await group.get('a')).toBeUndefined()
    }
  })

  it('that are refused do not harm those of the same turn', async () => {
    const group = await newGroup(shared.current)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => group.put({ id: n % 2 === 0 ? `id-${n}` : '', at: AT, n })),
    )
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual(outcomes.map((_, n) => n % 2 === 0))
    expect((await idsOf(group)).length).toBe(10)
  })
})

describe('target stores', () => {
  const store = sharedStore()

  it.each<readonly [{ online?: boolean; offline?: boolean }, unknown, RegExp]>([
    [{}, [], /stores: expected at least one of "online" and "offline"/],
    [{}, ['online', 'online'], /stores: "online" is named twice/],
    [{}, ['OnlineStore'], /stores: expected "online" or "offline", found "OnlineStore"/],
    [{ offline: false }, ['offline'], /has no offline store/],
    [{ online: false }, ['online', 'offline'], /has no online store/],
  ])('of a group with %j may not be %j (R-121)', async (kept, stores, message) => {
    const name = `kept-${Object.keys(kept).join('') || 'both'}`
    const group = await store.current.ensureFeatureGroup({ ...VALUES, ...kept, name })
    const options = { stores: stores as TargetStore[] }
    const record = { id: 'a', at: AT }
    const attempts = [
      () => group.put(record, options),
      () => group.delete('a', AT, options),
      () => group.delete('a', AT, { ...options, mode: 'hard' }),
      () => group.ingest([record], options),
    ]
    for (const attempt of attempts) await expect(attempt()).rejects.toThrow(message)
    await store.current.flush()
    expect((await store.current.stats()).shards.map((shard) => shard.lastLsn)).toEqual([0, 0])
  })

  it('of an online-only group leave nothing offline', async () => {
    const own = await openStore()
    const group = await own.createFeatureGroup({ ...VALUES, offline: false })
    await group.put({ id: 'a', at: AT })
    await group.delete('b', AT)
    await group.flush()
    await own.flush()
    expect(await group.get('a')).toEqual({ id: 'a', at: AT })
    expect(await offlineRows(own.directory)).toEqual([])
    expect((await own.stats()).offline.lagRecords).toBe(0)
  })

  it('of an offline-only group compare nothing, and there is nothing to read (R-162, R-234)', async () => {
    const own = await openStore()
    const group = await own.createFeatureGroup({ ...VALUES, online: false })
    await group.put({ id: 'a', at: AT, n: 1 })
    await group.put({ id: 'a', at: '2026-03-01T11:00:00Z', n: 2 })
    await group.delete('a', '2020-01-01T00:00:00Z')
    await group.delete('a', '2020-01-01T00:00:01Z', { mode: 'hard' })
    await own.flush()
    const rows = await rowsOf(own, 'values')
    expect(rows.map(({ at, n, is_deleted }) => [at, n, is_deleted]).sort()).toEqual([
      ['2020-01-01T00:00:00Z', null, true],
      ['2020-01-01T00:00:01Z', null, true],
      ['2026-03-01T11:00:00Z', '2', false],
      [AT, '1', false],
    ])
    for (const read of [() => group.get('a'), () => group.getMany([]), () => group.listRecords()]) {
      await expect(read()).rejects.toThrow('"values" has no online store to read from')
    }
  })
})

describe('reading', () => {
  const store = sharedStore()

  it('of many gives the records in the order asked, also of ids asked twice or not there', async () => {
    const group = await store.current.createFeatureGroup({ ...VALUES, name: 'many' })
    await group.ingest(
      Array.from({ length: 2000 }, (_, n) => ({ id: `id-${n}`, at: AT, n, s: 'x'.repeat(n % 700) })),
    )
    const ids = Array.from({ length: 3000 }, (_, i) => `id-${(i * 7) % 2500}`)
    const found = await group.getMany(ids)
    expect(found.map((record) => record?.id)).toEqual(
      ids.map((id) => (Number(id.slice(3)) < 2000 ? id : undefined)),
    )
    expect(await group.getMany([])).toEqual([])
  })

  it('refuses an id that cannot be one, and says which (R-097, R-098)', async () => {
    const group = await store.current.ensureFeatureGroup({ ...VALUES, name: 'many' })
    for (const id of ['', 'x'.repeat(2049), '\ud800']) {
      await expect(group.getMany(['id-1', id])).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('1 to 2048 bytes'),
        place: { row: 1 },
      })
    }
  })
})

describe('listing', () => {
  const shared = sharedStore()

  it.each([0, 1, 2, 3, 4, 7])(
    'gives %i records in pages that are full but for the last, each id once (R-320, R-324, R-332, R-334)',
    async (count) => {
      const store = shared.current
      const group = await store.createFeatureGroup({ ...VALUES, name: `of-${count}` })
      const expected = Array.from({ length: count }, (_, i) => `id-${i}`)
      for (const id of expected) await group.put({ id, at: AT })
      for (const isMerged of [false, true]) {
        if (isMerged) await store.flush()
        for (const pageSize of [1, 2, 3, 4, 10_000]) {
          const pages: string[][] = []
          let token: string | undefined
          do {
            const page = await group.listRecords({ pageSize, ...(token === undefined ? {} : { token }) })
            pages.push([...page.ids])
            token = page.nextToken
          } while (token !== undefined)
          expect(pages.flat().sort()).toEqual(expected)
          expect(pages.slice(0, -1).map((page) => page.length)).toEqual(
            pages.slice(0, -1).map(() => pageSize),
          )
          if (count > 0) expect(pages.at(-1)!.length).toBeGreaterThan(0)
        }
      }
    },
  )

  it('hands out no token when only deleted records follow (R-325, R-326)', async () => {
    const store = await openStore({ shards: 1 })
    const group = await store.createFeatureGroup(VALUES)
    const ids = Array.from({ length: 12 }, (_, i) => `id-${i}`)
    for (const id of ids) await group.put({ id, at: AT })
    const order = (await group.listRecords()).ids
    for (const id of order.slice(5)) await group.delete(id, '2026-03-01T12:00:01Z')
    for (const isMerged of [false, true]) {
      if (isMerged) await store.flush()
      expect(await group.listRecords({ pageSize: 5 })).toEqual({
        ids: order.slice(0, 5),
        nextToken: undefined,
      })
      expect(await group.listRecords({ pageSize: 5, includeSoftDeleted: true })).toEqual({
        ids: order.slice(0, 5),
        nextToken: expect.any(String),
      })
    }
  })

  it('goes on where it was after a restart, a merge and other writes (R-323, R-329)', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const group = await store.createFeatureGroup(VALUES)
    const ids = Array.from({ length: 30 }, (_, i) => `id-${i}`)
    for (const id of ids) await group.put({ id, at: AT })
    const first = await group.listRecords({ pageSize: 10 })
    await store.flush()
    const second = await group.listRecords({ pageSize: 10, token: first.nextToken! })
    for (let i = 0; i < 2000; i++) void group.put({ id: `other-${i}`, at: AT })
    await store.close()
    const again = (await openStore({}, directory)).featureGroup('values')
    const third = await again.listRecords({ pageSize: 10_000, token: second.nextToken! })
    const listed = [...first.ids, ...second.ids, ...third.ids]
    expect(new Set(listed).size).toBe(listed.length)
    for (const id of ids) expect(listed).toContain(id)
  })

  it('refuses a token that is not its own, and a page size that is none (R-330)', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(VALUES)
    for (let i = 0; i < 4; i++) await group.put({ id: `id-${i}`, at: AT })
    const { nextToken } = await group.listRecords({ pageSize: 1 })
    for (const token of [
      '',
      'x',
      `${nextToken}A`,
      nextToken!.slice(1),
      `B${nextToken!.slice(1)}`,
      'A'.repeat(9000),
    ]) {
      await expect(group.listRecords({ token })).rejects.toThrow('token: not a token that listRecords')
    }
    for (const pageSize of [0, -1, 1.5, 10_001, Number.NaN]) {
      await expect(group.listRecords({ pageSize })).rejects.toThrow(
        /pageSize: expected a whole number from 1 to 10000/,
      )
    }
  })
})

describe('a delete', () => {
  const shared = sharedStore()

  it('refuses another mode, and an event time that is none (R-220, R-221)', async () => {
    const store = shared.current
    const group = await newGroup(store)
    await expect(group.delete('a', AT, { mode: 'SoftDelete' as 'soft' })).rejects.toThrow(
      'mode: expected "soft" or "hard", found "SoftDelete"',
    )
    for (const mode of ['soft', 'hard'] as const) {
      await expect(group.delete('a', 'today', { mode })).rejects.toThrow(
        /expected an event time.*found the string "today"/,
      )
      await expect(group.delete('', AT, { mode })).rejects.toThrow('found an empty string')
      await expect(group.delete('x'.repeat(2049), AT, { mode })).rejects.toThrow('at most 2048 bytes')
    }
    await store.flush()
    expect(await rowsOf(store, group.name)).toEqual([])
  })

  it('takes a Date, as a put does', async () => {
    const store = shared.current
    const group = await newGroup(store)
    await group.put({ id: 'a', at: new Date(AT) })
    await group.delete('a', new Date('2026-03-01T12:00:01Z'))
    expect(await group.get('a')).toBeUndefined()
    await store.flush()
    expect((await rowsOf(store, group.name)).map((row) => row['at']).sort()).toEqual([
      '2026-03-01T12:00:00.000Z',
      '2026-03-01T12:00:01.000Z',
    ])
  })
})
