/**
 * Every benchmark still runs, at a small size, and processes the records it says it does. Speed is not judged here:
 * it depends on the machine, and on what else it is doing.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Results {
  stages: { stage: string; microsPerRecord: number }[]
  scenarios: Record<string, { records: number; recordsPerSecond: number; figures: Record<string, number> }>
}

describe('npm run bench -- --smoke', () => {
  // The bench keeps its store below the working directory.
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  let results: Results

  beforeAll(() => {
    const json = join(directory, 'results.json')
    const program = resolve(import.meta.dirname, '../../bench/main.ts')
    const run = spawnSync(process.execPath, [program, '--smoke', '--json', json], {
      encoding: 'utf8',
      cwd: directory,
    })
    expect(run.stderr).toBe('')
    expect(run.status).toBe(0)
    results = JSON.parse(readFileSync(json, 'utf8')) as Results
  }, 120_000)

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it('measures every stage of a record', () => {
    expect(results.stages.map(({ stage }) => stage)).toEqual([
      'validate and pack',
      'CRC-32 of the log',
      'memtable',
      'columns (Arrow IPC)',
      'Parquet (zstd)',
      'Parquet (snappy)',
    ])
    for (const { microsPerRecord } of results.stages) expect(microsPerRecord).toBeGreaterThan(0)
  })

  it('takes every record of every scenario, replay after a kill included', () => {
    const records = Object.entries(results.scenarios).map(([name, scenario]) => [name, scenario.records])
    expect(Object.fromEntries(records)).toEqual({
      zipf: 20_000,
      uniform: 20_000,
      put: 4000,
      reads: 6000,
      replay: 20_000,
    })
  })

  it('breaks the time of a record down by stage', () => {
    for (const stage of ['log', 'apply', 'merge', 'columns', 'parquet']) {
      expect(results.scenarios['zipf']?.figures[`${stage} µs`]).toBeGreaterThan(0)
    }
  })
})
