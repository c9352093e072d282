/**
 * Goal: two tables have equal checksums exactly if they hold the same rows, each as often, in any order.
 * Method: a table, and the same with one thing wrong at a time; a source file against Parquet shaped like the offline store.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  checksumDifferences,
  checksumTable,
  offlineColumns,
  offlineRelation,
  sourceColumns,
} from '../../src/cli/checksum.ts'
import { planFeatures } from '../../src/cli/feature-types.ts'
import { InputFile } from '../../src/cli/input-file.ts'
import { type DuckDb, openDuckDb } from '../../src/query/duckdb.ts'
import { sqlText } from '../../src/query/sql.ts'
import { temporaryDirectory, temporaryParquet } from './temporary.ts'

let duckDb: DuckDb
beforeEach(async () => {
  duckDb = await openDuckDb()
})
afterEach(() => duckDb.close())

const COLUMNS = ['a', 'b'].map((name) => ({ name, textSql: `CAST(${name} AS VARCHAR)` }))
const TABLE = `SELECT range AS a, CASE WHEN range % 7 > 0 THEN 'v' || range % 10 END AS b FROM range(1000)`
const checksum = (query: string) => checksumTable(duckDb.connection, `(${query})`, COLUMNS)
const differences = async (query: string) => checksumDifferences(await checksum(TABLE), await checksum(query))

describe('checksums', () => {
  it('are equal for the same rows in another order', async () => {
    expect(await differences(`SELECT * FROM (${TABLE}) ORDER BY hash(a)`)).toEqual([])
  })

  it('count rows and values', async () => {
    const { rows, columns } = await checksum(TABLE)
    expect(rows).toBe(1000)
    expect(columns.map(({ values }) => values)).toEqual([1000, 857])
  })

  it('are exact beyond 64 bits', async () => {
    const { columns } = await checksum(TABLE)
    expect(BigInt(columns[0]!.sum)).toBeGreaterThan(2n ** 64n)
  })

  it.each([
    ['a lost row', `SELECT * FROM (${TABLE}) WHERE a <> 500`, /expected 1000 rows, found 999/],
    ['a doubled row', `${TABLE} UNION ALL SELECT 500, 'v0'`, /expected 1000 rows, found 1001/],
    [
      'a row twice in place of another',
      `SELECT CASE a WHEN 500 THEN 510 ELSE a END AS a, b FROM (${TABLE})`,
      /column a: the values differ/,
    ],
    [
      'two rows twice in place of two others',
      `SELECT CASE WHEN a IN (500, 520) THEN 510 ELSE a END AS a, b FROM (${TABLE})`,
      /column a: the values differ/,
    ],
    [
      'a changed value',
      `SELECT a, CASE a WHEN 500 THEN 'w' ELSE b END AS b FROM (${TABLE})`,
      /column b: the values differ/,
    ],
    [
      'a lost value',
      `SELECT a, CASE a WHEN 500 THEN NULL ELSE b END AS b FROM (${TABLE})`,
      /column b: expected 857 values, found 856/,
    ],
    [
      'an empty text in place of no value',
      `SELECT a, coalesce(b, '') AS b FROM (${TABLE})`,
      /column b: expected 857 values/,
    ],
    ['values that changed rows', `SELECT 999 - a AS a, b FROM (${TABLE})`, /not in the right rows/],
    ['nothing at all', `SELECT * FROM (${TABLE}) WHERE false`, /expected 1000 rows, found 0/],
  ])('show %s', async (_, query, expected) => {
    expect((await differences(query)).join('\n')).toMatch(expected)
  })

  it('do not mix up columns whose names look like its own', async () => {
    const query = 'SELECT 1 AS c1, 2 AS c0'
    const columns = ['c1', 'c0'].map((name) => ({ name, textSql: `CAST("${name}" AS VARCHAR)` }))
    const found = await checksumTable(duckDb.connection, `(${query})`, columns)
    const plain = await checksumTable(duckDb.connection, '(SELECT 1 AS a, 2 AS b)', COLUMNS)
    expect(found.columns.map(({ sum }) => sum)).toEqual(plain.columns.map(({ sum }) => sum))
  })
})

it('compares a source file with the offline store made from it', async () => {
  const source =
    await temporaryParquet(`SELECT TIMESTAMP '2001-01-01' + INTERVAL (range * 333) MILLISECOND AS date,
    range::INTEGER AS delay, CASE WHEN range % 2 = 0 THEN range / 3 END AS ratio, 'LAS' AS origin, 'PHL' AS year FROM range(500)`)
  // What the engine would have written, in the shape of its directory: partitions, service columns, two files.
  const directory = join(temporaryDirectory(), "it's", 'data')
  for (const half of [0, 1]) {
    const hour = join(directory, 'year=2001', 'month=01', 'day=01', `hour=0${half}`)
    mkdirSync(hour, { recursive: true })
    await duckDb.connection.run(`COPY (
      SELECT replace(strftime(date, '%Y-%m-%dT%H:%M:%S.%gZ'), '.000Z', 'Z') AS date,
        delay::BIGINT AS delay, ratio, origin, year, origin || '-' || year AS route,
        now() AS write_time, now() AS api_invocation_time, false AS is_deleted
      FROM read_parquet(${sqlText(source)}) WHERE delay % 2 = ${half}
    ) TO ${sqlText(join(hour, 'x.parquet'))} (FORMAT parquet)`)
  }
  const file = await InputFile.open(source)
  const plan = planFeatures(
    file.columns,
    { recordIdColumns: ['origin', 'year'], eventTimeColumn: 'date', idName: 'route' },
    source,
  )
  const expected = await checksumTable(file.duckDb.connection, file.relation, sourceColumns(plan))
  const found = await checksumTable(duckDb.connection, offlineRelation(directory), offlineColumns(plan))
  file.close()
  expect(found.rows).toBe(500)
  expect(checksumDifferences(expected, found)).toEqual([])
})
