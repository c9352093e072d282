/**
 * A timer wheel is never told apart from a list that is searched whole: every entry fires once, at the first
 * advance that has reached its deadline, earliest first, wherever time jumps and whatever the tick.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { TimerWheel } from '../../src/ttl/timer-wheel.ts'

const YEAR_0000_MS = Date.UTC(-1, 12)
const YEAR_2026_MS = Date.UTC(2026, 0)
const YEAR_9999_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
const U32_MAX = 0xffff_ffff

interface Entry {
  readonly deadlineMs: number
  readonly featureGroup: number
  readonly hashHigh: number
  /** Unique: the number of the entry. */
  readonly hashLow: number
}

/** A wheel beside its oracle, a plain list. */
class Pair {
  readonly wheel: TimerWheel
  nowMs: number
  waiting: Entry[] = []
  readonly #entriesMax: number
  #count = 0
  /** Whether the last advance was free to fire more than it did. */
  #isCaughtUp = true
  /** What an entry adds when it fires: milliseconds from the time of that advance. */
  readonly #again = new Map<number, readonly number[]>()

  constructor(options: { startMs: number; tickMs: number; entriesMax: number }) {
    this.wheel = new TimerWheel(options)
    this.nowMs = options.startMs
    this.#entriesMax = options.entriesMax
  }

  add(deadlineMs: number, again: readonly number[] = []): void {
    const hashLow = this.#count++
    const entry = {
      deadlineMs,
      featureGroup: U32_MAX - hashLow,
      hashHigh: (hashLow * 0x9e37_79b1) >>> 0,
      hashLow,
    }
    const isRoom = this.waiting.length < this.#entriesMax
    expect(this.wheel.add(deadlineMs, entry.featureGroup, entry.hashHigh, hashLow)).toBe(isRoom)
    if (!isRoom) return
    this.waiting.push(entry)
    this.#again.set(hashLow, again)
  }

  /** @returns the deadlines fired */
  advance(nowMs: number, dueMax = Number.POSITIVE_INFINITY): number[] {
    this.nowMs = nowMs
    const due = this.waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs)
    const expected = due.map(({ deadlineMs }) => deadlineMs).sort((a, b) => a - b)
    const isDue = new Map(due.map((entry) => [entry.hashLow, entry]))
    const fired: number[] = []
    const count = this.wheel.advance(nowMs, dueMax, (featureGroup, hashHigh, hashLow, deadlineMs) => {
      const entry = { deadlineMs, featureGroup, hashHigh, hashLow }
      expect(entry, 'due before this advance, and not fired yet').toEqual(isDue.get(hashLow))
      isDue.delete(hashLow)
      this.waiting = this.waiting.filter((other) => other.hashLow !== hashLow)
      fired.push(deadlineMs)
      expect(this.wheel.size).toBe(this.waiting.length)
      for (const afterMs of this.#again.get(hashLow)!) this.add(nowMs + afterMs)
    })
    this.#isCaughtUp = count < dueMax
    expect(count).toBe(fired.length)
    expect(fired, 'the earliest, in order').toEqual(expected.slice(0, dueMax))
    return fired
  }

