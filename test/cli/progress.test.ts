/**
 * Goal: progress is readable at any width, never wraps, and costs nothing between two drawings.
 * Method: fixed figures at fixed widths; a clock that the test moves.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Progress, type ProgressFigures, renderBar, renderLine } from '../../src/cli/progress.ts'
import type { Clock } from '../../src/core/clock.ts'

const HALFWAY: ProgressFigures = {
  rowsDone: 1_500_000,
  rowsTotal: 3_000_000,
  rowsDurable: 1_499_000,
  bytes: 180_000_000,
  memoryBytes: 812_300_000,
  rowsPerSecond: 200_000,
  bytesPerSecond: 24_000_000,
}

describe('the bar', () => {
  it.each([
    [60, ' 50%  1,500,000/3,000,000 rows  200,000 rows/s  7.5 s left'],
    [80, ' 50%  1,500,000/3,000,000 rows  200,000 rows/s  memory 812.3 MB  7.5 s left'],
    [
      120,
      '[######......]  50%  1,500,000/3,000,000 rows  200,000 rows/s  24.0 MB/s  durable 1,499,000  memory 812.3 MB  7.5 s left',
    ],
  ])('at width %d', (width, expected) => {
    expect(renderBar(HALFWAY, width)).toBe(expected)
  })

  it('is full exactly when all rows are done', () => {
    const at = (rowsDone: number) => renderBar({ ...HALFWAY, rowsDone }, 140)
    expect(at(0)).toMatch(/^\[\.+\] {3}0%/)
    expect(at(2_999_999)).toMatch(/^\[#+\.\] {2}99%/)
    expect(at(3_000_000)).toMatch(/^\[#+\] 100% .*MB$/)
  })

  it('is never longer than the width', () => {
    const figures = fc.record({
      rowsDone: fc.nat(),
      rowsTotal: fc.nat(),
      rowsDurable: fc.nat(),
      bytes: fc.nat(),
      memoryBytes: fc.maxSafeNat(),
      rowsPerSecond: fc.double({ min: 0, max: 1e9, noNaN: true }),
      bytesPerSecond: fc.double({ min: 0, max: 1e15, noNaN: true }),
    })
    fc.assert(
      fc.property(figures, fc.integer({ min: 1, max: 200 }), (some, width) => {
        expect(renderBar(some, width).length).toBeLessThanOrEqual(width)
      }),
    )
  })
})

it('has everything in the plain line', () => {
  expect(renderLine(HALFWAY)).toBe(
    '50%, 1,500,000/3,000,000 rows, 200,000 rows/s, 24.0 MB/s, durable 1,499,000, memory 812.3 MB, 7.5 s left',
  )
})

describe('drawing', () => {
  function observed(output: { isTTY?: boolean; columns?: number }, isPlain = false) {
    let nowMs = 5000
    const written: string[] = []
    const clock: Clock = { nowMs: () => 0, monotonicMs: () => nowMs }
    const progress = new Progress({ ...output, write: (text: string) => written.push(text) }, clock, {
      isPlain,
    })
    const figures = (rowsDone: number) => ({
      rowsDone,
      rowsTotal: 10_000,
      rowsDurable: 0,
      bytes: rowsDone * 100,
      memoryBytes: 1,
    })
    const update = (rowsDone: number) => progress.update(figures(rowsDone))
    return { progress, figures, update, written, advance: (ms: number) => (nowMs += ms) }
  }

  it('redraws in place, at most ten times a second, one column short of the width', () => {
    const { update, written, advance, progress } = observed({ isTTY: true, columns: 60 })
    for (let i = 0; i < 1000; i++) {
      update(i)
      advance(1)
    }
    expect(written).toHaveLength(10)
    progress.finish()
    expect(written.at(-1)).toBe('\n')
    for (const text of written.slice(0, -1)) {
      expect(text.startsWith('\r\u001b[K')).toBe(true)
      expect(text.length - 4).toBeLessThanOrEqual(59)
    }
  })

  it('leaves the last column of a terminal of any width free', () => {
    const lengths = Array.from({ length: 120 }, (_, i) => {
      const { update, written } = observed({ isTTY: true, columns: i + 20 })
      update(5000)
      return { columns: i + 20, length: written[0]!.length - '\r\u001b[K'.length }
    })
    expect(lengths.filter(({ columns, length }) => length > columns - 1)).toEqual([])
    expect(lengths.some(({ columns, length }) => length === columns - 1)).toBe(true)
  })

  it.each([
    ['off a terminal', { isTTY: false }, false],
    ['where lines are asked for', { isTTY: true, columns: 60 }, true],
  ])('writes a line every two seconds %s', (_, output, isPlain) => {
    const { update, written, advance } = observed(output, isPlain)
    for (let i = 0; i < 100; i++) {
      update(i)
      advance(100)
    }
    expect(written).toHaveLength(5)
    for (const text of written) expect(text).toMatch(/^ ?\d+%, [ -~]+\n$/)
  })

  it('ends with the last figures, also those that were not due', () => {
    const { progress, update, written } = observed({ isTTY: true, columns: 60 })
    update(1)
    update(10_000)
    progress.finish()
    expect(written.at(-2)).toContain('100%  10,000/10,000 rows')
  })

  it('writes nothing if there was nothing', () => {
    const { progress, written } = observed({ isTTY: true })
    progress.finish()
    expect(written).toEqual([])
  })

  it('has a rate on its first line if it knows where the work began, for which nothing is drawn', () => {
    const { progress, figures, update, written, advance } = observed({ isTTY: false })
    progress.start(figures(5000))
    expect(written).toEqual([])
    advance(500)
    update(5500)
    expect(written[0]).toContain('1,000 rows/s')
  })

  it('shows the rate of this run, of its last seconds', () => {
    const { update, written, advance } = observed({ isTTY: false })
    // An earlier run had done the first 5,000 rows.
    update(5000)
    for (let i = 1; i <= 10; i++) {
      advance(2000)
      update(5000 + (i <= 5 ? i * 200 : 1000 + (i - 5) * 800))
    }
    expect(written[1]).toContain('100 rows/s')
    expect(written.at(-1)).toContain('400 rows/s')
    expect(written.at(-1)).toContain('40.0 kB/s')
  })
})
