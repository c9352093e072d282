/**
 * Goal: a store is never told apart from one Map and one list, whatever is done to it, crashes included.
 * Method: random commands against a real store in a process that is killed with SIGKILL, and against the model.
 * MILLRACE_MODEL_RUNS sets the number of runs, MILLRACE_MODEL_SEED repeats a failure.
 */
import { rmSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'
import { checkOnline, commands, type Run } from './commands.ts'
import { StoreModel } from './store-model.ts'
import { type Coverage, StoreUnderTest } from './store-under-test.ts'

const { MILLRACE_MODEL_RUNS = '10', MILLRACE_MODEL_SEED = String(Date.now() % 0x7fff_ffff), CI } = process.env
const RUNS = Number(MILLRACE_MODEL_RUNS)
const SEED = Number(MILLRACE_MODEL_SEED)

it('holds what the model holds, online and offline, through crashes and reopenings', {
  timeout: 1_000_000,
}, async () => {
  console.log(`seed ${SEED}, ${RUNS} runs`)
  const coverage: Coverage = { crashes: 0, survivors: 0, replayed: 0, mergedMs: 0, files: 0, trims: 0 }
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const store = new StoreUnderTest(temporaryDirectory(), coverage)
      const model = new StoreModel()
      const run: Run = { model, sequence: 0, ids: new Set() }
      try {
        await store.open()
        await fc.asyncModelRun(() => ({ model: run, real: store }), list)
        await store.checkOffline(model)
        await checkOnline(run, store, 3, false)
        await checkOnline(run, store, 4, true)
        await store.takeStatistics()
        await store.process.call('close', { options: {} })
        expect((await store.reopen()).replayedRecords, 'a clean close leaves nothing to replay').toBe(0)
        await checkOnline(run, store, 4, true)
        await store.checkOffline(model)
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
      endOnFailure: CI !== undefined,
      // Also ends a shrinking that does not come to an end.
      interruptAfterTimeLimit: 600_000,
    },
  )
  console.log(JSON.stringify(coverage))
  if (RUNS < 10) return
  // A run that never merges, rolls or survives anything would prove nothing.
  for (const [what, count] of Object.entries(coverage)) expect(count, what).toBeGreaterThan(0)
})
