/**
 * Goal: every row of the state tables of puts and deletes (b.4, b.7), for every choice of target stores, also where the
 * record before has expired, as a caller of the API sees it.
 * Method: all cases are played at once, each on an id of its own. What is left is told by a read, by a listing, and by
 * puts that probe the time of a tombstone; what was appended, by DuckDB.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { ServiceError } from '../../src/aws/service-error.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { type ApiValue, apiRecord } from '../fixtures/api.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const TIMES = {
  before: '2026-03-01T12:00:00Z',
  later: '2026-03-01T12:00:00.000000001Z',
  equal: '2026-03-01T12:00:00.000Z',
  earlier: '2026-03-01T11:59:59.999999999Z',
} as const
const LONG_AGO = '1999-12-31T00:00:00Z'

type Before = 'absent' | 'expired' | 'hard-deleted' | 'live' | 'tombstone'
type Action = 'put' | 'SoftDelete' | 'HardDelete'
type Time = 'later' | 'equal' | 'earlier'
/** `kept`: as before. */
type After = 'kept' | 'live' | 'tombstone' | 'absent'
type TargetStores = DataPlaneInput<'PutRecord'>['TargetStores']

/** What the two tables say of later, equal and earlier event times; `refused` is kept, without a row. */
const TABLE: Record<Action, Record<Before, Record<Time, After | 'refused'>>> = {
  put: {
    absent: { later: 'live', equal: 'live', earlier: 'live' },
    expired: { later: 'live', equal: 'live', earlier: 'live' },
    'hard-deleted': { later: 'live', equal: 'live', earlier: 'live' },
    live: { later: 'live', equal: 'live', earlier: 'kept' },
    tombstone: { later: 'live', equal: 'live', earlier: 'kept' },
  },
  SoftDelete: {
    absent: { later: 'tombstone', equal: 'tombstone', earlier: 'tombstone' },
    expired: { later: 'tombstone', equal: 'tombstone', earlier: 'tombstone' },
    'hard-deleted': { later: 'tombstone', equal: 'tombstone', earlier: 'tombstone' },
    live: { later: 'tombstone', equal: 'kept', earlier: 'kept' },
    tombstone: { later: 'tombstone', equal: 'kept', earlier: 'kept' },
  },
  HardDelete: {
    absent: { later: 'absent', equal: 'absent', earlier: 'absent' },
    expired: { later: 'absent', equal: 'absent', earlier: 'absent' },
    'hard-deleted': { later: 'absent', equal: 'absent', earlier: 'absent' },
    live: { later: 'absent', equal: 'refused', earlier: 'refused' },
    tombstone: { later: 'absent', equal: 'refused', earlier: 'refused' },
  },
}

interface Case {
  readonly id: string
  readonly before: Before
  readonly action: Action
  readonly time: Time
  readonly stores: TargetStores
}

const STORES: readonly TargetStores[] = [
  undefined,
  ['OnlineStore', 'OfflineStore'],
  ['OnlineStore'],
  ['OfflineStore'],
]
const keysOf = <K extends string>(table: Record<K, unknown>): K[] => Object.keys(table) as K[]
const CASES: Case[] = keysOf(TABLE).flatMap((action) =>
  keysOf(TABLE[action]).flatMap((before) =>
    keysOf(TABLE[action][before]).flatMap((time) =>
      STORES.map((stores) => ({
        id: [action, before, time, ...(stores ?? ['default'])].join(' '),
        before,
        action,
        time,
        stores,
      })),
    ),
  ),
)

const goesOnline = ({ stores }: Case): boolean => stores?.includes('OnlineStore') ?? true
const goesOffline = ({ stores }: Case): boolean => stores?.includes('OfflineStore') ?? true
const isRefused = (each: Case): boolean =>
  goesOnline(each) && TABLE[each.action][each.before][each.time] === 'refused'

interface Slot {
  readonly state: 'live' | 'tombstone' | 'absent'
  readonly at?: string
}

function expectedSlot(each: Case): Slot {
  const after = goesOnline(each) ? TABLE[each.action][each.before][each.time] : 'kept'
  if (after === 'absent') return { state: 'absent' }
  if (after === 'live' || after === 'tombstone') return { state: after, at: TIMES[each.time] }
  return each.before === 'live' || each.before === 'tombstone'
    ? { state: each.before, at: TIMES.before }
    : { state: 'absent' }
}

const clock = new ManualClock(Date.parse('2026-03-01T12:00:00Z'))
const store = sharedStore({ clock, expiryMarkers: false })
const slots = new Map<string, Slot>()
const refusals = new Map<string, number>()
const appended = new Map<string, unknown[]>()

