/** Steps of a model run, as data: fast-check makes and shrinks them, a store and the model both take them. */
import * as fc from 'fast-check'
import type { DeletionMode, FeatureGroupUpdate, TargetStore, TimeToLive } from '../../src/index.ts'
import type { Operation, RecordKey } from '../fixtures/store-operations.ts'
import type { PlainRow } from '../fixtures/store-process.ts'
import { MODEL_GROUPS, type ModelGroup, START_MS } from './model-groups.ts'

export type Step = { readonly position: number } & (
  | { readonly type: 'operation'; readonly operation: Operation }
  /** Ends the process; everything acknowledged survives. */
  | { readonly type: 'kill' }
)

/**
 * The clock and the event times move on together, by this much every so many steps. Between them the clock jumps among a
 * few places on both sides of what expires, forwards and backwards. None lies closely before an expiry: invocation times
 * run ahead of a clock that stands still, by a microsecond per row.
 */
const WINDOW_MS = 4000
const WINDOW_STEPS = 250
const CLOCK_OFFSETS_MS = [
  -3000, -500, 0, 1, 300, 480, 500, 501, 750, 1000, 1300, 1500, 2000, 2500, 3000, 3300,
]

const TTLS: readonly TimeToLive[] = [
  { unit: 'Seconds', value: 1 },
  { unit: 'Seconds', value: 1 },
  { unit: 'Seconds', value: 1 },
  { unit: 'Seconds', value: 2 },
  { unit: 'Minutes', value: 1 },
  { unit: 'Weeks', value: 3000 },
]
/** With the shortest of these, an expiry lies past the end of the calendar. */
const LAST_EVENT_TIME = '9999-12-31T23:59:59.500Z'

const stores = fc.oneof(
  { weight: 12, arbitrary: fc.constant(undefined) },
  {
    weight: 8,
    arbitrary: fc.constantFrom<TargetStore[][]>(['online'], ['offline'], ['offline', 'online']),
  },
  { weight: 1, arbitrary: fc.constantFrom<TargetStore[][]>([], ['online', 'online']) },
)
const ttl = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.constantFrom(...TTLS) },
)
const settings = fc
  .record({ stores, ttl })
  .map(({ stores, ttl }) => ({ ...(stores && { stores }), ...(ttl && { ttl }) }))

const fractional = fc.oneof(
  fc.constantFrom(0, 1.5, -1e300, 5e-324),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => !Object.is(x, -0)),
)
const text = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('', 'x', 'ß', '\u0000', '🚕') },
  { weight: 1, arbitrary: fc.constant('payload '.repeat(500)) },
)
const values = fc.record({
  isHuge: fc.boolean(),
  x: fc.oneof(fc.constant(null), fractional),
  s: fc.oneof(fc.constant(null), text),
  /** Of features that the group has only if they were added by then. */
  added: fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.constant({ later: 7 }) },
    { weight: 1, arbitrary: fc.constant({ latest: 'x', later: -7 }) },
  ),
})
type Values = typeof values extends fc.Arbitrary<infer T> ? T : never

const key = ({ ids }: ModelGroup): fc.Arbitrary<RecordKey> => fc.constantFrom(...ids)
/** Positions in the list of event times. */
const time = ({ eventTimes }: ModelGroup): fc.Arbitrary<number> => fc.nat(eventTimes(START_MS).length - 1)

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

/** What a step has from its position: the time it is about, and numbers that make each written row unlike all others. */
interface Place {
  readonly baseMs: number
  /** How far its window has gone, 0 to 1. */
  readonly progress: number
  readonly numberOf: (row: number) => bigint
}

type Draft = (place: Place) => Operation

interface RowParts {
  readonly id: RecordKey
  /** Position in the list of event times. */
  readonly at: number
  readonly rest: Values
  readonly row?: number
}

function recordOf(
  { definition, eventTimes }: ModelGroup,
  { id, at, rest: { isHuge, x, s, added }, row = 0 }: RowParts,
  { baseMs, numberOf }: Place,
): PlainRow {
  const { recordIdentifier, eventTime, features } = definition
  const n = numberOf(row)
  const record: PlainRow = { [recordIdentifier]: id, n: isHuge ? 2n ** 63n - n : n, ...added }
  if (eventTime !== recordIdentifier) record[eventTime] = eventTimes(baseMs)[at]!
  if ('x' in features) record['x'] = x
  if ('s' in features) record['s'] = s
  return record
}

