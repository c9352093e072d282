/**
 * A TimerWheel tells when deadlines have come: exactly to the millisecond, earliest first, whatever the tick.
 * Owns: its entries (a deadline and three numbers each) and the memory they lie in.
 * Does not own: the time, which is a parameter; what a deadline means; entries that no longer matter, because
 * nothing is ever cancelled and whoever is called looks for itself.
 *
 * Time is cut into ticks, counted from the origin. The cursor is the tick the wheel has come to. An entry of a
 * later tick waits in the wheel: level L has one slot for each value of the tick's L-th digit to the base 32, and
 * the entry's level is the highest digit in which its tick differs from the cursor's. When the cursor reaches
 * the start of a slot, the slot's entries move to lower levels, or, in the cursor's own tick, to the heap.
 *
 * Invariants: I1 an entry in the heap has a tick at or before the cursor, an entry in the wheel a later one;
 * since ticks never fall as deadlines rise, nothing in the wheel is due before anything in the heap. I2 a slot
 * of level L holds ticks that agree with the cursor in all digits above L and are greater in digit L; hence the
 * lowest occupied slot of the lowest occupied level is the next. I3 a bit is set for exactly the occupied slots,
 * so that empty ones cost nothing however far time jumps. I4 the cursor stays while time goes back: what is
 * added before it goes to the heap, which is as exact, only slower (logarithmic in the heap).
 */
import { assert } from '../core/errors.ts'

const NONE = -1
const DIGIT_BITS = 5
const SLOTS = 1 << DIGIT_BITS
const SLOT_MASK = SLOTS - 1
/** A tick is a whole number below 2^53: six digits in its low 30 bits and five above them. */
const LOW_SPAN = 2 ** 30
const LOW_LEVELS = 6
const LEVELS = 11
/** Entries there is room for at first, and again after the wheel was empty. */
const CAPACITY_MIN = 1024
const CAPACITY_MAX = 2 ** 30
/** Year 73,326 and as far the other way; within it every sum and quotient here is exact enough to compare. */
const TIME_MS_MAX = 2 ** 51

export type OnDue = (featureGroup: number, hashHigh: number, hashLow: number, deadlineMs: number) => void

export interface TimerWheelOptions {
  /** Where time is expected to start; a deadline or a call before it is as exact as any other. */
  readonly startMs: number
  /** Length of a tick. It decides how entries are sorted into slots, not when they fire. */
  readonly tickMs: number
  readonly entriesMax: number
}

export class TimerWheel {
  readonly #tickMs: number
  readonly #entriesMax: number
  #originMs: number
  #cursor = 0
  #size = 0

  /** First entry of each slot of each level, and a word of occupied slots per level. */
  readonly #heads = new Int32Array(LEVELS * SLOTS).fill(NONE)
  readonly #occupied = new Int32Array(LEVELS)

  /** Binary heap of entries, earliest deadline first. */
  #heap = new Int32Array(0)
  #heapSize = 0

  /** Fields of the entries; `next` chains the entries of a slot, the free and the postponed ones. */
  #deadlines = new Float64Array(0)
  #featureGroups = new Uint32Array(0)
  #hashHighs = new Uint32Array(0)
  #hashLows = new Uint32Array(0)
  #next = new Int32Array(0)
  #free = NONE
  /** Entries from here on have never been used. */
  #used = 0

  /** The time of the `advance` that is running, and what its callbacks added although it is due already. */
  #firingMs: number | undefined
  #postponed = NONE

  constructor(options: TimerWheelOptions) {
    assertTime('startMs', options.startMs)
    assertWhole('tickMs', options.tickMs, 1, TIME_MS_MAX)
    assertWhole('entriesMax', options.entriesMax, 1, CAPACITY_MAX)
    this.#tickMs = options.tickMs
    this.#entriesMax = options.entriesMax
    this.#originMs = options.startMs
    this.#restart(options.startMs)
  }

  /** Entries that have not fired. */
  get size(): number {
    return this.#size
  }

  /** Memory held: 24 bytes per entry there is room for, at most 4 more for the heap, and 1.5 kB. */
  get bytes(): number {
    const perEntry = this.#deadlines.byteLength + this.#next.byteLength + 3 * this.#hashLows.byteLength
    return perEntry + this.#heap.byteLength + this.#heads.byteLength + this.#occupied.byteLength
  }

