/** What a feature group is, as the caller writes it and as TypeScript sees its records. */

import type { DurationUnit } from './duration.ts'

export type FeatureType = 'String' | 'Integral' | 'Fractional'

/**
 * Several values of one type under one name: a List keeps order and duplicates, a Set holds each value once
 * (in the order first seen), a Vector has exactly `dimension` numbers. At most one Vector per feature group.
 */
export type CollectionFeature =
  | { readonly type: FeatureType; readonly collection: 'List' | 'Set' }
  | { readonly type: 'Fractional'; readonly collection: 'Vector'; readonly dimension: number }

export type CollectionType = CollectionFeature['collection']

export type FeatureDeclaration = FeatureType | CollectionFeature

/** A time to live: an expiry is the record's event time plus this. */
export interface TimeToLive {
  readonly unit: DurationUnit
  /** A whole number of at least 1. */
  readonly value: number
}

/** Kinds of online store. They differ in what AWS allows on them, not in how they are stored here. */
export type OnlineTier = 'Standard' | 'Standard_V2' | 'InMemory'

export interface OnlineStoreOptions {
  /** Default `Standard`. Records are updated in part only on the two others. */
  readonly tier?: OnlineTier
  /** For records written without one of their own. Default: records stay. */
  readonly ttl?: TimeToLive
}

export interface OfflineStoreOptions {
  /**
   * `s3://bucket/prefix`: the files go below `DIR/offline/bucket/prefix/`. Default: the store's
   * `location.bucket` and `location.prefix`.
   */
  readonly s3Uri?: string
}

/** Kept and told again; nothing here is slowed down to it. */
export interface Throughput {
  readonly mode: 'OnDemand' | 'Provisioned'
  /** Only with, and then required by, `Provisioned`; not without an online store. */
  readonly readUnits?: number
  /** Only with, and then required by, `Provisioned`. */
  readonly writeUnits?: number
}

export interface FeatureGroupDefinition {
  /** 1 to 64 letters, digits, `-` and `_`, alphanumeric at both ends. Unique ignoring case. */
  readonly name: string
  /** The feature that identifies a record. Ids are compared as strings. */
  readonly recordIdentifier: string
  /** The feature that orders the versions of a record; String or Fractional. */
  readonly eventTime: string
  /** Feature name to type. The order is the column order (integer-like names come first, as in any object). */
  readonly features: Readonly<Record<string, FeatureDeclaration>>
  /** Keep the latest record per id for reading. Default true. */
  readonly online?: boolean | OnlineStoreOptions
  /** Keep every write as hourly Parquet. Default true. The tier `InMemory` has it only with the `extensions` switch. */
  readonly offline?: boolean | OfflineStoreOptions
  /** At most 128 characters. */
  readonly description?: string
  /** At most 50; keys of 1 to 128 characters, values of at most 256. */
  readonly tags?: Readonly<Record<string, string>>
  /** Default on demand. */
  readonly throughput?: Throughput
}

interface ValueTypes {
  String: string
  /** A `number` where it is a safe integer, else a `bigint`: 64 bits are never rounded. */
  Integral: number | bigint
  Fractional: number
}

/** What a feature takes. */
type InputValue<F> = F extends FeatureType
  ? ValueTypes[F]
  : F extends { readonly collection: 'Vector' }
    ? readonly number[] | Float64Array | Float32Array
    : F extends { readonly type: infer T extends FeatureType }
      ?
          | readonly ValueTypes[T][]
          | (F extends { readonly collection: 'Set' } ? ReadonlySet<ValueTypes[T]> : never)
      : never

/** What a feature gives. */
type OutputValue<F> = F extends FeatureType
  ? ValueTypes[F]
  : F extends { readonly type: infer T extends FeatureType }
    ? ValueTypes[T][]
    : never

