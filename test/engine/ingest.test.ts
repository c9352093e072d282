/** Bulk ingestion: what it takes, what it reports, how it is stopped and resumed, and that it never runs ahead. */
import {
  Bool,
  type DataType,
  Dictionary,
  Field,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  LargeUtf8,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMicrosecond,
  TimestampNanosecond,
  Uint64,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import type { FeatureGroup, IngestProgress, Millrace, StoreStatistics } from '../../src/index.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const AT = '2026-03-01T12:00:00Z'

const READINGS = {
  name: 'readings',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', s: 'String', n: 'Integral', x: 'Fractional' },
} as const

type Reading = { id: string; at: string; s?: string; n?: number; x?: number }

const readings = (count: number, from = 0): Reading[] =>
  Array.from({ length: count }, (_, i) => ({ id: `id-${from + i}`, at: AT, n: from + i }))

async function* inPieces<T>(pieces: readonly T[]): AsyncGenerator<T> {
  for (const piece of pieces) {
    await new Promise((resolve) => setImmediate(resolve))
    yield piece
  }
}

async function idsOf(group: Pick<FeatureGroup, 'ids'>): Promise<string[]> {
  const ids: string[] = []
  for await (const id of group.ids()) ids.push(id)
  return ids
}

let lastGroup = 0
const newGroup = (store: Millrace): Promise<FeatureGroup<typeof READINGS>> =>
  store.createFeatureGroup({ ...READINGS, name: `readings-${++lastGroup}` }) as unknown as Promise<
    FeatureGroup<typeof READINGS>
  >

describe('an input', () => {
  const store = sharedStore()
  const rows = readings(1000)
  const halves = [rows.slice(0, 500), rows.slice(500)]

  it.each<readonly [string, () => Parameters<FeatureGroup<typeof READINGS>['ingest']>[0]]>([
    ['an array of records', () => rows],
    ['a Set of records', () => new Set(rows)],
    ['an array of arrays', () => halves],
    ['records and arrays mixed', () => [...rows.slice(0, 3), rows.slice(3, 500), [], ...rows.slice(500)]],
    ['an async iterable of records', () => inPieces(rows)],
    ['an async iterable of arrays', () => inPieces(halves)],
    ['an Arrow table', () => arrowTable(rows)],
    ['a table of several record batches', () => arrowTable(halves[0]!).concat(arrowTable(halves[1]!))],
    ['an Arrow record batch', () => arrowTable(rows).batches[0]!],
    ['an iterable of Arrow tables', () => halves.map(arrowTable)],
    [
      'an async iterable of record batches',
      () => inPieces(halves.map((half) => arrowTable(half).batches[0]!)),
    ],
    ['a record batch that is a slice of another', () => arrowTable([...rows, ...rows]).slice(700, 1700)],
  ])('may be %s', async (_, input) => {
    const group = await newGroup(store.current)
    const report = await group.ingest(input())
    expect(report).toMatchObject({
      rows: 1000,
      accepted: 1000,
      rejected: 0,
      skipped: 0,
      errors: [],
      isAborted: false,
    })
    expect(report.bytes).toBeGreaterThan(1000 * 24)
    expect(await group.getMany(rows.map((row) => row.id))).toEqual(rows)
  })

  it('may be empty', async () => {
    const group = await newGroup(store.current)
    for (const input of [[], [[]], inPieces([]), arrowTable([])]) {
      expect(await group.ingest(input)).toMatchObject({ rows: 0, accepted: 0, rejected: 0, bytes: 0 })
    }
  })

  it.each([undefined, null, 7, 'rows', {}, true])('may not be %j', async (input) => {
    const group = await newGroup(store.current)
    await expect(group.ingest(input as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /rows: expected an iterable, an async iterable or an Arrow table, found/,
      ),
    })
  })

  it('that fails ends the ingestion with its own error; what was accepted before stays', async () => {
    const group = await newGroup(store.current)
    function* failing(): Generator<Reading[]> {
      yield* Array.from({ length: 40 }, (_, i) => readings(1000, i * 1000))
      throw new RangeError('the file ends here')
    }
    await expect(group.ingest(failing(), { source: { id: 's' } })).rejects.toThrow(
      new RangeError('the file ends here'),
    )
    const position = await group.ingestPosition('s')
    expect(position).toBeGreaterThan(0)
    const rest = readings(40_000 - position, position)
    const report = await group.ingest(rest, { source: { id: 's', firstRow: position } })
    expect(report.accepted + report.skipped).toBe(rest.length)
    expect(new Set(await idsOf(group)).size).toBe(40_000)
    await group.flush()
    expect((await offlineRows(store.current.describe(group.name).offlineDirectory!)).length).toBe(40_000)
  })

  it('is closed when its rows are refused by the store, like any generator that is left', async () => {
    const group = await newGroup(store.current)
    const controller = new AbortController()
    let isClosed = false
    function* rowsAndMore(): Generator<Reading[]> {
      try {
        for (let i = 0; ; i++) {
          if (i === 5) controller.abort()
          yield readings(1000, i * 1000)
        }
      } finally {
        isClosed = true
      }
    }
    await group.ingest(rowsAndMore(), { signal: controller.signal })
    expect(isClosed).toBe(true)
  })
})

