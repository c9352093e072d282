/** The commands of a model run: what they do to the model, to the store, and what must agree. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { MillraceError } from '../../src/core/errors.ts'
import { hashHigh, shardOfHash } from '../../src/core/record-hash.ts'
import type { DeleteOptions, IngestOptions, PutOptions, TargetStore, TimeToLive } from '../../src/index.ts'
import { Killed, type PlainRow } from '../fixtures/store-process.ts'
import type { GroupModel } from './group-model.ts'
import { REPLAY_PATH } from './settings.ts'
import { DEFINITION, type StoreUnderTest } from './store-under-test.ts'

export interface Run {
  readonly model: GroupModel
  /** Numbers the writes; every put carries one, so that no two offline rows are equal. */
  sequence: number
  readonly ids: Set<string>
  /** The latest that the clock has shown. */
  highestMs: number
}

type Record = PlainRow & { readonly id: string; readonly at: string }
type Put = { readonly type: 'put'; readonly record: Record; readonly options: PutOptions }
type Delete = {
  readonly type: 'delete'
  readonly id: string
  readonly at: string
  readonly options: DeleteOptions
}
type Write = Put | Delete

function apply(model: GroupModel, write: Write): string {
  if (write.type === 'put') return model.put(write.record, write.options)
  const { mode = 'soft', ...targets } = write.options
  return model.delete(write.id, write.at, { mode, ...targets })
}

const rowTextOf = (model: GroupModel, write: Write): string =>
  write.type === 'put' ? model.textOfPut(write.record) : model.textOfDelete(write.id, write.at)

type Command = fc.AsyncCommand<Run, StoreUnderTest>

const command = (name: string, run: (run: Run, store: StoreUnderTest) => Promise<void>): Command => ({
  check: () => true,
  run,
  toString: () => name,
})

const IDS = [
  ...['a', 'A', 'b', '1', '01', '1.0', 'é', 'e\u0301', '🚕', 'constructor', '__proto__', ' '],
  // Past the longest key that the online partition takes; the two differ in their last byte only.
  ...['x', 'y'].map((end) => `${'long'.repeat(490)}${end}`),
]

const id = fc.constantFrom(...IDS)
const eventTime = fc
  .tuple(
    fc.constantFrom(
      '2026-03-01T12:00:00',
      '2026-03-01T12:00:00',
      '2026-03-01T12:00:01',
      '2026-03-01T11:59:59',
      '1969-12-31T23:59:59',
      '0000-01-01T00:00:00',
    ),
    fc.constantFrom('', '.0', '.000', '.5', '.500', '.000000001', '.999999999'),
  )
  .map(([seconds, fraction]) => `${seconds}${fraction}Z`)
const stores = fc.constantFrom<(readonly TargetStore[] | undefined)[]>(
  undefined,
  undefined,
  undefined,
  ['online'],
  ['offline'],
  ['offline', 'online'],
)
const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constantFrom(...[9_000, 60_000, 150_000].map((length) => 'ß'.repeat(length))) },
)

interface Values {
  readonly isHuge: boolean
  readonly x: number | null
  readonly s: string | null
}

const values: fc.Arbitrary<Values> = fc.record({
  isHuge: fc.boolean(),
  x: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Object.is(x, -0))),
  s: fc.option(text),
})

/** A record whose number makes its row unlike all others. */
function put(run: Run, at: string, recordId: string, { isHuge, x, s }: Values, options: PutOptions): Put {
  run.sequence++
  run.ids.add(recordId)
  const n = isHuge ? 2n ** 63n - BigInt(run.sequence) : run.sequence
  return { type: 'put', record: { id: recordId, at, n, x, s }, options }
}

const ttl = fc.constantFrom<(TimeToLive | undefined)[]>(
  undefined,
  undefined,
  { unit: 'Seconds', value: 1 },
  { unit: 'Seconds', value: 30 },
  { unit: 'Minutes', value: 1 },
  { unit: 'Minutes', value: 10 },
  { unit: 'Hours', value: 1 },
  { unit: 'Weeks', value: 3000 },
)
const settings = fc
  .record({ targets: stores, ttl })
  .map(({ targets, ttl }): PutOptions => ({ ...(targets && { stores: targets }), ...(ttl && { ttl }) }))
const textOf = ({ stores = [], ttl }: PutOptions): string =>
  [...stores, ...(ttl === undefined ? [] : [`ttl ${ttl.value} ${ttl.unit}`])].join(' ')

