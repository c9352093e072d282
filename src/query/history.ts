/**
 * The rows of a feature group's offline store, in one of four views (R-474..R-477).
 *
 * Views other than all writes are found in two passes. The first reads ids and times only and remembers, per id or per
 * version, where the row that counts lies; the second reads whole rows, file by file, and lets those through. So
 * memory depends on the number of ids, never on the width or number of their rows.
 */
import type { FeatureGroupDefinition } from '../core/definition.ts'
import { invalid, quote } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import type { ColumnValue } from './column-value.ts'
import { type EventTimeKey, eventTimeKey, eventTimeKeySql, type IdKey, idKey, typeOf } from './keys.ts'
import { OfflineQuery, PLACE } from './offline-query.ts'
import type { OfflineSource } from './offline-source.ts'
import type { FeatureName, HistoryOptions, HistoryRow, HistoryView, QueryOptions } from './options.ts'
import { columnsReader, recordAt } from './row-reader.ts'
import { sqlName } from './sql.ts'

/** Checked options. */
export interface HistoryPlan {
  readonly view: HistoryView
  readonly columns: readonly string[]
  readonly ids: readonly IdKey[] | undefined
  readonly bounds: readonly Bound[]
  readonly asOfWriteMs: number | undefined
  readonly isSorted: boolean
}

interface Bound extends EventTimeKey {
  readonly name: 'from' | 'to' | 'asOfEventTime'
  readonly comparison: '>=' | '<' | '<='
}

const VIEWS: readonly HistoryView[] = ['writes', 'versions', 'undeleted', 'latest']
const COMPARISONS = { from: '>=', to: '<', asOfEventTime: '<=' } as const

/**
 * Streams the rows of the offline store. Nothing is read before the first row is asked for.
 * @throws INVALID_ARGUMENT at once for options that do not fit; DEPENDENCY_MISSING and IO_FAILED while reading
 */
export function readHistory<D extends FeatureGroupDefinition, C extends FeatureName<D>>(
  source: OfflineSource,
  options: HistoryOptions<D, C>,
): AsyncGenerator<HistoryRow<D, C>, void, undefined> {
  const plan = planHistory(source.group, options)
  return (async function* () {
    const history = await History.open(source, plan, options)
    try {
      for await (const rows of history.rows()) yield* rows as unknown as HistoryRow<D, C>[]
    } finally {
      history.close()
    }
  })()
}

export function planHistory(
  group: FeatureGroupModel,
  options: HistoryOptions<FeatureGroupDefinition, string>,
): HistoryPlan {
  const { view = 'writes', ids, asOfWriteTime, sorted = false } = options
  if (!VIEWS.includes(view)) throw invalid(`view: expected ${VIEWS.join(', ')}, found ${quote(String(view))}`)
  const bounds = (Object.keys(COMPARISONS) as (keyof typeof COMPARISONS)[]).flatMap((name) => {
    const value = options[name]
    return value === undefined
      ? []
      : [{ name, comparison: COMPARISONS[name], ...eventTimeKey(group, value, name) }]
  })
  return {
    view,
    columns: planColumns(group, options.columns),
    ids: ids?.map((id, i) => idKey(group, id, `ids[${i}]`)),
    bounds,
    asOfWriteMs: asOfWriteTime === undefined ? undefined : planMoment(asOfWriteTime),
    isSorted: sorted,
  }
}

/** Names of features, in the order of the definition. */
export function planColumns(group: FeatureGroupModel, columns: readonly string[] | undefined): string[] {
  const names = group.features.map(({ name }) => name)
  const unknown = columns?.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw invalid(`columns: feature group "${group.name}" has no feature ${quote(unknown)}`, {
      featureGroup: group.name,
    })
  }
  return columns === undefined ? names : names.filter((name) => columns.includes(name))
}

/** @returns milliseconds */
export function planMoment(moment: Date): number {
  const ms = moment instanceof Date ? moment.getTime() : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`asOfWriteTime: expected a Date, found ${quote(String(moment))}`)
  return ms
}

export class History {
  readonly #query: OfflineQuery
  readonly #plan: HistoryPlan
  readonly #group: FeatureGroupModel

  private constructor(query: OfflineQuery, plan: HistoryPlan, group: FeatureGroupModel) {
    this.#query = query
    this.#plan = plan
    this.#group = group
  }

  static async open(source: OfflineSource, plan: HistoryPlan, options: QueryOptions): Promise<History> {
    const from = plan.bounds.find(({ comparison }) => comparison === '>=')?.eventHour
    const to = plan.bounds.filter(({ comparison }) => comparison !== '>=').map(({ eventHour }) => eventHour)
    const hours = { from, to: to.length === 0 ? undefined : Math.min(...to) }
    const query = await OfflineQuery.open(source, hours, options)
    const history = new History(query, plan, source.group)
    try {
      await history.#prepare()
      return history
    } catch (thrown) {
      history.close()
      throw thrown
    }
  }

  /** Number of rows that `rows` will bring. */
  count(): Promise<number> {
    return this.#query.count(this.#relation)
  }

