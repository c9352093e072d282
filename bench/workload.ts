/** Synthetic workloads: records of ten features (about 110 packed bytes), ids drawn Zipf(0.99) or uniformly. */
import type { FeatureGroupDefinition } from '../src/index.ts'

export const definition = {
  name: 'bench',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: {
    id: 'String',
    at: 'String',
    a: 'Fractional',
    b: 'Fractional',
    c: 'Fractional',
    d: 'Fractional',
    e: 'Integral',
    f: 'Integral',
    g: 'Integral',
    city: 'String',
  },
} as const satisfies FeatureGroupDefinition

/** A small, fast generator (mulberry32) with a fixed seed, so that every run has the same records. */
export function randomSource(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

/** Draws 0..n-1 with P(k) proportional to 1/(k+1)^s, by inverting the cumulative sums; shuffled over the ids. */
export function zipf(n: number, s: number, random: () => number): () => number {
  const cumulative = new Float64Array(n)
  let sum = 0
  for (let k = 0; k < n; k++) {
    sum += 1 / (k + 1) ** s
    cumulative[k] = sum
  }
  return () => {
    const target = random() * sum
    let low = 0
    let high = n - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (cumulative[middle]! < target) low = middle + 1
      else high = middle
    }
    return low
  }
}

const CITIES = ['Amsterdam', 'Berlin', 'Chicago', 'Dakar', 'Essen', 'Florence', 'Geneva', 'Hamburg']

export interface Row {
  id: string
  at: string
  a: number
  b: number
  c: number
  d: number
  e: number
  f: number
  g: number
  city: string
}

export interface Draws {
  /** Ids, as numbers, in the order they will be written. */
  readonly ids: Uint32Array
}

export function drawIds(count: number, draw: () => number): Draws {
  const ids = new Uint32Array(count)
  for (let i = 0; i < count; i++) ids[i] = draw()
  return { ids }
}

export const idOf = (number: number): string => `customer-${number}`

/** Arrays of 1000 records, made as they are needed; a second of event time passes every 1000 records. */
export function* rowChunks(draws: Draws, startMs: number, seed: number): Generator<Row[]> {
  const random = randomSource(seed)
  for (let from = 0; from < draws.ids.length; from += 1000) {
    const rows: Row[] = []
    const at = new Date(startMs + from).toISOString()
    const end = Math.min(from + 1000, draws.ids.length)
    for (let i = from; i < end; i++) {
      const number = draws.ids[i]!
      const value = random()
      rows.push({
        id: idOf(number),
        at,
        a: value,
        b: value * 100,
        c: value - 0.5,
        d: i / 7,
        e: number,
        f: i,
        g: (value * 1000) | 0,
        city: CITIES[number & 7]!,
      })
    }
    yield rows
  }
}
