/** Goal: memory comes back and is used again, within its bound. Method: look at the buffers that are given. */
import { describe, expect, it } from 'vitest'
import { ScratchLease, ScratchMemory } from '../../src/codec/scratch-memory.ts'

const KIB = 1024

describe('ScratchMemory', () => {
  it('gives at least what was asked for', () => {
    const memory = new ScratchMemory()
    for (const bytes of [0, 1, 100, 16 * KIB, 16 * KIB + 1, 1_000_003]) {
      const { byteLength } = memory.take(bytes)
      expect(byteLength).toBeGreaterThanOrEqual(bytes)
      expect(byteLength).toBeLessThanOrEqual(bytes * 1.25 + 1)
    }
  })

  it('gives a released buffer to the next who asks for that size', () => {
    const memory = new ScratchMemory()
    const first = memory.take(100 * KIB)
    memory.release([first])
    expect(memory.take(99 * KIB)).toBe(first)
    expect(memory.take(99 * KIB)).not.toBe(first)
  })

  it('keeps no more than its bound', () => {
    const memory = new ScratchMemory(150 * KIB)
    const buffers = [memory.take(100 * KIB), memory.take(100 * KIB)]
    memory.release(buffers)
    expect(memory.take(100 * KIB)).toBe(buffers[0])
    expect(buffers).not.toContain(memory.take(100 * KIB))
  })

  it('takes everything of a lease back at once, and only once', () => {
    const memory = new ScratchMemory()
    const lease = new ScratchLease(memory)
    const buffer = lease.take(100 * KIB)
    lease.end()
    lease.end()
    expect(memory.take(100 * KIB)).toBe(buffer)
    expect(memory.take(100 * KIB)).not.toBe(buffer)
  })
})
