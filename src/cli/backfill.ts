/** Brings a user's own file into a feature group, which is made from the file's types if it does not exist. */
import type { TargetStore } from '../core/definition.ts'
import { checkPlan } from '../engine/definition-rules.ts'
import { planOf } from '../engine/group-plan.ts'
import type { MillraceOptions } from '../index.ts'
import { featureTypesOf, type IngestPlan, planFeatures } from './feature-types.ts'
import type { InputFormat } from './file-format.ts'
import { type FileReport, ingestFile, interruptedAfter, publish } from './ingest-file.ts'
import { InputFile } from './input-file.ts'
import { print } from './output.ts'
import { formatBytes, formatCount, formatDuration, renderTable } from './tables.ts'
import { type OpenStore, withStore } from './with-store.ts'

export interface BackfillOptions {
  readonly data: string
  readonly featureGroup: string
  readonly recordIdColumns: readonly string[]
  readonly eventTimeColumn: string
  readonly idName?: string
  readonly idSeparator?: string
  readonly renames?: ReadonlyMap<string, string>
  readonly format?: InputFormat
  /** Default: every store the feature group has. */
  readonly only?: TargetStore
  /** Rejected rows that are told one by one. */
  readonly errorsMax: number
  readonly store: MillraceOptions
}

/** Some rows were rejected; all others are in. */
export const EXIT_ROWS_REJECTED = 3

/** @returns the exit code */
export async function backfill(path: string, options: BackfillOptions): Promise<number> {
  const file = await InputFile.open(path, options.format === undefined ? {} : { format: options.format })
  try {
    const plan = planFeatures(file.columns, options, path)
    const definition = definitionOf(plan, options)
    // Before the store is opened: a wrong name must not leave a new, empty store behind.
    checkPlan(planOf(definition), options.store.extensions ?? false)
    return await withStore(options.data, options.store, (open) => runBackfill(file, plan, options, open))
  } finally {
    file.close()
  }
}

const definitionOf = (plan: IngestPlan, options: BackfillOptions) => ({
  name: options.featureGroup,
  recordIdentifier: plan.recordIdentifier,
  eventTime: plan.eventTime,
  features: featureTypesOf(plan),
})

async function runBackfill(
  file: InputFile,
  plan: IngestPlan,
  options: BackfillOptions,
  { store, interruption }: OpenStore,
): Promise<number> {
  const name = options.featureGroup.toLowerCase()
  const existing = store.list().find((each) => each.name.toLowerCase() === name)
  // Which stores an existing group has is not for a file to say.
  const group = await store.ensureFeatureGroup({
    ...definitionOf(plan, options),
    online: existing?.online ?? true,
    offline: existing?.offline ?? true,
  })
  const description = store.describe(group.name)
  const has = { online: description.online, offline: description.offline }
  const stores =
    options.only === undefined ? (['online', 'offline'] as const).filter((each) => has[each]) : [options.only]
  const report = await ingestFile(
    { file, plan, group, description, stores, errorsMax: options.errorsMax },
    interruption,
  )
  printRejected(report)
  if (report.isAborted) throw interruptedAfter(file, report)
  const publishedMs = await publish(store, interruption)

  const totals = (await store.stats()).featureGroups.find((each) => each.name === group.name)!
  print(
    renderTable(
      [{ title: `feature group ${group.name}` }, { title: '', align: 'right' }],
      [
        ['rows of the file', formatCount(file.rowCount)],
        ['  ingested by earlier runs', formatCount(report.rowsBefore)],
        ['  accepted', formatCount(report.accepted)],
        ['  rejected', formatCount(report.rejected)],
        ['online records', has.online ? formatCount(totals.online.records) : 'none kept'],
        ['offline rows', has.offline ? formatCount(totals.offline.rows) : 'none kept'],
        ['offline files', `${formatCount(totals.offline.files)} (${formatBytes(totals.offline.bytes)})`],
        ['ingest', formatDuration(report.durationMs)],
        ['publish as Parquet', formatDuration(publishedMs)],
      ],
    ),
  )
  return report.rejected === 0 ? 0 : EXIT_ROWS_REJECTED
}

/** Rows are counted from 1, without the line of column names. */
function printRejected({ rejected, errors }: FileReport): void {
  for (const { row, message } of errors) print(`row ${formatCount(row + 1)} rejected: ${message}`)
  const untold = rejected - errors.length
  if (untold > 0) print(`and ${formatCount(untold)} more rows rejected`)
}
