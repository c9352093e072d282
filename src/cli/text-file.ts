/**
 * How DuckDB has to read a CSV or JSON-lines file so that nothing in it is lost. Its own guess of the column types is
 * made over the whole file, then checked against the texts: a type that would round them is replaced by VARCHAR.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { MillraceError } from '../core/errors.ts'
import { describeRelation, queryRows, type SqlColumn } from '../query/duckdb.ts'
import { sqlFile, sqlName, sqlText } from '../query/sql.ts'
import type { InputFormat } from './file-format.ts'

export interface TextFileContents {
  readonly columns: readonly SqlColumn[]
  readonly rowCount: number
  /** Reads the file with exactly these columns and types. */
  readonly relation: string
}

/** The file as an SQL table with the given columns. */
type Reader = (columns: readonly SqlColumn[]) => string

export async function describeTextFile(
  connection: DuckDBConnection,
  path: string,
  format: Exclude<InputFormat, 'parquet'>,
  isCompressed: boolean,
): Promise<TextFileContents> {
  const [guessed, reader] =
    format === 'csv'
      ? await describeCsv(connection, path, isCompressed)
      : await describeJsonLines(connection, path, isCompressed)
  const { rowCount, rounded } = await checkTypes(connection, guessed, reader)
  const columns = guessed.map((column) =>
    rounded.has(column.name) ? { ...column, type: 'VARCHAR' } : column,
  )
  return { columns, rowCount, relation: reader(columns) }
}

async function describeCsv(
  connection: DuckDBConnection,
  path: string,
  isCompressed: boolean,
): Promise<[SqlColumn[], Reader]> {
  const compression = isCompressed ? 'gzip' : 'none'
  // Nothing is skipped or taken for a comment: every line after the header is a row.
  const fixed = `header = true, skip = 0, comment = '', compression = ${sqlText(compression)}, hive_partitioning = false`
  const delimiter = /\.tsv(\.gz)?$/i.test(path) ? ", delim = '\t'" : ''
  const sniffed = await sniffCsv(connection, `${sqlFile(path)}, ${fixed}${delimiter}`)
  splitHeader(sniffed)
  const optional = (option: string, value: string | null): string =>
    value === null || value === '' ? '' : `, ${option} = ${sqlText(value)}`
  const quote = sniffedText(sniffed.Quote) ?? '"'
  const options = [
    `auto_detect = false, ${fixed}`,
    `, delim = ${sqlText(sniffedText(sniffed.Delimiter) ?? ',')}`,
    `, quote = ${sqlText(quote)}, escape = ${sqlText(sniffedText(sniffed.Escape) ?? quote)}`,
    optional('dateformat', sniffed.DateFormat),
    optional('timestampformat', sniffed.TimestampFormat),
  ].join('')
  return [sniffed.Columns, (typed) => `read_csv(${sqlFile(path)}, ${options}, ${columnsOption(typed)})`]
}

/** Columns of DuckDB's own table function, hence the spelling. */
type SniffedCsv = {
  Delimiter: string
  Quote: string
  Escape: string
  Columns: { name: string; type: string }[]
  DateFormat: string | null
  TimestampFormat: string | null
}

async function sniffCsv(connection: DuckDBConnection, options: string): Promise<SniffedCsv> {
  const sniff = async (sampleSize: number): Promise<SniffedCsv> => {
    const sql = `FROM sniff_csv(${options}, sample_size = ${sampleSize})`
    const [row] = await queryRows<SniffedCsv>(connection, sql)
    if (row === undefined) throw new MillraceError('INTERNAL', 'DuckDB did not describe the file')
    return row
  }
  try {
    return await sniff(-1)
  } catch {
    // Some line does not fit, and the sniffer does not say which. Reading by the rules of the first lines does.
    const sniffed = await sniff(LINES_OF_A_SAMPLE)
    return { ...sniffed, Columns: sniffed.Columns.map(({ name }) => ({ name, type: 'VARCHAR' })) }
  }
}

/** DuckDB's default. */
const LINES_OF_A_SAMPLE = 20_480

/**
 * One column whose name holds a delimiter: the lines did not agree on a number of columns, and the sniffer gave up on
 * delimiters. Insisting on that one makes reading fail at the first line that does not fit, which is then named.
 */
function splitHeader(sniffed: SniffedCsv): void {
  const [only, another] = sniffed.Columns
  const delimiter = another === undefined ? /[,;\t|]/.exec(only?.name ?? '')?.[0] : undefined
  if (only === undefined || delimiter === undefined) return
  sniffed.Delimiter = delimiter
  sniffed.Columns = only.name.split(delimiter).map((name) => ({ name, type: 'VARCHAR' }))
}

/** The sniffer spells an empty text like this. */
const sniffedText = (value: string): string | undefined =>
  value === '(empty)' || value === '' ? undefined : value

async function describeJsonLines(
  connection: DuckDBConnection,
  path: string,
  isCompressed: boolean,
): Promise<[SqlColumn[], Reader]> {
  const compression = isCompressed ? 'gzip' : 'uncompressed'
  const options = `format = 'newline_delimited', records = true, compression = ${sqlText(compression)}, hive_partitioning = false`
  const columns = await describeRelation(
    connection,
    `read_json(${sqlFile(path)}, ${options}, sample_size = -1)`,
  )
  return [columns, (typed) => `read_json(${sqlFile(path)}, ${options}, ${columnsOption(typed)})`]
}

const columnsOption = (columns: readonly SqlColumn[]): string =>
  `columns = {${columns.map(({ name, type }) => `${sqlText(name)}: ${sqlText(type)}`).join(', ')}}`

/**
 * Reads every row once: counts them, finds lines that do not fit, and columns that their guessed type would round.
 * Times have microseconds, so a seventh fraction digit would be lost; whole numbers that fit no integer type are guessed
 * as DOUBLE.
 */
async function checkTypes(
  connection: DuckDBConnection,
  columns: readonly SqlColumn[],
  reader: Reader,
): Promise<{ rowCount: number; rounded: ReadonlySet<string> }> {
  const checks = columns.flatMap(({ name, type }): { name: string; sql: string }[] => {
    const column = sqlName(name)
    if (type.startsWith('TIME')) {
      return [{ name, sql: `bool_or(regexp_matches(${column}, '[.,][0-9]{7}'))` }]
    }
    if (type === 'DOUBLE')
      return [{ name, sql: `bool_and(regexp_full_match(${column}, '\\s*[-+]?[0-9]+\\s*'))` }]
    return []
  })
  const checked = new Set(checks.map((check) => check.name))
  const asText = columns.map((column) => (checked.has(column.name) ? { ...column, type: 'VARCHAR' } : column))
  // Counting the values of every column makes DuckDB parse all of them.
  const parsed = columns.map(({ name }) => `count(${sqlName(name)})`)
  const selected = [
    'count(*) AS row_count',
    ...parsed,
    ...checks.map(({ sql }, index) => `${sql} AS check_${index}`),
  ]
  const sql = `SELECT ${selected.join(', ')} FROM ${reader(asText)}`
  const [row] = await queryRows<{ row_count: string; [check: string]: string | boolean | null }>(
    connection,
    sql,
  )
  return {
    rowCount: Number(row?.row_count),
    rounded: new Set(
      checks.filter((_, index) => row?.[`check_${index}`] === true).map((check) => check.name),
    ),
  }
}
