/**
 * Goal: what waits to expire costs bounded memory, however much it is, and nothing that waits is forgotten.
 * Method: a partition of its own in a fresh directory; expiries are announced to the expirer as the partition does it.
 */
import { afterEach, expect, it } from 'vitest'
import { hashRangeOfShard } from '../../src/stores/memtable-index.ts'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { Expirer } from '../../src/workers/expirer.ts'
import { OnlineSide } from '../../src/workers/online-side.ts'
import { Stamps } from '../../src/workers/stamps.ts'
import { SCHEMA } from '../fixtures/packed-rows.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const NOW_MS = Date.UTC(2026, 2, 1, 12)
const GROUP = 1

const opened: OnlineSide[] = []
afterEach(async () => {
  for (const online of opened.splice(0)) await online.partition.close()
})

function openExpirer(): { online: OnlineSide; expirer: Expirer } {
  const online = new OnlineSide(temporaryDirectory(), hashRangeOfShard(0, 1), new RowChunks())
  opened.push(online)
  const schemas = new Map([[GROUP, SCHEMA]])
  const expirer = new Expirer({ online, stamps: new Stamps(), schemas, hasMarkers: true }, NOW_MS)
  // The index of stored expiries is empty: from here on everything near is announced.
  expirer.step(NOW_MS)
  return { online, expirer }
}

it('keeps a bounded number of timers, however many records are about to expire', () => {
  const { online, expirer } = openExpirer()
  const announce = (from: number, to: number): void => {
    for (let i = from; i < to; i++) online.partition.onExpiry(NOW_MS / 1000 + (i % 30), GROUP, i, i)
  }
  announce(0, 400_000)
  const full = expirer.bytes
  expect(full).toBeLessThan(32 * 1024 * 1024)
  announce(400_000, 800_000)
  expect(expirer.bytes).toBe(full)
})

it('keeps no timer of what expires later than soon: the stored index has it', () => {
  const { online, expirer } = openExpirer()
  const empty = expirer.bytes
  for (let i = 0; i < 100_000; i++) online.partition.onExpiry(NOW_MS / 1000 + 3600 + i, GROUP, i, i)
  expect(expirer.bytes).toBe(empty)
})
