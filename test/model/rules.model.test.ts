/**
 * Goal: in 100,000 random steps no answer, no record, no listing and no offline row differs from what the rules say.
 * Method: operations on six feature groups with few ids, on a store with small budgets in a process of its own, sent by
 * the thousand and held against the model one by one; Parquet files are read by DuckDB at the end of each run.
 * MILLRACE_MODEL_STEPS sets the number of steps; a failure says which variables repeat it.
 */
import { rmSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Operation } from '../fixtures/store-operations.ts'
import { StoreProcess } from '../fixtures/store-process.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'
import { Coverage, EXPECTED_BRANCHES } from './coverage.ts'
import { MODEL_GROUPS, START_MS } from './model-groups.ts'
import { ModelRun } from './model-run.ts'
import { checkOffline } from './offline-check.ts'
import { isContinuousIntegration, KEPT, PATH, SEED, STEPS } from './settings.ts'
import { shrunk } from './shrink.ts'
import { type Step, stepsOf } from './steps.ts'
import { trimmedLogs } from './store-under-test.ts'

const OPTIONS = {
  shards: 2,
  durability: 'interval',
  memoryBytes: 32 * 1024 * 1024,
  flush: { ageMs: 5000, rows: 400, bytes: 64 * 1024 },
  log: { segmentBytes: 64 * 1024, bytes: 512 * 1024 },
} as const

const LENGTH_MAX = 5000
const SHRINK_MS_MAX = isContinuousIntegration ? 120_000 : 600_000

it('answers, holds and files what the rules say, in a hundred thousand steps', {
  timeout: 1_800_000,
}, async () => {
  console.log(`rules: seed ${SEED}`)
  const coverage = new Coverage()
  const host = { process: new StoreProcess() }
  let steps = 0
  let failing: Step[] = []
  const property = fc.asyncProperty(stepsOf(LENGTH_MAX), async (list) => {
    if (steps >= STEPS) return
    const chosen = KEPT === undefined ? list : list.filter(({ position }) => KEPT?.includes(position))
    steps += chosen.length
    failing = chosen
    await playAnew(chosen, host, coverage)
  })
  try {
    const details = await fc.check(property, {
      // Lists are half as long as they may be on average.
      numRuns: Math.ceil((4 * STEPS) / LENGTH_MAX),
      seed: SEED,
      endOnFailure: true,
      ...(PATH === undefined ? {} : { path: PATH }),
    })
    if (details.failed) throw await counterexample(failing, String(details.counterexamplePath), host)
  } finally {
    await host.process.kill()
    console.log(`${steps} steps\n${coverage}`)
  }
  if (PATH !== undefined) return
  expect(steps).toBeGreaterThanOrEqual(STEPS)
  if (STEPS >= 100_000)
    expect(coverage.missing(EXPECTED_BRANCHES), 'branches that were never taken').toEqual([])
})

/** @returns what to throw: the failing steps, as few as there was time for, and how to repeat them */
async function counterexample(failing: readonly Step[], path: string, host: Host): Promise<Error> {
  console.log(`rules: fails with ${failing.length} steps; shrinking`)
  const startMs = performance.now()
  const coverage = new Coverage()
  let cause: unknown
  const isFailing = async (positions: readonly number[]): Promise<boolean> => {
    try {
      await playAnew(
        positions.map((i) => failing[i]!),
        host,
        coverage,
      )
      return false
    } catch (thrown) {
      cause = thrown
      return true
    }
  }
  const isOver = (): boolean => performance.now() - startMs > SHRINK_MS_MAX
  const positions = await shrunk(failing.length, isFailing, isOver)
  const steps = positions.map((i) => failing[i]!)
  const keep = steps.map(({ position }) => position).join()
  const lines = steps.slice(-60).map((step) => lineOf(step))
  const repeat = `MILLRACE_MODEL_SEED=${SEED} MILLRACE_MODEL_PATH=${path} MILLRACE_MODEL_KEEP=${keep}`
  const message = `rules: fails with ${steps.length} steps; repeat with ${repeat}\n${lines.join('\n')}\n${cause}`
  return new Error(message, { cause })
}