interface Columns {
  [name: string]: { readonly type: DataType; readonly values: readonly unknown[] }
}

/** Columns of any type, as one record batch. */
function arrowColumns(columns: Columns): Table {
  const entries = Object.entries(columns)
  const vectors = entries.map(([, { type, values }]): Vector => {
    if (!(type instanceof TimestampMicrosecond || type instanceof TimestampNanosecond)) {
      return vectorFromArray(values as unknown[], type) as Vector
    }
    // The library's builder goes through milliseconds.
    const nullBitmap = new Uint8Array(Math.ceil(values.length / 8))
    values.forEach((value, i) => {
      if (value !== null) nullBitmap[i >>> 3]! |= 1 << (i & 7)
    })
    const data = BigInt64Array.from(values, (value) => (value ?? 0n) as bigint)
    const nullCount = values.filter((value) => value === null).length
    return new (Object.getPrototypeOf(vectorFromArray([1])).constructor)([
      makeData({ type, length: values.length, data, nullBitmap, nullCount } as never),
    ])
  })
  const fields = entries.map(([name, { type }]) => new Field(name, type, true))
  const struct = makeData({
    type: new Struct(fields),
    length: vectors[0]?.length ?? 0,
    nullCount: 0,
    children: vectors.map((vector) => vector.data[0]!),
  })
  return new Table([new RecordBatch(new Schema(fields), struct)])
}

const arrowTable = (rows: readonly Reading[]): Table =>
  arrowColumns({
    id: { type: new Utf8(), values: rows.map((row) => row.id) },
    at: { type: new Utf8(), values: rows.map((row) => row.at) },
    n: { type: new Int64(), values: rows.map((row) => (row.n === undefined ? null : BigInt(row.n))) },
  })

