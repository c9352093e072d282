/** What a feature group is, as the caller writes it and as TypeScript sees its records. */

export type FeatureType = 'String' | 'Integral' | 'Fractional'

export interface FeatureGroupDefinition {
  /** 1 to 64 letters, digits, `-` and `_`, alphanumeric at both ends. Unique ignoring case. */
  readonly name: string
  /** The feature that identifies a record. Ids are compared as strings. */
  readonly recordIdentifier: string
  /** The feature that orders the versions of a record; String or Fractional. */
  readonly eventTime: string
  /** Feature name to type. The order is the column order (integer-like names come first, as in any object). */
  readonly features: Readonly<Record<string, FeatureType>>
  /** Keep the latest record per id for reading. Default true. */
  readonly online?: boolean
  /** Keep every write as hourly Parquet. Default true. */
  readonly offline?: boolean
  /** At most 128 characters. */
  readonly description?: string
}

interface ValueTypes {
  String: string
  /** A `number` where it is a safe integer, else a `bigint`: 64 bits are never rounded. */
  Integral: number | bigint
  Fractional: number
}

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
    ? Readonly<Record<string, string | number | bigint | Date | null | undefined>>
    : Simplify<
        {
          readonly [K in D['eventTime'] & FeatureNames<D>]: EventTimeTypes[D['features'][K]]
        } & {
          readonly [K in Exclude<D['recordIdentifier'], D['eventTime']> &
            FeatureNames<D>]: ValueTypes[D['features'][K]]
        } & {
          readonly [K in OptionalNames<D>]?: ValueTypes[D['features'][K]] | null | undefined
        }
      >

/** A record as it is read: features in the order of the definition, those without a value left out. */
export type RecordOutput<D extends FeatureGroupDefinition> =
  string extends FeatureNames<D>
    ? Record<string, string | number | bigint>
    : Simplify<
        {
          [K in (D['recordIdentifier'] | D['eventTime']) & FeatureNames<D>]: ValueTypes[D['features'][K]]
        } & {
          [K in OptionalNames<D>]?: ValueTypes[D['features'][K]]
        }
      >

/** The type of a record id. It may be given as any of these; ids are compared by their text. */
export type RecordId = string | number | bigint

/** What the compiler shows for a wrong name. Intersecting two names instead would turn the whole definition into `never`. */
interface MustBeOneOf<Names> {
  readonly mustBeOneOf: Names
}

type EventTimeNames<D extends FeatureGroupDefinition> = {
  [K in FeatureNames<D>]: D['features'][K] extends 'Integral' ? never : K
}[FeatureNames<D>]

/** Makes wrong identifier and event-time names, and an Integral event time, compile errors. */
export type CheckedDefinition<D extends FeatureGroupDefinition> = D & {
  readonly recordIdentifier: D['recordIdentifier'] extends FeatureNames<D>
    ? D['recordIdentifier']
    : MustBeOneOf<FeatureNames<D>>
  readonly eventTime: D['eventTime'] extends EventTimeNames<D>
    ? D['eventTime']
    : MustBeOneOf<EventTimeNames<D>>
}

export type TargetStore = 'online' | 'offline'
export type DeletionMode = 'soft' | 'hard'