  check(): void {
    expect(this.wheel.size).toBe(this.waiting.length)
    const bound = this.wheel.earliestMs
    if (this.waiting.length === 0) {
      expect(bound).toBeUndefined()
      return
    }
    const earliest = this.waiting.reduce((least, { deadlineMs }) => Math.min(least, deadlineMs), Infinity)
    expect(bound).toBeLessThanOrEqual(earliest)
    if (earliest > this.nowMs && this.#isCaughtUp)
      expect(bound, 'no waiting in vain').toBeGreaterThan(this.nowMs)
  }

  /** Everything that is left fires at last, then what that added, then nothing. */
  finish(): void {
    this.advance(5e14)
    this.advance(6e14)
    expect(this.wheel.size).toBe(0)
    expect(this.advance(7e14)).toEqual([])
  }
}

const distanceMs = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 60 }) },
  { weight: 3, arbitrary: fc.integer({ min: -3000, max: 100_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: -86_400_000, max: 40 * 86_400_000 }) },
  // Edges of slots of every level.
  { weight: 2, arbitrary: fc.tuple(fc.nat(8), fc.integer({ min: -1, max: 1 })).map(([d, e]) => 32 ** d + e) },
)
const instantMs = fc.integer({ min: YEAR_0000_MS, max: YEAR_9999_MS })
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('add'),
      afterMs: distanceMs,
      again: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(distanceMs, { maxLength: 3 }) },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('addAt'), atMs: instantMs }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('advance'),
      afterMs: distanceMs,
      dueMax: fc.option(fc.nat(5), { nil: Number.POSITIVE_INFINITY }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump'), atMs: instantMs }) },
) as fc.Arbitrary<
  | { kind: 'add'; afterMs: number; again: readonly number[] }
  | { kind: 'addAt' | 'jump'; atMs: number }
  | { kind: 'advance'; afterMs: number; dueMax: number }
>
const tickMs = fc.oneof(fc.constantFrom(1, 10, 1000), fc.integer({ min: 1, max: 100_000 }))

const quiet = (): void => {}
const wheelFrom2026 = (tick: number, entriesMax = 100): TimerWheel =>
  new TimerWheel({ startMs: YEAR_2026_MS, tickMs: tick, entriesMax })

it('fires what a searched list fires, through adds, jumps, limits and adds while firing', () => {
  const options = fc.record({
    startMs: fc.oneof(fc.constant(YEAR_2026_MS), instantMs),
    tickMs,
    entriesMax: fc.oneof(fc.constant(10_000), fc.integer({ min: 1, max: 12 })),
  })
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 60 }), (given, steps) => {
      const pair = new Pair(given)
      for (const each of steps) {
        if (each.kind === 'add') pair.add(pair.nowMs + each.afterMs, each.again)
        else if (each.kind === 'addAt') pair.add(each.atMs)
        else if (each.kind === 'advance') pair.advance(pair.nowMs + each.afterMs, each.dueMax)
        else pair.advance(each.atMs)
        pair.check()
      }
      pair.finish()
    }),
    { numRuns: 1000 },
  )
})

describe('exact to the millisecond', () => {
  it.each([1, 7, 1000, 3_600_000])(
    'fires at its deadline and not a millisecond earlier, with ticks of %i ms',
    (tick) => {
      const pair = new Pair({ startMs: YEAR_2026_MS, tickMs: tick, entriesMax: 100 })
      const deadlines = [1, 2, 31, 32, 33, 999, 1000, 1001, 32_768, 3_600_000].map((ms) => YEAR_2026_MS + ms)
      for (const deadlineMs of deadlines) pair.add(deadlineMs)
      for (const deadlineMs of deadlines) {
        expect(pair.advance(deadlineMs - 1)).toEqual([])
        expect(pair.advance(deadlineMs)).toEqual([deadlineMs])
      }
    },
  )

  it('keeps deadlines from year 0000 to 9999 apart by a millisecond', () => {
    const pair = new Pair({ startMs: YEAR_0000_MS, tickMs: 1, entriesMax: 100 })
    pair.add(YEAR_9999_MS)
    pair.add(YEAR_9999_MS - 1)
    pair.add(YEAR_0000_MS + 1)
    expect(pair.advance(YEAR_0000_MS)).toEqual([])
    expect(pair.advance(YEAR_0000_MS + 1)).toEqual([YEAR_0000_MS + 1])
    expect(pair.advance(YEAR_9999_MS - 2)).toEqual([])
    expect(pair.advance(YEAR_9999_MS - 1)).toEqual([YEAR_9999_MS - 1])
    expect(pair.advance(YEAR_9999_MS)).toEqual([YEAR_9999_MS])
  })

  it('holds at the ends of the time it takes', () => {
    const pair = new Pair({ startMs: -(2 ** 51), tickMs: 1, entriesMax: 100 })
    for (const ms of [2 ** 51, 2 ** 51 - 1, -(2 ** 51)]) pair.add(ms)
    expect(pair.advance(-(2 ** 51))).toEqual([-(2 ** 51)])
    pair.check()
    expect(pair.advance(2 ** 51 - 1)).toEqual([2 ** 51 - 1])
    pair.check()
    expect(pair.advance(2 ** 51)).toEqual([2 ** 51])
  })

  it('fires deadlines of the past at the next advance', () => {
    const pair = new Pair({ startMs: YEAR_2026_MS, tickMs: 10, entriesMax: 100 })
    pair.advance(YEAR_2026_MS + 5000)
    pair.add(YEAR_0000_MS)
    pair.add(YEAR_2026_MS - 1)
    expect(pair.advance(YEAR_2026_MS + 5000)).toEqual([YEAR_0000_MS, YEAR_2026_MS - 1])
  })
})

