/**
 * Which hours are due for a file, by rows, bytes, age, the end of the hour, memory and log; and that rows are let go
 * only when their file is named. Time is a parameter.
 */
import { tableFromIPC } from 'apache-arrow'
import { beforeEach, describe, expect, it } from 'vitest'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { type DueInputs, OfflineSide } from '../../src/workers/offline-side.ts'
import type { ShardConfig } from '../../src/workers/protocol.ts'
import { placeRows, SCHEMA, type TestRow } from '../fixtures/packed-rows.ts'

const HOUR_MS = 3_600_000
/** 2026-03-01T12. */
const NOON = 492_324

const CONFIG: ShardConfig = {
  shard: 0,
  shardCount: 1,
  storeId: new Uint8Array(16),
  walDirectory: '',
  onlineDirectory: '',
  durability: 'strict',
  syncIntervalMs: 50,
  segmentBytes: 1,
  logBytes: 1,
  memoryBytes: 64 * 1024 * 1024,
  flushAgeMs: 300_000,
  flushRows: 100,
  hasExpiryMarkers: true,
  manualClock: undefined,
  flushBytes: 50_000,
}

/** Nothing presses: half past noon, no time has passed. */
const IDLE: DueInputs = {
  nowMs: NOON * HOUR_MS + HOUR_MS / 2,
  monotonicMs: 0,
  isMemoryTight: false,
  heldLsn: 0,
}

let chunks: RowChunks
let offline: OfflineSide
let lsn: number
beforeEach(() => {
  chunks = new RowChunks()
  offline = new OfflineSide(chunks, CONFIG, { nowMs: () => 0, monotonicMs: () => 0 })
  lsn = 1
})

function append(eventHour: number, count: number, row: Partial<TestRow> = {}, monotonicMs = 0): void {
  const rows = Array.from({ length: count }, (_, i) => ({
    id: `id-${lsn + i}`,
    seconds: eventHour * 3600,
    ...row,
  }))
  const placed = placeRows(chunks, rows, lsn)
  for (const each of placed) offline.buffers.append(1, eventHour, each.chunk, each.row, each.lsn, monotonicMs)
  chunks.release(placed[0]!.chunk)
  lsn += count
}

function due(inputs: Partial<DueInputs> = {}): number[] {
  const all = { ...IDLE, ...inputs }
  const hours = offline.dueHours(all).map(({ eventHour }) => eventHour)
  expect(offline.hasDueHours(all)).toBe(hours.length > 0)
  return hours
}

describe('an hour is due', () => {
  it('when it has enough rows', () => {
    append(NOON, 99)
    expect(due()).toEqual([])
    append(NOON, 1)
    append(NOON + 1, 1)
    expect(due()).toEqual([NOON])
  })

  it('when it has enough bytes', () => {
    append(NOON, 1, { note: 'x'.repeat(49_000) })
    expect(due()).toEqual([])
    append(NOON, 1, { note: 'x'.repeat(1000) })
    expect(due()).toEqual([NOON])
  })

  it('when its oldest row has waited long enough, however new the others are', () => {
    append(NOON, 1, {}, 0)
    append(NOON, 1, {}, 299_000)
    append(NOON - 500, 1, {}, 1000)
    expect(due({ monotonicMs: 299_999 })).toEqual([])
    expect(due({ monotonicMs: 300_000 })).toEqual([NOON])
    expect(due({ monotonicMs: 301_000 })).toEqual([NOON, NOON - 500])
  })

  it('some seconds after the wall clock has left it, if it was the current hour', () => {
    append(NOON, 1)
    append(NOON - 1, 1)
    append(NOON + 5, 1)
    const endMs = (NOON + 1) * HOUR_MS
    // The rows came a minute before the end.
    const at = (nowMs: number): number[] => due({ nowMs, monotonicMs: nowMs - (endMs - 60_000) })
    expect(at(endMs)).toEqual([])
    expect(at(endMs + 9_999)).toEqual([])
    expect(at(endMs + 10_000)).toEqual([NOON])
  })

  it('when the log is held back by its first row', () => {
    append(NOON, 5)
    append(NOON + 1, 5)
    expect(due({ heldLsn: 1 })).toEqual([])
    expect(due({ heldLsn: 2 })).toEqual([NOON])
    expect(due({ heldLsn: 7 })).toEqual([NOON, NOON + 1])
  })

  it('when memory is tight: those that took no rows for longest, until half of the bytes go', () => {
    for (let hour = 0; hour < 4; hour++) append(NOON + hour, 10)
    append(NOON, 1)
    expect(due({ isMemoryTight: true })).toEqual([NOON + 1, NOON + 2, NOON + 3].slice(0, 3))
  })
})