const draftsOf = (group: ModelGroup): fc.WeightedArbitrary<Draft>[] => {
  const { name, recordIdentifier, eventTime: timeName, features } = group.definition
  const { eventTimes } = group
  const row = fc.tuple(key(group), time(group), values)
  const isOneFeature = recordIdentifier === timeName
  const weighted = (weight: number, arbitrary: fc.Arbitrary<Draft>): fc.WeightedArbitrary<Draft> => ({
    weight,
    arbitrary,
  })
  return [
    weighted(
      12,
      fc.tuple(row, settings).map(
        ([[id, at, rest], options]): Draft =>
          (place) => ({
            type: 'put',
            group: name,
            record: recordOf(group, { id, at, rest }, place),
            options,
          }),
      ),
    ),
    weighted(
      1,
      fc
        .tuple(
          fc.array(row, { minLength: 2, maxLength: 12 }),
          settings,
          fc.constantFrom(...(['ingest', 'puts'] as const)),
        )
        .map(
          ([rows, options, type]): Draft =>
            (place) => {
              // Single puts that are on their way at once may be accepted in any order, unless they differ in their ids.
              const isFirst = (id: RecordKey, i: number): boolean =>
                rows.findIndex(([other]) => other === id) === i
              const chosen = type === 'ingest' ? rows : rows.filter(([id], i) => isFirst(id, i))
              return {
                type,
                group: name,
                rows: chosen.map(([id, at, rest], i) => {
                  const values = type === 'ingest' ? { ...rest, added: {} } : rest
                  return recordOf(group, { id, at, rest: values, row: i }, place)
                }),
                options,
              }
            },
        ),
    ),
    weighted(
      6,
      fc.tuple(key(group), time(group), fc.constantFrom<DeletionMode[]>('soft', 'hard'), stores).map(
        ([id, at, mode, targets]): Draft =>
          ({ baseMs }) => ({
            type: 'delete',
            group: name,
            id,
            eventTime: eventTimes(baseMs)[at]!,
            options: { mode, ...(targets && { stores: targets }) },
          }),
      ),
    ),
    weighted(
      8,
      fc
        .tuple(
          key(group),
          fc.option(time(group), { nil: undefined, freq: 2 }),
          settings,
          fc.subarray(['n', 'x', 's'].filter((feature) => feature in features)),
          values,
          rarely(key(group)),
        )
        .map(
          ([id, at, options, changed, rest, otherId]): Draft =>
            ({ numberOf, baseMs }) => {
              const { x, s, added } = rest
              const all: PlainRow = { n: numberOf(0), x: x ?? 0.5, s: s ?? 'updated' }
              const changes: PlainRow = Object.fromEntries(changed.map((feature) => [feature, all[feature]!]))
              Object.assign(changes, added)
              if (at !== undefined && !isOneFeature) changes[timeName] = eventTimes(baseMs)[at]!
              if (otherId !== undefined) changes[recordIdentifier] = otherId
              if (Object.keys(changes).length === 0) changes['n'] = all['n']!
              return { type: 'update', group: name, id, changes, options }
            },
        ),
    ),
    weighted(
      2,
      fc.tuple(fc.integer({ min: 1, max: 8 }), fc.boolean()).map(
        ([pageSize, includeSoftDeleted]): Draft =>
          () => ({ type: 'read', group: name, ids: [...group.ids], pageSize, includeSoftDeleted }),
      ),
    ),
    weighted(
      6,
      key(group).map(
        (id): Draft =>
          () => ({ type: 'get', group: name, id }),
      ),
    ),
    ...(isOneFeature || features[timeName] !== 'String'
      ? []
      : [
          weighted(
            1,
            fc.tuple(key(group), values, fc.boolean(), fc.constantFrom(...TTLS)).map(
              ([id, rest, isUpdate, ttl]): Draft =>
                (place) => {
                  const record = {
                    ...recordOf(group, { id, at: 0, rest }, place),
                    [timeName]: LAST_EVENT_TIME,
                  }
                  const options = { ttl }
                  if (!isUpdate) return { type: 'put', group: name, record, options }
                  return {
                    type: 'update',
                    group: name,
                    id,
                    changes: { [timeName]: LAST_EVENT_TIME },
                    options,
                  }
                },
            ),
          ),
        ]),
  ]
}