describe('an Arrow table', () => {
  const store = sharedStore()

  it('may have nulls, any order of columns, narrow numbers and timestamps', async () => {
    const group = await newGroup(store.current)
    const table = arrowColumns({
      x: { type: new Float32(), values: [0.5, null, -0.25, null] },
      n: { type: new Int16(), values: [null, -7, 300, null] },
      at: {
        type: new TimestampMicrosecond('UTC'),
        values: [
          1_772_366_400_000_000n,
          1_772_366_400_250_000n,
          1_772_366_400_000_001n,
          -62_167_219_200_000_000n,
        ],
      },
      s: { type: new Utf8(), values: ['🚕', '', null, 'é'.repeat(100)] },
      id: { type: new Utf8(), values: ['a', 'b', 'c', 'd'] },
    })
    expect(await group.ingest(table)).toMatchObject({ accepted: 4, errors: [] })
    expect(await group.getMany(['a', 'b', 'c', 'd'])).toEqual([
      { id: 'a', at: '2026-03-01T12:00:00Z', s: '🚕', x: 0.5 },
      { id: 'b', at: '2026-03-01T12:00:00.250Z', s: '', n: -7 },
      { id: 'c', at: '2026-03-01T12:00:00.000001Z', n: 300, x: -0.25 },
      { id: 'd', at: '0000-01-01T00:00:00Z', s: 'é'.repeat(100) },
    ])
  })

  it('keeps 64-bit integers and nanoseconds exact', async () => {
    const group = await newGroup(store.current)
    const table = arrowColumns({
      id: { type: new Utf8(), values: ['a', 'b'] },
      at: { type: new TimestampNanosecond(), values: [1n, -1n] },
      n: { type: new Int64(), values: [2n ** 63n - 1n, -(2n ** 63n)] },
    })
    await group.ingest(table)
    expect(await group.getMany(['a', 'b'])).toEqual([
      { id: 'a', at: '1970-01-01T00:00:00.000000001Z', n: 2n ** 63n - 1n },
      { id: 'b', at: '1969-12-31T23:59:59.999999999Z', n: -(2n ** 63n) },
    ])
  })

  it('may have texts as dictionaries, as the library makes them, and large texts', async () => {
    const group = await newGroup(store.current)
    const dictionary = new Dictionary(new Utf8(), new Int32())
    const columns = {
      id: { type: dictionary, values: ['a', 'b', 'c', 'd'] },
      at: { type: dictionary, values: [AT, AT, null, AT] },
      s: { type: new LargeUtf8(), values: ['🚕', null, '', 'x'] },
    }
    const report = await group.ingest(arrowColumns(columns))
    expect(report.errors.map(({ row, feature }) => [row, feature])).toEqual([[2, 'at']])
    const slice = arrowColumns({ ...columns, s: { type: dictionary, values: ['p', 'q', null, 'q'] } }).slice(
      2,
    )
    expect(await group.ingest(slice)).toMatchObject({ accepted: 1, rejected: 1 })
    expect(await group.getMany(['a', 'b', 'c', 'd'])).toEqual([
      { id: 'a', at: AT, s: '🚕' },
      { id: 'b', at: AT },
      undefined,
      { id: 'd', at: AT, s: 'q' },
    ])
  })

  it('gives numeric ids and Fractional event times to a group that has them', async () => {
    const group = await store.current.createFeatureGroup({
      name: 'numeric',
      recordIdentifier: 'id',
      eventTime: 'at',
      features: { id: 'Integral', at: 'Fractional' },
    })
    await group.ingest(
      arrowColumns({
        id: { type: new Int64(), values: [7n, 2n ** 63n - 1n] },
        at: { type: new Float64(), values: [1.5, -0.25] },
      }),
    )
    expect(await group.getMany([7, 2n ** 63n - 1n])).toEqual([
      { id: 7, at: 1.5 },
      { id: 2n ** 63n - 1n, at: -0.25 },
    ])
  })

  it('has its bad rows reported by their position, over all batches', async () => {
    const group = await newGroup(store.current)
    const one = arrowColumns({
      id: { type: new Utf8(), values: ['a', null, '', 'b'] },
      at: { type: new Utf8(), values: [AT, AT, AT, null] },
      x: { type: new Float64(), values: [1, 1, 1, 1] },
    })
    const two = arrowColumns({
      id: { type: new Utf8(), values: ['c', 'd', 'x'.repeat(2049), 'e'] },
      at: { type: new Utf8(), values: ['2026-13-01T00:00:00Z', AT, AT, AT] },
      x: { type: new Float64(), values: [1, Number.NaN, 1, 1] },
    })
    const report = await group.ingest([one, two])
    expect(report.errors.map(({ row, feature }) => [row, feature])).toEqual([
      [1, 'id'],
      [2, 'id'],
      [3, 'at'],
      [4, 'at'],
      [5, 'x'],
      [6, 'id'],
    ])
    expect(report.errors[3]!.message).toContain('found "2026-13-01T00:00:00Z"')
    expect(report).toMatchObject({ rows: 8, accepted: 2, rejected: 6 })
    expect((await idsOf(group)).sort()).toEqual(['a', 'e'])
  })

  it.each<readonly [string, Columns, RegExp]>([
    [
      'an unknown column',
      { z: { type: new Utf8(), values: ['a'] } },
      /has no feature "z", which is a column/,
    ],
    [
      'a text for an Integral',
      { n: { type: new Utf8(), values: ['1'] } },
      /feature "n": expected an Arrow column of signed integers.*found Utf8/,
    ],
    ['a double for an Integral', { n: { type: new Float64(), values: [1] } }, /feature "n".*found Float64/],
    [
      'unsigned 64 bits for an Integral',
      { n: { type: new Uint64(), values: [1n] } },
      /feature "n".*found Uint64/,
    ],
    [
      'an integer for a Fractional',
      { x: { type: new Int64(), values: [1n] } },
      /feature "x": expected an Arrow column of Float32 or Float64, found Int64/,
    ],
    [
      'a boolean for a String',
      { s: { type: new Bool(), values: [true] } },
      /feature "s": expected an Arrow column of .*Utf8.*, found Bool/,
    ],
    [
      'a number as event time',
      { at: { type: new Float64(), values: [1] } },
      /feature "at": expected an Arrow column of .*Utf8.*found Float64/,
    ],
  ])('is refused with %s, before any of its rows is taken', async (_, columns, message) => {
    const group = await newGroup(store.current)
    const table = arrowColumns({
      id: { type: new Utf8(), values: ['a'] },
      at: { type: new Utf8(), values: [AT] },
      ...columns,
    })
    await expect(group.ingest(table)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
    expect(await idsOf(group)).toEqual([])
  })

  it('has rows that are far too large reported like others', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `text${i}`)
    const features = Object.fromEntries(names.map((name) => [name, 'String' as const]))
    const group = await store.current.createFeatureGroup({
      ...READINGS,
      name: 'wide',
      features: { id: 'String', at: 'String', ...features },
    } as never)
    const columns: Columns = {
      id: { type: new Utf8(), values: ['a', 'b', 'c', 'd'] },
      at: { type: new Utf8(), values: [AT, AT, AT, AT] },
    }
    for (const name of names) {
      columns[name] = { type: new Utf8(), values: ['x'.repeat(300_000), null, 'y', null] }
    }
    columns['text0'] = { type: new Utf8(), values: ['x', 'x'.repeat(9_000_000), 'y', null] }
    const report = await group.ingest(arrowColumns(columns) as never)
    expect(report.errors.map(({ row }) => row)).toEqual([0, 1])
    for (const { message } of report.errors) expect(message).toMatch(/at most 358400 bytes/)
    expect((await idsOf(group as never)).sort()).toEqual(['c', 'd'])
  })

  it.each(['id', 'at'])('is refused without the column %s', async (missing) => {
    const group = await newGroup(store.current)
    const columns = { id: { type: new Utf8(), values: ['a'] }, at: { type: new Utf8(), values: [AT] } }
    const kept = Object.fromEntries(Object.entries(columns).filter(([name]) => name !== missing))
    await expect(group.ingest(arrowColumns(kept))).rejects.toThrow(
      `the Arrow input has no column "${missing}"`,
    )
  })
})