const putCommand = fc.tuple(id, eventTime, values, settings).map(([recordId, at, rest, options]) =>
  command(`put ${recordId.slice(-4)} ${at} ${textOf(options)}`, async (run, store) => {
    const write = put(run, at, recordId, rest, options)
    await store.process.call('put', { record: write.record, options })
    expect(apply(run.model, write)).toBe('accepted')
  }),
)

const deleteCommand = fc
  .tuple(id, eventTime, fc.constantFrom('soft' as const, 'hard' as const), stores)
  .map(([recordId, at, mode, targets]) =>
    command(`${mode} delete ${recordId.slice(-4)} ${at} ${targets ?? ''}`, async (run, store) => {
      const options = { mode, ...(targets && { stores: targets }) }
      const expected = apply(run.model, { type: 'delete', id: recordId, at, options })
      const outcome = await store.process.call('delete', { id: recordId, eventTime: at, options }).then(
        () => 'accepted',
        (error: MillraceError) => error.code,
      )
      expect(outcome).toBe(expected)
    }),
  )

const updateCommand = fc
  .tuple(id, fc.option(eventTime, { nil: undefined }), fc.option(text, { nil: undefined }), settings)
  .map(([recordId, at, s, options]) =>
    command(`update ${recordId.slice(-4)} ${at ?? ''} ${textOf(options)}`, async (run, store) => {
      run.sequence++
      const changes: PlainRow = { n: run.sequence, ...(at && { at }), ...(s !== undefined && { s }) }
      const operation = { type: 'update', group: DEFINITION.name, id: recordId, changes, options } as const
      const { outcome } = await store.perform(operation)
      expect(outcome).toBe(run.model.update(recordId, changes, options))
    }),
  )

/** How far the clock is moved, in milliseconds. It stands 100 ms after full and half seconds, see CRASH_START_MS. */
const clockStepMs = fc.constantFrom(-2000, 500, 1000, 1500, 30_000, 61_000, 600_000)

/** What has expired is swept at once, so every marker can be told. */
const clockCommand = clockStepMs.map((stepMs) =>
  command(`clock ${stepMs} ms`, async (run, store) => {
    await putBriefly(run, store)
    await moveClock(run, store, { nowMs: store.nowMs + stepMs, isSweeping: true })
    store.coverage.expired += run.model.sweep()
  }),
)

/** The sweep is on its way when the process is killed: every marker is there once. */
const crashExpiryCommand = fc.tuple(clockStepMs, fc.nat(12)).map(([stepMs, delayMs]) =>
  command(`crash ${delayMs} ms after clock ${stepMs} ms`, async (run, store) => {
    await putBriefly(run, store)
    await moveClock(run, store, { nowMs: store.nowMs + stepMs, isSweeping: false })
    const swept = store.perform({ type: 'expire' }).then(() => undefined, ignoreKilled)
    await crash(store, delayMs)
    await swept
    await store.open()
    await store.perform({ type: 'expire' })
    store.coverage.expired += run.model.sweep()
    await checkOnline(run, store, 5, true)
  }),
)

/** So that most moves of the clock have something to expire. */
async function putBriefly(run: Run, store: StoreUnderTest): Promise<void> {
  const at = new Date(store.nowMs).toISOString()
  const options: PutOptions = { ttl: { unit: 'Seconds', value: 1 } }
  const write = put(run, at, `brief-${run.sequence % 3}`, { isHuge: false, x: null, s: null }, options)
  await store.process.call('put', { record: write.record, options })
  apply(run.model, write)
}

export async function moveClock(
  run: Run,
  store: StoreUnderTest,
  { nowMs, isSweeping }: { nowMs: number; isSweeping: boolean },
): Promise<void> {
  const at = new Date(nowMs).toISOString()
  const { record } = put(run, at, 'clock', { isHuge: false, x: null, s: null }, {})
  const isBack = nowMs < store.nowMs
  const { outcome } = await store.perform({
    type: 'clock',
    group: DEFINITION.name,
    nowMs,
    isSweeping,
    row: record,
  })
  expect(outcome).toBe('accepted')
  if (isBack) run.model.sweep()
  store.nowMs = nowMs
  if (nowMs > run.highestMs) {
    run.highestMs = nowMs
    run.model.setNow(nowMs)
  }
  if (!isBack) run.model.put(record, {})
}