function lineOf(step: Step): string {
  if (step.type === 'kill') return `${step.position} kill`
  const { type, ...rest } = step.operation
  return `${step.position} ${type} ${fc.stringify(rest).replaceAll(/(payload ){2,}/g, 'payload ... ')}`
}

async function playAnew(list: readonly Step[], host: Host, coverage: Coverage): Promise<void> {
  const directory = temporaryDirectory()
  try {
    await play(list, { host, directory, coverage })
  } catch (thrown) {
    await clear(host)
    throw thrown
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The process that stores are opened in, until it is killed. */
interface Host {
  process: StoreProcess
}

/** Leaves no store open. Starting a process takes longer than playing most shrunk lists, so it is kept if it lives. */
async function clear(host: Host): Promise<void> {
  try {
    await host.process.call('close', { options: { flush: false } })
  } catch {
    await restart(host)
  }
}

async function restart(host: Host): Promise<void> {
  await host.process.kill()
  host.process = new StoreProcess()
}

interface Stage {
  readonly host: Host
  readonly directory: string
  readonly coverage: Coverage
}

async function play(list: readonly Step[], stage: Stage): Promise<void> {
  const { host, directory, coverage } = stage
  const run = new ModelRun(coverage.count)
  const definitions = MODEL_GROUPS.map(({ definition }) => definition)
  const open = async (): Promise<void> => {
    const opened = { directory, options: OPTIONS, definitions, nowMs: run.nowMs }
    const { replayedRecords } = await host.process.call('open', opened)
    if (replayedRecords > 0) coverage.count('replayed records')
  }
  await open()
  await perform(run, host.process, [clockAtStart])
  for (const batch of batches(list)) {
    if (batch === 'kill') {
      await restart(host)
      await open()
      coverage.count('killed')
      continue
    }
    await perform(run, host.process, batch)
  }
  await finish(run, stage)
}

/** So that invocation times begin where the clock does. */
const clockAtStart: OperationStep = {
  type: 'operation',
  position: -1,
  operation: {
    type: 'clock',
    group: 'history',
    nowMs: START_MS,
    isSweeping: false,
    row: { id: 'clock', at: new Date(START_MS).toISOString(), n: 0 },
  },
}

async function perform(run: ModelRun, process: StoreProcess, steps: readonly OperationStep[]): Promise<void> {
  const results = await process.call('operations', { operations: steps.map(({ operation }) => operation) })
  steps.forEach(({ operation, position }, i) => {
    try {
      run.check(operation, results[i]!)
    } catch (thrown) {
      throw new Error(`step ${position}, ${operation.type}: ${(thrown as Error).message}`)
    }
  })
}

/** Everything at once: all ids of all groups, all files, and a listing after the last reopening. */
async function finish(run: ModelRun, { host: { process }, directory, coverage }: Stage): Promise<void> {
  const reads = MODEL_GROUPS.map(({ definition, ids }) => ({
    type: 'read' as const,
    group: definition.name,
    ids,
    pageSize: 3,
    includeSoftDeleted: true,
  }))
  const check = async (operations: readonly Operation[]): Promise<void> => {
    const results = await process.call('operations', { operations })
    for (const [i, operation] of operations.entries()) run.check(operation, results[i]!)
  }
  await check([...reads, { type: 'expire' }, { type: 'flush' }])
  const statistics = await process.call('statistics', {})
  if (statistics.shards.some(({ timings }) => timings.merge > 0)) coverage.count('merged')
  if (trimmedLogs(directory) > 0) coverage.count('log trimmed')
  await check([{ type: 'reopen', isFlushing: true }, ...reads])
  await process.call('close', { options: {} })
  await checkOffline(run.groups, { directory, highestMs: run.highestMs, count: coverage.count })
}

type OperationStep = Step & { readonly type: 'operation' }

/** Operations between two kills go to the store in one message. */
function batches(list: readonly Step[]): (OperationStep[] | 'kill')[] {
  const all: (OperationStep[] | 'kill')[] = []
  let current: OperationStep[] = []
  for (const step of list) {
    if (step.type === 'operation') current.push(step)
    else {
      all.push(current, 'kill')
      current = []
    }
  }
  return [...all, current]
}
