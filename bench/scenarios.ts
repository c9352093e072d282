/**
 * The end-to-end scenarios: a fixed number of records through a real store, both stores, `strict` durability,
 * timed from the first record to the end of the final flush. Each runs in a process of its own.
 */
import { rmSync } from 'node:fs'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { Millrace, type StoreStatistics } from '../src/index.ts'
import { anonymousBytes, peakBytes } from './process-memory.ts'
import { runReads } from './read-scenario.ts'
import { type Draws, definition, drawIds, type Row, randomSource, rowChunks, zipf } from './workload.ts'

export interface ScenarioOptions {
  readonly directory: string
  /** Records to measure. */
  readonly records: number
  /** Different ids. */
  readonly ids: number
}

export interface ScenarioResult {
  readonly records: number
  readonly seconds: number
  readonly recordsPerSecond: number
  /** User and system time of the whole process, per record. */
  readonly cpuMicros: number
  readonly peakMegabytes: number
  readonly figures: Record<string, number>
}

export const SCENARIOS = {
  zipf: runZipf,
  uniform: runUniform,
  put: runPut,
  reads: runReads,
  replay: runReplay,
} as const

/** Ids drawn Zipf(0.99). */
function runZipf(options: ScenarioOptions): Promise<ScenarioResult> {
  const random = randomSource(1)
  return ingest(options, drawIds(options.records, zipf(options.ids, 0.99, random)), false)
}

/** Ids drawn uniformly; all of them are in the store before. */
function runUniform(options: ScenarioOptions): Promise<ScenarioResult> {
  const random = randomSource(2)
  return ingest(
    options,
    drawIds(options.records, () => Math.floor(random() * options.ids)),
    true,
  )
}

async function ingest(options: ScenarioOptions, draws: Draws, isPreloaded: boolean): Promise<ScenarioResult> {
  rmSync(options.directory, { recursive: true, force: true })
  await using store = await Millrace.open(options.directory)
  const group = await store.createFeatureGroup(definition)
  const startMs = Date.now()
  if (isPreloaded) {
    await group.ingest(
      rowChunks({ ids: Uint32Array.from({ length: options.ids }, (_, i) => i) }, startMs - 60_000, 3),
    )
    await store.flush()
  }
  const before = await store.stats()
  const cpu = process.cpuUsage()
  const started = performance.now()
  const report = await group.ingest(rowChunks(draws, startMs, 7))
  const ingested = performance.now()
  await store.flush()
  const seconds = (performance.now() - started) / 1000
  const used = process.cpuUsage(cpu)
  return {
    records: report.accepted,
    seconds,
    recordsPerSecond: report.accepted / seconds,
    cpuMicros: (used.user + used.system) / report.accepted,
    peakMegabytes: peakBytes() / 1e6,
    figures: {
      'ingest s': (ingested - started) / 1000,
      'final flush s': seconds - (ingested - started) / 1000,
      'bytes a record': report.bytes / report.accepted,
      'anonymous MB': anonymousBytes() / 1e6,
      ...stageMicros(before, await store.stats(), report.accepted),
    },
  }
}

/** Time each stage took on its thread, per record. */
function stageMicros(
  before: StoreStatistics,
  after: StoreStatistics,
  records: number,
): Record<string, number> {
  const sum = (stats: StoreStatistics, stage: 'log' | 'apply' | 'merge' | 'columns'): number =>
    stats.shards.reduce((total, shard) => total + shard.timings[stage], 0)
  const stages = (['log', 'apply', 'merge', 'columns'] as const).map((stage) => [
    `${stage} µs`,
    ((sum(after, stage) - sum(before, stage)) * 1000) / records,
  ])
  const parquet = ((after.offline.encodeMs - before.offline.encodeMs) * 1000) / records
  return { ...Object.fromEntries(stages), 'parquet µs': parquet }
}

