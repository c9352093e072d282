/** How fast and how large: what the demo measured, as a table. */
import type { FileReport } from './ingest-file.ts'
import type { OfflineFiles } from './offline-facts.ts'
import { formatBytes, formatCount, formatDuration, renderTable } from './tables.ts'

export interface DemoFigures {
  readonly report: FileReport
  readonly files: OfflineFiles
  readonly openedMs: number
  readonly publishedMs: number
  readonly checkedMs: number
  /** Left after everything is in both stores. */
  readonly logBytes: number
  readonly peakMemoryBytes: number
}

export function renderFigures(figures: DemoFigures): string {
  const { report, files, openedMs, publishedMs, checkedMs } = figures
  const rate = (ms: number): string =>
    ms === 0
      ? '-'
      : `${formatCount((report.accepted / ms) * 1000)} records/s, ${formatBytes((report.bytes / ms) * 1000)}/s`
  const perRecord = report.accepted === 0 ? 0 : report.bytes / report.accepted
  const rows = [
    ['open', formatDuration(openedMs), ''],
    ['ingest: durable, readable online', formatDuration(report.durationMs), rate(report.durationMs)],
    ['publish the rest as Parquet', formatDuration(publishedMs), ''],
    [
      'ingest and publish',
      formatDuration(report.durationMs + publishedMs),
      rate(report.accepted === 0 ? 0 : report.durationMs + publishedMs),
    ],
    ['read back and compare', formatDuration(checkedMs), ''],
    ['records in this run', formatCount(report.accepted), `${perRecord.toFixed(1)} packed bytes each`],
    ['peak memory', formatBytes(figures.peakMemoryBytes), ''],
    ['log files kept', formatBytes(figures.logBytes), ''],
    ['Parquet files', formatCount(files.files), `at most ${files.filesPerHourMax} per event hour`],
  ]
  return renderTable([{ title: 'what' }, { title: 'measured', align: 'right' }, { title: '' }], rows)
}
