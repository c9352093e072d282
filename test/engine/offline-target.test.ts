/**
 * Goal: an offline store that cannot be written to stops nobody and loses nothing.
 * Method: a file stands where a directory of the store has to be.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, it } from 'vitest'
import { ControlPlane } from '../../src/aws/control-plane.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { openStore } from '../fixtures/open-store.ts'

const DEFINITION = {
  name: 'blocked',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', n: 'Integral' },
} as const

const AT = '2026-03-01T12:00:00Z'

it('takes writes while files cannot be made, tells so, and makes them when they can, also after a restart (R-482)', async () => {
  const store = await openStore()
  const group = await store.createFeatureGroup(DEFINITION)
  const statusOf = async (of: typeof store): Promise<string | undefined> =>
    (await new ControlPlane(of).describeFeatureGroup({ FeatureGroupName: 'blocked' })).OfflineStoreStatus
      ?.Status
  const { offlineDirectory } = store.describe('blocked')
  const obstacle = dirname(offlineDirectory!)
  mkdirSync(dirname(obstacle), { recursive: true })
  writeFileSync(obstacle, 'in the way')

  await group.put({ id: 'a', at: AT, n: 1 })
  expect(await statusOf(store)).toBe('Active')
  await expect(group.flush()).rejects.toThrow()
  await group.put({ id: 'a', at: AT, n: 2 })
  expect((await group.get('a'))?.n).toBe(2)
  expect(await statusOf(store)).toBe('Blocked')
  expect((await store.stats()).offline.failure).toBeDefined()

  await store.close({ flush: false })
  const again = await openStore({}, store.directory)
  const reopened = again.featureGroup<typeof DEFINITION>('blocked')
  await reopened.put({ id: 'a', at: AT, n: 3 })
  await expect(reopened.flush()).rejects.toThrow()
  rmSync(obstacle)
  await reopened.flush()
  expect(await statusOf(again)).toBe('Active')
  const rows = await offlineRows(offlineDirectory!)
  expect(rows.map(({ n }) => Number(n)).sort()).toEqual([1, 2, 3])
})