/** The values a record may hold when its definition is not known to the compiler. */
export type AnyInputValue =
  | string
  | number
  | bigint
  | Date
  | Float64Array
  | Float32Array
  | readonly (string | number | bigint)[]
  | ReadonlySet<string | number | bigint>
  | null
  | undefined

export type AnyOutputValue = string | number | bigint | (string | number | bigint)[]

interface EventTimeTypes {
  /** `YYYY-MM-DDThh:mm:ss[.fraction]Z`, or a Date. */
  String: string | Date
  /** Unix seconds. */
  Fractional: number
  Integral: never
}

type FeatureNames<D extends FeatureGroupDefinition> = keyof D['features'] & string
type OptionalNames<D extends FeatureGroupDefinition> = Exclude<
  FeatureNames<D>,
  D['recordIdentifier'] | D['eventTime']
>
type Simplify<T> = { [K in keyof T]: T[K] }

/** A record as it is written. Id and event time are required; null, undefined and absent all mean "no value". */
export type RecordInput<D extends FeatureGroupDefinition> =
  string extends FeatureNames<D>
    ? Readonly<Record<string, AnyInputValue>>
    : Simplify<
        {
          readonly [K in D['eventTime'] & FeatureNames<D>]: EventTimeTypes[D['features'][K] & FeatureType]
        } & {
          readonly [K in Exclude<D['recordIdentifier'], D['eventTime']> & FeatureNames<D>]: InputValue<
            D['features'][K]
          >
        } & {
          readonly [K in OptionalNames<D>]?: InputValue<D['features'][K]> | null | undefined
        }
      >

/** A record as it is read: features in the order of the definition, those without a value left out. */
export type RecordOutput<D extends FeatureGroupDefinition> =
  string extends FeatureNames<D>
    ? Record<string, AnyOutputValue>
    : Simplify<
        {
          [K in (D['recordIdentifier'] | D['eventTime']) & FeatureNames<D>]: OutputValue<D['features'][K]>
        } & {
          [K in OptionalNames<D>]?: OutputValue<D['features'][K]>
        }
      >

/**
 * Some features of a record, to be changed in it. The id is given apart; a feature cannot be taken away.
 */
export type RecordUpdate<D extends FeatureGroupDefinition> =
  string extends FeatureNames<D>
    ? Readonly<Record<string, AnyInputValue>>
    : Simplify<
        {
          readonly [K in D['eventTime'] & FeatureNames<D>]?: EventTimeTypes[D['features'][K] & FeatureType]
        } & {
          readonly [K in Exclude<FeatureNames<D>, D['eventTime']>]?: InputValue<D['features'][K]>
        }
      >

/** The type of a record id. It may be given as any of these; ids are compared by their text. */
export type RecordId = string | number | bigint

/** What the compiler shows for a wrong name. Intersecting two names instead would turn the whole definition into `never`. */
interface MustBeOneOf<Names> {
  readonly mustBeOneOf: Names
}

type EventTimeNames<D extends FeatureGroupDefinition> = {
  [K in FeatureNames<D>]: D['features'][K] extends 'Integral' | CollectionFeature ? never : K
}[FeatureNames<D>]

/** A record is not identified by a collection. */
type IdentifierNames<D extends FeatureGroupDefinition> = {
  [K in FeatureNames<D>]: D['features'][K] extends CollectionFeature ? never : K
}[FeatureNames<D>]

/** Makes wrong identifier and event-time names, and an Integral event time, compile errors. */
export type CheckedDefinition<D extends FeatureGroupDefinition> = D & {
  readonly recordIdentifier: D['recordIdentifier'] extends IdentifierNames<D>
    ? D['recordIdentifier']
    : MustBeOneOf<IdentifierNames<D>>
  readonly eventTime: D['eventTime'] extends EventTimeNames<D>
    ? D['eventTime']
    : MustBeOneOf<EventTimeNames<D>>
}

export type TargetStore = 'online' | 'offline'
export type DeletionMode = 'soft' | 'hard'