describe('when time jumps', () => {
  it('crosses ten thousand years of empty ticks at once', () => {
    const pair = new Pair({ startMs: YEAR_0000_MS, tickMs: 1, entriesMax: 100 })
    for (let century = 1; century < 100; century++)
      pair.add(YEAR_0000_MS + century * 3_155_695_200_000 + century)
    expect(pair.advance(YEAR_9999_MS)).toHaveLength(99)
  })

  it('fires nothing early after going back, and loses nothing', () => {
    const pair = new Pair({ startMs: YEAR_2026_MS, tickMs: 1, entriesMax: 100 })
    pair.add(YEAR_9999_MS)
    pair.add(YEAR_2026_MS + 500)
    pair.add(YEAR_2026_MS + 600)
    expect(pair.advance(YEAR_2026_MS + 1000, 1)).toEqual([YEAR_2026_MS + 500])
    expect(pair.advance(YEAR_2026_MS + 550), 'was due, and is not any more').toEqual([])
    pair.add(YEAR_2026_MS + 580)
    expect(pair.advance(YEAR_2026_MS - 1_000_000)).toEqual([])
    pair.add(YEAR_2026_MS - 10)
    expect(pair.advance(YEAR_2026_MS)).toEqual([YEAR_2026_MS - 10])
    expect(pair.advance(YEAR_2026_MS + 600)).toEqual([YEAR_2026_MS + 580, YEAR_2026_MS + 600])
    pair.finish()
  })
})

describe('what is added while entries fire', () => {
  it('fires at the next call if it is due already, so that a call ends', () => {
    const wheel = wheelFrom2026(10)
    const again = (): void => void wheel.add(YEAR_2026_MS, 1, 2, 3)
    again()
    for (let call = 0; call < 5; call++) {
      expect(wheel.advance(YEAR_2026_MS + call * 1000, Number.POSITIVE_INFINITY, again)).toBe(1)
      expect(wheel.size).toBe(1)
      expect(wheel.earliestMs).toBe(YEAR_2026_MS)
    }
  })

  it('does not creep through a long jump in small steps', () => {
    const wheel = wheelFrom2026(1)
    const again = (_: number, __: number, ___: number, deadlineMs: number): void =>
      void wheel.add(deadlineMs + 1, 1, 2, 3)
    wheel.add(YEAR_2026_MS, 1, 2, 3)
    expect(wheel.advance(YEAR_9999_MS, Number.POSITIVE_INFINITY, again)).toBe(1)
    expect(wheel.advance(YEAR_9999_MS, Number.POSITIVE_INFINITY, again)).toBe(1)
    expect(wheel.size).toBe(1)
  })

  it('is kept when the callback fails, as is everything that did not fire', () => {
    const wheel = wheelFrom2026(10)
    for (const ms of [1, 2, 3]) wheel.add(YEAR_2026_MS + ms, ms, 0, 0)
    const fail = (): void => {
      wheel.add(YEAR_2026_MS, 9, 0, 0)
      throw new Error('out of order')
    }
    expect(() => wheel.advance(YEAR_2026_MS + 5, 9, fail)).toThrow('out of order')
    const fired: number[] = []
    expect(wheel.advance(YEAR_2026_MS + 5, 9, (featureGroup) => fired.push(featureGroup))).toBe(3)
    expect(fired).toEqual([9, 2, 3])
  })

  it('may not advance the wheel or ask for its earliest deadline', () => {
    const wheel = wheelFrom2026(10)
    const refused = /while entries fire|by what it fires/
    wheel.add(YEAR_2026_MS, 1, 2, 3)
    wheel.add(YEAR_2026_MS, 1, 2, 3)
    expect(() => wheel.advance(YEAR_2026_MS, 1, () => wheel.advance(YEAR_2026_MS, 1, quiet))).toThrow(refused)
    expect(() => wheel.advance(YEAR_2026_MS, 1, () => void wheel.earliestMs)).toThrow(refused)
    expect(wheel.size).toBe(0)
  })
})

