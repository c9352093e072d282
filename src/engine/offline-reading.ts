/** The part of a feature group's handle that reads the offline store. What it does is in src/query. */
import type { FeatureGroupDefinition, RecordId, RecordInput } from '../core/definition.ts'
import { type AgreementOptions, type AgreementReport, checkAgreement } from '../query/agreement.ts'
import { readHistory } from '../query/history.ts'
import type { OfflineSource } from '../query/offline-source.ts'
import type {
  FeatureName,
  HistoryOptions,
  HistoryRow,
  JoinedRow,
  PointInTimeJoinOptions,
} from '../query/options.ts'
import { joinPointInTime } from '../query/point-in-time-join.ts'
import {
  type RebuildOptions,
  type RebuildReport,
  rebuildOnline,
  type WriteOnline,
} from '../query/rebuild-online.ts'
import type { IngestOptions, IngestReport } from './ingest.ts'
import type { RowInput } from './ingest-input.ts'

export abstract class OfflineReading<D extends FeatureGroupDefinition> {
  /** @throws INVALID_ARGUMENT if the group has no offline store; what every call throws if it is not open */
  protected abstract offlineSource(): OfflineSource
  abstract ids(options: { readonly pageSize: number }): AsyncIterable<string>
  abstract getMany(ids: readonly RecordId[]): Promise<(object | undefined)[]>
  abstract ingest(rows: RowInput<RecordInput<D>>, options: IngestOptions): Promise<IngestReport>

  /**
   * Reads the offline store with DuckDB, an optional peer dependency: every write, or the latest snapshot, now or as of
   * some time (R-474..R-477). Reading begins with the first row that is asked for, and ends when no more are.
   * @throws INVALID_ARGUMENT at once. With the first row DEPENDENCY_MISSING if DuckDB is not installed; IO_FAILED
   */
  history<C extends FeatureName<D> = FeatureName<D>>(
    options: HistoryOptions<D, C> = {},
  ): AsyncGenerator<HistoryRow<D, C>, void, undefined> {
    return readHistory(this.offlineSource(), options)
  }

  /**
   * Joins to each base row the record of its id as of its event time, for training sets: in the order of the
   * base rows, one for one. Where there was none yet, or where it was deleted, `features` is undefined.
   * @param rows - objects with an id and an event time, in properties named as the features or as `options` says
   * @throws INVALID_ARGUMENT at once, or with the first row if a base row is wrong; otherwise as `history`
   */
  pointInTimeJoin<B extends object, C extends FeatureName<D> = FeatureName<D>>(
    rows: Iterable<B> | AsyncIterable<B>,
    options: PointInTimeJoinOptions<D, C> = {},
  ): AsyncGenerator<JoinedRow<B, D, C>, void, undefined> {
    return joinPointInTime(this.offlineSource(), rows, options)
  }

  /**
   * Compares the online store with the latest snapshot of the offline store, record by record and to the bit. They hold
   * the same if every write went to both and none is made meanwhile, but for what only the online store does: it expires
   * records, has no memory of a hard delete, and ignores a soft delete at the record's own event time.
   * @throws INVALID_ARGUMENT, DEPENDENCY_MISSING, IO_FAILED; what the signal was aborted with
   */
  checkAgreement(options: AgreementOptions = {}): Promise<AgreementReport> {
    return checkAgreement(this.offlineSource(), this, options)
  }

  /**
   * Writes the latest snapshot of the offline store into the online store, as an ingestion into that store alone: what
   * is later there stays, what has the same event time is replaced (R-112..R-114), and what is only there remains. Times
   * to live that were given with a record are not in the files.
   * @returns when every record is durable and visible
   * @throws INVALID_ARGUMENT without either store, DEPENDENCY_MISSING, IO_FAILED
   */
  rebuildOnline(options: RebuildOptions = {}): Promise<RebuildReport> {
    const write: WriteOnline = (records, ingestOptions) =>
      this.ingest(records as AsyncIterable<RecordInput<D>[]>, { ...ingestOptions, stores: ['online'] })
    const online = { ids: this.ids.bind(this), getMany: this.getMany.bind(this), write }
    return rebuildOnline(this.offlineSource(), online, options)
  }
}
