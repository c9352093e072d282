/** Writes leave the queue in the order they came; conditional ones only with others, on other records. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { limits } from '../../src/core/limits.ts'
import { CommitQueue } from '../../src/workers/commit-queue.ts'
import { packRows } from '../fixtures/packed-rows.ts'

/** A batch of about so many bytes, of its own record unless it is told which. */
function push(
  queue: CommitQueue,
  number: number,
  noteBytes: number,
  isConditional = false,
  id = `id-${number}`,
): Promise<unknown> {
  const batch = packRows([{ id, seconds: number, note: 'x'.repeat(noteBytes) }])
  return queue.push(batch.buffer, batch.bytes, isConditional)
}

describe('a commit', () => {
  it('takes as many batches as fit, in order, and conditional writes apart, each on another record', () => {
    const write = fc.record({
      noteBytes: fc.oneof(
        { weight: 4, arbitrary: fc.nat(1000) },
        { weight: 1, arbitrary: fc.integer({ min: 100_000, max: 350_000 }) },
      ),
      isConditional: fc.boolean(),
      id: fc.constantFrom('a', 'b', 'c', 'd'),
    })
    fc.assert(
      fc.property(fc.array(write, { maxLength: 30 }), (writes) => {
        const queue = new CommitQueue()
        writes.forEach(
          ({ noteBytes, isConditional, id }, i) => void push(queue, i, noteBytes, isConditional, id),
        )
        const commits: number[][] = []
        let taken = 0
        while (!queue.isEmpty) {
          const commit = queue.take()
          expect(commit.length).toBeGreaterThan(0)
          const bytes = commit.reduce((sum, each) => sum + each.bytes, 0)
          expect(bytes <= limits.commitBytesMax || commit.length === 1).toBe(true)
          commits.push(commit.map(() => taken++))
          if (commit.some((each) => each.isConditional)) {
            const ids = commits.at(-1)!.map((i) => writes[i]!.id)
            expect(new Set(ids).size).toBe(ids.length)
          }
          commit.forEach((each, i) => {
            expect(each.isConditional).toBe(writes[commits.at(-1)![i]!]!.isConditional)
          })
        }
        expect(commits.flat()).toEqual(writes.map((_, i) => i))
        expect(queue.bytes).toBe(0)
        expect(queue.take()).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('settles its writers one by one', async () => {
    const queue = new CommitQueue()
    const outcomes = [push(queue, 1, 0), push(queue, 2, 0)]
    const [first, second] = queue.take()
    const error = new MillraceError('DISK_FULL', 'no space')
    first!.settle(undefined)
    second!.settle(error)
    expect(await Promise.all(outcomes)).toEqual([undefined, error])
  })
})

describe('a queue', () => {
  it('refuses everything that waits, once, and goes on empty', async () => {
    const queue = new CommitQueue()
    const error = new MillraceError('LOG_POISONED', 'the outcome is unknown')
    const taken = push(queue, 0, 400_000)
    const waiting = Array.from({ length: 5 }, (_, i) => push(queue, i + 1, 350_000))
    const commit = queue.take()
    queue.refuseAll(error)
    expect(queue.isEmpty).toBe(true)
    expect(queue.bytes).toBe(0)
    for (const write of commit) write.settle(undefined)
    expect(await taken).toBeUndefined()
    const outcomes = await Promise.all(waiting)
    expect(outcomes.slice(commit.length - 1)).toEqual(outcomes.slice(commit.length - 1).map(() => error))
    void push(queue, 9, 0)
    expect(queue.take().length).toBe(1)
  })

  it('refuses bytes that are no batch', () => {
    expect(() => new CommitQueue().push(new ArrayBuffer(64), 64, false)).toThrow(
      'a batch starts with its magic',
    )
  })
})