/** Rows that are refused, and the feature that is to blame. */
const BAD_ROWS: readonly (readonly [PlainRow | null, string | undefined])[] = [
  [{ id: '', at: '2026-03-01T12:00:00Z' }, 'id'],
  [{ at: '2026-03-01T12:00:00Z' }, 'id'],
  [{ id: 'a' }, 'at'],
  [{ id: 'a', at: '2026-02-29T12:00:00Z' }, 'at'],
  [{ id: 'a', at: '2026-03-01T12:00:00Z', n: 1.5 }, 'n'],
  [{ id: 'a', at: '2026-03-01T12:00:00Z', s: 'unset', x: 'no' }, 'x'],
  [{ id: 'a', at: '2026-03-01T12:00:00Z', s: '\ud800' }, 's'],
  [{ id: 'a', at: '2026-03-01T12:00:00Z', z: 1 }, 'z'],
  [null, undefined],
]

const ingestRow = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(id, eventTime, values) },
  { weight: 1, arbitrary: fc.nat(BAD_ROWS.length - 1) },
)

const ingestCommand = fc
  .tuple(fc.array(ingestRow, { maxLength: 30 }), fc.boolean(), settings)
  .map(([rows, isNested, options]) =>
    command(`ingest ${rows.length} rows ${textOf(options)}`, async (run, store) => {
      const errors: { row: number; feature: string | undefined }[] = []
      const given = rows.map((row, i) => {
        if (typeof row === 'number') {
          const [bad, feature] = BAD_ROWS[row]!
          errors.push({ row: i, feature })
          return bad
        }
        const [recordId, at, rest] = row
        const write = put(run, at, recordId, rest, options)
        apply(run.model, write)
        return write.record
      })
      const half = Math.floor(given.length / 2)
      const input = isNested ? [given.slice(0, half), given.slice(half)] : given
      const report = await store.process.call('ingest', { rows: input, options })
      expect(report.errors.map(({ row, feature }) => ({ row, feature }))).toEqual(errors)
      expect({ accepted: report.accepted, rejected: report.rejected, rows: report.rows }).toEqual({
        accepted: rows.length - errors.length,
        rejected: errors.length,
        rows: rows.length,
      })
    }),
  )

/** Enough rows for log segments to roll, and for hours to be cut into several files. */
function manyRows(run: Run, count: number): Put[] {
  return Array.from({ length: count }, (_, i) =>
    put(
      run,
      `2026-03-0${1 + (i % 2)}T12:00:00.${i}Z`,
      `many-${(i * 7) % 500}`,
      { isHuge: false, x: i / 7, s: 'payload '.repeat(40) },
      {},
    ),
  )
}

const manyCommand = fc.integer({ min: 100, max: 700 }).map((count) =>
  command(`ingest ${count} large rows`, async (run, store) => {
    const writes = manyRows(run, count)
    await store.process.call('ingest', { rows: writes.map((write) => write.record), options: {} })
    for (const write of writes) apply(run.model, write)
  }),
)

const readCommand = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.boolean())
  .map(([pageSize, includeSoftDeleted]) =>
    command(
      `read, pages of ${pageSize}${includeSoftDeleted ? ' with soft-deleted ones' : ''}`,
      async (run, store) => {
        await checkOnline(run, store, pageSize, includeSoftDeleted)
      },
    ),
  )

export async function checkOnline(
  run: Run,
  store: StoreUnderTest,
  pageSize: number,
  includeSoftDeleted: boolean,
): Promise<void> {
  await store.checkRecords(run.model, [...IDS, ...run.ids, 'never written'])
  // Small pages of many records would take thousands of calls.
  const isLarge = run.model.ids(true).length > 100
  await store.checkListing(run.model, isLarge ? pageSize * 20 : pageSize, includeSoftDeleted)
}

const flushCommand = fc.constant(
  command('flush', (run, store) => store.checkOffline(run.model, run.highestMs)),
)

const closeCommand = fc.boolean().map((isFlushing) =>
  command(`close${isFlushing ? '' : ' without flushing'} and reopen`, async (run, store) => {
    await store.takeStatistics()
    await store.process.call('close', { options: { flush: isFlushing } })
    const { replayedRecords } = await store.reopen()
    if (isFlushing) expect(replayedRecords).toBe(0)
    await checkOnline(run, store, 7, true)
  }),
)

const lateWrite = fc.tuple(id, eventTime, values, fc.boolean(), ttl)

