/**
 * The point-in-time join (R-478): to each base row the record as of the row's event time. That is the version with the
 * greatest event time that is not later, of those with the same event time the one written last; if that is a delete,
 * there is no record. So a row gets what the latest snapshot as of its event time (R-475, R-477) has for its id.
 */
import type { FeatureGroupDefinition } from '../core/definition.ts'
import { invalid } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import type { ColumnValue } from './column-value.ts'
import { planColumns, planMoment } from './history.ts'
import { eventTimeKey, type IdKey, idKey, typeOf } from './keys.ts'
import { OfflineQuery, PLACE, versionSql } from './offline-query.ts'
import type { OfflineSource } from './offline-source.ts'
import type { FeatureName, JoinedRow, PointInTimeJoinOptions } from './options.ts'
import { columnsReader, recordAt } from './row-reader.ts'
import { sqlName } from './sql.ts'

interface JoinPlan {
  readonly identifier: string
  readonly eventTime: string
  readonly columns: readonly string[]
  readonly asOfWriteMs: number | undefined
}

interface BaseRows<B> {
  readonly rows: readonly B[]
  readonly ids: readonly IdKey[]
  readonly keys: readonly (string | number)[]
  readonly lastHour: number | undefined
}

/**
 * Streams the base rows with their records, in the order of the base rows, one for one. Holds all base rows, and ids
 * and times of the history of their ids.
 * @throws INVALID_ARGUMENT at once for options that do not fit, and for a base row before any file is read
 */
export function joinPointInTime<B extends object, D extends FeatureGroupDefinition, C extends FeatureName<D>>(
  source: OfflineSource,
  rows: Iterable<B> | AsyncIterable<B>,
  options: PointInTimeJoinOptions<D, C>,
): AsyncGenerator<JoinedRow<B, D, C>, void, undefined> {
  const { group } = source
  const { asOfWriteTime } = options
  const plan: JoinPlan = {
    identifier: options.recordIdentifier ?? group.recordIdentifier,
    eventTime: options.eventTime ?? group.eventTime,
    columns: planColumns(group, options.columns),
    asOfWriteMs: asOfWriteTime === undefined ? undefined : planMoment(asOfWriteTime),
  }
  if (!isIterable(rows)) throw invalid('rows: expected an iterable or async iterable of objects')
  return (async function* () {
    const base = await collect(group, rows, plan)
    const query = await OfflineQuery.open(source, { to: base.lastHour }, options)
    try {
      await find(query, group, base, plan)
      yield* joined(query, base, plan) as AsyncGenerator<JoinedRow<B, D, C>>
    } finally {
      query.close()
    }
  })()
}

const isIterable = (rows: unknown): boolean =>
  typeof rows === 'object' && rows !== null && (Symbol.iterator in rows || Symbol.asyncIterator in rows)

async function collect<B extends object>(
  group: FeatureGroupModel,
  input: Iterable<B> | AsyncIterable<B>,
  plan: JoinPlan,
): Promise<BaseRows<B>> {
  const rows: B[] = []
  const ids: IdKey[] = []
  const keys: (string | number)[] = []
  let lastHour: number | undefined
  const take = (row: B): void => {
    const at = `row ${rows.length}`
    if (typeof row !== 'object' || row === null)
      throw invalid(`${at}: expected an object, found ${String(row)}`)
    const values = row as Readonly<Record<string, unknown>>
    const { key, eventHour } = eventTimeKey(group, values[plan.eventTime], `${at}, "${plan.eventTime}"`)
    ids.push(idKey(group, values[plan.identifier], `${at}, "${plan.identifier}"`))
    keys.push(key)
    rows.push(row)
    lastHour = Math.max(lastHour ?? eventHour, eventHour)
  }
  if (Symbol.asyncIterator in input) for await (const row of input) take(row)
  else for (const row of input) take(row)
  return { rows, ids, keys, lastHour }
}

const APPENDED_AT_ONCE = 2048

/** Leaves in the table `found` the number of each base row that has a record, and where that lies. */
async function find(
  query: OfflineQuery,
  group: FeatureGroupModel,
  base: BaseRows<object>,
  plan: JoinPlan,
): Promise<void> {
  const { BIGINT, DOUBLE, VARCHAR, DuckDBDataChunk } = query.duckDb.nodeApi
  const sqlTypes = { String: VARCHAR, Integral: BIGINT, Fractional: DOUBLE }
  const idType = sqlTypes[typeOf(group, group.recordIdentifier)]
  const keyType = sqlTypes[typeOf(group, group.eventTime)]
  await query.run(`CREATE TEMP TABLE base (number BIGINT, id ${idType}, event_time ${keyType})`)
  const appender = await query.duckDb.connection.createAppender('base')
  for (let from = 0; from < base.rows.length; from += APPENDED_AT_ONCE) {
    const to = Math.min(from + APPENDED_AT_ONCE, base.rows.length)
    const chunk = DuckDBDataChunk.create([BIGINT, idType, keyType], to - from)
    const numbers = Array.from({ length: to - from }, (_, i) => BigInt(from + i))
    chunk.setColumns([numbers, base.ids.slice(from, to), base.keys.slice(from, to)])
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()

  const conditions = [`${sqlName(group.recordIdentifier)} IN (SELECT id FROM base)`]
  if (plan.asOfWriteMs !== undefined) {
    await query.setVariable('as_of_write_ms', BigInt(plan.asOfWriteMs), BIGINT)
    conditions.push(`epoch_ms(write_time) <= getvariable('as_of_write_ms')`)
  }
  // Nothing of the base row's own event time is later than this.
  const bound = versionSql({
    eventTime: 'base.event_time',
    invocationTime: `TIMESTAMPTZ 'infinity'`,
    writeTime: `TIMESTAMPTZ 'infinity'`,
    place: '9223372036854775807',
    isDeleted: 'true',
  })
  await query.run(
    `CREATE TEMP TABLE found AS
     SELECT base.number AS number, history.version.place AS place FROM base ASOF JOIN (
       SELECT ${sqlName(group.recordIdentifier)} AS id, ${query.version} AS version
       FROM ${query.table} WHERE ${conditions.join(' AND ')}
     ) AS history ON base.id = history.id AND ${bound} >= history.version
     WHERE NOT history.version.is_deleted`,
  )
}

/** Reads the records found, and pairs them with the base rows: both are in the order of the rows' numbers. */
async function* joined<B>(
  query: OfflineQuery,
  { rows }: BaseRows<B>,
  { columns }: JoinPlan,
): AsyncGenerator<{ row: B; features: Record<string, ColumnValue> | undefined }> {
  const sql = `SELECT ${['found.number', ...columns.map((name) => `files.${sqlName(name)}`)].join(', ')}
    FROM found JOIN ${query.table} AS files ON files.${PLACE} = found.place ORDER BY found.number`
  let next = 0
  let read: ReturnType<typeof columnsReader> | undefined
  for await (const { chunk, types } of query.stream(sql)) {
    read ??= columnsReader(query.duckDb, types)
    const [numbers, ...values] = read(chunk)
    for (let i = 0; i < chunk.rowCount; i++) {
      const number = Number(numbers![i])
      for (; next < number; next++) yield { row: rows[next]!, features: undefined }
      yield { row: rows[next++]!, features: recordAt(columns, values, i) }
    }
  }
  for (; next < rows.length; next++) yield { row: rows[next]!, features: undefined }
}
