/**
 * Offline files made by hand, and what queries must find in them. The oracle is plain arrays: rows sorted and filtered
 * by the words of the specification, instants as integers of nanoseconds.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FeatureGroupModel, type FeatureModel, NO_SETTINGS } from '../../src/core/model.ts'
import { type DuckDb, openDuckDb } from '../../src/query/duckdb.ts'
import type { OfflineFile, OfflineSource } from '../../src/query/offline-source.ts'
import { sqlName, sqlText } from '../../src/query/sql.ts'

/** A row as it lies in a file. Features without a value are null. */
export interface FileRow {
  readonly id: string
  readonly at: string | number
  readonly api: number
  readonly deleted: boolean
  readonly values: Readonly<Record<string, string | number | bigint | null>>
}

export interface FileContent {
  readonly write: number
  readonly rows: readonly FileRow[]
  /** Features that the file has no column for. */
  readonly lacks?: readonly string[]
}

export function modelOf(
  features: Readonly<Record<string, FeatureModel['type']>>,
  keys: { readonly recordIdentifier?: string; readonly eventTime?: string } = {},
): FeatureGroupModel {
  return {
    number: 1,
    name: 'rides',
    recordIdentifier: keys.recordIdentifier ?? 'id',
    eventTime: keys.eventTime ?? 'at',
    features: Object.entries(features).map(([name, type]) => ({ name, type })),
    online: false,
    tier: 'Standard',
    offline: true,
    description: '',
    createdAtMs: 0,
    updatedAtMs: 0,
    status: 'created',
    offlineDirectory: 'offline',
    settings: NO_SETTINGS,
  }
}

/** What orders event times: nanoseconds since 1970 of a text, a Fractional one itself. */
export function instantOf(at: string | number): bigint | number {
  if (typeof at === 'number') return at
  const fraction = /\.(\d+)Z$/.exec(at)?.[1] ?? ''
  return BigInt(Date.parse(`${at.slice(0, 19)}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

export const hourOf = (at: string | number): number =>
  Math.floor((typeof at === 'number' ? at : Date.parse(`${at.slice(0, 19)}Z`) / 1000) / 3600)

const SQL_TYPES = { String: 'VARCHAR', Integral: 'BIGINT', Fractional: 'DOUBLE' } as const

const literal = (value: string | number | bigint | null): string =>
  value === null ? 'NULL' : sqlText(Object.is(value, -0) ? '-0' : String(value))

/** All that an async iterable brings. */
export async function all<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const row of rows) found.push(row)
  return found
}

export class FileWriter {
  readonly #duckDb: DuckDb
  #count = 0

  private constructor(duckDb: DuckDb) {
    this.#duckDb = duckDb
  }

  static async open(): Promise<FileWriter> {
    return new FileWriter(await openDuckDb({ threads: 1 }))
  }

  close(): void {
    this.#duckDb.close()
  }

  /** Writes files in this order, each cut into one per event hour. */
  async write(
    group: FeatureGroupModel,
    directory: string,
    contents: readonly FileContent[],
  ): Promise<OfflineSource> {
    const files: OfflineFile[] = []
    for (const content of contents) {
      const hours = Map.groupBy(content.rows, ({ at }) => hourOf(at))
      for (const [eventHour, rows] of hours) {
        // As in a store: the directories are named like features could be, and quotes are legal in names of ours.
        const folder = join(directory, `it's [1]`, `hour=${((eventHour % 24) + 24) % 24}`)
        mkdirSync(folder, { recursive: true })
        const path = join(folder, `${this.#count++}.parquet`)
        await this.#copy(group, path, { ...content, rows })
        files.push({ path, eventHour })
      }
    }
    return { group, files: () => files, flush: async () => undefined }
  }

  async #copy(
    group: FeatureGroupModel,
    path: string,
    { write, rows, lacks = [] }: FileContent,
  ): Promise<void> {
    const features = group.features.filter(({ name }) => !lacks.includes(name))
    const tuples = rows.map((row) => {
      const { id, at, api, deleted, values } = row
      const cells = features.map(({ name }) => {
        if (name === group.recordIdentifier) return literal(id)
        if (name === group.eventTime) return literal(at)
        return literal(deleted ? null : (values[name] ?? null))
      })
      return `(${[...cells, api, deleted].join(', ')})`
    })
    const columns = features.map(
      ({ name, type }, i) => `CAST(c${i} AS ${SQL_TYPES[type]}) AS ${sqlName(name)}`,
    )
    const service = [
      `make_timestamptz(${write * 1000}) AS write_time`,
      'make_timestamptz(api * 1000) AS api_invocation_time',
      'deleted AS is_deleted',
    ]
    const names = [...features.map((_, i) => `c${i}`), 'api', 'deleted']
    await this.#duckDb.connection.run(
      `COPY (SELECT ${[...columns, ...service].join(', ')} FROM (VALUES ${tuples.join(', ')}) AS t(${names.join(', ')}))
       TO ${sqlText(path)} (FORMAT parquet)`,
    )
  }
}

/** A row with everything that orders it; `place` counts rows in the order in which they were written. */
export interface OracleRow extends FileRow {
  readonly write: number
  readonly instant: bigint | number
  readonly place: number
  readonly lacks: readonly string[]
}

export function oracleRows(contents: readonly FileContent[]): OracleRow[] {
  return contents
    .flatMap(({ write, rows, lacks = [] }) => rows.map((row) => ({ ...row, write, lacks })))
    .map((row, place) => ({ ...row, instant: instantOf(row.at), place }))
}

/** Oldest first, as R-475 says, and in the order of writing where all of that is equal. */
export const byAge = (a: OracleRow, b: OracleRow): number =>
  (a.instant < b.instant ? -1 : a.instant > b.instant ? 1 : 0) ||
  a.api - b.api ||
  a.write - b.write ||
  a.place - b.place

/** Per key the row that is not older than any other. */
function lastBy(rows: readonly OracleRow[], keyOf: (row: OracleRow) => string): OracleRow[] {
  const last = new Map<string, OracleRow>()
  for (const row of [...rows].sort(byAge)) last.set(keyOf(row), row)
  return [...last.values()]
}

export const latestOf = (rows: readonly OracleRow[]): OracleRow[] =>
  lastBy(rows, ({ id }) => id).filter(({ deleted }) => !deleted)

export const versionsOf = (rows: readonly OracleRow[]): OracleRow[] =>
  lastBy(rows, ({ id, instant }) => `${instant} ${id}`)

export function undeletedOf(rows: readonly OracleRow[]): OracleRow[] {
  const markers = lastBy(
    rows.filter(({ deleted }) => deleted),
    ({ id }) => id,
  )
  return versionsOf(rows).filter((row) => {
    const marker = markers.find(({ id }) => id === row.id)
    return marker === undefined || byAge(row, marker) > 0
  })
}

/** The features of a row, as queries hand them out. */
export function featuresOf(group: FeatureGroupModel, row: OracleRow): Record<string, unknown> {
  const cells = group.features.map(({ name }): [string, unknown] => [
    name,
    name === group.recordIdentifier ? row.id : name === group.eventTime ? row.at : row.values[name],
  ])
  return Object.fromEntries(
    cells.filter(
      ([name, value]) =>
        value !== null &&
        value !== undefined &&
        !row.lacks.includes(name) &&
        (!row.deleted || name === group.recordIdentifier || name === group.eventTime),
    ),
  )
}
