/**
 * A user's file, read through DuckDB.
 * Owns: the database that reads it.
 * Does not own: what the columns become (feature-types.ts) and how values are made (rows.ts).
 * Invariants: chunks come in file order; nothing that the format checks can find is left to be found by reading.
 */
import { MillraceError } from '../core/errors.ts'
import { type ColumnChunk, DuckDbColumnChunk } from '../query/column-chunk.ts'
import {
  type DuckDb,
  type DuckDbOptions,
  describeRelation,
  duckDbMessage,
  openDuckDb,
  queryRows,
  type SqlColumn,
} from '../query/duckdb.ts'
import { sqlFile } from '../query/sql.ts'
import { type FileFacts, type InputFormat, inspectFile } from './file-format.ts'
import { describeTextFile } from './text-file.ts'

export interface InputFileOptions {
  /** Default: what the extension says. */
  readonly format?: InputFormat
  readonly duckDb?: DuckDbOptions
}

/** What makes a file the same file as before: neither its name nor its times, which change when it is copied. */
export interface InputIdentity {
  readonly bytes: number
  /** SHA-256 of all bytes, in hexadecimal. */
  readonly digest: string
}

interface Contents {
  readonly columns: readonly SqlColumn[]
  readonly rowCount: number
  /** The file as an SQL table. */
  readonly relation: string
}

export class InputFile {
  readonly path: string
  readonly format: InputFormat
  readonly columns: readonly SqlColumn[]
  readonly rowCount: number
  readonly identity: InputIdentity
  /** The file as an SQL table, for queries on `duckDb`. */
  readonly relation: string
  readonly duckDb: DuckDb

  private constructor(path: string, facts: FileFacts, contents: Contents, duckDb: DuckDb) {
    this.path = path
    this.format = facts.format
    this.columns = contents.columns
    this.rowCount = contents.rowCount
    this.relation = contents.relation
    this.identity = { bytes: facts.bytes, digest: facts.digest }
    this.duckDb = duckDb
  }

  /**
   * Reads a text file twice from end to end before it returns: types, row count and well-formedness hold for all of it.
   * @throws MillraceError INVALID_INPUT_FILE if it is not what it says, DEPENDENCY_MISSING without DuckDB
   */
  static async open(path: string, options: InputFileOptions = {}): Promise<InputFile> {
    const facts = await inspectFile(path, options.format)
    const duckDb = await openDuckDb(options.duckDb)
    try {
      const contents = await attempt(path, facts.format, () => describe(duckDb, path, facts))
      return new InputFile(path, facts, contents, duckDb)
    } catch (error) {
      duckDb.close()
      throw error
    }
  }

  /**
   * Chunks of at most 2,048 rows, in file order.
   * @param expressions - SQL, one per column of the chunks
   * @param startRow - zero-based; the rows before it are skipped without being decoded where the format allows it
   */
  async *chunks(expressions: readonly string[], startRow = 0): AsyncGenerator<ColumnChunk> {
    const sql = `SELECT ${expressions.join(', ')} FROM ${this.relation}${this.#skipping(startRow)}`
    const connection = await this.duckDb.connect()
    try {
      const result = await attempt(this.path, this.format, () => connection.stream(sql))
      let rowCount = startRow
      for (;;) {
        const chunk = await attempt(this.path, this.format, () => result.fetchChunk())
        if (chunk === null || chunk.rowCount === 0) break
        rowCount += chunk.rowCount
        yield new DuckDbColumnChunk(chunk, this.duckDb.bindings)
      }
      if (rowCount !== this.rowCount && startRow <= this.rowCount) {
        throw new MillraceError(
          'INVALID_INPUT_FILE',
          `${this.path} had ${this.rowCount} rows when it was opened, and ${rowCount} were read: it has changed since`,
          { place: { file: this.path } },
        )
      }
    } finally {
      connection.closeSync()
    }
  }

  #skipping(startRow: number): string {
    if (startRow === 0) return ''
    // DuckDB prunes row groups by this filter; text has to be parsed up to the row in any case.
    return this.format === 'parquet' ? ` WHERE file_row_number >= ${startRow}` : ` OFFSET ${startRow}`
  }

  close(): void {
    this.duckDb.close()
  }
}

async function describe(duckDb: DuckDb, path: string, facts: FileFacts): Promise<Contents> {
  if (facts.format !== 'parquet') {
    return describeTextFile(duckDb.connection, path, facts.format, facts.isCompressed)
  }
  const file = sqlFile(path)
  const relation = `read_parquet(${file}, hive_partitioning = false)`
  const columns = await describeRelation(duckDb.connection, relation)
  const [counted] = await queryRows<{ row_count: string }>(
    duckDb.connection,
    `SELECT num_rows AS row_count FROM parquet_file_metadata(${file})`,
  )
  return { columns, rowCount: Number(counted?.row_count), relation }
}

const EXPECTED: Record<InputFormat, string> = {
  parquet: 'a Parquet file',
  csv: 'UTF-8 text in CSV with a header line',
  jsonl: 'UTF-8 text with one JSON object per line',
}

async function attempt<T>(path: string, format: InputFormat, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    throw new MillraceError(
      'INVALID_INPUT_FILE',
      `${path} cannot be read as ${EXPECTED[format]}: ${duckDbMessage(cause)}`,
      { cause, place: { file: path } },
    )
  }
}