describe('memory', () => {
  const ENTRIES = 200_000

  it('is 28 bytes per entry at most, and given back when the wheel has been empty', () => {
    const wheel = wheelFrom2026(10, ENTRIES)
    const idle = wheel.bytes
    expect(idle).toBeLessThan(32_768)
    // Spread over an hour, 1,000 of them in the same millisecond.
    const deadlineOf = (i: number): number =>
      YEAR_2026_MS + 1 + (i % 200 === 0 ? 1800_000 : (i * 7919) % 3600_000)
    for (let i = 0; i < ENTRIES; i++) expect(wheel.add(deadlineOf(i), 7, i >>> 8, i)).toBe(true)
    expect(wheel.add(YEAR_2026_MS, 7, 0, 0), 'full').toBe(false)
    expect(wheel.bytes).toBeGreaterThanOrEqual(24 * ENTRIES)
    expect(wheel.bytes).toBeLessThan(24 * ENTRIES + idle)

    const times = new Uint8Array(ENTRIES)
    let wrong = 0
    let fired = 0
    for (let nowMs = YEAR_2026_MS; nowMs < YEAR_2026_MS + 3_600_000 + 60_007; nowMs += 60_007) {
      fired += wheel.advance(nowMs, ENTRIES, (featureGroup, high, low, deadlineMs) => {
        times[low]!++
        if (featureGroup !== 7 || high !== low >>> 8 || deadlineMs !== deadlineOf(low)) wrong++
        if (deadlineMs > nowMs || deadlineMs <= nowMs - 60_007) wrong++
      })
    }
    expect([fired, wrong, times.every((count) => count === 1)]).toEqual([ENTRIES, 0, true])
    expect(wheel.bytes, 'kept for the next').toBeGreaterThanOrEqual(24 * ENTRIES)
    wheel.advance(YEAR_9999_MS, 1, quiet)
    expect(wheel.bytes).toBe(idle)
    expect(wheel.add(YEAR_9999_MS + 1, 7, 0, 0)).toBe(true)
    expect(wheel.advance(YEAR_9999_MS + 1, 1, quiet)).toBe(1)
  })

  it('is bounded when everything is due in one tick', () => {
    const wheel = wheelFrom2026(10, ENTRIES)
    const idle = wheel.bytes
    for (let i = 0; i < ENTRIES; i++) wheel.add(YEAR_2026_MS - (i % 1000), 7, 0, i)
    expect(wheel.bytes, 'the heap counted').toBeGreaterThanOrEqual(28 * ENTRIES)
    expect(wheel.bytes).toBeLessThanOrEqual(28 * ENTRIES + idle)
    let last = Number.NEGATIVE_INFINITY
    let falls = 0
    const count = wheel.advance(YEAR_2026_MS, ENTRIES, (_, __, ___, deadlineMs) => {
      if (deadlineMs < last) falls++
      last = deadlineMs
    })
    expect([count, falls]).toEqual([ENTRIES, 0])
    wheel.advance(YEAR_2026_MS, 1, quiet)
    expect(wheel.bytes, 'given back').toBe(idle)
  })

  it('shows that an empty wheel forgets a clock that had run ahead: the heap is not for what is far', () => {
    const wheel = wheelFrom2026(10, ENTRIES)
    const idle = wheel.bytes
    wheel.add(YEAR_2026_MS, 1, 1, 1)
    wheel.add(YEAR_2026_MS + 3_600_000, 1, 1, 1)
    expect(wheel.advance(YEAR_9999_MS, 9, quiet)).toBe(2)
    wheel.advance(YEAR_2026_MS, 9, quiet)
    for (let i = 1; i <= 2000; i++) wheel.add(YEAR_2026_MS + i * 100, 1, 1, 1)
    expect(wheel.bytes, 'entries doubled, heap as it was').toBe(idle + 24 * 1024)
  })

  it('is not taken anew for entries that take the place of fired ones', () => {
    const wheel = wheelFrom2026(10, ENTRIES)
    const idle = wheel.bytes
    let nowMs = YEAR_2026_MS
    wheel.add(YEAR_9999_MS, 1, 1, 1)
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 1000; i++) wheel.add(nowMs + i, 1, 1, 1)
      nowMs += 1000
      expect(wheel.advance(nowMs, ENTRIES, quiet)).toBe(1000)
    }
    expect(wheel.bytes).toBe(idle)
  })

  it('refuses an entry when full, and takes one for each that fires, even while it fires', () => {
    const wheel = wheelFrom2026(10, 2)
    expect([1, 2, 3].map((ms) => wheel.add(YEAR_2026_MS + ms, ms, 0, 0))).toEqual([true, true, false])
    const taken: boolean[] = []
    wheel.advance(YEAR_2026_MS + 1, 9, () => {
      for (const ms of [4, 5]) taken.push(wheel.add(YEAR_2026_MS + ms, ms, 0, 0))
    })
    expect(taken).toEqual([true, false])
    const fired: number[] = []
    wheel.advance(YEAR_2026_MS + 9, 9, (featureGroup) => fired.push(featureGroup))
    expect(fired, 'refused entries are not kept').toEqual([2, 4])
  })
})

