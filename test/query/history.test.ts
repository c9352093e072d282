/**
 * Goal: `history` tells exactly the rows that section g.5 of the specification says, whatever is equal, late or missing.
 * Method: files made by hand, read back and compared with an oracle of plain arrays.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FeatureGroupModel } from '../../src/core/model.ts'
import { openDuckDb, queryRows } from '../../src/query/duckdb.ts'
import { readHistory } from '../../src/query/history.ts'
import { OfflineQuery } from '../../src/query/offline-query.ts'
import type { OfflineSource } from '../../src/query/offline-source.ts'
import type { HistoryOptions, HistoryView } from '../../src/query/options.ts'
import { sqlText } from '../../src/query/sql.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'
import { histories, IDS, SECONDS, TIMES } from './arbitraries.ts'
import {
  all,
  byAge,
  FileWriter,
  featuresOf,
  hourOf,
  instantOf,
  latestOf,
  modelOf,
  type OracleRow,
  oracleRows,
  undeletedOf,
  versionsOf,
} from './offline-files.ts'

const FEATURES = {
  id: 'String',
  at: 'String',
  fare: 'Fractional',
  riders: 'Integral',
  hour: 'String',
} as const
const GROUP = modelOf(FEATURES)

let writer: FileWriter
beforeAll(async () => {
  writer = await FileWriter.open()
})
afterAll(() => writer.close())

const VIEWS: Record<HistoryView, (rows: readonly OracleRow[]) => readonly OracleRow[]> = {
  writes: (rows) => rows,
  versions: versionsOf,
  undeleted: undeletedOf,
  latest: latestOf,
}

const exact = (value: unknown): unknown =>
  typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value

function expected(rows: readonly OracleRow[], group = GROUP): unknown[] {
  return [...rows]
    .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : byAge(a, b)))
    .map((row) => ({
      ...Object.fromEntries(
        Object.entries(featuresOf(group, row)).map(([name, value]) => [name, exact(value)]),
      ),
      write_time: new Date(row.write),
      api_invocation_time: new Date(row.api),
      is_deleted: row.deleted,
    }))
}

describe('history of generated files', () => {
  const moments = <T>(times: readonly T[]) => fc.option(fc.constantFrom(...times), { nil: undefined })

  it.each<[string, HistoryView]>([
    ['every write, as of any time, within any range (R-115, R-477, R-533)', 'writes'],
    ['the versions, each as it was written last (R-115, R-474, R-477)', 'versions'],
    ['the versions later than the last delete (R-115, R-474, R-476)', 'undeleted'],
    ['the latest snapshot, as of any time (R-115, R-475, R-477, R-533)', 'latest'],
  ])('has %s', async (_, view) => {
    await fc.assert(
      fc.asyncProperty(
        histories({ times: TIMES }),
        fc.option(fc.subarray(IDS), { nil: undefined }),
        fc.record({ from: moments(TIMES), to: moments(TIMES), asOfEventTime: moments(TIMES) }),
        fc.option(fc.integer({ min: 2, max: 9 }), { nil: undefined }),
        async (contents, ids, { from, to, asOfEventTime }, asOfWrite) => {
          const source = await writer.write(GROUP, temporaryDirectory(), contents)
          const options: HistoryOptions = {
            view,
            sorted: true,
            ...(ids !== undefined && { ids }),
            ...(from !== undefined && { from }),
            ...(to !== undefined && { to }),
            ...(asOfEventTime !== undefined && { asOfEventTime }),
            ...(asOfWrite !== undefined && { asOfWriteTime: new Date(asOfWrite) }),
          }
          const kept = oracleRows(contents).filter(
            ({ id, instant, write }) =>
              (ids === undefined || ids.includes(id)) &&
              (from === undefined || instant >= instantOf(from)) &&
              (to === undefined || instant < instantOf(to)) &&
              (asOfEventTime === undefined || instant <= instantOf(asOfEventTime)) &&
              (asOfWrite === undefined || write <= asOfWrite),
          )
          const found = await all(readHistory(source, options))
          expect(found).toEqual(expected(VIEWS[view](kept)))
        },
      ),
      { numRuns: 25 },
    )
  })

  it('has the latest snapshot as of any time, for Fractional event times (R-475, R-477)', async () => {
    const group = modelOf({ ...FEATURES, at: 'Fractional' })
    await fc.assert(
      fc.asyncProperty(histories({ times: SECONDS }), fc.constantFrom(...SECONDS), async (contents, asOf) => {
        const source = await writer.write(group, temporaryDirectory(), contents)
        const kept = oracleRows(contents).filter(({ at }) => Number(at) <= asOf)
        const options = { view: 'latest', asOfEventTime: asOf, sorted: true } as const
        const found = await all(readHistory(source, options))
        expect(found).toEqual(expected(latestOf(kept), group))
      }),
      { numRuns: 25 },
    )
  })
})

async function copy(query: string, path: string): Promise<void> {
  const duckDb = await openDuckDb()
  await duckDb.connection.run(`COPY (${query}) TO ${sqlText(path)} (FORMAT parquet, ROW_GROUP_SIZE 20000)`)
  duckDb.close()
}

/** A source of one file, whose rows have the event time TIMES[3]. */
const sourceOf = (group: FeatureGroupModel, path: string): OfflineSource => ({
  group,
  files: () => [{ path, eventHour: hourOf(TIMES[3]!) }],
  flush: async () => undefined,
})

