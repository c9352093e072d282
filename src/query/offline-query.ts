/**
 * The offline files of a feature group as an SQL table.
 * Owns: a database, from `open` to `close`. Does not own: the files; they are those the manifest names when it is
 * opened, so that a reader sees whole flushes and never both a file and the one that replaces it.
 *
 * The table has every feature of the definition, under its name and type, whether or not any file has it, the
 * service columns, and PLACE: where a row lies, a number that grows in the order in which rows were published. Values
 * of callers reach SQL as variables, never as text.
 */
import type { DuckDBDataChunk, DuckDBType, DuckDBValue } from '@duckdb/node-api'
import { invalid, MillraceError } from '../core/errors.ts'
import type { FeatureGroupModel, FeatureModel } from '../core/model.ts'
import { type DuckDb, duckDbMessage, openDuckDb, queryRows } from './duckdb.ts'
import { eventTimeKeySql } from './keys.ts'
import type { OfflineSource } from './offline-source.ts'
import type { QueryOptions } from './options.ts'
import { exactPath, sqlName } from './sql.ts'

/** Columns of our own; the space keeps their names from being those of features. */
export const PLACE = '"the place"'

const SQL_TYPES = { String: 'VARCHAR', Integral: 'BIGINT', Fractional: 'DOUBLE' } as const

/** A collection of any kind is a list in the files. */
const sqlType = ({ type, collection }: FeatureModel): string =>
  collection === undefined ? SQL_TYPES[type] : `${SQL_TYPES[type]}[]`

/** Event hours, both inclusive; `undefined` is open. */
export interface HourRange {
  readonly from?: number | undefined
  readonly to?: number | undefined
}

export class OfflineQuery {
  readonly duckDb: DuckDb
  /** SQL. */
  readonly table: string
  readonly #group: FeatureGroupModel
  readonly #signal: AbortSignal | undefined
  readonly #interrupt = (): void => this.duckDb.connection.interrupt()

  private constructor(
    duckDb: DuckDb,
    group: FeatureGroupModel,
    options: { readonly hasFiles: boolean; readonly signal: AbortSignal | undefined },
  ) {
    this.duckDb = duckDb
    this.#group = group
    this.table = tableSql(group, options.hasFiles)
    this.#signal = options.signal
    this.#signal?.addEventListener('abort', this.#interrupt)
  }

  /**
   * @param hours - files of other hours are left out
   * @throws DEPENDENCY_MISSING without DuckDB
   */
  static async open(source: OfflineSource, hours: HourRange, options: QueryOptions): Promise<OfflineQuery> {
    const { memoryBytes, temporaryDirectory, signal } = options
    signal?.throwIfAborted()
    const duckDb = await openDuckDb({
      ...(memoryBytes !== undefined && { memoryBytes }),
      ...(temporaryDirectory !== undefined && { temporaryDirectory }),
    })
    let query: OfflineQuery | undefined
    try {
      if (options.flush ?? true) await source.flush()
      const paths: string[] = []
      for (const { path, eventHour } of source.files()) {
        // A Fractional event time is an exact decimal for the partition and a rounded double in the file, which may
        // lie in the next hour.
        if (hours.from !== undefined && eventHour < hours.from - 1) continue
        if (hours.to !== undefined && eventHour > hours.to + 1) continue
        paths.push(exactPath(path))
      }
      query = new OfflineQuery(duckDb, source.group, { hasFiles: paths.length > 0, signal })
      // Every query of ours comes back to the same files.
      await query.run('SET parquet_metadata_cache = true')
      const { LIST, VARCHAR, listValue } = duckDb.nodeApi
      await query.setVariable('files', listValue(paths), LIST(VARCHAR))
      return query
    } catch (thrown) {
      ;(query ?? duckDb).close()
      throw thrown
    }
  }