const GROUP_WEIGHTS: Readonly<Record<string, number>> = {
  plain: 5,
  fleeting: 4,
  history: 1,
  current: 2,
  moments: 1,
  numbered: 3,
}

const groupDraft: fc.Arbitrary<Draft> = fc.oneof(
  ...MODEL_GROUPS.map((group) => ({
    weight: GROUP_WEIGHTS[group.definition.name]!,
    arbitrary: fc.oneof(...draftsOf(group)),
  })),
)

/** Enough for logs to roll and to be trimmed, and for hours to be cut into several files. */
const bulkDraft: fc.Arbitrary<Draft> = fc.integer({ min: 20, max: 90 }).map(
  (count): Draft =>
    ({ numberOf }) => ({
      type: 'ingest',
      group: 'history',
      rows: Array.from({ length: count }, (_, i) => ({
        id: `bulk-${i % 7}`,
        at: `2026-03-01T1${i % 3}:00:00.${i}Z`,
        n: numberOf(i),
        s: 'payload '.repeat(60),
      })),
      options: {},
    }),
)

/** Mostly to where the window has come; sometimes back. */
const clockDraft: fc.Arbitrary<Draft> = fc
  .tuple(fc.constantFrom(0, 0, 0, 1, 2, 5, 20), fc.constantFrom(true, false, false))
  .map(
    ([back, isSweeping]): Draft =>
      ({ baseMs, progress, numberOf }) => {
        const offsetsMs = CLOCK_OFFSETS_MS.filter((offsetMs) => offsetMs <= progress * WINDOW_MS)
        const offsetMs = offsetsMs[Math.max(0, offsetsMs.length - 1 - back)]!
        const nowMs = baseMs + offsetMs
        const row = { id: 'clock', at: new Date(nowMs).toISOString(), n: numberOf(0) }
        return { type: 'clock', group: 'history', nowMs, isSweeping, row }
      },
  )

/** Groups change while they hold records. */
const changeDraft: fc.Arbitrary<Draft> = fc
  .tuple(
    fc.constantFrom(...MODEL_GROUPS.map(({ definition }) => definition.name)),
    fc.constantFrom<FeatureGroupUpdate[]>(
      { addFeatures: { later: 'Integral' } },
      { addFeatures: { latest: 'String' } },
      { ttl: { unit: 'Seconds', value: 1 } },
      { ttl: { unit: 'Seconds', value: 3 } },
      { ttl: null },
      { tier: 'Standard_V2' },
    ),
  )
  .map(
    ([group, change]): Draft =>
      () => {
        // Of the other tiers it would be no change, or one that is refused.
        if (change.tier !== undefined) return { type: 'change', group: 'moments', change }
        return { type: 'change', group, change }
      },
  )

const draft: fc.Arbitrary<Draft | 'kill'> = fc.oneof(
  { weight: 10_000, arbitrary: groupDraft },
  { weight: 800, arbitrary: clockDraft },
  { weight: 20, arbitrary: bulkDraft },
  { weight: 30, arbitrary: changeDraft },
  { weight: 10, arbitrary: fc.constant<Draft>(() => ({ type: 'flush' })) },
  {
    weight: 5,
    arbitrary: fc.boolean().map(
      (isFlushing): Draft =>
        () => ({ type: 'reopen', isFlushing }),
    ),
  },
  { weight: 2, arbitrary: fc.constant('kill' as const) },
)

/** Rows of a step; their numbers follow from its position. */
const ROWS_MAX = 100

/** @param maxLength - runs have half as many steps on average */
export const stepsOf = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.noBias(fc.array(draft, { maxLength, size: 'max' })).map((drafts) =>
    drafts.map((each, position): Step => {
      if (each === 'kill') return { type: 'kill', position }
      const baseMs = START_MS + Math.floor(position / WINDOW_STEPS) * WINDOW_MS
      const numberOf = (row: number): bigint => BigInt(1 + position * ROWS_MAX + row)
      const progress = (position % WINDOW_STEPS) / WINDOW_STEPS
      return { type: 'operation', position, operation: each({ baseMs, progress, numberOf }) }
    }),
  )
