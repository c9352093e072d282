/**
 * Goal: docs/CONFORMANCE.md tells the truth: it is what the script makes of the tests as they are, every citation is of
 * a rule that exists, and no rule of the engine is without a test or a reason.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  CONFORMANCE_FILE,
  citationsOf,
  conformanceOf,
  projectConformance,
  type Reason,
  render,
} from '../scripts/conformance.ts'

describe('the conformance of this project', () => {
  const conformance = projectConformance()

  it('is as docs/CONFORMANCE.md says; otherwise run `npm run conformance`', () => {
    expect(readFileSync(CONFORMANCE_FILE, 'utf8')).toBe(render(conformance))
  })

  it('is told by tests and reasons that name existing rules only', () => {
    expect(conformance.mistakes).toEqual([])
  })

  it('has a test or a reason for every rule', () => {
    expect(conformance.verdicts.filter(({ status }) => status === 'missing').map(({ id }) => id)).toEqual([])
    // So that a change of the specification's layout cannot empty the list unseen.
    expect(conformance.verdicts.length).toBeGreaterThanOrEqual(297)
  })
})

describe('the script', () => {
  const SPECIFICATION = [
    '### b.1 Transport',
    '- **R-001** `[client]` One listener. More of it.',
    '### b.4 PutRecord',
    '- **R-110** `[model]` Replaces `a|b`.',
    '- **R-111** `[doc]` Targets.',
    '### f.4 Event time',
    'Accepted grammar.',
  ].join('\n')
  const statusesOf = (source: string, reasons: readonly Reason[] = []): Record<string, string> =>
    Object.fromEntries(
      conformanceOf(SPECIFICATION, new Map([['a', source]]), reasons).verdicts.map(({ id, status }) => [
        id,
        status,
      ]),
    )

  it('finds citations in titles and tables of titles, not in comments', () => {
    const source = [
      "it('one (R-001)', () => {}) // R-002",
      '/* R-003 */ describe(`two (R-004)`, f)',
      "it.each([['three, R-005 and R-006']])('%s (f.4)', () => /it's R-007/)",
      `it("don't (R-008)", () => { const divided = 1 / 2 / 3 })`,
      "it('xR-0091, a.f.4, f.45', f)",
    ].join('\n')
    expect([...citationsOf(source)].sort()).toEqual(['R-001', 'R-004', 'R-005', 'R-006', 'R-008', 'f.4'])
  })

  it('takes a test, a reason, or the server for rules of the wire; anything else is missing', () => {
    expect(statusesOf("it('puts (R-110)', f)")).toEqual({
      'R-001': 'server',
      'R-110': 'tested',
      'R-111': 'missing',
      'f.4': 'missing',
    })
    const reasons: Reason[] = [
      { rules: ['R-110', 'R-111'], status: 'different', reason: 'because' },
      { rules: ['f.4'], status: 'open', reason: 'later' },
    ]
    expect(statusesOf("it('puts (R-110)', f)", reasons)).toMatchObject({
      'R-110': 'different',
      'R-111': 'different',
      'f.4': 'open',
    })
  })

  it('reports rules that do not exist, reasons given twice, and gaps that were closed', () => {
    const reasons: Reason[] = [
      { rules: ['R-998', 'R-110'], status: 'different', reason: 'because' },
      { rules: ['R-110'], status: 'service', reason: 'so' },
      { rules: ['f.4'], status: 'open', reason: 'later' },
    ]
    const tests = new Map([['a', "it('(R-999, f.4)', f)"]])
    expect(conformanceOf(SPECIFICATION, tests, reasons).mistakes).toEqual([
      'a cites R-999, which the specification does not have',
      'a reason names R-998, which the specification does not have',
      'R-110 has two reasons',
      'f.4 is said to be open, but a cites it: take it out of the reasons',
    ])
  })

  it('writes a table that a bar in a rule does not break', () => {
    const text = render(conformanceOf(SPECIFICATION, new Map([['engine/x', "it('(R-110)', f)"]]), []))
    expect(text).toContain('| R-110 | Replaces `a\\|b` | tested | [engine/x](../test/engine/x.test.ts) |')
    expect(text).toContain('| R-001 | One listener | server |  |')
  })
})
