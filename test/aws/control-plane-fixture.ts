/** Control planes over small stores, and inputs to begin with. */
import { ControlPlane } from '../../src/aws/control-plane.ts'
import type { ControlPlaneInput } from '../../src/aws/control-plane-shapes.ts'
import type { MillraceOptions } from '../../src/index.ts'
import { sharedStore } from '../fixtures/open-store.ts'

export const LOCATION = { accountId: '123456789012', region: 'us-west-2', bucket: 'lake' }
export const ARN = 'arn:aws:sagemaker:us-west-2:123456789012:feature-group/'
export const ROLE = 'arn:aws:iam::123456789012:role/FeatureStore'

/** The example of c.8. */
export const RIDES: ControlPlaneInput<'CreateFeatureGroup'> = {
  FeatureGroupName: 'rides',
  RecordIdentifierFeatureName: 'ride_id',
  EventTimeFeatureName: 'ts',
  FeatureDefinitions: [
    { FeatureName: 'ride_id', FeatureType: 'String' },
    { FeatureName: 'ts', FeatureType: 'String' },
    { FeatureName: 'distance', FeatureType: 'Fractional' },
    { FeatureName: 'stops', FeatureType: 'Integral' },
    { FeatureName: 'city', FeatureType: 'String' },
  ],
  OnlineStoreConfig: { EnableOnlineStore: true },
}

export interface PlaneUnderTest {
  readonly plane: ControlPlane
  readonly store: ReturnType<typeof sharedStore>
  /** Makes the example under another name, with other members. @returns the name */
  make(name: string, changes?: Partial<ControlPlaneInput<'CreateFeatureGroup'>>): Promise<string>
}

/** One for all tests of a `describe`. */
export function sharedPlane(options: MillraceOptions = {}): PlaneUnderTest {
  const store = sharedStore({ location: LOCATION, ...options })
  const plane = (): ControlPlane => new ControlPlane(store.current)
  return {
    get plane() {
      return plane()
    },
    store,
    async make(name, changes = {}) {
      await plane().createFeatureGroup({ ...RIDES, FeatureGroupName: name, ...changes })
      return name
    },
  }
}

/** Input that the types would not let through. */
export const untyped = <T>(input: unknown): T => input as T
