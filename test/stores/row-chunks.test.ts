/** Rows are held for as long as anyone refers to them, and the bytes held are known exactly. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BATCH_BUFFER_BYTES } from '../../src/codec/batch.ts'
import { limits } from '../../src/core/limits.ts'
import { type RowChunk, RowChunks } from '../../src/stores/row-chunks.ts'

const LARGE = limits.batchAdoptBytesMin
const ARENA_BYTES = 1024 * 1024

describe('chunks', () => {
  it('take over a large batch as it is, and let it go with its last reference', () => {
    const chunks = new RowChunks()
    const buffer = new Uint8Array(LARGE + 16).fill(7).buffer
    const { chunk, at } = chunks.adopt(buffer, 8, 8 + LARGE)
    expect(at).toBe(0)
    expect(chunk.u8.buffer).toBe(buffer)
    expect(chunk.u8.length).toBe(LARGE)
    chunks.retain(chunk, 3)
    chunks.release(chunk)
    chunks.release(chunk, 2)
    expect(chunks.get(chunk.number)).toBe(chunk)
    expect(chunks.bytes).toBe(LARGE)
    chunks.release(chunk)
    expect(chunks.bytes).toBe(0)
    expect(() => chunks.get(chunk.number)).toThrow('a referenced chunk is held')
    expect(() => chunks.release(chunk)).toThrow('not released more often than retained')
  })

  it('copy small batches together, so that a million puts are not a million buffers', () => {
    const chunks = new RowChunks()
    const placed = Array.from({ length: 1000 }, (_, i) => {
      const buffer = new Uint8Array(64).fill(i % 256).buffer
      const { chunk, at } = chunks.adopt(buffer, 0, 64)
      new Uint8Array(buffer).fill(0)
      return { chunk, at, value: i % 256 }
    })
    expect(new Set(placed.map(({ chunk }) => chunk)).size).toBe(1)
    expect(new Set(placed.map(({ at }) => at)).size).toBe(1000)
    for (const { chunk, at, value } of placed)
      expect(chunk.u8.subarray(at, at + 64).every((byte) => byte === value)).toBe(true)
    for (const { chunk } of placed) chunks.release(chunk)
    expect(chunks.bytes).toBe(ARENA_BYTES)
    chunks.closeArena()
    expect(chunks.bytes).toBe(0)
  })

  it('give the buffers of whole released batches away for the next ones, up to a bound', () => {
    const chunks = new RowChunks(2 * BATCH_BUFFER_BYTES)
    const adopted = Array.from(
      { length: 3 },
      () => chunks.adopt(new ArrayBuffer(BATCH_BUFFER_BYTES), 0, LARGE, true).chunk,
    )
    expect(chunks.bytes).toBe(3 * BATCH_BUFFER_BYTES)
    expect(chunks.takeSpare(5)).toEqual([])
    const buffers = new Set(adopted.map(({ u8 }) => u8.buffer))
    for (const chunk of adopted) chunks.release(chunk)
    expect(chunks.bytes).toBe(2 * BATCH_BUFFER_BYTES)
    const spare = chunks.takeSpare(5)
    expect(spare.length).toBe(2)
    for (const buffer of spare) expect(buffers.has(buffer)).toBe(true)
    expect(chunks.bytes).toBe(0)
    // A part of a larger buffer, as replay adopts it, is not to be filled again.
    chunks.release(chunks.adopt(new ArrayBuffer(BATCH_BUFFER_BYTES), 0, LARGE, false).chunk)
    expect(chunks.takeSpare(5)).toEqual([])
    expect(chunks.bytes).toBe(0)
  })

  it('know the bytes they hold through any order of taking and letting go', () => {
    const action = fc.oneof(
      fc.record({ adopt: fc.integer({ min: 1, max: 12 }).map((n) => n * 8 * 1024) }),
      fc.record({ retain: fc.nat(50) }),
      fc.record({ release: fc.nat(50) }),
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 120 }), (actions) => {
        const chunks = new RowChunks()
        const references: RowChunk[] = []
        for (const step of actions) {
          if ('adopt' in step) {
            references.push(chunks.adopt(new ArrayBuffer(step.adopt), 0, step.adopt).chunk)
          } else if (references.length === 0) continue
          else if ('retain' in step) {
            const chunk = references[step.retain % references.length]!
            chunks.retain(chunk)
            references.push(chunk)
          } else chunks.release(references.splice(step.release % references.length, 1)[0]!)
          for (const chunk of references) expect(chunks.get(chunk.number)).toBe(chunk)
          const held = new Set(chunks.list.filter((chunk) => chunk !== undefined))
          expect(chunks.bytes).toBe([...held].reduce((sum, chunk) => sum + chunk.bytes, 0))
          for (const chunk of references) expect(held.has(chunk)).toBe(true)
        }
        for (const chunk of references) chunks.release(chunk)
        chunks.closeArena()
        expect(chunks.bytes).toBe(0)
        expect(chunks.list.every((chunk) => chunk === undefined)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})
