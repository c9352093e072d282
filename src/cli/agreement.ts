/**
 * Holds both stores against the file they were made from. Everything expected is computed from the file by DuckDB,
 * which knows nothing of the engine.
 */
import type { FeatureGroup } from '../index.ts'
import {
  checksumDifferences,
  checksumTable,
  offlineColumns,
  offlineRelation,
  sourceColumns,
  type TableChecksum,
} from './checksum.ts'
import type { IngestPlan } from './feature-types.ts'
import type { InputFile } from './input-file.ts'
import { type LatestRecords, latestRecords, onlineDifferences } from './latest-records.ts'
import { formatCount, renderTable } from './tables.ts'

export interface Agreement {
  readonly source: TableChecksum
  readonly offline: TableChecksum
  readonly latest: LatestRecords
  readonly offlineDifferences: readonly string[]
  readonly onlineDifferences: readonly string[]
}

export interface StoresToCheck {
  readonly file: InputFile
  readonly plan: IngestPlan
  readonly group: FeatureGroup
  /** Absolute. It must hold at least one file. */
  readonly offlineDirectory: string
}

export async function checkAgreement({
  file,
  plan,
  group,
  offlineDirectory,
}: StoresToCheck): Promise<Agreement> {
  const { connection } = file.duckDb
  const latest = await latestRecords(file, plan)
  const source = await checksumTable(connection, file.relation, sourceColumns(plan))
  const offline = await checksumTable(connection, offlineRelation(offlineDirectory), offlineColumns(plan))
  return {
    source,
    offline,
    latest,
    offlineDifferences: checksumDifferences(source, offline),
    onlineDifferences: await onlineDifferences(group, plan, latest),
  }
}

/** A checksum per column, and whether the offline store has the same. */
export function renderChecksums({ source, offline }: Agreement): string {
  const verdict = (isEqual: boolean, found: string | undefined): string =>
    isEqual ? 'the same' : `differs: ${found ?? 'nothing'}`
  const rows = source.columns.map((column, index) => {
    const other = offline.columns[index]
    const isEqual = other?.values === column.values && other.sum === column.sum
    return [column.name, formatCount(column.values), column.sum, verdict(isEqual, other?.sum)]
  })
  rows.push([
    'whole rows',
    formatCount(source.rows),
    source.rowSum,
    verdict(offline.rows === source.rows && offline.rowSum === source.rowSum, offline.rowSum),
  ])
  return renderTable(
    [
      { title: 'column' },
      { title: 'values', align: 'right' },
      { title: 'checksum of the source', align: 'right' },
      { title: 'offline store' },
    ],
    rows,
  )
}