/** Single writes are on their way when the process is killed: what was acknowledged is there, of the rest a prefix per shard. */
const crashCommand = fc.tuple(fc.array(lateWrite, { maxLength: 40 }), fc.nat(12)).map(([late, delayMs]) =>
  command(`crash after ${delayMs} ms with ${late.length} writes on their way`, async (run, store) => {
    const acknowledged = new Set<Write>()
    const outcomes: Promise<void>[] = []
    const writes = late.map(([recordId, at, rest, isDelete, ttl], i): Write => {
      const unique = `${at.slice(0, 19)}.${String(run.sequence + i).padStart(9, '0')}Z`
      const write: Write = isDelete
        ? { type: 'delete', id: recordId, at: unique, options: {} }
        : put(run, at, recordId, rest, ttl === undefined ? {} : { ttl })
      const sent: Promise<unknown> =
        write.type === 'put'
          ? store.process.call('put', { record: write.record, options: write.options })
          : store.process.call('delete', { id: write.id, eventTime: write.at, options: {} })
      outcomes.push(sent.then(() => void acknowledged.add(write), ignoreKilled))
      return write
    })
    run.sequence += late.length
    await crash(store, delayMs)
    await Promise.all(outcomes)
    await store.open()
    const survivors = await takeSurvivors(run, store, writes)
    for (const write of acknowledged) expect(survivors, 'an acknowledged write survives').toContain(write)
    for (const lists of byShard(writes)) {
      const kept = lists.map((write) => survivors.has(write))
      expect(kept, 'the log is cut at one place').toEqual([...kept].sort((a, b) => Number(b) - Number(a)))
    }
    store.coverage.survivors += survivors.size
    for (const write of writes) if (survivors.has(write)) apply(run.model, write)
    await checkOnline(run, store, 5, true)
  }),
)

/** An ingestion of a source is on its way when the process is killed: repeated, every row is there exactly once. */
const crashIngestCommand = fc.tuple(fc.integer({ min: 0, max: 900 }), fc.nat(30)).map(([count, delayMs]) =>
  command(`crash after ${delayMs} ms in an ingestion of ${count} rows`, async (run, store) => {
    const writes = manyRows(run, count)
    const rows = writes.map((write) => write.record)
    const options: IngestOptions = { source: { id: `source-${run.sequence}` } }
    const outcome = store.process.call('ingest', { rows, options }).then(() => undefined, ignoreKilled)
    await crash(store, delayMs)
    await outcome
    await store.open()
    const report = await store.process.call('ingest', { rows, options })
    expect(report.skipped + report.accepted).toBe(count)
    for (const write of writes) apply(run.model, write)
    await checkOnline(run, store, 5, true)
  }),
)

async function crash(store: StoreUnderTest, delayMs: number): Promise<void> {
  store.coverage.crashes++
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  await store.restart()
}

function ignoreKilled(error: unknown): void {
  if (!(error instanceof Killed)) throw error
}

/** The writes among `candidates` that the store has and the model does not know of yet. */
async function takeSurvivors(
  run: Run,
  store: StoreUnderTest,
  candidates: readonly Write[],
): Promise<Set<Write>> {
  const unexplained = await store.flushedRows()
  for (const row of run.model.offlineTexts()) {
    const at = unexplained.indexOf(row)
    expect(at, `an acknowledged row is in a file: ${row.slice(0, 200)}`).toBeGreaterThanOrEqual(0)
    unexplained.splice(at, 1)
  }
  const survivors = new Set<Write>()
  for (const row of unexplained) {
    const write = candidates.find((each) => !survivors.has(each) && rowTextOf(run.model, each) === row)
    expect(write, `a row in a file was once written: ${row.slice(0, 200)}`).toBeDefined()
    survivors.add(write!)
  }
  return survivors
}

function byShard(writes: readonly Write[]): Write[][] {
  const shards: Write[][] = [[], []]
  for (const write of writes) {
    const bytes = Buffer.from(write.type === 'put' ? write.record.id : write.id)
    shards[shardOfHash(hashHigh(bytes, 0, bytes.length), 2)]!.push(write)
  }
  return shards
}

export const commands = fc.commands(
  [
    putCommand,
    putCommand,
    deleteCommand,
    deleteCommand,
    updateCommand,
    updateCommand,
    clockCommand,
    ingestCommand,
    manyCommand,
    readCommand,
    flushCommand,
    closeCommand,
    crashCommand,
    crashIngestCommand,
    crashExpiryCommand,
  ],
  { maxCommands: 40, size: 'max', ...(REPLAY_PATH && { replayPath: REPLAY_PATH }) },
)
