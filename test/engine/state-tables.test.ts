/**
 * Goal: every row of the two state tables (b.4 put, b.7 delete), for every choice of target stores, whether the slot
 * before lies in the memtable or in LMDB, and whether the group has records that expire or not (the memtable settles
 * operations in two ways); and the oracle of Appendix 2.
 * Method: all cases are played on one store, each on an id of its own; one listing and one read of the Parquet files
 * by DuckDB then tell what came of each.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type DeletionMode,
  type FeatureGroup,
  ManualClock,
  MillraceError,
  type TargetStore,
} from '../../src/index.ts'
import { type OfflineRow, offlineRows } from '../fixtures/offline-rows.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const DEFINITION = {
  name: 'states',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', v: 'String' },
} as const

/** Event times around the one of the slot before; the equal one is spelled differently. */
const TIMES = {
  slot: '2026-03-01T12:00:00Z',
  later: '2026-03-01T12:00:00.000000001Z',
  equal: '2026-03-01T12:00:00.000Z',
  earlier: '2026-03-01T11:59:59.999999999Z',
}

type Time = 'later' | 'equal' | 'earlier'
type Before = 'absent' | 'live' | 'tombstone' | 'hard-deleted' | 'expired'
type Action = 'put' | DeletionMode
/** The online slot afterwards: as before, the put's record, a tombstone of the delete's time, or nothing. */
type After = 'unchanged' | 'put' | 'tombstone' | 'absent'

interface Row {
  readonly before: Before
  readonly action: Action
  readonly times: readonly Time[]
  readonly after: After
  readonly isRefused?: boolean
  readonly rules: string
}

const ANY: readonly Time[] = ['later', 'equal', 'earlier']

const TABLE: readonly Row[] = [
  { before: 'absent', action: 'put', times: ANY, after: 'put', rules: 'R-110' },
  { before: 'hard-deleted', action: 'put', times: ANY, after: 'put', rules: 'R-117, R-235' },
  { before: 'expired', action: 'put', times: ANY, after: 'put', rules: 'R-118' },
  { before: 'live', action: 'put', times: ['later'], after: 'put', rules: 'R-112' },
  { before: 'live', action: 'put', times: ['equal'], after: 'put', rules: 'R-114, R-115' },
  { before: 'live', action: 'put', times: ['earlier'], after: 'unchanged', rules: 'R-113, R-119' },
  { before: 'tombstone', action: 'put', times: ['later', 'equal'], after: 'put', rules: 'R-116' },
  { before: 'tombstone', action: 'put', times: ['earlier'], after: 'unchanged', rules: 'R-116' },

  { before: 'absent', action: 'soft', times: ANY, after: 'tombstone', rules: 'R-228' },
  { before: 'absent', action: 'hard', times: ANY, after: 'absent', rules: 'R-229' },
  { before: 'hard-deleted', action: 'soft', times: ANY, after: 'tombstone', rules: 'R-228' },
  { before: 'hard-deleted', action: 'hard', times: ANY, after: 'absent', rules: 'R-229' },
  { before: 'expired', action: 'soft', times: ANY, after: 'tombstone', rules: 'R-228' },
  { before: 'expired', action: 'hard', times: ANY, after: 'absent', rules: 'R-229' },
  { before: 'live', action: 'soft', times: ['later'], after: 'tombstone', rules: 'R-222, R-225, R-236' },
  { before: 'live', action: 'soft', times: ['equal', 'earlier'], after: 'unchanged', rules: 'R-225, R-226' },
  { before: 'live', action: 'hard', times: ['later'], after: 'absent', rules: 'R-223, R-225' },
  {
    before: 'live',
    action: 'hard',
    times: ['equal', 'earlier'],
    after: 'unchanged',
    isRefused: true,
    rules: 'R-227',
  },
  { before: 'tombstone', action: 'soft', times: ['later'], after: 'tombstone', rules: 'R-230' },
  { before: 'tombstone', action: 'soft', times: ['equal', 'earlier'], after: 'unchanged', rules: 'R-230' },
  { before: 'tombstone', action: 'hard', times: ['later'], after: 'absent', rules: 'R-231' },
  {
    before: 'tombstone',
    action: 'hard',
    times: ['equal', 'earlier'],
    after: 'unchanged',
    isRefused: true,
    rules: 'R-231',
  },
]

interface Targets {
  readonly stores: readonly TargetStore[] | undefined
  readonly rules: string
}

