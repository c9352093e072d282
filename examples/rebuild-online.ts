/** A history that was backfilled into the offline store alone, brought online, and both stores compared. */
import { Millrace } from '../src/index.ts'

const store = await Millrace.open('./millrace-data')
const meters = await store.ensureFeatureGroup({
  name: 'meters',
  recordIdentifier: 'meter',
  eventTime: 'at',
  features: { meter: 'Integral', at: 'Fractional', kwh: 'Fractional' },
})
const readings = Array.from({ length: 10_000 }, (_, n) => ({
  meter: n % 100,
  at: 1_770_000_000 + n,
  kwh: n / 8,
}))
await meters.ingest(readings, { stores: ['offline'] })
console.log(await meters.get(42))

const { records, written, agreement } = await meters.rebuildOnline({ verify: true })
console.log(records, written, agreement?.isAgreed)
console.log(await meters.get(42))
await store.close()
