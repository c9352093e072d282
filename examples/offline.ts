/** The offline store is plain Parquet in hive partitions: any reader will do. Here DuckDB counts and looks back. */
import { DuckDBInstance } from '@duckdb/node-api'
import { Millrace } from '../src/index.ts'

const store = await Millrace.open('./millrace-data')
const trips = await store.ensureFeatureGroup({
  name: 'trips-history',
  recordIdentifier: 'tripId',
  eventTime: 'at',
  features: { tripId: 'String', at: 'String', fare: 'Fractional' },
})
await trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: 12.5 })
await trips.put({ tripId: 't1', at: '2026-03-01T12:30:00Z', fare: 14 })
await trips.put({ tripId: 't2', at: '2026-03-01T13:10:00Z', fare: 8 })
await trips.delete('t2', '2026-03-01T13:20:00Z')
await trips.flush()

const files = `${store.describe('trips-history').offlineDirectory}/**/*.parquet`
const connection = await (await DuckDBInstance.create(':memory:')).connect()
const history = await connection.runAndReadAll(
  `SELECT tripId, "at", fare, is_deleted, hour FROM read_parquet('${files}', hive_partitioning = true) ORDER BY "at"`,
)
console.table(history.getRowObjectsJson())
const latest = await connection.runAndReadAll(
  `SELECT tripId, max_by(fare, "at") AS fare FROM read_parquet('${files}') GROUP BY tripId
   HAVING NOT max_by(is_deleted, "at") ORDER BY tripId`,
)
console.log(JSON.stringify(latest.getRowObjectsJson()))
await store.close()