const TARGETS: readonly Targets[] = [
  { stores: undefined, rules: 'R-111, R-224, R-232' },
  { stores: ['online', 'offline'], rules: 'R-111, R-224' },
  { stores: ['online'], rules: 'R-119, R-233' },
  { stores: ['offline'], rules: 'R-120, R-234, R-328' },
]

type GroupName = 'plain' | 'expiring'

interface Case extends Row {
  readonly group: GroupName
  readonly id: string
  readonly time: Time
  readonly stores: readonly TargetStore[] | undefined
  /** Whether the slot before is in LMDB, or still in the memtable. */
  readonly isMerged: boolean
}

const casesOf = (group: GroupName): Case[] =>
  TABLE.filter(({ before }) => group === 'expiring' || before !== 'expired').flatMap((row) =>
    row.times.flatMap((time) =>
      TARGETS.flatMap(({ stores, rules }) =>
        [true, false].map((isMerged): Case => {
          const parts = [
            row.before,
            row.action,
            time,
            stores?.join('+') ?? 'default',
            isMerged ? 'lmdb' : 'memtable',
          ]
          return {
            ...row,
            group,
            time,
            stores,
            isMerged,
            id: parts.join(' '),
            rules: `${row.rules}; ${rules}`,
          }
        }),
      ),
    ),
  )

const isOnline = ({ stores }: Case): boolean => stores?.includes('online') ?? true
const isOffline = ({ stores }: Case): boolean => stores?.includes('offline') ?? true

/** What the slot is after the action, and its time. */
function expectedSlot(each: Case): { state: 'live' | 'tombstone' | 'absent'; at: string; v: string } {
  const before = {
    state: each.before === 'live' || each.before === 'tombstone' ? each.before : 'absent',
    at: TIMES.slot,
    v: 'before',
  } as const
  if (!isOnline(each) || each.after === 'unchanged') return before
  const at = TIMES[each.time]
  if (each.after === 'put') return { state: 'live', at, v: 'after' }
  return { state: each.after, at, v: '' }
}

async function bringAbout(group: FeatureGroup<typeof DEFINITION>, { id, before }: Case): Promise<void> {
  if (before === 'absent') return
  // Only online, so that the offline store has nothing but the row of the action.
  const stores = ['online'] as const
  if (before === 'tombstone') {
    await group.delete(id, TIMES.slot, { stores })
    return
  }
  const ttl = before === 'expired' ? { ttl: { unit: 'Minutes', value: 1 } as const } : {}
  await group.put({ id, at: TIMES.slot, v: 'before' }, { stores, ...ttl })
  if (before === 'hard-deleted') await group.delete(id, TIMES.later, { mode: 'hard', stores })
}

async function act(group: FeatureGroup<typeof DEFINITION>, each: Case): Promise<string> {
  const { id, action, time, stores } = each
  const options = stores === undefined ? {} : { stores }
  const outcome =
    action === 'put'
      ? group.put({ id, at: TIMES[time], v: 'after' }, options)
      : group.delete(id, TIMES[time], { ...options, mode: action })
  return outcome.then(
    () => 'accepted',
    (error: unknown) => (error instanceof MillraceError ? error.code : String(error)),
  )
}

async function idsOf(
  group: FeatureGroup<typeof DEFINITION>,
  includeSoftDeleted: boolean,
): Promise<Set<string>> {
  const ids = new Set<string>()
  for await (const id of group.ids({ includeSoftDeleted })) ids.add(id)
  return ids
}

