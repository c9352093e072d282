import { Millrace } from '../src/index.ts'

const store = await Millrace.open('./millrace-data')
const trips = await store.ensureFeatureGroup({
  name: 'trips',
  recordIdentifier: 'tripId',
  eventTime: 'at',
  features: { tripId: 'String', at: 'String', fare: 'Fractional', riders: 'Integral' },
})
await trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: 12.5, riders: 2 }) // durable, and readable at once
const rows = [
  { tripId: 't2', at: '2026-03-01T13:00:00Z', fare: 8 },
  { tripId: '', at: '2026-03-01T13:00:00Z' },
]
const { accepted, errors } = await trips.ingest(rows) // iterable, async iterable or Arrow table, of any length
console.log(accepted, errors) // 1, and why the row without an id was refused
console.log(await trips.get('t1'), await trips.getMany(['t2', 't3']))
await store.flush() // every write acknowledged before is in Parquet now
await store.close()
