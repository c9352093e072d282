/**
 * Goal: a record that the feature group would refuse for its names or types does not compile.
 * Method: the compiler. Each `@ts-expect-error` is itself an error if the line below it compiles.
 */
import { expectTypeOf, it } from 'vitest'
import type {
  AnyOutputValue,
  CheckedDefinition,
  FeatureGroupDefinition,
  FeatureType,
  RecordInput,
  RecordOutput,
} from '../../src/core/definition.ts'

/** The shape of `Millrace.createFeatureGroup`. */
function define<const D extends FeatureGroupDefinition>(definition: CheckedDefinition<D>) {
  return {
    definition,
    put: (record: RecordInput<D>) => record,
    get: () => undefined as RecordOutput<D> | undefined,
  }
}

const trips = define({
  name: 'trips',
  recordIdentifier: 'tripId',
  eventTime: 'at',
  features: { tripId: 'String', at: 'String', fare: 'Fractional', riders: 'Integral' },
})
const sensors = define({
  name: 'sensors',
  recordIdentifier: 'sensor',
  eventTime: 'seconds',
  features: { sensor: 'Integral', seconds: 'Fractional', reading: 'Fractional' },
})

it('accepts records that fit the definition', () => {
  trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: 12.5, riders: 2 })
  trips.put({ tripId: 't1', at: new Date(0) })
  trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: null, riders: undefined })
  trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', riders: 2n ** 60n })
  sensors.put({ sensor: 7, seconds: 1_772_366_400.5, reading: 1 })
  sensors.put({ sensor: 7n, seconds: 0 })
})

it('refuses records that do not', () => {
  // @ts-expect-error a wrong feature name
  trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fair: 12.5 })
  // @ts-expect-error a wrong type
  trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: '12.5' })
  // @ts-expect-error a bigint for a Fractional
  trips.put({ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: 12n })
  // @ts-expect-error no id
  trips.put({ at: '2026-03-01T12:00:00Z' })
  // @ts-expect-error no event time
  trips.put({ tripId: 't1', fare: 12.5 })
  // @ts-expect-error a null id
  trips.put({ tripId: null, at: '2026-03-01T12:00:00Z' })
  // @ts-expect-error a number for a String event time
  trips.put({ tripId: 't1', at: 1_772_366_400 })
  // @ts-expect-error a Date for a Fractional event time
  sensors.put({ sensor: 7, seconds: new Date(0) })
  // @ts-expect-error a String id for an Integral identifier
  sensors.put({ sensor: '7', seconds: 0 })
})

it('refuses definitions that cannot work', () => {
  define({
    name: 'trips',
    // @ts-expect-error the identifier is not a feature
    recordIdentifier: 'trip',
    eventTime: 'at',
    features: { tripId: 'String', at: 'String' },
  })
  define({
    name: 'trips',
    recordIdentifier: 'tripId',
    // @ts-expect-error the event time is not a feature
    eventTime: 'when',
    features: { tripId: 'String', at: 'String' },
  })
  define({
    name: 'trips',
    recordIdentifier: 'tripId',
    // @ts-expect-error an event time is String or Fractional
    eventTime: 'at',
    features: { tripId: 'String', at: 'Integral' },
  })
  define({
    name: 'trips',
    recordIdentifier: 'tripId',
    eventTime: 'at',
    // @ts-expect-error there is no such type
    features: { tripId: 'String', at: 'String', paid: 'Boolean' },
  })
})

it('reads records with the types of the definition', () => {
  type Trip = NonNullable<ReturnType<typeof trips.get>>
  expectTypeOf<Trip>().toEqualTypeOf<{
    tripId: string
    at: string
    fare?: number
    riders?: number | bigint
  }>()
  type Reading = NonNullable<ReturnType<typeof sensors.get>>
  expectTypeOf<Reading>().toEqualTypeOf<{ sensor: number | bigint; seconds: number; reading?: number }>()
})

it('takes one String feature as identifier and event time at once', () => {
  const ticks = define({
    name: 'ticks',
    recordIdentifier: 'at',
    eventTime: 'at',
    features: { at: 'String', price: 'Fractional' },
  })
  ticks.put({ at: '2026-03-01T12:00:00Z', price: 1 })
  // @ts-expect-error the one key is required
  ticks.put({ price: 1 })
  expectTypeOf<NonNullable<ReturnType<typeof ticks.get>>>().toEqualTypeOf<{ at: string; price?: number }>()
})

it('leaves a definition known only at run time open', () => {
  const features: Record<string, FeatureType> = { id: 'String', at: 'String' }
  const open: FeatureGroupDefinition = { name: 'open', recordIdentifier: 'id', eventTime: 'at', features }
  const group = define(open)
  group.put({ anything: 1, at: 'text', flag: null })
  // @ts-expect-error still no objects
  group.put({ anything: {} })
  expectTypeOf<NonNullable<ReturnType<typeof group.get>>>().toEqualTypeOf<Record<string, AnyOutputValue>>()
})
