/** What callers say, and get, when they read the offline store. Knows nothing of DuckDB: users compile against this. */
import type { FeatureGroupDefinition, RecordId, RecordInput, RecordOutput } from '../core/definition.ts'

/** Names of the features of a group; any string where the definition is not known to the compiler. */
export type FeatureName<D extends FeatureGroupDefinition> = keyof D['features'] & string

/** A point of event time: as it is written to this group, or a Date. */
export type EventTimeInput<D extends FeatureGroupDefinition> =
  | RecordInput<D>[D['eventTime'] & keyof RecordInput<D>]
  | Date

export interface QueryOptions {
  /** Publish the group's rows first, so that everything acknowledged before is seen. Default true. */
  readonly flush?: boolean
  /** What DuckDB may take; default 512 MiB. Rows that are only passed on take a few megabytes whatever their number. */
  readonly memoryBytes?: number
  /** Where what does not fit in `memoryBytes` may go; by default nowhere, and a query that needs more is refused. */
  readonly temporaryDirectory?: string
  /** Interrupts the query, which then throws the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * Which rows of the writes are told.
 *
 * - `writes`: every row, markers of deletes included
 * - `versions`: of rows with the same id and event time the one written last
 * - `undeleted`: the versions that are later than the last delete of their id
 * - `latest`: the last version of each id, unless it is a delete
 */
export type HistoryView = 'writes' | 'versions' | 'undeleted' | 'latest'

export interface HistoryOptions<
  D extends FeatureGroupDefinition = FeatureGroupDefinition,
  C extends FeatureName<D> = FeatureName<D>,
> extends QueryOptions {
  /** Default `writes`. It is applied to the rows that the other options leave. */
  readonly view?: HistoryView
  /** Only rows of these ids. */
  readonly ids?: readonly RecordId[]
  /** Only rows of this event time or later. */
  readonly from?: EventTimeInput<D>
  /** Only rows earlier than this event time. */
  readonly to?: EventTimeInput<D>
  /** As it was at this event time: drops rows with a later one. */
  readonly asOfEventTime?: EventTimeInput<D>
  /** As a reader saw it at this moment: drops rows that were written to files in a later millisecond. */
  readonly asOfWriteTime?: Date
  /** The features that are read; default all. */
  readonly columns?: readonly C[]
  /** By record id, then oldest first; takes memory for all rows. Default false: in the order of the files. */
  readonly sorted?: boolean
}

/**
 * What the store adds to every offline row, named as in the files, so that no feature is named so. A Date has
 * milliseconds; the files have microseconds, which are what orders rows.
 */
export interface ServiceColumns {
  /** When the row was written to its file. */
  readonly write_time: Date
  /** When the store received the call. */
  readonly api_invocation_time: Date
  /** Whether the row is the marker of a delete; all but its id and event time is missing then. */
  readonly is_deleted: boolean
}

/** The chosen features of a record; those without a value are left out, as in every record that is read. */
export type RecordColumns<D extends FeatureGroupDefinition, C extends FeatureName<D>> = Pick<
  RecordOutput<D>,
  C & keyof RecordOutput<D>
>

export type HistoryRow<
  D extends FeatureGroupDefinition = FeatureGroupDefinition,
  C extends FeatureName<D> = FeatureName<D>,
> = RecordColumns<D, C> & ServiceColumns

export interface PointInTimeJoinOptions<
  D extends FeatureGroupDefinition = FeatureGroupDefinition,
  C extends FeatureName<D> = FeatureName<D>,
> extends QueryOptions {
  /** The property of the base rows that holds the record id; default the name of the identifier feature. */
  readonly recordIdentifier?: string
  /** The property of the base rows that holds their event time; default the name of the event-time feature. */
  readonly eventTime?: string
  /** The features that are joined; default all. */
  readonly columns?: readonly C[]
  /** As a reader saw it at this moment: drops rows that were written to files later. */
  readonly asOfWriteTime?: Date
}

export interface JoinedRow<
  B,
  D extends FeatureGroupDefinition = FeatureGroupDefinition,
  C extends FeatureName<D> = FeatureName<D>,
> {
  /** The caller's own object. */
  readonly row: B
  /** The record as of the row's event time; undefined if there was none yet, or if it was deleted. */
  readonly features: RecordColumns<D, C> | undefined
}
