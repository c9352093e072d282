/**
 * The main job: three million flights through the engine into both stores, read back from both and compared with
 * the file they came from.
 */
import { systemClock } from '../core/clock.ts'
import { invalid } from '../core/errors.ts'
import type { FeatureGroup } from '../index.ts'
import { type Agreement, checkAgreement, renderChecksums } from './agreement.ts'
import { type DemoFigures, renderFigures } from './demo-figures.ts'
import { flightsDefinition, flightsFile, planFlights } from './flights.ts'
import { type FileReport, ingestFile, interruptedAfter, publish } from './ingest-file.ts'
import { InputFile } from './input-file.ts'
import { Interrupted } from './interrupt.ts'
import { type MonthOfRows, type OfflineFiles, offlineFiles, rowsPerMonth } from './offline-facts.ts'
import { notice, print, printSection } from './output.ts'
import { formatBytes, formatCount, renderTable } from './tables.ts'
import { type OpenStore, withStore } from './with-store.ts'

export interface DemoOptions {
  readonly data: string
  /** Default: the flights of vega-datasets. */
  readonly file?: string
}

/** With less than all rows in memory, files are written while rows still come in, which is quicker in the end. */
const MEMORY_BYTES = 256 * 1024 ** 2
/** DuckDB reads faster than the engine writes; a second thread would only take a core from it. */
const DUCKDB = { threads: 1, memoryBytes: 300 * 1000 ** 2 }

/** @returns the exit code: 0 if both stores agree with the file */
export async function demo(options: DemoOptions): Promise<number> {
  const file = await InputFile.open(options.file ?? flightsFile(), { duckDb: DUCKDB })
  try {
    planFlights(file)
    if (file.rowCount === 0) throw invalid(`${file.path} has no rows`, { file: file.path })
    return await withStore(options.data, { memoryBytes: MEMORY_BYTES }, (open) => runDemo(file, open))
  } finally {
    file.close()
  }
}

async function runDemo(file: InputFile, { store, interruption, openedMs }: OpenStore): Promise<number> {
  const plan = planFlights(file)
  const definition = flightsDefinition(file, plan)
  const group = await store.ensureFeatureGroup(definition)
  const description = store.describe(definition.name)
  const offlineDirectory = description.offlineDirectory
  if (description.description !== definition.description || offlineDirectory === undefined) {
    throw invalid(
      `${store.directory} holds another feature group "${definition.name}" (${description.description || 'made otherwise'}); ` +
        'choose another directory with --data',
      { featureGroup: definition.name },
    )
  }
  notice(
    `${file.path} (${formatBytes(file.identity.bytes)}) -> ${store.directory} (${store.shards} shards, strict durability)`,
  )
  const stores = ['online', 'offline'] as const
  const report = await ingestFile({ file, plan, group, description, stores, errorsMax: 5 }, interruption)
  if (report.isAborted) throw interruptedAfter(file, report)
  const publishedMs = await publish(store, interruption)

  const checkStartMs = systemClock.monotonicMs()
  const { connection } = file.duckDb
  const stopQuery = (): void => connection.interrupt()
  interruption.signal.addEventListener('abort', stopQuery)
  try {
    notice('reading both stores back, and comparing them with the file')
    const files = await offlineFiles(connection, offlineDirectory)
    if (files.files === 0) return tellDisagreement(['offline store: expected rows, found no file'])
    const months = await rowsPerMonth(connection, offlineDirectory, plan.eventTime)
    const agreement = await checkAgreement({ file, plan, group, offlineDirectory })
    interruption.check()
    const statistics = await store.stats()
    const figures: DemoFigures = {
      report,
      files,
      openedMs,
      publishedMs,
      checkedMs: systemClock.monotonicMs() - checkStartMs,
      logBytes: statistics.log.bytes,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    }
    await show({ group, agreement, files, months, offlineDirectory, figures })
    return conclude(report, agreement)
  } catch (thrown) {
    if (!interruption.signal.aborted) throw thrown
    throw new Interrupted('interrupted while the stores were compared; they are complete')
  } finally {
    interruption.signal.removeEventListener('abort', stopQuery)
  }
}

interface Shown {
  readonly group: FeatureGroup
  readonly agreement: Agreement
  readonly files: OfflineFiles
  readonly months: readonly MonthOfRows[]
  readonly offlineDirectory: string
  readonly figures: DemoFigures
}

async function show({ group, agreement, files, months, offlineDirectory, figures }: Shown): Promise<void> {
  const samples = [...agreement.latest.keys()].slice(0, 3)
  const records = await group.getMany(samples)
  printSection(
    'Online store',
    [
      `${formatCount(agreement.latest.size)} records, the latest flight of every route; three of them:`,
      ...samples.map((id, index) => `${id}  ${JSON.stringify(records[index])}`),
    ].join('\n'),
  )
  const perMonth = months.map(({ month, rows }) => [month, formatCount(rows)])
  printSection(
    'Offline store',
    [
      `${formatCount(files.files)} Parquet files (${formatBytes(files.bytes)}) of ${formatCount(files.hours)} event hours below`,
      offlineDirectory,
      renderTable([{ title: 'month' }, { title: 'rows', align: 'right' }], perMonth),
    ].join('\n'),
  )
  printSection('Agreement with the file', renderChecksums(agreement))
  printSection('Figures', renderFigures(figures))
}

function conclude({ rejected, errors }: FileReport, agreement: Agreement): number {
  const differences = [
    ...errors.map(({ row, message }) => `row ${formatCount(row + 1)} of the file was rejected: ${message}`),
    ...(rejected > errors.length ? [`${formatCount(rejected - errors.length)} more rows were rejected`] : []),
    ...agreement.offlineDifferences.map((difference) => `offline store: ${difference}`),
    ...agreement.onlineDifferences.map((difference) => `online store: ${difference}`),
  ]
  if (differences.length > 0) return tellDisagreement(differences)
  print(
    `\nAll agrees: ${formatCount(agreement.source.rows)} rows offline and ${formatCount(agreement.latest.size)} records online are exactly those of the file.`,
  )
  return 0
}

function tellDisagreement(differences: readonly string[]): number {
  print(`\nThe stores do NOT agree with the file:\n${differences.map((line) => `  - ${line}`).join('\n')}`)
  return 1
}
