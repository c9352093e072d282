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
  const rows = [
    ['open', formatDuration(openedMs), ''],
    // A run that had nothing left to ingest has no rates to show.
    ...(report.accepted > 0
      ? ingestionRows(figures)
      : [['publish the rest as Parquet', formatDuration(publishedMs), '']]),
    ['read back and compare', formatDuration(checkedMs), ''],
    ['peak memory', formatBytes(figures.peakMemoryBytes), ''],
    ['log files kept', formatBytes(figures.logBytes), ''],
    ['Parquet files', formatCount(files.files), `at most ${files.filesPerHourMax} per event hour`],
  ]
  return renderTable([{ title: 'what' }, { title: 'measured', align: 'right' }, { title: '' }], rows)
}

function ingestionRows({ report, publishedMs }: DemoFigures): string[][] {
  const { accepted, bytes, durationMs } = report
  const rate = (ms: number): string =>
    `${formatCount((accepted / ms) * 1000)} records/s, ${formatBytes((bytes / ms) * 1000)}/s`
  const bothMs = durationMs + publishedMs
  return [
    ['ingest: durable, readable online', formatDuration(durationMs), rate(durationMs)],
    ['publish the rest as Parquet', formatDuration(publishedMs), ''],
    ['ingest and publish', formatDuration(bothMs), rate(bothMs)],
    ['records in this run', formatCount(accepted), `${(bytes / accepted).toFixed(1)} packed bytes each`],
  ]
}
