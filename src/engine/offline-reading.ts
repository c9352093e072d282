/** The part of a feature group's handle that reads the offline store. What it does is in src/query. */
import type { FeatureGroupDefinition } from '../core/definition.ts'
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

export abstract class OfflineReading<D extends FeatureGroupDefinition> {
  /** @throws INVALID_ARGUMENT if the group has no offline store; what every call throws if it is not open */
  protected abstract offlineSource(): OfflineSource

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
}
