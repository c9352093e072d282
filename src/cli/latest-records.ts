/**
 * What the online store must hold after a file was ingested, computed by DuckDB alone from the file: per record id the
 * row with the latest event time, and of those with the same event time the last one in the file.
 */
import type { AnyOutputValue, FeatureGroup } from '../index.ts'
import { queryRows } from '../query/duckdb.ts'
import type { IngestPlan } from './feature-types.ts'
import type { InputFile } from './input-file.ts'

/** Feature to text; features without a value are left out. */
export type RecordTexts = ReadonlyMap<string, string>

/** Record id to record, in the order in which the ids first appear in the file. */
export type LatestRecords = ReadonlyMap<string, RecordTexts>

/** @param file - Parquet, because only there a row knows its number; its event times are timestamps or numbers */
export async function latestRecords(file: InputFile, plan: IngestPlan): Promise<LatestRecords> {
  const featureOf = (name: string) => plan.features.find((feature) => feature.name === name)!
  const identifier = featureOf(plan.recordIdentifier).textSql
  const eventTime = featureOf(plan.eventTime).selectSql
  const texts = plan.features.map(({ textSql }, index) => `${textSql} AS c${index}`)
  const rows = await queryRows<Record<string, string | null>>(
    file.duckDb.connection,
    `SELECT ${texts.join(', ')} FROM ${file.relation} JOIN (
       SELECT arg_max(file_row_number, (${eventTime}, file_row_number)) AS "latest row",
              min(file_row_number) AS "first row"
       FROM ${file.relation} GROUP BY ${identifier}
     ) ON file_row_number = "latest row" ORDER BY "first row"`,
  )
  return new Map(
    rows.map((row) => {
      const record = new Map<string, string>()
      for (const [index, { name }] of plan.features.entries()) {
        const text = row[`c${index}`]
        if (typeof text === 'string') record.set(name, text)
      }
      return [record.get(plan.recordIdentifier) ?? '', record]
    }),
  )
}

const IDS_AT_ONCE = 1000
/** Differences told one by one; beyond that they are counted. */
const DIFFERENCES_SHOWN = 5

/** Reads every record back. @returns one sentence per difference; none if the online store holds exactly these records */
export async function onlineDifferences(
  group: FeatureGroup,
  plan: IngestPlan,
  expected: LatestRecords,
): Promise<string[]> {
  const differences: string[] = []
  const missing = new Set(expected.keys())
  const ids: string[] = []
  for await (const id of group.ids({ pageSize: IDS_AT_ONCE })) {
    ids.push(id)
    if (!missing.delete(id)) differences.push(`record ${id}: expected none, found one`)
  }
  for (const id of missing) differences.push(`record ${id}: expected one, found none`)
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const some = ids.slice(from, from + IDS_AT_ONCE)
    const records = await group.getMany(some)
    for (const [index, id] of some.entries()) {
      const wanted = expected.get(id)
      if (wanted !== undefined) differences.push(...recordDifferences(id, plan, wanted, records[index]))
    }
  }
  const unsaid = differences.length - DIFFERENCES_SHOWN
  return unsaid > 0 ? [...differences.slice(0, DIFFERENCES_SHOWN), `and ${unsaid} more`] : differences
}

function recordDifferences(
  id: string,
  plan: IngestPlan,
  wanted: RecordTexts,
  found: Readonly<Record<string, AnyOutputValue>> | undefined,
): string[] {
  if (found === undefined) return [`record ${id}: is listed, but cannot be read`]
  const differences: string[] = []
  for (const { name, type } of plan.features) {
    const expectedText = wanted.get(name)
    const value = found[name]
    const isEqual =
      type === 'Fractional' && expectedText !== undefined
        ? value === Number(expectedText)
        : expectedText === (value === undefined ? undefined : String(value))
    if (isEqual) continue
    differences.push(
      `record ${id}, feature ${name}: expected ${expectedText ?? 'none'}, found ${value ?? 'none'}`,
    )
  }
  return differences
}