describe('a sealed hour', () => {
  const seal = (round: number, ...hours: number[]): void => {
    const sealed = hours.map((eventHour) => ({ featureGroup: 1, eventHour }))
    offline.seal({ round, writeTimeUs: 5, partBytes: 1e9, hours: sealed })
  }
  const idsOf = async (round: number, eventHour: number): Promise<string[]> => {
    const pacing = { turnMsMax: () => 8, pause: () => Promise.resolve() }
    const { parts } = await offline.columns(
      round,
      [{ featureGroup: 1, eventHour, writeTimeUs: 5 }],
      () => SCHEMA,
      pacing,
    )
    return parts.flatMap(({ ipc }) =>
      tableFromIPC(ipc)
        .toArray()
        .map((row) => row.toJSON()['id'] as string),
    )
  }

  it('has the rows logged before its seal, and later ones belong to the next round', async () => {
    append(NOON, 3)
    seal(1, NOON)
    append(NOON, 2)
    expect(await idsOf(1, NOON)).toEqual(['id-1', 'id-2', 'id-3'])
    expect(await idsOf(2, NOON)).toEqual([])
    seal(2, NOON)
    expect(await idsOf(2, NOON)).toEqual(['id-4', 'id-5'])
    expect(await idsOf(1, NOON)).toEqual(['id-1', 'id-2', 'id-3'])
  })

  it('holds the published LSN back until its file is named', () => {
    append(NOON, 3)
    append(NOON + 1, 3)
    expect(offline.publishedLsn(6)).toBe(0)
    seal(1, NOON, NOON + 1)
    expect(offline.publishedLsn(6)).toBe(0)
    offline.published(1, [{ featureGroup: 1, eventHour: NOON }])
    expect(offline.publishedLsn(6)).toBe(3)
    append(NOON, 1)
    offline.published(1, [{ featureGroup: 1, eventHour: NOON + 1 }])
    expect(offline.publishedLsn(7)).toBe(6)
    seal(2, NOON)
    offline.published(2, [{ featureGroup: 1, eventHour: NOON }])
    expect(offline.publishedLsn(7)).toBe(7)
    expect(offline.pending()).toEqual([])
    chunks.closeArena()
    expect(chunks.bytes).toBe(0)
  })

  it('is told as pending with what its file needs', () => {
    append(NOON, 2, { seconds: NOON * 3600 + 7 })
    seal(3, NOON)
    expect(offline.pending()).toMatchObject([
      {
        round: 3,
        writeTimeUs: 5,
        parts: [
          {
            featureGroup: 1,
            eventHour: NOON,
            rows: 2,
            firstLsn: 1,
            lastLsn: 2,
            latestSeconds: NOON * 3600 + 7,
          },
        ],
      },
    ])
  })

  it('may be published twice: the second time nothing happens', () => {
    append(NOON, 1)
    seal(1, NOON)
    for (let i = 0; i < 2; i++) offline.published(1, [{ featureGroup: 1, eventHour: NOON }])
    expect(offline.buffers.rows).toBe(0)
  })
})
