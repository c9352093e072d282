/** What is in an offline store, found by a reader who knows only its directory: DuckDB and the Parquet files. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { queryRows } from '../query/duckdb.ts'
import { sqlFile, sqlName } from '../query/sql.ts'
import { offlineRelation } from './checksum.ts'

export interface OfflineFiles {
  readonly files: number
  readonly bytes: number
  readonly hours: number
  readonly filesPerHourMax: number
}

export interface MonthOfRows {
  /** `2001-01` */
  readonly month: string
  readonly rows: number
}

/** Counts the Parquet files by the hour directories they lie in. */
export async function offlineFiles(connection: DuckDBConnection, directory: string): Promise<OfflineFiles> {
  // A glob that matches nothing is an error to read_blob, but not to glob.
  const pattern = `${sqlFile(directory).slice(0, -1)}/**/*.parquet'`
  const [found] = await queryRows<{ files: string }>(
    connection,
    `SELECT count(*) AS files FROM glob(${pattern})`,
  )
  if (Number(found?.files) === 0) return { files: 0, bytes: 0, hours: 0, filesPerHourMax: 0 }
  const [row] = await queryRows<{ files: string; bytes: string; hours: string; most: string }>(
    connection,
    `SELECT CAST(sum(files) AS BIGINT) AS files, CAST(sum(bytes) AS BIGINT) AS bytes, count(*) AS hours, max(files) AS most
     FROM (SELECT count(*) AS files, sum(size) AS bytes FROM read_blob(${pattern})
           GROUP BY regexp_replace(filename, '/[^/]*$', ''))`,
  )
  return {
    files: Number(row?.files),
    bytes: Number(row?.bytes),
    hours: Number(row?.hours),
    filesPerHourMax: Number(row?.most),
  }
}

/** @param eventTime - a String feature, whose values start with year and month */
export async function rowsPerMonth(
  connection: DuckDBConnection,
  directory: string,
  eventTime: string,
): Promise<MonthOfRows[]> {
  const rows = await queryRows<{ month: string; row_count: string }>(
    connection,
    `SELECT left(${sqlName(eventTime)}, 7) AS month, count(*) AS row_count
     FROM ${offlineRelation(directory)} GROUP BY month ORDER BY month`,
  )
  return rows.map(({ month, row_count }) => ({ month, rows: Number(row_count) }))
}
