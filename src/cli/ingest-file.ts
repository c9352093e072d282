/**
 * Brings a file into a feature group, resumably: rows that an earlier run made durable are not read again, and what
 * was ingested is published as Parquet at the end. Shows how far it is.
 */
import { systemClock } from '../core/clock.ts'
import type { TargetStore } from '../core/definition.ts'
import type {
  FeatureGroup,
  FeatureGroupDescription,
  IngestProgress,
  IngestReport,
  Millrace,
} from '../index.ts'
import type { IngestPlan } from './feature-types.ts'
import type { InputFile } from './input-file.ts'
import { Interrupted, type Interruption } from './interrupt.ts'
import { newProgress, notice } from './output.ts'
import type { ProgressUpdate } from './progress.ts'
import { rowsOf } from './rows.ts'
import { formatCount } from './tables.ts'

const TICK_MS = 200

export interface FileIngestion {
  readonly file: InputFile
  readonly plan: IngestPlan
  readonly group: FeatureGroup
  readonly description: FeatureGroupDescription
  readonly stores: readonly TargetStore[]
  /** Rejected rows whose errors are kept. */
  readonly errorsMax: number
}

export interface FileReport extends IngestReport {
  /** Rows that earlier runs had brought in; this run began there. */
  readonly rowsBefore: number
  readonly durationMs: number
}

const NOTHING_INGESTED = {
  rows: 0,
  accepted: 0,
  rejected: 0,
  bytes: 0,
  skipped: 0,
  errors: [],
  isAborted: false,
  durationMs: 0,
} as const

/**
 * Reads the rows that are not in the store yet.
 * @throws MillraceError if the file or the store fails. A report with `isAborted` came from a signal.
 */
export async function ingestFile(ingestion: FileIngestion, interruption: Interruption): Promise<FileReport> {
  const { file, plan, group, stores, errorsMax } = ingestion
  const id = sourceIdOf(ingestion)
  const rowsBefore = await group.ingestPosition(id)
  if (rowsBefore === file.rowCount) {
    notice(`nothing to ingest: all ${formatCount(rowsBefore)} rows of the file came in before`)
    return { ...NOTHING_INGESTED, rowsBefore }
  }
  if (rowsBefore > 0) notice(`going on after row ${formatCount(rowsBefore)}, where an earlier run stopped`)

  const startMs = systemClock.monotonicMs()
  let done: IngestProgress = NOTHING_INGESTED
  let skipped = 0
  const report = await withProgress(
    () => ({
      rowsDone: rowsBefore + done.rows,
      rowsTotal: file.rowCount,
      bytes: done.bytes,
      rowsDurable: rowsBefore + done.accepted + skipped,
      memoryBytes: process.memoryUsage.rss(),
    }),
    async (draw) => {
      const chunks = file.chunks(
        plan.features.map((feature) => feature.selectSql),
        rowsBefore,
      )
      const report = await group.ingest(rowsOf(chunks, plan), {
        source: { id, firstRow: rowsBefore },
        stores,
        errorsMax,
        signal: interruption.signal,
        onProgress: (progress) => {
          done = progress
          draw()
        },
      })
      // Rows that one shard had before the crash while another had not: how many, only the report tells.
      skipped = report.skipped
      return report
    },
  )
  return { ...report, rowsBefore, durationMs: systemClock.monotonicMs() - startMs }
}

/** How to tell the user that an ingestion was stopped, and how to go on. */
export const interruptedAfter = (file: InputFile, { rowsBefore, rows }: FileReport): Interrupted =>
  new Interrupted(
    `interrupted after row ${formatCount(rowsBefore + rows)} of ${formatCount(file.rowCount)}; ` +
      'all of these are durable, and the same command goes on from there',
  )

/** Makes files of the rows that have none yet. @returns milliseconds it took */
export async function publish(store: Millrace, interruption: Interruption): Promise<number> {
  const startMs = systemClock.monotonicMs()
  const { unpublishedRows } = (await store.stats()).offline
  if (unpublishedRows > 0) notice(`writing Parquet files of the last ${formatCount(unpublishedRows)} rows`)
  let { offline } = await store.stats()
  const { bytes: bytesBefore } = offline
  await withProgress(
    () => ({
      rowsDone: Math.max(0, unpublishedRows - offline.unpublishedRows),
      rowsTotal: unpublishedRows,
      bytes: offline.bytes - bytesBefore,
      rowsDurable: unpublishedRows,
      memoryBytes: process.memoryUsage.rss(),
    }),
    async () => {
      let isFlushed = false
      const flushed = store.flush().finally(() => {
        isFlushed = true
      })
      // Who stops waiting because of a signal does not learn how the flush ended.
      flushed.catch(() => undefined)
      while (!isFlushed) {
        await Promise.race([flushed, new Promise((resolve) => setTimeout(resolve, TICK_MS))])
        if (interruption.signal.aborted) {
          throw new Interrupted(
            'interrupted while Parquet files were written; all rows are durable, and the same command goes on',
          )
        }
        if (!isFlushed) offline = (await store.stats()).offline
      }
      await flushed
      offline = (await store.stats()).offline
    },
  )
  return systemClock.monotonicMs() - startMs
}

/** Runs `work`, and draws how far it is: when `work` asks for it, now and then besides, and once more at the end. */
export async function withProgress<T>(
  figures: () => ProgressUpdate,
  work: (draw: () => void) => Promise<T>,
): Promise<T> {
  const progress = newProgress()
  const first = figures()
  progress.start(first)
  const draw = (): void => {
    const update = figures()
    // Until the first rows are through there is nothing to show.
    if (update.rowsDone > first.rowsDone) progress.update(update)
  }
  const ticker = setInterval(draw, TICK_MS)
  try {
    const result = await work(draw)
    draw()
    return result
  } finally {
    clearInterval(ticker)
    progress.finish()
  }
}

/**
 * Names these rows in this order in this feature group, whatever the file is called and wherever it lies. Positions
 * are kept per source and shard, so everything that would make other rows of the same bytes belongs to the name.
 */
function sourceIdOf({ file, plan, description, stores }: FileIngestion): string {
  const { bytes, digest } = file.identity
  const features = plan.features.map(({ name, selectSql }) => [name, selectSql])
  const { name, createdAt } = description
  return JSON.stringify([bytes, digest, file.format, name, createdAt.getTime(), [...stores].sort(), features])
}
