/**
 * Every row is in exactly one buffer until its file is published, in the order it was logged; a large hour is cut
 * into parts from its oldest rows on. The oracle is an array of LSNs per hour.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ROW_BYTES, VALUE_LSN, VALUE_SECONDS, valueStart } from '../../src/codec/row.ts'
import { type HourBuffer, HourBuffers } from '../../src/stores/hour-buffers.ts'
import { RowChunks } from '../../src/stores/row-chunks.ts'
import { placeRows, type TestRow } from '../fixtures/packed-rows.ts'

const HOUR = 492_312

class Rows {
  readonly chunks = new RowChunks()
  readonly buffers = new HourBuffers(this.chunks)
  #lsn = 1

  /** @returns the LSNs and packed sizes of the rows */
  append(
    eventHour: number,
    rows: readonly Partial<TestRow>[],
    featureGroup = 1,
  ): { lsn: number; bytes: number }[] {
    const full = rows.map((row) => ({ id: 'a', seconds: eventHour * 3600, ...row }))
    const placed = placeRows(this.chunks, full, this.#lsn)
    this.#lsn += rows.length
    for (const { chunk, row, lsn } of placed) {
      this.buffers.append(featureGroup, eventHour, chunk, row, lsn, lsn)
    }
    this.chunks.release(placed[0]!.chunk)
    return placed.map(({ chunk, row, lsn }) => ({ lsn, bytes: chunk.u32[(row + ROW_BYTES) >>> 2]! }))
  }

  secondsOf(buffer: HourBuffer): number[] {
    return Array.from({ length: buffer.rows }, (_, i) => {
      const chunk = this.chunks.get(buffer.chunkAt(i))
      return chunk.f64[(valueStart(chunk, buffer.rowAt(i)) + VALUE_SECONDS) >>> 3]!
    })
  }

  lsnsOf(buffer: HourBuffer): number[] {
    return Array.from({ length: buffer.rows }, (_, i) => {
      const chunk = this.chunks.get(buffer.chunkAt(i))
      return chunk.f64[(valueStart(chunk, buffer.rowAt(i)) + VALUE_LSN) >>> 3]!
    })
  }
}

describe('hour buffers', () => {
  it('keep feature groups and hours apart, each in the order its rows were logged', () => {
    const rows = new Rows()
    const first = rows.append(HOUR, [{}, {}])
    const second = rows.append(HOUR + 1, [{}])
    const third = rows.append(HOUR, [{}])
    const other = rows.append(HOUR, [{}], 2)
    const lsns = new Map(
      [...rows.buffers.open()].map((buffer) => [
        `${buffer.featureGroup}:${buffer.eventHour}`,
        rows.lsnsOf(buffer),
      ]),
    )
    const expected = (list: { lsn: number }[]): number[] => list.map(({ lsn }) => lsn)
    expect(lsns).toEqual(
      new Map([
        [`1:${HOUR}`, expected([...first, ...third])],
        [`1:${HOUR + 1}`, expected(second)],
        [`2:${HOUR}`, expected(other)],
      ]),
    )
  })

  it.each([
    ['the first hour of year 0000', -17_268_672],
    ['the last hour of year 9999', 70_389_527],
  ])('take %s of any feature group for itself', (_, eventHour) => {
    const rows = new Rows()
    rows.append(eventHour, [{}], 1)
    rows.append(eventHour, [{}], 2)
    rows.append(HOUR, [{}], 1)
    expect([...rows.buffers.open()].map((buffer) => buffer.eventHour)).toEqual([eventHour, eventHour, HOUR])
    expect(rows.buffers.seal(2, eventHour, 1e9)?.featureGroup).toBe(2)
  })

  it('remember the latest event time of the rows, whatever their order', () => {
    const rows = new Rows()
    rows.append(HOUR, [{ seconds: HOUR * 3600 + 7 }, { seconds: HOUR * 3600 + 9 }, { seconds: HOUR * 3600 }])
    expect(rows.buffers.seal(1, HOUR, 1e9)?.latestSeconds).toBe(HOUR * 3600 + 9)
  })

  it('let go of the rows when their file is published, and not before', () => {
    const rows = new Rows()
    rows.append(HOUR, [{ note: 'x'.repeat(50_000) }])
    const buffer = rows.buffers.seal(1, HOUR, 1e9)!
    expect(rows.chunks.bytes).toBeGreaterThan(50_000)
    rows.buffers.release(buffer)
    expect(rows.chunks.bytes).toBe(0)
    expect(rows.buffers.rowBytes).toBe(0)
    expect(rows.buffers.rows).toBe(0)
    expect(rows.buffers.indexBytes).toBe(0)
  })

  it('are sealed whole if their last row alone makes them too large', () => {
    const rows = new Rows()
    rows.append(HOUR, [{}, {}, { note: 'x'.repeat(300_000) }])
    const sealed = rows.buffers.seal(1, HOUR, 32 * 1024)
    expect(sealed?.rows).toBe(3)
    expect(rows.buffers.openCount).toBe(0)
  })

  it('are sealed whole if they hold one huge row', () => {
    const rows = new Rows()
    rows.append(HOUR, [{ note: 'x'.repeat(300_000) }])
    expect(rows.buffers.seal(1, HOUR, 32 * 1024)?.rows).toBe(1)
    expect(rows.buffers.openCount).toBe(0)
  })

  it('give every row to exactly one part, oldest first, whatever the sizes', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 4000 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 8000 }), (noteLengths, bytesMax) => {
        const rows = new Rows()
        const added = rows.append(
          HOUR,
          noteLengths.map((length) => ({ note: 'n'.repeat(length), seconds: HOUR * 3600 + (length % 3600) })),
        )
        const largest = Math.max(...added.map((row) => row.bytes))
        const lsns: number[] = []
        const parts: HourBuffer[] = []
        for (let part = rows.buffers.seal(1, HOUR, bytesMax); part !== undefined; ) {
          const own = rows.lsnsOf(part)
          expect(part.firstLsn).toBe(own[0])
          expect(part.lastLsn).toBe(own.at(-1))
          expect(part.latestSeconds).toBe(Math.max(...rows.secondsOf(part)))
          expect(part.bytes).toBeLessThanOrEqual(Math.max(bytesMax * 1.25, bytesMax + largest))
          lsns.push(...own)
          parts.push(part)
          expect(rows.buffers.rows).toBe(added.length)
          part = rows.buffers.seal(1, HOUR, bytesMax)
        }
        expect(lsns).toEqual(added.map((row) => row.lsn))
        expect(rows.buffers.openCount).toBe(0)
        for (const part of parts) rows.buffers.release(part)
        expect({
          rows: rows.buffers.rows,
          bytes: rows.buffers.rowBytes,
          index: rows.buffers.indexBytes,
        }).toEqual({
          rows: 0,
          bytes: 0,
          index: 0,
        })
        rows.chunks.closeArena()
        expect(rows.chunks.bytes).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('know the lowest LSN that is still open', () => {
    const rows = new Rows()
    expect(rows.buffers.firstLsn).toBeUndefined()
    rows.append(HOUR, [{}])
    rows.append(HOUR + 1, [{}])
    rows.append(HOUR, [{}])
    expect(rows.buffers.firstLsn).toBe(1)
    rows.buffers.seal(1, HOUR, 1e9)
    expect(rows.buffers.firstLsn).toBe(2)
  })

  it('find nothing to seal in an hour without rows', () => {
    expect(new Rows().buffers.seal(1, HOUR, 1e9)).toBeUndefined()
  })
})
