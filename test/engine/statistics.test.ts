/** What `stats()` tells: numbers that agree with what was done, and lags that go to zero. */
import { statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parquetFiles } from '../fixtures/offline-rows.ts'
import { openStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const AT = '2026-03-01T12:00:00Z'
const LATER = '2026-03-01T12:00:01Z'

const READINGS = {
  name: 'readings',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', n: 'Integral' },
} as const

describe('the statistics', () => {
  it('of a new store are all zero', async () => {
    const store = await openStore()
    const { shards, memory, log, ...rest } = await store.stats()
    expect(rest).toEqual({
      records: { accepted: 0, rejected: 0, bytes: 0 },
      online: { lagRecords: 0 },
      offline: { lagRecords: 0, unpublishedRows: 0, files: 0, bytes: 0, encodeMs: 0, failure: undefined },
      featureGroups: [],
    })
    expect(memory).toMatchObject({ inFlightBytes: 0, shardBytes: 0, budgetBytes: 32 * 1024 * 1024 })
    expect(shards.length).toBe(2)
    expect(log.bytes).toBe(shards.reduce((sum, shard) => sum + shard.logBytes, 0))
  })

  it('count what was accepted and refused, what waits, and what is durable where', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(READINGS)
    await group.ingest([
      ...Array.from({ length: 100 }, (_, n) => ({ id: `id-${n}`, at: AT, n })),
      { id: '' } as never,
    ])
    const before = await store.stats()
    expect(before.records).toMatchObject({ accepted: 100, rejected: 1 })
    expect(before.records.bytes).toBeGreaterThan(100 * 64)
    expect(before.online.lagRecords).toBe(100)
    expect(before.offline).toMatchObject({ lagRecords: 100, unpublishedRows: 100, files: 0 })
    expect(before.shards.reduce((sum, shard) => sum + shard.memtableRecords, 0)).toBe(100)
    expect(before.shards.reduce((sum, shard) => sum + shard.lastLsn, 0)).toBe(100)
    expect(before.memory.shardBytes).toBeGreaterThan(before.records.bytes / 2)
    expect(before.log.bytes).toBeGreaterThan(before.records.bytes)

    await store.flush()
    const after = await store.stats()
    expect(after.online.lagRecords).toBe(0)
    expect(after.offline).toMatchObject({ lagRecords: 0, unpublishedRows: 0, files: 1, failure: undefined })
    const [file] = parquetFiles(store.directory)
    expect(after.offline.bytes).toBe(statSync(file!).size)
    expect(
      after.shards.every((shard) => shard.onlineLsn === shard.lastLsn && shard.offlineLsn === shard.lastLsn),
    ).toBe(true)
    expect(after.shards.every((shard) => shard.memtableRecords === 0)).toBe(true)
  })

  it('tell per feature group how many records are live, deleted and in files, also after reopening', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    const one = await store.createFeatureGroup(READINGS)
    const two = await store.createFeatureGroup({ ...READINGS, name: 'other' })
    for (let n = 0; n < 10; n++) await one.put({ id: `id-${n}`, at: AT, n })
    await two.put({ id: 'a', at: AT })
    await store.flush()
    await one.put({ id: 'id-0', at: LATER, n: 100 })
    await one.delete('id-1', LATER)
    await one.delete('id-2', LATER, { mode: 'hard' })
    await one.delete('id-3', AT)
    await one.delete('absent', AT)
    await store.flush()
    const expected = [
      { name: 'readings', online: { records: 8, softDeleted: 2 }, offline: { files: 2, rows: 15 } },
      { name: 'other', online: { records: 1, softDeleted: 0 }, offline: { files: 1, rows: 1 } },
    ]
    const { featureGroups } = await store.stats()
    expect(featureGroups).toMatchObject(expected)
    expect(featureGroups[0]!.online.bytes).toBeGreaterThan(8 * 24)

    await one.delete('id-1', '2026-03-01T12:00:02Z', { mode: 'hard' })
    await one.put({ id: 'absent', at: LATER })
    await store.close()
    const again = await openStore({}, directory)
    expect((await again.stats()).featureGroups).toMatchObject([
      { online: { records: 9, softDeleted: 0 }, offline: { rows: 17 } },
      expected[1]!,
    ])
    expect((await again.stats()).records.accepted).toBe(0)
  })

  it('add up the time of each stage', async () => {
    const store = await openStore()
    const group = await store.createFeatureGroup(READINGS)
    await group.ingest(Array.from({ length: 5000 }, (_, n) => ({ id: `id-${n}`, at: AT, n })))
    await store.flush()
    const { shards, offline } = await store.stats()
    for (const { timings } of shards) {
      for (const stage of ['log', 'apply', 'merge', 'columns'] as const)
        expect(timings[stage], stage).toBeGreaterThan(0)
    }
    expect(offline.encodeMs).toBeGreaterThan(0)
  })

  it('show a log that is trimmed behind both stores', async () => {
    const store = await openStore({ shards: 1, log: { segmentBytes: 64 * 1024, bytes: 512 * 1024 } })
    const group = await store.createFeatureGroup(READINGS)
    let highest = 0
    for (let i = 0; i < 60; i++) {
      await group.ingest(Array.from({ length: 500 }, (_, n) => ({ id: `id-${n}`, at: AT, n: i * 500 + n })))
      highest = Math.max(highest, (await store.stats()).log.bytes)
    }
    expect((await store.stats()).records.bytes).toBeGreaterThan(2 * 1024 * 1024)
    // One commit may pass the bound, because it is written whole.
    expect(highest).toBeLessThan(2 * 512 * 1024)
    await store.flush()
    expect((await store.stats()).log.bytes).toBeLessThan(256 * 1024)
  })
})