describe('refuses, and names, what it cannot keep:', () => {
  it.each<[string, (wheel: TimerWheel) => unknown]>([
    ['deadlineMs', (wheel) => wheel.add(Number.NaN, 1, 2, 3)],
    ['deadlineMs', (wheel) => wheel.add(0.5, 1, 2, 3)],
    ['deadlineMs', (wheel) => wheel.add(2 ** 51 + 1, 1, 2, 3)],
    ['featureGroup', (wheel) => wheel.add(0, 2 ** 32, 2, 3)],
    ['hashHigh', (wheel) => wheel.add(0, 1, -1, 3)],
    ['hashLow', (wheel) => wheel.add(0, 1, 2, 0.5)],
    ['nowMs', (wheel) => wheel.advance(Number.POSITIVE_INFINITY, 1, quiet)],
    ['dueMax', (wheel) => wheel.advance(0, Number.NaN, quiet)],
    ['startMs', () => new TimerWheel({ startMs: Number.NaN, tickMs: 1, entriesMax: 1 })],
    ['tickMs', () => new TimerWheel({ startMs: 0, tickMs: 0, entriesMax: 1 })],
    ['entriesMax', () => new TimerWheel({ startMs: 0, tickMs: 1, entriesMax: 0 })],
  ])('%s (case %#)', (name, use) => {
    const wheel = wheelFrom2026(10)
    expect(() => use(wheel)).toThrow(MillraceError)
    expect(() => use(wheel)).toThrow(name)
    expect(wheel.size).toBe(0)
  })
})
