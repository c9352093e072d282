/** The torn-tail table, cell by cell against the rule written as plain conditions. */
import { describe, expect, it } from 'vitest'
import {
  type Evidence,
  type SegmentPosition,
  type Tail,
  VERDICTS,
  type Verdict,
} from '../../src/wal/recovery.ts'

const positions: SegmentPosition[] = ['earlier', 'last']
const tails: Tail[] = ['clean', 'noise', 'unproven frame', 'proving frame']
const evidences: Evidence[] = ['covered', 'beyond']

function expected(position: SegmentPosition, tail: Tail, evidence: Evidence): Verdict {
  const isBad = tail !== 'clean'
  if (position === 'earlier') return isBad ? 'refuse damage' : 'accept' // (a)
  if (tail === 'proving frame') return 'refuse damage' // (b)
  if (evidence === 'beyond') return 'refuse missing data' // (c)
  return isBad ? 'cut' : 'accept' // (d)
}

describe('the torn-tail table', () => {
  for (const position of positions) {
    for (const tail of tails) {
      for (const evidence of evidences) {
        it(`answers ${position} / ${tail} / ${evidence}`, () => {
          expect(VERDICTS[position][tail][evidence]).toBe(expected(position, tail, evidence))
        })
      }
    }
  }

  it('has no other cells', () => {
    expect(Object.keys(VERDICTS).sort()).toEqual([...positions].sort())
    for (const byTail of Object.values(VERDICTS)) {
      expect(Object.keys(byTail).sort()).toEqual([...tails].sort())
      for (const byEvidence of Object.values(byTail)) {
        expect(Object.keys(byEvidence).sort()).toEqual([...evidences].sort())
      }
    }
  })

  it('cuts nowhere but at the end of a log that covers the evidence', () => {
    for (const tail of tails) {
      expect(VERDICTS.earlier[tail].covered).not.toBe('cut')
      expect(VERDICTS.earlier[tail].beyond).not.toBe('cut')
      expect(VERDICTS.last[tail].beyond).not.toBe('cut')
    }
  })
})
