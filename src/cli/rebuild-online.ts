/** Makes the online store of a feature group again of its offline files, and compares both if asked. */
import { systemClock } from '../core/clock.ts'
import type { AgreementReport, RebuildReport, RecordDifference } from '../index.ts'
import { EXIT_ROWS_REJECTED } from './backfill.ts'
import { withProgress } from './ingest-file.ts'
import { checkStoreExists } from './inspect.ts'
import { Interrupted } from './interrupt.ts'
import { notice, print } from './output.ts'
import { formatCount, formatDuration, renderTable } from './tables.ts'
import { type OpenStore, withStore } from './with-store.ts'

export interface RebuildArguments {
  readonly verify?: true
  /** Bytes that DuckDB may take. */
  readonly memory?: number
}

/** @returns the exit code: 1 if the stores were compared and differ */
export async function rebuildOnline(
  directory: string,
  featureGroup: string,
  given: RebuildArguments,
): Promise<number> {
  checkStoreExists(directory)
  return withStore(directory, {}, (open) => runRebuild(open, featureGroup, given))
}

async function runRebuild(
  { store, interruption }: OpenStore,
  featureGroup: string,
  given: RebuildArguments,
): Promise<number> {
  const group = store.featureGroup(featureGroup)
  const query = {
    signal: interruption.signal,
    ...(given.memory !== undefined && { memoryBytes: given.memory }),
  }
  const startMs = systemClock.monotonicMs()
  notice(`finding the latest record of every id in the offline files of ${group.name}`)
  let done = { records: 0, written: 0, bytes: 0 }
  const report = await withProgress(
    () => ({
      rowsDone: done.written,
      rowsTotal: done.records,
      bytes: done.bytes,
      rowsDurable: done.written,
      memoryBytes: process.memoryUsage.rss(),
    }),
    (draw) =>
      group.rebuildOnline({
        ...query,
        onProgress: (progress) => {
          done = progress
          draw()
        },
      }),
  )
  const rebuiltMs = systemClock.monotonicMs() - startMs
  if (report.isAborted) throw interruptedAfter(report)
  for (const { message } of report.errors) print(`rejected: ${message}`)
  print(
    renderTable(
      [{ title: `feature group ${group.name}` }, { title: '', align: 'right' }],
      [
        ['latest records offline', formatCount(report.records)],
        ['  written online', formatCount(report.written)],
        ['  rejected', formatCount(report.rejected)],
        ['rebuild', formatDuration(rebuiltMs)],
      ],
    ),
  )
  if (given.verify === true) {
    notice('reading both stores back, and comparing them')
    const agreement = await group.checkAgreement(query).catch((thrown: unknown) => {
      throw interruption.signal.aborted
        ? new Interrupted('interrupted while the stores were compared; the online store is complete')
        : thrown
    })
    if (!tellAgreement(agreement)) return 1
  }
  return report.rejected === 0 ? 0 : EXIT_ROWS_REJECTED
}

function interruptedAfter({ records, written }: RebuildReport): Interrupted {
  return new Interrupted(
    records === 0
      ? 'interrupted before anything was written'
      : `interrupted after ${formatCount(written)} of ${formatCount(records)} records; all of these are durable, ` +
          'and the same command does it again from the start',
  )
}

function tellAgreement(agreement: AgreementReport): boolean {
  const { isAgreed, offlineRecords, missingOnline, missingOffline, different, differences } = agreement
  if (isAgreed) {
    print(
      `\nAll agrees: the ${formatCount(offlineRecords)} records online are the latest of the offline store.`,
    )
    return true
  }
  const count = missingOnline + missingOffline + different
  const lines = differences.map((difference) => `  - ${sentenceOf(difference)}`)
  const untold = count - differences.length
  if (untold > 0) lines.push(`  - and ${formatCount(untold)} more`)
  print(`\nThe stores do NOT agree, in ${formatCount(count)} records:\n${lines.join('\n')}`)
  return false
}

function sentenceOf({ id, kind, feature, offline, online }: RecordDifference): string {
  if (kind === 'missingOnline') return `record ${id}: is offline only`
  if (kind === 'missingOffline') return `record ${id}: is online only`
  return `record ${id}, feature ${feature}: ${offline ?? 'none'} offline, ${online ?? 'none'} online`
}
