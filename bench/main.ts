/**
 * `npm run bench`: where the time of a record goes, and what the whole engine does with it.
 *   --smoke         tiny sizes, to see that everything still runs
 *   --only NAMES    some of: stages, zipf, uniform, put, reads, replay
 *   --json FILE     also write the results there
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { ScenarioResult } from './scenarios.ts'
import { benchStages, type StageResult } from './stages.ts'

const { values } = parseArgs({
  options: { smoke: { type: 'boolean', default: false }, only: { type: 'string' }, json: { type: 'string' } },
})
const sizes = values.smoke
  ? {
      stages: 2000,
      stagesMs: 20,
      records: 20_000,
      ids: 10_000,
      preloaded: 20_000,
      puts: 4000,
      reads: 6000,
      replay: 20_000,
    }
  : {
      stages: 100_000,
      stagesMs: 2000,
      records: 2_000_000,
      ids: 1_000_000,
      preloaded: 5_000_000,
      puts: 200_000,
      reads: 3_000_000,
      replay: 1_000_000,
    }
const names = values.only?.split(',') ?? ['stages', 'zipf', 'uniform', 'put', 'reads', 'replay']
const scratch = resolve('.bench')
mkdirSync(scratch, { recursive: true })
const directory = mkdtempSync(join(scratch, 'run-'))

const results: { machine: string; stages?: StageResult[]; scenarios: Record<string, ScenarioResult> } = {
  machine: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`,
  scenarios: {},
}
process.stdout.write(`${results.machine}; strict durability, both stores, ten features\n`)
try {
  if (names.includes('stages')) {
    results.stages = await benchStages(sizes.stages, sizes.stagesMs)
    process.stdout.write('\nOne stage alone, on one thread:\n')
    for (const { stage, microsPerRecord } of results.stages) {
      process.stdout.write(`  ${stage.padEnd(24)}${microsPerRecord.toFixed(2).padStart(8)} µs a record\n`)
    }
  }
  if (names.includes('zipf')) report('zipf', run('zipf', sizes.records, sizes.ids))
  if (names.includes('uniform')) report('uniform', run('uniform', sizes.records, sizes.preloaded))
  if (names.includes('put')) report('put', run('put', sizes.puts, sizes.ids))
  if (names.includes('reads')) report('reads', run('reads', sizes.reads, sizes.ids))
  if (names.includes('replay')) {
    const filled = child('fill', sizes.replay, sizes.ids)
    if (filled.signal !== 'SIGKILL') throw new Error(`filling the log failed: ${filled.stderr}`)
    report('replay', run('replay', sizes.replay, sizes.ids))
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, undefined, 2)}\n`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function child(name: string, records: number, ids: number): SpawnSyncReturns<string> {
  const program = join(import.meta.dirname, 'scenario-child.ts')
  const args = [program, name, join(directory, 'store'), String(records), String(ids)]
  return spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 })
}

function run(name: string, records: number, ids: number): ScenarioResult {
  const { status, stdout, stderr } = child(name, records, ids)
  if (status !== 0) throw new Error(`the scenario "${name}" failed: ${stderr}`)
  return JSON.parse(stdout) as ScenarioResult
}

function report(name: string, result: ScenarioResult): void {
  results.scenarios[name] = result
  const rate = Math.round(result.recordsPerSecond).toLocaleString('en-US')
  process.stdout.write(
    `\n${name}: ${result.records.toLocaleString('en-US')} records in ${result.seconds.toFixed(2)} s = ${rate} records/s; ` +
      `${result.cpuMicros.toFixed(2)} µs CPU a record; peak ${Math.round(result.peakMegabytes)} MB\n`,
  )
  for (const [figure, value] of Object.entries(result.figures)) {
    process.stdout.write(`  ${figure.padEnd(24)}${value.toFixed(2).padStart(10)}\n`)
  }
}