beforeAll(async () => {
  const plane = new DataPlane(store.current)
  const group = { FeatureGroupName: 'states' }
  await store.current.createFeatureGroup({
    name: 'states',
    recordIdentifier: 'id',
    eventTime: 'at',
    features: { id: 'String', at: 'String', v: 'String' },
  })
  const put = (id: string, at: string, v: string, more: object): Promise<void> =>
    plane.putRecord({ ...group, Record: apiRecord({ id, at, v }), ...more })
  const remove = (id: string, EventTime: string, more: object): Promise<void> =>
    plane.deleteRecord({ ...group, RecordIdentifierValueAsString: id, EventTime, ...more })
  const online = { TargetStores: ['OnlineStore'] }

  await Promise.all(
    CASES.map(async ({ id, before }) => {
      if (before === 'absent') return
      if (before === 'tombstone') return remove(id, TIMES.before, online)
      const ttl = before === 'expired' ? { TtlDuration: { Unit: 'Seconds', Value: 1 } } : {}
      await put(id, TIMES.before, 'before', { ...online, ...ttl })
      if (before === 'hard-deleted') {
        await remove(id, '2030-01-01T00:00:00Z', { ...online, DeletionMode: 'HardDelete' })
      }
    }),
  )
  clock.advance(10_000)
  await Promise.all(
    CASES.map(async ({ id, action, time, stores }) => {
      const targets = stores === undefined ? {} : { TargetStores: stores }
      try {
        if (action === 'put') await put(id, TIMES[time], 'after', targets)
        else await remove(id, TIMES[time], { ...targets, DeletionMode: action })
      } catch (thrown) {
        refusals.set(id, thrown instanceof ServiceError ? thrown.statusCode : -1)
      }
    }),
  )

  await store.current.flush()
  for (const row of await offlineRows(store.current.describe('states').offlineDirectory!)) {
    const id = `${row['id']}`
    appended.set(id, [...(appended.get(id) ?? []), [row['at'], row['v'], row['is_deleted']]])
  }
  const listed = new Set<string>()
  for (let NextToken: string | undefined; ; ) {
    const page = await plane.listRecords({
      ...group,
      IncludeSoftDeletedRecords: true,
      ...(NextToken && { NextToken }),
    })
    for (const id of page.RecordIdentifiers) listed.add(id)
    NextToken = page.NextToken
    if (NextToken === undefined) break
  }
  const timeOf = async (id: string): Promise<string | undefined> => {
    const { Record } = await plane.getRecord({ ...group, RecordIdentifierValueAsString: id })
    return (Record as ApiValue[] | undefined)?.find(({ FeatureName }) => FeatureName === 'at')?.ValueAsString
  }
  const slotOf = async (id: string): Promise<Slot> => {
    const at = await timeOf(id)
    if (at !== undefined) return { state: 'live', at }
    if (!listed.has(id)) return { state: 'absent' }
    // The time of a tombstone is the earliest that revives it.
    for (const time of [LONG_AGO, TIMES.earlier, TIMES.before, TIMES.later]) {
      await put(id, time, 'probe', online)
      if ((await timeOf(id)) !== undefined) return { state: 'tombstone', at: time }
    }
    return { state: 'tombstone' }
  }
  await Promise.all(CASES.map(async ({ id }) => slots.set(id, await slotOf(id))))
}, 60_000)

const normal = (slot: Slot): Slot =>
  slot.state === 'tombstone' && slot.at === TIMES.equal ? { ...slot, at: TIMES.before } : slot

function holds(action: Action): void {
  it.each(CASES.filter((each) => each.action === action))('$id', (each) => {
    expect(refusals.get(each.id)).toBe(isRefused(each) ? 400 : undefined)
    expect(slots.get(each.id)).toEqual(normal(expectedSlot(each)))
    const row = [TIMES[each.time], action === 'put' ? 'after' : null, action !== 'put']
    expect(appended.get(each.id) ?? []).toEqual(goesOffline(each) && !isRefused(each) ? [row] : [])
  })
}

describe('the table of puts (R-112, R-113, R-114, R-115, R-116, R-117, R-118, R-119, R-120)', () =>
  holds('put'))
describe('the table of soft deletes (R-222, R-224, R-225, R-226, R-228, R-230, R-233, R-234)', () =>
  holds('SoftDelete'))
describe('the table of hard deletes (R-223, R-224, R-225, R-227, R-229, R-231, R-233, R-234)', () =>
  holds('HardDelete'))

it('puts of one record made at the same time end with the latest event time (R-126)', async () => {
  const plane = new DataPlane(store.current)
  const seconds = Array.from({ length: 50 }, (_, i) => (i * 37) % 50)
  const timeOf = (second: number): string => `2026-03-01T12:00:${String(second).padStart(2, '0')}Z`
  const put = (second: number): Promise<void> =>
    plane.putRecord({ FeatureGroupName: 'states', Record: apiRecord({ id: 'race', at: timeOf(second) }) })
  await Promise.all(seconds.map(put))
  const of = { FeatureGroupName: 'states', RecordIdentifierValueAsString: 'race' }
  expect((await plane.getRecord(of)).Record).toEqual(apiRecord({ id: 'race', at: timeOf(49) }))
})