describe('history', () => {
  const row = (id: string, at: string, values: Record<string, string | number | bigint> = {}) => ({
    id,
    at,
    api: 0,
    deleted: false,
    values,
  })

  it('is empty without any file, in every view', async () => {
    const source = await writer.write(GROUP, temporaryDirectory(), [])
    for (const view of Object.keys(VIEWS) as HistoryView[])
      expect(await all(readHistory(source, { view }))).toEqual([])
  })

  it('reads a feature that no file has as missing, and integers that are whole 64 bits (R-087, R-533)', async () => {
    const rows = [
      row('a', TIMES[3]!, { fare: 1.5, riders: -(2n ** 63n) }),
      row('b', TIMES[3]!, { riders: 7n }),
    ]
    const old = { write: 1, rows, lacks: ['fare', 'hour'] }
    const source = await writer.write(GROUP, temporaryDirectory(), [old])
    const columns = ['fare', 'riders', 'hour'] as const
    const options: HistoryOptions<
      { name: 'rides'; recordIdentifier: 'id'; eventTime: 'at'; features: typeof FEATURES },
      (typeof columns)[number]
    > = { columns, view: 'latest', sorted: true }
    const found = await all(readHistory(source, options))
    expect(found.map(({ fare, riders, hour }) => [fare, riders, hour])).toEqual([
      [undefined, -(2n ** 63n), undefined],
      [undefined, 7, undefined],
    ])
  })

  it('takes partition directories for no features, and features called like them for features (R-464)', async () => {
    const group = modelOf({ id: 'String', at: 'String', hour: 'Integral', year: 'String' })
    const rows = [row('a', TIMES[3]!, { hour: 99n, year: 'none' })]
    const source = await writer.write(group, temporaryDirectory(), [{ write: 1, rows }])
    const [found] = await all(readHistory(source, {}))
    expect(found).toMatchObject({ hour: 99, year: 'none' })
    const without = await writer.write(modelOf({ id: 'String', at: 'String' }), temporaryDirectory(), [
      { write: 1, rows },
    ])
    expect(Object.keys((await all(readHistory(without, {})))[0]!)).toEqual([
      'id',
      'at',
      'write_time',
      'api_invocation_time',
      'is_deleted',
    ])
  })

  it('orders ties by their place even if features are called as the database calls that (R-479)', async () => {
    const group = modelOf({
      id: 'String',
      at: 'String',
      file_row_number: 'Integral',
      filename: 'String',
      File_Index: 'Integral',
    })
    const rows = [9n, 8n, 7n].map((n) =>
      row('a', TIMES[3]!, { file_row_number: n, File_Index: -n, filename: 'f' }),
    )
    const files = [rows, rows.slice(0, 2)].map((each) => ({ write: 1, rows: each }))
    const source = await writer.write(group, temporaryDirectory(), files)
    const found = await all(readHistory(source, { view: 'latest' }))
    expect(found).toMatchObject([{ file_row_number: 8, File_Index: -8, filename: 'f' }])
    expect(await all(readHistory(source, {}))).toHaveLength(5)
  })

  it('finds ids of any Unicode and any type of number', async () => {
    const ids = ["'; DROP TABLE chosen; --", '𝄞\u0000\n', '%', "getvariable('ids')"]
    const source = await writer.write(GROUP, temporaryDirectory(), [
      { write: 1, rows: ids.filter((id) => !id.includes('\u0000')).map((id) => row(id, TIMES[3]!)) },
    ])
    for (const id of ids) {
      const found = await all(readHistory(source, { ids: [id], columns: ['id'] }))
      expect(found.map((each) => each['id'])).toEqual(id.includes('\u0000') ? [] : [id])
    }
    const numbered = modelOf({ n: 'Integral', at: 'String' }, { recordIdentifier: 'n' })
    const big = 2n ** 63n - 1n
    const numbers = await writer.write(numbered, temporaryDirectory(), [
      { write: 1, rows: [row('5', TIMES[3]!), row(String(big), TIMES[3]!)] },
    ])
    for (const [asked, found] of [
      [5, 5],
      ['5', 5],
      [big, big],
      [String(big), big],
    ] as const) {
      expect(await all(readHistory(numbers, { ids: [asked], columns: ['n'] }))).toMatchObject([{ n: found }])
    }
  })

  it('reads collections as arrays, and as missing where no file has them (R-533)', async () => {
    const path = join(temporaryDirectory(), 'lists.parquet')
    await copy(
      `SELECT 'a' AS id, '${TIMES[3]}' AS "at", [1, NULL, 9007199254740993]::BIGINT[] AS counts, ['x', '']::VARCHAR[] AS tags,
        []::DOUBLE[] AS none, [0.5, '-0'::DOUBLE]::DOUBLE[2] AS vector, TIMESTAMPTZ '2026-01-01' AS write_time,
        TIMESTAMPTZ '2026-01-01' AS api_invocation_time, false AS is_deleted`,
      path,
    )
    const group: FeatureGroupModel = {
      ...modelOf({ id: 'String', at: 'String' }),
      features: [
        { name: 'id', type: 'String' },
        { name: 'at', type: 'String' },
        { name: 'counts', type: 'Integral', collection: 'List' },
        { name: 'tags', type: 'String', collection: 'Set' },
        { name: 'none', type: 'Fractional', collection: 'List' },
        { name: 'vector', type: 'Fractional', collection: 'Vector', dimension: 2 },
        { name: 'later', type: 'String', collection: 'List' },
      ],
    }
    const expectedLists = {
      counts: [1, null, 9007199254740993n],
      tags: ['x', ''],
      none: [],
      vector: [0.5, -0],
    }
    const [found] = await all(readHistory(sourceOf(group, path), { view: 'latest' }))
    expect(found).toMatchObject(expectedLists)
    expect(found).not.toHaveProperty('later')
    expect(await all(readHistory({ ...sourceOf(group, path), files: () => [] }, {}))).toEqual([])
  })

  it('lets the later of two rows count that are equal in all times, be it a delete or not (R-475, R-479)', async () => {
    const put = (id: string) => row(id, TIMES[3]!)
    const marker = (id: string) => ({ ...row(id, TIMES[3]!), deleted: true })
    const rows = [put('deleted'), marker('deleted'), marker('put again'), put('put again')]
    const source = await writer.write(GROUP, temporaryDirectory(), [{ write: 1, rows }])
    for (const view of ['latest', 'undeleted'] as const) {
      const found = await all(readHistory(source, { view, columns: ['id'] }))
      expect(found.map(({ id }) => id)).toEqual(['put again'])
    }
  })

  it('flushes first, unless told not to, and leaves a query behind that is given up', async () => {
    const rows = Array.from({ length: 5000 }, (_, n) => row(`r${n}`, TIMES[3]!))
    const written = await writer.write(GROUP, temporaryDirectory(), [{ write: 1, rows }])
    let flushes = 0
    const source = { ...written, flush: async () => void flushes++ }
    for await (const first of readHistory(source, {})) {
      expect(first['id']).toBe('r0')
      break
    }
    expect(flushes).toBe(1)
    expect(await all(readHistory(source, { flush: false }))).toHaveLength(5000)
    expect(flushes).toBe(1)
  })

  it.each<[string, HistoryOptions, string]>([
    [
      'a view',
      { view: 'newest' as 'latest' },
      'view: expected writes, versions, undeleted, latest, found "newest"',
    ],
    ['a column', { columns: ['fair'] }, 'columns: feature group "rides" has no feature "fair"'],
    ['a time', { from: '2026-03-01' }, 'from: expected YYYY-MM-DDThh:mm:ss[.1 to 9 digits]Z'],
    ['a number for a text', { asOfEventTime: 5 }, 'asOfEventTime: expected YYYY'],
    ['a moment', { asOfWriteTime: new Date(Number.NaN) }, 'asOfWriteTime: expected a Date'],
    ['an id', { ids: ['a', ''] }, 'ids[1]: expected a well-formed text of 1 to 2048 bytes, found ""'],
    ['half a character', { ids: ['\ud800'] }, 'ids[0]: expected a well-formed text'],
  ])('refuses %s that does not fit, at once', (_, options, message) => {
    const source = { group: GROUP, files: () => [], flush: async () => undefined }
    expect(() => readHistory(source, options)).toThrow(message)
  })

  it('names the feature group when a file cannot be read', async () => {
    const path = join(temporaryDirectory(), 'cut.parquet')
    writeFileSync(path, 'PAR1 and no more')
    const source = { group: GROUP, files: () => [{ path, eventHour: 0 }], flush: async () => undefined }
    await expect(all(readHistory(source, {}))).rejects.toMatchObject({
      code: 'IO_FAILED',
      message: expect.stringContaining('the offline files of feature group "rides" could not be read'),
    })
  })

  it('ends with the reason of a signal: before it begins, and between two rows', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => row(`r${n}`, TIMES[3]!))
    const source = await writer.write(GROUP, temporaryDirectory(), [{ write: 1, rows }])
    const aborted = { signal: AbortSignal.abort(new Error('too late')) }
    await expect(all(readHistory(source, aborted))).rejects.toThrow('too late')
    const controller = new AbortController()
    let seen = 0
    const reading = (async () => {
      for await (const _ of readHistory(source, { signal: controller.signal }))
        if (++seen === 1) controller.abort(new Error('enough'))
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(seen).toBeLessThan(20_000)
  })

  it('may use a temporary directory, and leaves nothing there', async () => {
    const directory = temporaryDirectory()
    const source = await writer.write(GROUP, temporaryDirectory(), [
      { write: 1, rows: [row('a', TIMES[3]!)] },
    ])
    const query = await OfflineQuery.open(source, {}, { temporaryDirectory: directory })
    const [setting] = await queryRows<{ used: string }>(
      query.duckDb.connection,
      `SELECT current_setting('temp_directory') AS used`,
    )
    query.close()
    expect(setting?.used).toBe(directory)
    expect(readdirSync(directory)).toEqual([])
  })

  it('says what helps when memory is too small', async () => {
    const rows = Array.from({ length: 4000 }, (_, n) => row(`${n}`.padEnd(2000, 'x'), TIMES[3]!))
    const source = await writer.write(GROUP, temporaryDirectory(), [{ write: 1, rows }])
    const options = { view: 'latest', memoryBytes: 2 ** 22 } as const
    await expect(all(readHistory(source, options))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/"rides": give the query more memoryBytes, or a temporaryDirectory/),
    })
  })
})
