/**
 * When the log is nearly full the hours that hold its older part become files; when it is full, and commits wait, all of
 * them do, because nothing else would make room.
 */
import { expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { type BudgetInputs, Budgets } from '../../src/workers/budgets.ts'

const LOG_BYTES = 1_000_000

/** A shard whose log holds so many bytes and the records 101 to 200; of everything else only what is asked for. */
const shardWith = (bytes: number): Budgets =>
  new Budgets({
    config: { memoryBytes: 1e9, logBytes: LOG_BYTES },
    clock: systemClock,
    log: { bytes, firstLsn: 101, nextLsn: 201 },
    chunks: { bytes: 0 },
    online: { memtableBytes: 0 },
    offline: { indexBytes: 0, buffers: { rowBytes: 0, indexBytes: 0 } },
  } as unknown as BudgetInputs)

it.each([
  ['no hour, while the log is short', LOG_BYTES * 0.5, 0],
  ['hours with rows of its older half, when it is long', LOG_BYTES * 0.7, 151],
  ['every hour, when it is full', LOG_BYTES, 201],
])('the log makes due %s', (_, bytes, heldLsn) => {
  expect(shardWith(bytes).dueInputs().heldLsn).toBe(heldLsn)
})
