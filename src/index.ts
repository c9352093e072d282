/** Millrace: an embeddable, sharded ingestion engine. The public surface, and the only barrel. */

export { ManualClock } from './core/clock.ts'
export type {
  AnyInputValue,
  AnyOutputValue,
  CollectionFeature,
  CollectionType,
  DeletionMode,
  FeatureDeclaration,
  FeatureGroupDefinition,
  FeatureType,
  OfflineStoreOptions,
  OnlineStoreOptions,
  OnlineTier,
  RecordId,
  RecordInput,
  RecordOutput,
  RecordUpdate,
  TargetStore,
  Throughput,
  TimeToLive,
} from './core/definition.ts'
export { type ErrorCode, type ErrorKind, MillraceError } from './core/errors.ts'
export {
  type DeleteOptions,
  FeatureGroup,
  type ListOptions,
  type PutOptions,
  type RecordPage,
  type WriteOptions,
} from './engine/feature-group.ts'
export type { FeatureGroupDescription } from './engine/group-model.ts'
export type { FeatureGroupUpdate } from './engine/group-update.ts'
export type { IngestOptions, IngestProgress, IngestReport, RowError } from './engine/ingest.ts'
export { Millrace } from './engine/millrace.ts'
export type { RecoverySummary } from './engine/open-store.ts'
export type { MillraceOptions } from './engine/options.ts'
export type { StoreStatistics } from './engine/statistics.ts'
export type {
  AgreementOptions,
  AgreementProgress,
  AgreementReport,
  RecordDifference,
} from './query/agreement.ts'
export type {
  EventTimeInput,
  FeatureName,
  HistoryOptions,
  HistoryRow,
  HistoryView,
  JoinedRow,
  PointInTimeJoinOptions,
  QueryOptions,
  RecordColumns,
  ServiceColumns,
} from './query/options.ts'
export type { RebuildOptions, RebuildProgress, RebuildReport } from './query/rebuild-online.ts'
