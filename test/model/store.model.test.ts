/**
 * Goal: a store is never told apart from one Map and one list, whatever is done to it, crashes included.
 * Method: random commands against a real store in a process that is killed with SIGKILL, and against the model.
 * MILLRACE_MODEL_RUNS sets the number of runs, MILLRACE_MODEL_SEED repeats them; a failure says how it is repeated alone.
 */
import { rmSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'
import { checkOnline, commands, moveClock, type Run } from './commands.ts'
import { GroupModel } from './group-model.ts'
import { CRASH_START_MS } from './model-groups.ts'
import { isContinuousIntegration, PATH, RUNS, SEED } from './settings.ts'
import { type Coverage, DEFINITION, StoreUnderTest } from './store-under-test.ts'

it('holds what the model holds, online and offline, through crashes and reopenings', {
  timeout: 1_000_000,
}, async () => {
  console.log(`crashes: seed ${SEED}, ${RUNS} runs`)
  const coverage: Coverage = {
    crashes: 0,
    survivors: 0,
    replayed: 0,
    mergedMs: 0,
    files: 0,
    trims: 0,
    expired: 0,
  }
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const store = new StoreUnderTest(temporaryDirectory(), coverage)
      const model = new GroupModel(DEFINITION, CRASH_START_MS)
      const run: Run = { model, sequence: 0, ids: new Set(), highestMs: CRASH_START_MS }
      try {
        await store.open()
        // So that invocation times begin where the clock does.
        await moveClock(run, store, { nowMs: CRASH_START_MS, isSweeping: false })
        await fc.asyncModelRun(() => ({ model: run, real: store }), list)
        await store.checkOffline(model, run.highestMs)
        await checkOnline(run, store, 3, false)
        await checkOnline(run, store, 4, true)
        await store.takeStatistics()
        await store.process.call('close', { options: {} })
        expect((await store.reopen()).replayedRecords, 'a clean close leaves nothing to replay').toBe(0)
        await checkOnline(run, store, 4, true)
        await store.checkOffline(model, run.highestMs)
      } catch (thrown) {
        // Shrinking takes minutes; whoever waits may look at this meanwhile.
        console.log(`failed: ${list}\n${thrown}`)
        throw thrown
      } finally {
        await store.process.kill()
        rmSync(store.directory, { recursive: true, force: true })
      }
    }),
    {
      numRuns: RUNS,
      seed: SEED,
      endOnFailure: isContinuousIntegration,
      ...(PATH === undefined ? {} : { path: PATH }),
      // Also ends a shrinking that does not come to an end.
      interruptAfterTimeLimit: 600_000,
    },
  )
  console.log(JSON.stringify(coverage))
  if (RUNS < 10 || PATH !== undefined) return
  // A run that never merges, rolls or survives anything would prove nothing.
  for (const [what, count] of Object.entries(coverage)) expect(count, what).toBeGreaterThan(0)
})