describe('a row that is refused', () => {
  const store = sharedStore()

  it('is reported by its position with a reason, and stops no other', async () => {
    const group = await newGroup(store.current)
    const rows: unknown[] = readings(100)
    rows[3] = { at: AT }
    rows[50] = { id: 'x', at: AT, fare: 1 }
    rows[99] = null
    const report = await group.ingest(rows as Reading[])
    expect(report).toMatchObject({ rows: 100, accepted: 97, rejected: 3 })
    expect(report.errors).toEqual([
      {
        row: 3,
        code: 'INVALID_ARGUMENT',
        feature: 'id',
        message: expect.stringContaining('expected a record identifier'),
      },
      {
        row: 50,
        code: 'INVALID_ARGUMENT',
        feature: 'fare',
        message: expect.stringContaining('unknown feature "fare"'),
      },
      {
        row: 99,
        code: 'INVALID_ARGUMENT',
        feature: undefined,
        message: expect.stringContaining('found null'),
      },
    ])
    expect((await idsOf(group)).length).toBe(97)
    expect((await store.current.stats()).records.rejected).toBe(3)
  })

  it('is only counted beyond the number of errors that are kept', async () => {
    const group = await newGroup(store.current)
    const bad = Array.from({ length: 1500 }, () => ({ id: '', at: AT }))
    expect((await group.ingest(bad)).errors.length).toBe(1000)
    const report = await group.ingest([...bad, ...readings(5)], { errorsMax: 2 })
    expect(report.errors.map((error) => error.row)).toEqual([0, 1])
    expect(report).toMatchObject({ accepted: 5, rejected: 1500 })
  })
})

describe('progress', () => {
  const shared = sharedStore()

  it('is told now and then, never falls, and ends with the report', async () => {
    const store = shared.current
    const group = await newGroup(store)
    const seen: IngestProgress[] = []
    const report = await group.ingest(readings(60_000), { onProgress: (progress) => seen.push(progress) })
    expect(seen.length).toBeGreaterThan(2)
    const { rows, accepted, rejected, bytes } = report
    expect(seen.at(-1)).toEqual({ rows, accepted, rejected, bytes })
    seen.reduce((before, after) => {
      expect(after.accepted).toBeGreaterThanOrEqual(before.accepted)
      expect(after.accepted).toBeLessThanOrEqual(after.rows)
      return after
    })
  })
})

