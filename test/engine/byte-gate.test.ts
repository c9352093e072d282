/** No more is on its way than the limit, nobody overtakes, and nobody waits for ever. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteGate } from '../../src/engine/byte-gate.ts'

const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve()
}

describe('a gate', () => {
  it('lets in what fits at once', async () => {
    const gate = new ByteGate(10)
    await gate.acquire(4)
    await gate.acquire(6)
    expect(gate.held).toBe(10)
    expect(gate.wouldWait(1)).toBe(true)
  })

  it('lets in a portion larger than the limit when nothing else is held', async () => {
    const gate = new ByteGate(10)
    await gate.acquire(50)
    expect(gate.held).toBe(50)
    let isIn = false
    const next = gate.acquire(1).then(() => {
      isIn = true
    })
    await settled()
    expect(isIn).toBe(false)
    gate.release(50)
    await next
    expect(gate.held).toBe(1)
  })

  it('lets nobody slip in before those who wait, however small', async () => {
    const gate = new ByteGate(10)
    await gate.acquire(8)
    const order: string[] = []
    const large = gate.acquire(9).then(() => order.push('large'))
    const small = gate.acquire(1).then(() => order.push('small'))
    expect(gate.wouldWait(1)).toBe(true)
    await settled()
    expect(order).toEqual([])
    gate.release(8)
    await Promise.all([large, small])
    expect(order).toEqual(['large', 'small'])
    expect(gate.held).toBe(10)
  })

  it('refuses to release what was not held', async () => {
    const gate = new ByteGate(10)
    await gate.acquire(3)
    expect(() => gate.release(4)).toThrow('no more bytes are released than were held')
  })

  it('keeps the limit and the order for any portions, and ends at zero', async () => {
    const portions = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(
        portions,
        fc.integer({ min: 1, max: 20 }),
        fc.scheduler(),
        async (bytes, limit, scheduler) => {
          const gate = new ByteGate(limit)
          const entered: number[] = []
          const work = bytes.map(async (each, i) => {
            await gate.acquire(each)
            entered.push(i)
            expect(gate.held <= limit || gate.held === each).toBe(true)
            await scheduler.schedule(Promise.resolve(), `work ${i}`)
            gate.release(each)
          })
          await scheduler.waitFor(Promise.all(work))
          expect(entered).toEqual(bytes.map((_, i) => i))
          expect(gate.held).toBe(0)
          expect(gate.wouldWait(1)).toBe(false)
        },
      ),
      { numRuns: 50 },
    )
  })
})
