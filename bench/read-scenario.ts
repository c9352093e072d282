/**
 * Reads of a store of many records: batches by id while nothing is written, single gets while an ingestion runs at full
 * speed, and a listing of all ids.
 */
import { rmSync } from 'node:fs'
import { createHistogram } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { type FeatureGroup, Millrace } from '../src/index.ts'
import { peakBytes } from './process-memory.ts'
import type { ScenarioOptions, ScenarioResult } from './scenarios.ts'
import { definition, drawIds, idOf, randomSource, rowChunks, zipf } from './workload.ts'

const IDS_PER_READ = 100

/** @param options.ids - records in the store. `options.records` of them are read, and as many are written meanwhile. */
export async function runReads(options: ScenarioOptions): Promise<ScenarioResult> {
  rmSync(options.directory, { recursive: true, force: true })
  await using store = await Millrace.open(options.directory)
  const group = await store.createFeatureGroup(definition)
  const all = Uint32Array.from({ length: options.ids }, (_, i) => i)
  await group.ingest(rowChunks({ ids: all }, Date.now() - 60_000, 3))
  await store.flush()
  const random = randomSource(8)
  const draw = (): string => idOf(Math.floor(random() * options.ids))

  const cpu = process.cpuUsage()
  const started = performance.now()
  const rates: Record<string, number> = {}
  for (const callers of [1, 4, 16]) {
    rates[`getMany/s, ${callers} callers`] = await readRate(group, draw, options.records / 3, callers)
  }
  const seconds = (performance.now() - started) / 1000
  const used = process.cpuUsage(cpu)
  const listed = performance.now()
  let ids = 0
  for await (const _ of group.ids()) ids++
  const listSeconds = (performance.now() - listed) / 1000
  if (ids !== options.ids) throw new Error(`listed ${ids} ids, not ${options.ids}`)
  return {
    records: options.records,
    seconds,
    recordsPerSecond: options.records / seconds,
    cpuMicros: (used.user + used.system) / options.records,
    peakMegabytes: peakBytes() / 1e6,
    figures: {
      ...rates,
      'listing all ids s': listSeconds,
      ...(await getsUnderIngestion(group, options, draw)),
    },
  }
}

async function readRate(
  group: FeatureGroup<typeof definition>,
  draw: () => string,
  records: number,
  callers: number,
): Promise<number> {
  const started = performance.now()
  const rounds = Math.ceil(records / callers / IDS_PER_READ)
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let round = 0; round < rounds; round++) {
        const found = await group.getMany(Array.from({ length: IDS_PER_READ }, draw))
        if (found.includes(undefined)) throw new Error('a record of the store was not found')
      }
    }),
  )
  return (rounds * callers * IDS_PER_READ) / ((performance.now() - started) / 1000)
}

async function getsUnderIngestion(
  group: FeatureGroup<typeof definition>,
  { records, ids }: ScenarioOptions,
  draw: () => string,
): Promise<Record<string, number>> {
  const latency = createHistogram()
  const draws = drawIds(records, zipf(ids, 0.99, randomSource(9)))
  const started = performance.now()
  let isDone = false
  const ingestion = group.ingest(rowChunks(draws, Date.now(), 7)).then(() => {
    isDone = true
  })
  while (!isDone) {
    const calledMs = performance.now()
    await group.get(draw())
    latency.record(Math.max(1, Math.round((performance.now() - calledMs) * 1000)))
    await pause(2)
  }
  await ingestion
  return {
    'ingested/s meanwhile': records / ((performance.now() - started) / 1000),
    'get p50 ms': latency.percentile(50) / 1000,
    'get p90 ms': latency.percentile(90) / 1000,
    'get p99 ms': latency.percentile(99) / 1000,
    'get max ms': latency.max / 1000,
  }
}