describe('an aborted ingestion', () => {
  const shared = sharedStore()

  it('keeps what it accepted, says so, and can be resumed to the row', async () => {
    const store = shared.current
    const group = await newGroup(store)
    const controller = new AbortController()
    let pulled = 0
    function* rows(): Generator<Reading[]> {
      for (let i = 0; i < 100; i++) {
        if (i === 30) controller.abort()
        pulled += 1000
        yield readings(1000, i * 1000)
      }
    }
    const report = await group.ingest(rows(), { signal: controller.signal, source: { id: 's' } })
    expect(report.isAborted).toBe(true)
    expect(report.rows).toBeLessThan(60_000)
    expect(report.accepted).toBe(report.rows)
    expect(pulled - report.rows).toBeLessThan(1000)
    expect(await group.ingestPosition('s')).toBe(report.rows)
    const rest = readings(100_000 - report.rows, report.rows)
    const second = await group.ingest(rest, { source: { id: 's', firstRow: report.rows } })
    expect(second).toMatchObject({ accepted: rest.length, skipped: 0, isAborted: false })
    expect((await idsOf(group)).length).toBe(100_000)
  })

  it('that was aborted before it began takes at most a batch', async () => {
    const store = shared.current
    const group = await newGroup(store)
    const report = await group.ingest(readings(200_000), { signal: AbortSignal.abort() })
    expect(report.isAborted).toBe(true)
    expect(report.rows).toBeLessThan(20_000)
  })
})

describe('a source', () => {
  const shared = sharedStore()

  it('skips exactly the rows that are durable, and no others', async () => {
    const store = shared.current
    const group = await newGroup(store)
    const source = { id: 'file.csv' }
    expect(await group.ingestPosition('file.csv')).toBe(0)
    expect(await group.ingest(readings(1000), { source })).toMatchObject({ accepted: 1000, skipped: 0 })
    expect(await group.ingestPosition('file.csv')).toBe(1000)
    expect(await group.ingest(readings(1500), { source })).toMatchObject({
      rows: 1500,
      accepted: 500,
      skipped: 1000,
    })
    const firstRow = 1400
    expect(await group.ingest(readings(200, firstRow), { source: { ...source, firstRow } })).toMatchObject({
      accepted: 100,
      skipped: 100,
    })
    await store.flush()
    const rows = await offlineRows(store.describe(group.name).offlineDirectory!)
    expect(rows.map(({ n }) => Number(n)).sort((a, b) => a - b)).toEqual(readings(1600).map((row) => row.n))
  })

  it('counts rows that are refused, so that positions stay those of the input', async () => {
    const store = shared.current
    const group = await newGroup(store)
    const rows: unknown[] = readings(50)
    rows[10] = { id: '' }
    rows[49] = 7
    const source = { id: 's' }
    expect(await group.ingest(rows as Reading[], { source })).toMatchObject({ accepted: 48, rejected: 2 })
    expect(await group.ingestPosition('s')).toBe(50)
    const again = await group.ingest([...(rows as Reading[]), ...readings(10, 50)], { source })
    expect(again).toMatchObject({ accepted: 10, skipped: 48, rejected: 2 })
    expect(again.errors.map((error) => error.row)).toEqual([10, 49])
  })

  it('is remembered over a restart, also when nothing but its position was written', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const group = await newGroup(store)
    await group.ingest([{ id: 'only one shard gets it', at: AT }], { source: { id: 'one' } })
    await group.ingest([{ id: '' } as never], { source: { id: 'none accepted' } })
    await store.close()
    const again = (await openStore({}, directory)).featureGroup(group.name)
    expect(await again.ingestPosition('one')).toBe(1)
    expect(await again.ingestPosition('none accepted')).toBe(1)
    expect(await again.ingestPosition('other')).toBe(0)
  })

  it('is refused if rows before its first one are missing', async () => {
    const store = shared.current
    const group = await newGroup(store)
    await group.ingest(readings(10), { source: { id: 's' } })
    await expect(group.ingest(readings(5, 12), { source: { id: 's', firstRow: 12 } })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/source "s": rows 10 to 11 are missing: start at row 10 or before/),
    })
    expect((await idsOf(group)).length).toBe(10)
  })

  it('is refused with a first row that is none', async () => {
    const store = shared.current
    const group = await newGroup(store)
    for (const firstRow of [-1, 1.5, Number.NaN]) {
      await expect(group.ingest(readings(5), { source: { id: 's', firstRow } })).rejects.toThrow(
        /source\.firstRow: expected a whole number from 0/,
      )
    }
    expect(await idsOf(group)).toEqual([])
  })

  it('that two ingestions use at once ends one of them, and every row is there once', async () => {
    const store = shared.current
    const group = await newGroup(store)
    const rows = readings(30_000)
    const outcomes = await Promise.allSettled(
      [1, 2].map(() =>
        group.ingest(inPieces([rows.slice(0, 15_000), rows.slice(15_000)]), { source: { id: 's' } }),
      ),
    )
    const reasons = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason.code] : [],
    )
    expect(reasons.every((code) => code === 'OUT_OF_SEQUENCE')).toBe(true)
    expect(reasons.length).toBeGreaterThan(0)
    await group.ingest(rows, { source: { id: 's' } })
    await store.flush()
    const numbers = (await offlineRows(store.describe(group.name).offlineDirectory!)).map(({ n }) =>
      Number(n),
    )
    expect(numbers.length).toBe(30_000)
    expect(new Set(numbers).size).toBe(30_000)
  })

  it('belongs to its feature group: another one starts the same source from the beginning', async () => {
    const store = shared.current
    const one = await newGroup(store)
    const two = await newGroup(store)
    await one.ingest(readings(10), { source: { id: 's' } })
    expect(await two.ingestPosition('s')).toBe(0)
    expect(await two.ingest(readings(10), { source: { id: 's' } })).toMatchObject({ accepted: 10 })
  })
})

