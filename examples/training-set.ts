/** A training set: labels joined with the features as they were known at the time of each label. */
import { Millrace } from '../src/index.ts'

const store = await Millrace.open('./millrace-data')
const drivers = await store.ensureFeatureGroup({
  name: 'drivers',
  recordIdentifier: 'driverId',
  eventTime: 'at',
  features: { driverId: 'String', at: 'String', rating: 'Fractional', trips: 'Integral' },
})
await drivers.ingest([
  { driverId: 'd1', at: '2026-03-01T00:00:00Z', rating: 4.5, trips: 10 },
  { driverId: 'd1', at: '2026-03-02T00:00:00Z', rating: 4.7, trips: 12 },
  { driverId: 'd2', at: '2026-03-01T12:00:00Z', rating: 3.9, trips: 40 },
])
await drivers.delete('d2', '2026-03-03T00:00:00Z')

const labels = [
  { driverId: 'd1', at: '2026-03-01T18:30:00Z', accepted: true },
  { driverId: 'd2', at: '2026-03-01T11:59:59.999Z', accepted: false },
  { driverId: 'd2', at: '2026-03-01T12:00:00Z', accepted: true },
  { driverId: 'd1', at: '2026-03-04T09:00:00Z', accepted: true },
  { driverId: 'd2', at: '2026-03-04T09:00:00Z', accepted: false },
]
for await (const { row, features } of drivers.pointInTimeJoin(labels, { columns: ['rating', 'trips'] })) {
  console.log(row.driverId, row.accepted, features?.rating ?? null, features?.trips ?? null)
}

const views = ['writes', 'latest'] as const
for (const view of views) {
  for await (const { driverId, at, is_deleted } of drivers.history({ view, sorted: true })) {
    console.log(view, driverId, at, is_deleted)
  }
}
for await (const { driverId, rating } of drivers.history({
  view: 'latest',
  asOfEventTime: '2026-03-01T23:59:59Z',
  sorted: true,
})) {
  console.log('as of March 1st', driverId, rating)
}
await store.close()