  /**
   * A lower bound of the earliest deadline; undefined if the wheel is empty. It costs the same however many
   * entries there are. After an advance that fired fewer than its `dueMax`, a bound at or before its `nowMs` is the
   * deadline of an entry added since or by `onDue`, so an owner who sleeps until the bound never wakes in a loop.
   * Not to be asked within `onDue`.
   */
  get earliestMs(): number | undefined {
    assert(this.#firingMs === undefined, 'the earliest deadline is not known while entries fire')
    if (this.#heapSize > 0) return this.#deadlines[this.#heap[0]!]!
    const level = this.#lowestLevel()
    return level === NONE ? undefined : this.#originMs + this.#nextTick(level) * this.#tickMs
  }

  /**
   * Keeps an entry until it fires. Equal entries are kept as often as they are added.
   * @param deadlineMs - whole milliseconds, at most 2^51 before or after 1970; in the past: due at the next advance
   * @param featureGroup - unsigned 32-bit, as are the two halves of the hash
   * @returns false, and keeps nothing, if `entriesMax` entries are waiting
   */
  add(deadlineMs: number, featureGroup: number, hashHigh: number, hashLow: number): boolean {
    assertTime('deadlineMs', deadlineMs)
    assertU32('featureGroup', featureGroup)
    assertU32('hashHigh', hashHigh)
    assertU32('hashLow', hashLow)
    if (this.#size === this.#entriesMax) return false
    const entry = this.#takeEntry()
    this.#deadlines[entry] = deadlineMs
    this.#featureGroups[entry] = featureGroup
    this.#hashHighs[entry] = hashHigh
    this.#hashLows[entry] = hashLow
    if (this.#firingMs !== undefined && deadlineMs <= this.#firingMs) {
      this.#next[entry] = this.#postponed
      this.#postponed = entry
    } else {
      this.#place(entry)
    }
    return true
  }

  /**
   * Fires what is due, deadline <= `nowMs`, in the order of the deadlines (equal ones in any order): all of it, or
   * the `dueMax` earliest; the others wait for the next call. Time may go back and jump.
   * An entry is gone, and its room free, before `onDue` is called for it. `onDue` may add entries; those that are
   * due already fire at the next call. If it throws, the call ends with that error; nothing else is lost.
   * The work is a constant, and a step for each entry that fires or changes slots. An entry visits each of the
   * eleven levels once at most, and then the heap, where it meets those of its tick.
   * @returns how many fired
   */
  advance(nowMs: number, dueMax: number, onDue: OnDue): number {
    assert(this.#firingMs === undefined, 'a wheel is not advanced by what it fires')
    assertTime('nowMs', nowMs)
    assert(dueMax >= 0, `dueMax is a number of entries, not ${dueMax}`)
    if (this.#size === 0) {
      this.#restart(nowMs)
      return 0
    }
    const nowTick = this.#tickOf(nowMs)
    let fired = 0
    this.#firingMs = nowMs
    try {
      while (fired < dueMax) {
        if (this.#heapSize === 0) {
          if (!this.#moveCursor(nowTick)) break
          continue
        }
        const entry = this.#heap[0]!
        const deadlineMs = this.#deadlines[entry]!
        if (deadlineMs > nowMs) break
        this.#popHeap()
        this.#releaseEntry(entry)
        fired++
        onDue(this.#featureGroups[entry]!, this.#hashHighs[entry]!, this.#hashLows[entry]!, deadlineMs)
      }
    } finally {
      this.#firingMs = undefined
      const postponed = this.#postponed
      this.#postponed = NONE
      this.#placeChain(postponed)
    }
    return fired
  }

  /** An empty wheel starts anew at the given time and gives back the memory of its busier days. */
  #restart(nowMs: number): void {
    this.#originMs = nowMs
    this.#cursor = 0
    this.#free = NONE
    this.#used = 0
    const capacity = Math.min(CAPACITY_MIN, this.#entriesMax)
    if (this.#next.length !== capacity) this.#resize(capacity)
    if (this.#heap.length !== capacity) this.#heap = new Int32Array(capacity)
  }

  /** Never falls as the time rises; that, not its exact value, is what keeps entries from being late. */
  #tickOf(ms: number): number {
    return Math.floor((ms - this.#originMs) / this.#tickMs)
  }

  #place(entry: number): void {
    const tick = this.#tickOf(this.#deadlines[entry]!)
    if (tick <= this.#cursor) {
      this.#pushHeap(entry)
      return
    }
    const level = levelOf(tick, this.#cursor)
    const digit = digitOf(tick, level)
    const slot = level * SLOTS + digit
    this.#next[entry] = this.#heads[slot]!
    this.#heads[slot] = entry
    this.#occupied[level]! |= 1 << digit
  }

  /** Places every entry of a chain, which its owner has let go. */
  #placeChain(first: number): void {
    for (let entry = first; entry !== NONE; ) {
      const next = this.#next[entry]!
      this.#place(entry)
      entry = next
    }
  }

  /**
   * Moves the cursor to the start of the next occupied slot and empties that slot, or, if it begins after
   * `nowTick`, to `nowTick`, where no entry has to change its place (I2 holds for every tick before that slot).
   * @returns whether a slot was emptied
   */
  #moveCursor(nowTick: number): boolean {
    const level = this.#lowestLevel()
    const start = level === NONE ? Number.POSITIVE_INFINITY : this.#nextTick(level)
    if (start > nowTick) {
      this.#cursor = Math.max(this.#cursor, nowTick)
      return false
    }
    const digit = lowestBit(this.#occupied[level]!)
    const slot = level * SLOTS + digit
    const first = this.#heads[slot]!
    this.#heads[slot] = NONE
    this.#occupied[level]! &= ~(1 << digit)
    this.#cursor = start
    this.#placeChain(first)
    return true
  }

  #lowestLevel(): number {
    for (let level = 0; level < LEVELS; level++) if (this.#occupied[level] !== 0) return level
    return NONE
  }

  /** First tick of the level's first occupied slot. */
  #nextTick(level: number): number {
    const span = SLOTS ** level
    const above = span * SLOTS
    return Math.floor(this.#cursor / above) * above + lowestBit(this.#occupied[level]!) * span
  }

  #takeEntry(): number {
    this.#size++
    const entry = this.#free
    if (entry !== NONE) {
      this.#free = this.#next[entry]!
      return entry
    }
    const capacity = this.#next.length
    if (this.#used === capacity) this.#resize(Math.min(capacity * 2, this.#entriesMax))
    return this.#used++
  }

  #releaseEntry(entry: number): void {
    this.#next[entry] = this.#free
    this.#free = entry
    this.#size--
  }

  #resize(capacity: number): void {
    const kept = this.#used
    const resized = <T extends Float64Array | Uint32Array | Int32Array>(target: T, source: T): T => {
      if (kept > 0) target.set(source)
      return target
    }
    this.#deadlines = resized(new Float64Array(capacity), this.#deadlines)
    this.#featureGroups = resized(new Uint32Array(capacity), this.#featureGroups)
    this.#hashHighs = resized(new Uint32Array(capacity), this.#hashHighs)
    this.#hashLows = resized(new Uint32Array(capacity), this.#hashLows)
    this.#next = resized(new Int32Array(capacity), this.#next)
  }

  #pushHeap(entry: number): void {
    if (this.#heapSize === this.#heap.length) {
      const grown = new Int32Array(Math.min(this.#heapSize * 2, this.#entriesMax))
      grown.set(this.#heap)
      this.#heap = grown
    }
    const heap = this.#heap
    const deadlines = this.#deadlines
    const deadlineMs = deadlines[entry]!
    let at = this.#heapSize++
    while (at > 0) {
      const parent = (at - 1) >>> 1
      if (deadlines[heap[parent]!]! <= deadlineMs) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = entry
  }

  /** Drops the first entry: the last one sinks from the top to its place. */
  #popHeap(): void {
    const heap = this.#heap
    const deadlines = this.#deadlines
    const end = --this.#heapSize
    const entry = heap[end]!
    const deadlineMs = deadlines[entry]!
    let at = 0
    for (let child = 1; child < end; child = 2 * at + 1) {
      if (child + 1 < end && deadlines[heap[child + 1]!]! < deadlines[heap[child]!]!) child++
      if (deadlineMs <= deadlines[heap[child]!]!) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = entry
  }
}

/** Bitwise operators see the low 32 bits of a tick, of which the 30 lowest are six whole digits. */
function levelOf(tick: number, cursor: number): number {
  const high = Math.floor(tick / LOW_SPAN) ^ Math.floor(cursor / LOW_SPAN)
  if (high !== 0) return LOW_LEVELS + highestDigit(high)
  return highestDigit(tick ^ cursor)
}

function digitOf(tick: number, level: number): number {
  if (level < LOW_LEVELS) return (tick >>> (level * DIGIT_BITS)) & SLOT_MASK
  return (Math.floor(tick / LOW_SPAN) >>> ((level - LOW_LEVELS) * DIGIT_BITS)) & SLOT_MASK
}

const highestDigit = (word: number): number => Math.trunc((31 - Math.clz32(word)) / DIGIT_BITS)

const lowestBit = (word: number): number => 31 - Math.clz32(word & -word)

function assertWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return
  assert(false, `${name} is a whole number from ${min} to ${max}, not ${value}`)
}

const assertTime = (name: string, ms: number): void => assertWhole(name, ms, -TIME_MS_MAX, TIME_MS_MAX)

function assertU32(name: string, value: number): void {
  if (value >>> 0 !== value) assert(false, `${name} is an unsigned 32-bit number, not ${value}`)
}
