/**
 * Goal: after `kill -9` at any moment, every acknowledged row is in both stores exactly once.
 * Method: a real process ingests without pause, and is killed at random moments (while it recovers, too); each time
 * it goes on from where the log says its source stands. At the end DuckDB counts. MILLRACE_KILLS sets the number of
 * kills, MILLRACE_KILL_SEED repeats their moments as well as a clock can.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Millrace } from '../../src/index.ts'
import type { Progress } from '../fixtures/kill-driver.ts'
import { DEFINITION, HOURS, IDS, latestRows, OPTIONS, rowOf } from '../fixtures/kill-workload.ts'
import { offlineRows, parquetFiles, temporaryFiles } from '../fixtures/offline-rows.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const { MILLRACE_KILLS = '20', MILLRACE_KILL_SEED = String(Date.now() % 0x7fff_ffff) } = process.env
const KILLS = Number(MILLRACE_KILLS)
const SEED = Number(MILLRACE_KILL_SEED)
const ROWS = 1500 * KILLS

interface Life {
  /** Undefined if it was killed before the store was open. */
  readonly opened: { readonly position: number; readonly replayedRecords: number } | undefined
  /** Rows of the source that were acknowledged. */
  readonly position: number
  readonly isDone: boolean
}

/** @param killAfterMs - after the start of the process, or after it opened the store; undefined lets it finish */
async function live(
  directory: string,
  killAfterMs: { readonly since: 'start' | 'opened'; readonly ms: number } | undefined,
): Promise<Life> {
  const child = fork(new URL('../fixtures/kill-driver.ts', import.meta.url), [directory, String(ROWS)], {
    execArgv: [],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') },
  })
  let opened: Life['opened']
  let position = 0
  let isDone = false
  const killSoon = (): void => {
    setTimeout(() => child.kill('SIGKILL'), killAfterMs?.ms)
  }
  if (killAfterMs?.since === 'start') killSoon()
  child.on('message', (message) => {
    const progress = message as Progress
    if (progress.type === 'opened') {
      opened = progress
      position = progress.position
      if (killAfterMs?.since === 'opened') killSoon()
    } else if (progress.type === 'acknowledged') position = progress.position
    else isDone = true
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  if (signal !== 'SIGKILL') expect(code, 'the process ends well if it is not killed').toBe(0)
  return { opened, position, isDone }
}

it(`keeps every acknowledged row exactly once through ${KILLS} kills (R-125, R-456)`, {
  timeout: 600_000,
}, async () => {
  console.log(`seed ${SEED}`)
  const moment = fc.record({
    since: fc.constantFrom('opened' as const, 'opened' as const, 'opened' as const, 'start' as const),
    ms: fc.integer({ min: 0, max: 600 }),
  })
  const directory = temporaryDirectory()
  let acknowledged = 0
  let replayed = 0
  for (const kill of fc.sample(moment, { seed: SEED, numRuns: KILLS })) {
    // Half of a process's start is loading code, which is no moment of ours.
    const life = await live(directory, kill.since === 'start' ? { ...kill, ms: 150 + kill.ms } : kill)
    if (life.opened !== undefined) {
      expect(life.opened.position, 'acknowledged rows are still there').toBeGreaterThanOrEqual(acknowledged)
      replayed += life.opened.replayedRecords
    }
    acknowledged = Math.max(acknowledged, life.position)
  }
  expect(acknowledged, 'the kills came under load').toBeGreaterThan(0)
  expect(replayed, 'the kills left something to replay').toBeGreaterThan(0)
  console.log(`${acknowledged} of ${ROWS} rows acknowledged when the last kill came, ${replayed} replayed`)
  expect(await live(directory, undefined)).toMatchObject({ isDone: true, position: ROWS })

  await using store = await Millrace.open(directory, OPTIONS)
  expect(store.recovery.replayedRecords, 'a clean close leaves nothing to replay').toBe(0)
  const group = store.featureGroup<typeof DEFINITION>(DEFINITION.name)

  const ids = Array.from({ length: IDS }, (_, i) => `id-${i}`)
  const latest = latestRows(ROWS)
  expect(await group.getMany(ids)).toEqual(ids.map((id) => latest.get(id)))

  const rows = (await offlineRows(directory)).sort(({ n: a }, { n: b }) => Number(a) - Number(b))
  expect(rows.length).toBe(ROWS)
  rows.forEach(({ id, at, n, s, is_deleted, hour }, i) => {
    const expected = rowOf(i)
    // Comparing eighty thousand objects with a matcher takes longer than all the kills.
    const isSame = id === expected.id && at === expected.at && Number(n) === i && s === expected.s
    if (!isSame || is_deleted !== false || hour !== expected.at.slice(0, 13))
      expect(rows[i]).toEqual(expected)
  })

  expect(temporaryFiles(join(directory, 'offline'))).toEqual([])
  const statistics = await store.stats()
  expect(parquetFiles(directory).length, 'every visible file is one that the manifest names').toBe(
    statistics.offline.files,
  )
  expect(new Set(rows.map((row) => row.hour)).size).toBe(HOURS)
})