  /**
   * A row's version: a structure that orders the rows of one id as R-475 says, and by their place where all of that is
   * equal. Its greatest is found with `max`, which keeps one of them per group; `arg_max` by it took three times that.
   */
  get version(): string {
    return versionSql({
      eventTime: eventTimeKeySql(this.#group),
      invocationTime: 'api_invocation_time',
      writeTime: 'write_time',
      place: PLACE,
      isDeleted: 'is_deleted',
    })
  }

  /** The variable is `getvariable('name')` in SQL. */
  async setVariable(name: string, value: DuckDBValue, type: DuckDBType): Promise<void> {
    await this.#attempt(() =>
      this.duckDb.connection.run(`SET VARIABLE ${name} = $value`, { value }, { value: type }),
    )
  }

  async run(sql: string): Promise<void> {
    await this.#attempt(() => this.duckDb.connection.run(sql))
  }

  async count(relation: string): Promise<number> {
    const sql = `SELECT count(*) AS rows FROM ${relation}`
    const [row] = await this.#attempt(() => queryRows<{ rows: string }>(this.duckDb.connection, sql))
    return Number(row?.rows)
  }

  /** The chunks of a result, each valid until the next one is asked for. */
  async *stream(sql: string): AsyncGenerator<{ chunk: DuckDBDataChunk; types: readonly string[] }> {
    const result = await this.#attempt(() => this.duckDb.connection.stream(sql))
    const types = result.columnTypes().map(String)
    for (;;) {
      const chunk = await this.#attempt(() => result.fetchChunk())
      if (chunk === null || chunk.rowCount === 0) return
      yield { chunk, types }
    }
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#interrupt)
    this.duckDb.close()
  }

  async #attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      // An interrupt that comes between two queries reaches neither.
      this.#signal?.throwIfAborted()
      return await action()
    } catch (cause) {
      this.#signal?.throwIfAborted()
      if (cause instanceof MillraceError) throw cause
      const place = { featureGroup: this.#group.name }
      const message = duckDbMessage(cause)
      if (message.startsWith('Out of Memory')) {
        const advice = 'give the query more memoryBytes, or a temporaryDirectory to use'
        throw invalid(`feature group "${this.#group.name}": ${advice} (${message})`, place)
      }
      throw new MillraceError(
        OUR_MISTAKES.test(message) ? 'INTERNAL' : 'IO_FAILED',
        `the offline files of feature group "${this.#group.name}" could not be read: ${message}`,
        { cause, place },
      )
    }
  }
}

/** Errors of DuckDB that no file and no caller can be the reason of. */
const OUR_MISTAKES = /^(Parser|Binder|Catalog|INTERNAL) Error/

/** @param parts - SQL expressions */
export const versionSql = (
  parts: Readonly<Record<'eventTime' | 'invocationTime' | 'writeTime' | 'place' | 'isDeleted', string>>,
): string =>
  `struct_pack(event_time := ${parts.eventTime}, invocation_time := ${parts.invocationTime}, ` +
  `write_time := ${parts.writeTime}, place := ${parts.place}, is_deleted := ${parts.isDeleted})`

function tableSql(group: FeatureGroupModel, hasFiles: boolean): string {
  const features = group.features.map((feature) => `NULL::${sqlType(feature)} AS ${sqlName(feature.name)}`)
  const service = [
    'NULL::TIMESTAMPTZ AS write_time',
    'NULL::TIMESTAMPTZ AS api_invocation_time',
    'NULL::BOOLEAN AS is_deleted',
    `NULL::BIGINT AS ${PLACE}`,
  ]
  const columns = `SELECT ${[...features, ...service].join(', ')} WHERE false`
  if (!hasFiles) return `(${columns})`
  // Partition directories are no columns: a feature may be called hour.
  const files = `read_parquet(getvariable('files'), union_by_name = true, hive_partitioning = false)`
  return `(${columns} UNION ALL BY NAME SELECT *, ${placeSql(group)} AS ${PLACE} FROM ${files})`
}

/** DuckDB's names for where a row lies; a feature of the same name hides them. */
const PLACE_NAMES = ['file_index', 'file_row_number']

function placeSql(group: FeatureGroupModel): string {
  const isHidden = group.features.some(({ name }) => PLACE_NAMES.includes(name.toLowerCase()))
  // Files are scanned in their order, so counting gives the same order, if not at the same speed.
  return isHidden ? 'row_number() OVER ()' : 'file_index * 4294967296 + file_row_number'
}
