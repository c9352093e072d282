/** The feature groups of the model test: every kind of online and offline store, identifier and event time. */
import type { FeatureGroupDefinition } from '../../src/index.ts'
import type { RecordKey } from '../fixtures/store-operations.ts'

/** Where the clock stands first. */
export const START_MS = Date.parse('2026-03-01T12:00:00Z')

/** In the test with crashes. Not closely before an expiry, like the clock's other places: see the steps. */
export const CRASH_START_MS = START_MS + 100

export interface ModelGroup {
  readonly definition: FeatureGroupDefinition
  readonly ids: readonly RecordKey[]
  /** Few, around a time of the clock, and equal ones in different spellings. */
  readonly eventTimes: (baseMs: number) => readonly (string | number)[]
}

const FRACTIONS: readonly (readonly [seconds: number, fraction: string])[] = [
  [0, ''],
  [0, '.0'],
  [0, '.25'],
  [0, '.250000001'],
  [0, '.5'],
  [0, '.500'],
  [1, ''],
  [2, '.250'],
  [-1, '.5'],
  [-1, ''],
]

const textTimes = (baseMs: number): string[] => [
  ...FRACTIONS.map(
    ([seconds, fraction]) => `${new Date(baseMs + seconds * 1000).toISOString().slice(0, 19)}${fraction}Z`,
  ),
  '1969-12-31T23:59:59.999999999Z',
  '0000-01-01T00:00:00Z',
]

const features = { id: 'String', at: 'String', n: 'Integral', x: 'Fractional', s: 'String' } as const
const textual = { recordIdentifier: 'id', eventTime: 'at', features } as const

const TEXT_IDS = ['a', 'A', '01', 'e\u0301', '__proto__']
const MOMENTS = textTimes(START_MS).slice(0, 7)

export const MODEL_GROUPS: readonly ModelGroup[] = [
  {
    definition: { name: 'plain', ...textual, online: { tier: 'Standard_V2' } },
    ids: TEXT_IDS,
    eventTimes: textTimes,
  },
  {
    definition: {
      name: 'fleeting',
      ...textual,
      online: { tier: 'Standard_V2', ttl: { unit: 'Seconds', value: 2 } },
    },
    ids: TEXT_IDS,
    eventTimes: textTimes,
  },
  {
    definition: { name: 'history', ...textual, online: false },
    ids: TEXT_IDS.slice(0, 3),
    eventTimes: textTimes,
  },
  {
    definition: { name: 'current', ...textual, online: { tier: 'InMemory' }, offline: false },
    ids: TEXT_IDS.slice(0, 4),
    eventTimes: textTimes,
  },
  {
    definition: {
      name: 'moments',
      recordIdentifier: 'moment',
      eventTime: 'moment',
      features: { moment: 'String', n: 'Integral' },
    },
    ids: MOMENTS,
    eventTimes: () => MOMENTS,
  },
  {
    definition: {
      name: 'numbered',
      recordIdentifier: 'key',
      eventTime: 'seconds',
      features: { key: 'Integral', seconds: 'Fractional', n: 'Integral', x: 'Fractional', s: 'String' },
      online: { tier: 'Standard_V2' },
    },
    ids: [0, 1, -7, 2n ** 53n + 1n],
    eventTimes: (baseMs) => [...[0, 1, -1, 0.5, 0.25].map((offset) => baseMs / 1000 + offset), -0.5, 12.25],
  },
]
