/**
 * Order-independent checksums of a table, computed by DuckDB alone, so that a source file and the offline store made
 * from it can be compared by somebody who knows nothing of the engine.
 *
 * A column's checksum is the exact 128-bit sum of the 64-bit hashes of its texts: unlike an exclusive or, a sum also
 * sees a value that is there twice. The sum over whole rows sees values that changed rows within their columns.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { queryRows } from '../query/duckdb.ts'
import { sqlFile, sqlName } from '../query/sql.ts'
import type { IngestPlan } from './feature-types.ts'

export interface ChecksumColumn {
  readonly name: string
  /** SQL of type VARCHAR. */
  readonly textSql: string
}

export interface ColumnChecksum {
  readonly name: string
  /** Rows with a value. */
  readonly values: number
  /** Decimal. */
  readonly sum: string
}

export interface TableChecksum {
  readonly rows: number
  readonly rowSum: string
  readonly columns: readonly ColumnChecksum[]
}

/** The columns of a source file that was ingested by this plan. */
export const sourceColumns = (plan: IngestPlan): ChecksumColumn[] =>
  plan.features.map(({ name, textSql }) => ({ name, textSql }))

/** The same columns in the offline store; its service columns are left out. */
export const offlineColumns = (plan: IngestPlan): ChecksumColumn[] =>
  plan.features.map(({ name }) => ({ name, textSql: `CAST(${sqlName(name)} AS VARCHAR)` }))

/** All Parquet files below a directory as an SQL table, without the columns that its partitions would add. */
export const offlineRelation = (directory: string): string =>
  `read_parquet(${sqlFile(directory).slice(0, -1)}/**/*.parquet', hive_partitioning = false)`

/**
 * @param relation - an SQL table
 * @param columns - both sides of a comparison list them in the same order
 */
export async function checksumTable(
  connection: DuckDBConnection,
  relation: string,
  columns: readonly ChecksumColumn[],
): Promise<TableChecksum> {
  const names = columns.map((_, index) => `c${index}`)
  const texts = columns.map(({ textSql }, index) => `${textSql} AS ${names[index]}`)
  const sumOf = (hashed: string): string =>
    `CAST(coalesce(sum(CAST(hash(${hashed}) AS HUGEINT)), 0) AS VARCHAR)`
  const sums = names.flatMap((name) => [
    `count(${name}) AS values_${name}`,
    `CAST(coalesce(sum(CAST(hash(${name}) AS HUGEINT)) FILTER (WHERE ${name} IS NOT NULL), 0) AS VARCHAR) AS sum_${name}`,
  ])
  const [row] = await queryRows<{ row_count: string; row_sum: string; [sum: string]: string }>(
    connection,
    `SELECT count(*) AS row_count, ${sumOf(names.join(', '))} AS row_sum, ${sums.join(', ')}
     FROM (SELECT ${texts.join(', ')} FROM ${relation})`,
  )
  return {
    rows: Number(row?.row_count),
    rowSum: String(row?.row_sum),
    columns: columns.map(({ name }, index) => ({
      name,
      values: Number(row?.[`values_c${index}`]),
      sum: String(row?.[`sum_c${index}`]),
    })),
  }
}

/** One sentence per difference; none if both tables hold the same rows, each as often. */
export function checksumDifferences(expected: TableChecksum, found: TableChecksum): string[] {
  const differences: string[] = []
  if (expected.rows !== found.rows) differences.push(`expected ${expected.rows} rows, found ${found.rows}`)
  for (const [index, column] of expected.columns.entries()) {
    const other = found.columns[index]
    if (other === undefined || other.name !== column.name) {
      differences.push(`column ${column.name} is missing`)
    } else if (other.values !== column.values) {
      differences.push(`column ${column.name}: expected ${column.values} values, found ${other.values}`)
    } else if (other.sum !== column.sum) {
      differences.push(
        `column ${column.name}: the values differ (checksum ${column.sum}, found ${other.sum})`,
      )
    }
  }
  if (differences.length === 0 && expected.rowSum !== found.rowSum) {
    differences.push('every column has the right values, but not in the right rows')
  }
  return differences
}