describe.each<GroupName>(['plain', 'expiring'])(
  'the state tables of puts and deletes, in a group that is %s',
  (name) => {
    const clock = new ManualClock(Date.parse(TIMES.slot))
    // The markers of expired records are another test's business.
    const store = sharedStore({ shards: 1, clock, expiryMarkers: false })
    const cases = casesOf(name)
    const outcomes = new Map<string, string>()
    const rowsOf = new Map<string, OfflineRow[]>()
    let live: ReadonlySet<string> = new Set()
    let present: ReadonlySet<string> = new Set()
    let group: FeatureGroup<typeof DEFINITION>

    beforeAll(async () => {
      group = await store.current.createFeatureGroup(DEFINITION)
      const merged = cases.filter((each) => each.isMerged)
      for (const each of merged) await bringAbout(group, each)
      await store.current.flush()
      for (const each of cases) if (!each.isMerged) await bringAbout(group, each)
      clock.advance(60_000)
      for (const each of cases) outcomes.set(each.id, await act(group, each))
      live = await idsOf(group, false)
      present = await idsOf(group, true)
      await group.flush()
      for (const row of await offlineRows(store.current.directory)) {
        const { id: text } = row
        const id = String(text)
        rowsOf.set(id, [...(rowsOf.get(id) ?? []), row])
      }
    })

    it.each(cases)('$id ($rules; R-451)', async (each) => {
      const { id, action, time, isRefused = false } = each
      const isRefusedHere = isRefused && isOnline(each)
      expect(outcomes.get(id)).toBe(isRefusedHere ? 'EVENT_TIME_NOT_LATER' : 'accepted')

      const slot = expectedSlot(each)
      expect(live.has(id)).toBe(slot.state === 'live')
      expect(present.has(id)).toBe(slot.state !== 'absent')
      const record = slot.state === 'live' ? { id, at: slot.at, v: slot.v } : undefined
      expect(await group.get(id)).toEqual(record)

      const rows = (rowsOf.get(id) ?? []).map(({ at, v, is_deleted }) => ({ at, v, is_deleted }))
      const row = { at: TIMES[time], v: action === 'put' ? 'after' : null, is_deleted: action !== 'put' }
      expect(rows).toEqual(isOffline(each) && !isRefusedHere ? [row] : [])
    })

    it.each(cases.filter((each) => expectedSlot(each).state === 'tombstone'))(
      'the tombstone has the right time: $id (R-222, R-230)',
      async (each) => {
        const { id } = each
        const { at } = expectedSlot(each)
        const order = [TIMES.earlier, TIMES.equal, TIMES.later, '2026-03-01T12:00:01Z']
        const rank = order.indexOf(at === TIMES.slot ? TIMES.equal : at)
        const stores = ['online'] as const
        if (rank > 0) {
          await group.put({ id, at: order[rank - 1]!, v: 'too early' }, { stores })
          expect(await group.get(id)).toBeUndefined()
        }
        await group.put({ id, at: order[rank]!, v: 'revived' }, { stores })
        expect((await group.get(id))?.v).toBe('revived')
      },
    )
  },
)

describe('Appendix 2, the oracle of event times', () => {
  const store = sharedStore({ shards: 1 })
  const STORED = '2026-03-01T12:00:00Z'
  const ROWS: readonly (readonly [
    action: Action,
    time: string,
    stores: readonly TargetStore[] | undefined,
    online: 'new' | 'old' | 'gone',
    offline: 'data' | 'marker' | 'none',
    result: 200 | 400,
  ])[] = [
    ['put', '2026-03-01T12:00:01Z', undefined, 'new', 'data', 200],
    ['put', '2026-03-01T12:00:00.000Z', undefined, 'new', 'data', 200],
    ['put', '2026-03-01T11:59:59Z', undefined, 'old', 'data', 200],
    ['put', '2026-03-01T11:59:59Z', ['online'], 'old', 'none', 200],
    ['put', '2026-03-01T12:00:01Z', ['offline'], 'old', 'data', 200],
    ['soft', '2026-03-01T12:00:01Z', undefined, 'gone', 'marker', 200],
    ['soft', '2026-03-01T12:00:00Z', undefined, 'old', 'marker', 200],
    ['hard', '2026-03-01T12:00:01Z', undefined, 'gone', 'marker', 200],
    ['hard', '2026-03-01T12:00:00Z', undefined, 'old', 'none', 400],
  ]

  it.each(ROWS.map((row, i) => [i, ...row] as const))(
    'row %i: %s at %s into %s leaves the record %s and appends %s: %i',
    async (i, action, time, stores, online, offline, result) => {
      const group = await store.current.createFeatureGroup({ ...DEFINITION, name: `row-${i}` })
      const options = stores === undefined ? {} : { stores }
      await group.put({ id: 'r', at: STORED, v: 'old' })
      const outcome =
        action === 'put'
          ? group.put({ id: 'r', at: time, v: 'new' }, options)
          : group.delete('r', time, { ...options, mode: action })
      if (result === 200) await outcome
      else await expect(outcome).rejects.toMatchObject({ code: 'EVENT_TIME_NOT_LATER' })
      expect((await group.get('r'))?.v).toBe(online === 'gone' ? undefined : online)
      await group.flush()
      const { offlineDirectory } = store.current.describe(group.name)
      const rows = (await offlineRows(offlineDirectory!)).filter(({ v }) => v !== 'old')
      expect(rows.map(({ is_deleted }) => (is_deleted === true ? 'marker' : 'data'))).toEqual(
        offline === 'none' ? [] : [offline],
      )
    },
  )
})