/**
 * Single awaited puts at a fixed rate. Latency counts from the moment a put was due (no coordinated omission; that
 * includes what the driver's own timer and garbage collection delay), and, apart, from the call.
 */
async function runPut(options: ScenarioOptions): Promise<ScenarioResult> {
  rmSync(options.directory, { recursive: true, force: true })
  await using store = await Millrace.open(options.directory)
  const group = await store.createFeatureGroup(definition)
  const rate = 20_000
  const draws = drawIds(options.records, zipf(options.ids, 0.99, randomSource(4)))
  const warmUp = rowChunks(drawIds(5000, zipf(options.ids, 0.99, randomSource(6))), Date.now(), 7)
  for (const rows of warmUp) for (const row of rows) await group.put(row)
  // Made as they are needed: a heap full of rows would make the driver's own garbage collection the latency.
  const rows = eachRow(rowChunks(draws, Date.now(), 7))
  const count = options.records
  const fromDue = createHistogram()
  const fromCall = createHistogram()
  const failures: unknown[] = []
  const cpu = process.cpuUsage()
  const started = performance.now()
  let sent = 0
  let done = 0
  while (done < count) {
    const due = Math.min(count, Math.floor(((performance.now() - started) / 1000) * rate))
    for (; sent < due; sent++) {
      const dueMs = started + (sent / rate) * 1000
      const calledMs = performance.now()
      group.put(rows.next().value as Row).then(
        () => {
          const nowMs = performance.now()
          fromDue.record(Math.max(1, Math.round((nowMs - dueMs) * 1000)))
          fromCall.record(Math.max(1, Math.round((nowMs - calledMs) * 1000)))
          done++
        },
        (thrown: unknown) => {
          failures.push(thrown)
          done++
        },
      )
    }
    // A millisecond's puts at a time: spinning would take the core that the shards need.
    await pause(1)
  }
  if (failures.length > 0) throw failures[0]
  const seconds = (performance.now() - started) / 1000
  const used = process.cpuUsage(cpu)
  return {
    records: count,
    seconds,
    recordsPerSecond: count / seconds,
    cpuMicros: (used.user + used.system) / count,
    peakMegabytes: peakBytes() / 1e6,
    figures: {
      'p50 ms from the call': fromCall.percentile(50) / 1000,
      'p99 ms from the call': fromCall.percentile(99) / 1000,
      'p50 ms from due': fromDue.percentile(50) / 1000,
      'p99 ms from due': fromDue.percentile(99) / 1000,
      'p99.9 ms from due': fromDue.percentile(99.9) / 1000,
      'max ms from due': fromDue.max / 1000,
    },
  }
}

function* eachRow(chunks: Iterable<Row[]>): Generator<Row> {
  for (const chunk of chunks) yield* chunk
}

/** Opens a store whose process was killed with all records in the log and nowhere else. */
async function runReplay(options: ScenarioOptions): Promise<ScenarioResult> {
  const cpu = process.cpuUsage()
  const started = performance.now()
  const store = await Millrace.open(options.directory)
  const seconds = (performance.now() - started) / 1000
  const used = process.cpuUsage(cpu)
  const records = store.recovery.replayedRecords
  await store.close()
  return {
    records,
    seconds,
    recordsPerSecond: records / seconds,
    cpuMicros: (used.user + used.system) / records,
    peakMegabytes: peakBytes() / 1e6,
    figures: {},
  }
}

/** Fills a log and dies without closing, for `replay`. */
export async function fillAndDie(options: ScenarioOptions): Promise<never> {
  rmSync(options.directory, { recursive: true, force: true })
  const store = await Millrace.open(options.directory, {
    memoryBytes: 4 * 1024 ** 3,
    flush: { bytes: 256 * 1024 ** 2 },
  })
  const group = await store.createFeatureGroup(definition)
  await group.ingest(
    rowChunks(drawIds(options.records, zipf(options.ids, 0.99, randomSource(5))), Date.now(), 7),
  )
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable: the process was killed')
}
