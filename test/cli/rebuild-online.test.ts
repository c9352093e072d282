/**
 * Goal: the command brings the online store back from offline files, says what it did, and tells when both differ.
 * Method: the real command on small stores, read back through the library.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Millrace } from '../../src/index.ts'
import { expectOneClearLine, millrace } from './command-line.ts'
import { temporaryDirectory } from './temporary.ts'

const TRIPS = {
  name: 'trips',
  recordIdentifier: 'trip',
  eventTime: 'at',
  features: { trip: 'String', at: 'String', fare: 'Fractional' },
} as const

async function withTrips<T>(
  data: string,
  use: (
    store: Millrace,
    trips: Awaited<ReturnType<typeof Millrace.prototype.ensureFeatureGroup<typeof TRIPS>>>,
  ) => Promise<T>,
): Promise<T> {
  const store = await Millrace.open(data, { shards: 2 })
  try {
    return await use(store, await store.ensureFeatureGroup(TRIPS))
  } finally {
    await store.close()
  }
}

/** A store that was only backfilled offline. */
async function offlineOnly(): Promise<string> {
  const data = join(temporaryDirectory(), 'data')
  const rows = Array.from({ length: 500 }, (_, n) => ({
    trip: `t${n % 100}`,
    at: new Date(1.7e12 + n * 1000),
    fare: n,
  }))
  await withTrips(data, (_, trips) => trips.ingest(rows, { stores: ['offline'] }))
  return data
}

describe('rebuild-online', () => {
  it('writes the latest record of every id, and finds that both stores agree', async () => {
    const data = await offlineOnly()
    const { code, stdout, stderr } = await millrace('rebuild-online', data, 'trips', '--verify')
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(stdout).toMatch(/^latest records offline +100$/m)
    expect(stdout).toMatch(/^ {2}written online +100$/m)
    expect(stdout).toContain('All agrees: the 100 records online are the latest of the offline store.')
    expect(stderr).toMatch(/^100%, 100\/100 rows/m)
    expect(await withTrips(data, (_, trips) => trips.get('t7'))).toMatchObject({ trip: 't7', fare: 407 })
  })

  it('does it again without harm, and tells what only the online store has, or has otherwise', async () => {
    const data = await offlineOnly()
    expect((await millrace('rebuild-online', data, 'trips')).code).toBe(0)
    await withTrips(data, async (_, trips) => {
      await trips.put({ trip: 'x', at: '2026-03-01T12:00:00Z' }, { stores: ['online'] })
      await trips.put({ trip: 't7', at: '2026-03-01T12:00:00Z', fare: 1 }, { stores: ['online'] })
    })
    const { code, stdout } = await millrace('rebuild-online', data, 'trips', '--verify')
    expect(code).toBe(1)
    const list = stdout.slice(stdout.indexOf('The stores do NOT agree, in 2 records:'))
    expect(list).toContain('  - record x: is online only')
    expect(list).toMatch(/^ {2}- record t7, feature at: 2023-.*Z offline, 2026-03-01T12:00:00Z online$/m)
  })

  it('refuses a directory without a store, and makes none', async () => {
    const data = join(temporaryDirectory(), 'data')
    expectOneClearLine(
      await millrace('rebuild-online', data, 'trips'),
      /expected a Millrace store, found none/,
    )
    expect(existsSync(data)).toBe(false)
  })

  it('refuses a feature group that does not exist, and names those that do', async () => {
    const data = await offlineOnly()
    expectOneClearLine(
      await millrace('rebuild-online', data, 'rides'),
      /no feature group "rides"; the store has trips/,
    )
  })
})
