/** The operations of the AWS API in this process, on the same groups as the typed library; and records that expire. */
import { FeatureStore, ServiceError } from '../src/aws/feature-store.ts'
import { ManualClock, Millrace } from '../src/index.ts'

// A clock that only moves when it is told to, so that this program need not wait for what expires.
const clock = new ManualClock(new Date('2026-03-01T12:00:00Z'))
const store = await Millrace.open('./feature-store-data', { clock })
const { control, data } = new FeatureStore(store)

await control.createFeatureGroup({
  FeatureGroupName: 'rides',
  RecordIdentifierFeatureName: 'ride_id',
  EventTimeFeatureName: 'ts',
  FeatureDefinitions: [
    { FeatureName: 'ride_id', FeatureType: 'String' },
    { FeatureName: 'ts', FeatureType: 'String' },
    { FeatureName: 'distance', FeatureType: 'Fractional' },
    { FeatureName: 'stops', FeatureType: 'Integral' },
  ],
  OnlineStoreConfig: { EnableOnlineStore: true, StorageType: 'Standard_V2' },
  OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://lake/features' } },
})
await data.putRecord({
  FeatureGroupName: 'rides',
  Record: [
    { FeatureName: 'ride_id', ValueAsString: 'r-1' },
    { FeatureName: 'ts', ValueAsString: '2026-03-01T12:00:00Z' },
    { FeatureName: 'distance', ValueAsString: '12.50' },
  ],
  TtlDuration: { Unit: 'Hours', Value: 2 },
})

// The typed face of the same group; `update` leaves the other features, and the time to live, as they are.
const rides = store.featureGroup('rides')
await rides.update('r-1', { stops: 2 })

const one = { FeatureGroupName: 'rides', RecordIdentifierValueAsString: 'r-1' }
console.log(JSON.stringify(await data.getRecord({ ...one, ExpirationTimeResponse: 'Enabled' })))

clock.advance(2 * 3600_000)
console.log(JSON.stringify(await data.getRecord(one)), await store.expire(), 'expired')

await data
  .putRecord({ FeatureGroupName: 'rides', Record: [{ FeatureName: 'ride_id', ValueAsString: 'r-2' }] })
  .catch((error: unknown) => console.log(error instanceof ServiceError ? error.code : error))
for await (const row of rides.history()) console.log(row['ride_id'], row['ts'], row['stops'], row.is_deleted)
await store.close()