  /** Rows with their service columns, as `history` hands them out. */
  async *rows(): AsyncGenerator<(Record<string, ColumnValue> & object)[]> {
    const { columns } = this.#plan
    const service = ['epoch_ms(write_time)', 'epoch_ms(api_invocation_time)', 'CAST(is_deleted AS BIGINT)']
    for await (const { values, rowCount } of this.#chunks([...columns.map(sqlName), ...service])) {
      const [writeTime, invocationTime, isDeleted] = values.slice(columns.length)
      yield Array.from({ length: rowCount }, (_, row) =>
        Object.assign(recordAt(columns, values, row), {
          write_time: new Date(Number(writeTime![row])),
          api_invocation_time: new Date(Number(invocationTime![row])),
          is_deleted: isDeleted![row] === 1,
        }),
      )
    }
  }

  /** Rows without service columns: records as the online store hands them out. */
  async *records(): AsyncGenerator<Record<string, ColumnValue>[]> {
    const { columns } = this.#plan
    for await (const { values, rowCount } of this.#chunks(columns.map(sqlName))) {
      yield Array.from({ length: rowCount }, (_, row) => recordAt(columns, values, row))
    }
  }

  close(): void {
    this.#query.close()
  }

  async *#chunks(expressions: readonly string[]) {
    const { recordIdentifier } = this.#group
    const order = this.#plan.isSorted
      ? ` ORDER BY ${sqlName(recordIdentifier)}, ${eventTimeKeySql(this.#group)}, api_invocation_time, write_time, ${PLACE}`
      : ''
    const sql = `SELECT ${expressions.join(', ')} FROM ${this.#relation}${order}`
    let read: ReturnType<typeof columnsReader> | undefined
    for await (const { chunk, types } of this.#query.stream(sql)) {
      read ??= columnsReader(this.#query.duckDb, types)
      yield { values: read(chunk), rowCount: chunk.rowCount }
    }
  }

  /** The rows of the view. */
  get #relation(): string {
    const { table } = this.#query
    return this.#plan.view === 'writes'
      ? this.#filtered
      : `${table} SEMI JOIN chosen ON ${PLACE} = chosen.place`
  }

  /** The rows that options other than the view leave. */
  get #filtered(): string {
    const { ids, bounds, asOfWriteMs } = this.#plan
    const key = eventTimeKeySql(this.#group)
    const conditions = bounds.map(
      ({ name, comparison }) => `${key} ${comparison} getvariable('${variableOf(name)}')`,
    )
    if (asOfWriteMs !== undefined) conditions.push(`epoch_ms(write_time) <= getvariable('as_of_write_ms')`)
    if (ids !== undefined) {
      conditions.push(`${sqlName(this.#group.recordIdentifier)} IN (SELECT unnest(getvariable('ids')))`)
    }
    const { table } = this.#query
    return conditions.length === 0 ? table : `(SELECT * FROM ${table} WHERE ${conditions.join(' AND ')})`
  }

  async #prepare(): Promise<void> {
    const { ids, bounds, asOfWriteMs, view } = this.#plan
    const query = this.#query
    const { BIGINT, DOUBLE, VARCHAR, LIST, listValue } = query.duckDb.nodeApi
    for (const { name, key } of bounds) {
      await query.setVariable(variableOf(name), key, typeof key === 'string' ? VARCHAR : DOUBLE)
    }
    if (asOfWriteMs !== undefined) await query.setVariable('as_of_write_ms', BigInt(asOfWriteMs), BIGINT)
    if (ids !== undefined) {
      const types = { String: VARCHAR, Integral: BIGINT, Fractional: DOUBLE }
      const type = types[typeOf(this.#group, this.#group.recordIdentifier)]
      await query.setVariable('ids', listValue(ids), LIST(type))
    }
    if (view !== 'writes') await query.run(`CREATE TEMP TABLE chosen AS ${this.#choice(view)}`)
  }

  /** Where the rows of a view lie. */
  #choice(view: Exclude<HistoryView, 'writes'>): string {
    const id = sqlName(this.#group.recordIdentifier)
    const rows = `(SELECT ${id} AS id, ${eventTimeKeySql(this.#group)} AS event_time, ${this.#query.version} AS version
                   FROM ${this.#filtered})`
    const perId = `(SELECT max(version) AS version FROM ${rows} GROUP BY id)`
    if (view === 'latest') return `SELECT version.place AS place FROM ${perId} WHERE NOT version.is_deleted`
    const versions = `(SELECT id, max(version) AS version FROM ${rows} GROUP BY id, event_time)`
    if (view === 'versions') return `SELECT version.place AS place FROM ${versions}`
    const markers = `(SELECT id, max(version) AS version FROM ${rows} WHERE version.is_deleted GROUP BY id)`
    return `SELECT versions.version.place AS place FROM ${versions} AS versions LEFT JOIN ${markers} AS markers USING (id)
            WHERE markers.version IS NULL OR versions.version > markers.version`
  }
}

const variableOf = (name: Bound['name']): string => `bound_${name}`