describe('backpressure', () => {
  /** Packed size of a row is somewhat more than its text. */
  const TEXT = 'x'.repeat(1000)
  const MIB = 1024 * 1024

  it('keeps an async iterable from being read ahead of what is durable', async () => {
    const store = await openStore()
    const group = await newGroup(store)
    let pulled = 0
    let accepted = 0
    let aheadMax = 0
    async function* rows(): AsyncGenerator<Reading[]> {
      for (let i = 0; i < 400; i++) {
        aheadMax = Math.max(aheadMax, pulled - accepted)
        pulled += 100
        yield readings(100, i * 100).map((row) => ({ ...row, s: TEXT }))
      }
    }
    await group.ingest(rows(), {
      onProgress: (progress) => {
        accepted = progress.accepted
      },
    })
    expect(accepted).toBe(40_000)
    // A sixteenth of the budget of 32 MiB may be on its way, and a batch per shard is being filled.
    expect(aheadMax * TEXT.length).toBeLessThan(6 * MIB)
  })

  it('keeps memory below the budget, whatever is poured in', async () => {
    const store = await openStore({ flush: { bytes: 4 * MIB } })
    const group = await newGroup(store)
    const samples: StoreStatistics['memory'][] = []
    let isDone = false
    const sampling = (async () => {
      while (!isDone) samples.push((await store.stats()).memory)
    })()
    function* rows(): Generator<Reading[]> {
      for (let i = 0; i < 300; i++) {
        const hour = String(i % 24).padStart(2, '0')
        yield readings(200, i * 200).map((row) => ({ ...row, at: `2026-03-01T${hour}:00:00Z`, s: TEXT }))
      }
    }
    await Promise.all([group.ingest(rows()), group.ingest(rows())])
    isDone = true
    await sampling
    expect(samples.length).toBeGreaterThan(10)
    const highest = Math.max(...samples.map((memory) => memory.inFlightBytes + memory.shardBytes))
    expect(highest).toBeGreaterThan(4 * MIB)
    expect(highest).toBeLessThan(samples[0]!.budgetBytes)
    expect(samples[0]!.budgetBytes).toBe(32 * MIB)
    await store.flush()
    const after = await store.stats()
    expect(after.memory.inFlightBytes).toBe(0)
    expect(after.memory.shardBytes).toBeLessThan(4 * MIB)
    expect(after.offline.unpublishedRows).toBe(0)
  })
})
