/** A source's batches are taken only in sequence, and its positions are what was taken. */
import { describe, expect, it } from 'vitest'
import { type BatchHeader, readBatchHeader } from '../../src/codec/batch.ts'
import { BatchBuilder } from '../../src/codec/batch-builder.ts'
import { viewRows } from '../../src/codec/row.ts'
import { hasSource, Sources } from '../../src/workers/sources.ts'

function headerOf(low: number, high: number, sourceFrom: number, sourceUpTo: number): BatchHeader {
  const origin = { featureGroup: 1, sourceLow: low, sourceHigh: high, sourceFrom, sourceUpTo }
  const { buffer, bytes } = new BatchBuilder().finish(origin)
  return readBatchHeader(viewRows(buffer, 0, bytes), 0)
}

describe('sources', () => {
  it('start at zero, each with its own position', () => {
    const sources = new Sources()
    expect(sources.position(1, 2)).toBe(0)
    sources.set(1, 2, 10)
    sources.set(2, 1, 20)
    sources.set(1, 2, 11)
    expect([sources.position(1, 2), sources.position(2, 1), sources.position(1, 1)]).toEqual([11, 20, 0])
    expect(sources.all()).toEqual([
      { low: 1, high: 2, position: 11 },
      { low: 2, high: 1, position: 20 },
    ])
  })

  it('refuse a batch that does not start where the last one ended, with both positions', () => {
    const sources = new Sources()
    expect(sources.check(headerOf(1, 0, 10, 20), 10)).toBeUndefined()
    for (const from of [0, 9, 11]) {
      expect(sources.check(headerOf(1, 0, 10, 20), from)).toMatchObject({
        code: 'OUT_OF_SEQUENCE',
        message: expect.stringMatching(new RegExp(`expected position ${from}, found 10`)),
      })
    }
  })

  it('do not remember batches without a source', () => {
    const sources = new Sources()
    expect(hasSource(headerOf(0, 0, 0, 0))).toBe(false)
    sources.set(0, 0, 5)
    expect(sources.all()).toEqual([])
    // Either half may be zero.
    expect(hasSource(headerOf(0, 1, 0, 0)) && hasSource(headerOf(1, 0, 0, 0))).toBe(true)
  })
})
