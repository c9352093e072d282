/** Feature groups and features as the control plane describes them (a.5 and b.13 of the specification). */
import type { Throughput } from '../core/definition.ts'
import type { FeatureGroupModel, FeatureModel, OfflineStoreSettings } from '../core/model.ts'
import { groupArn } from '../engine/group-model.ts'
import type { StoreLocation } from '../engine/options.ts'
import type { ControlPlaneInput, WireFeatureDefinition, WirePair } from './control-plane-shapes.ts'
import { definitionOf, wirePairsOf } from './group-input.ts'

export type FeatureGroupStatus = 'Created' | 'Deleting' | 'DeleteFailed'

export interface OfflineStoreStatus {
  readonly Status: 'Active' | 'Blocked'
  readonly BlockedReason?: string
}

export interface DescribeFeatureGroupOutput {
  readonly FeatureGroupArn: string
  readonly FeatureGroupName: string
  readonly RecordIdentifierFeatureName: string
  readonly EventTimeFeatureName: string
  readonly FeatureDefinitions: readonly WireFeatureDefinition[]
  /** Seconds since 1970, with milliseconds. */
  readonly CreationTime: number
  readonly LastModifiedTime: number
  /** Only of a group with an online store. */
  readonly OnlineStoreConfig?: NonNullable<ControlPlaneInput<'CreateFeatureGroup'>['OnlineStoreConfig']>
  /** This and its status: only of a group with an offline store. */
  readonly OfflineStoreConfig?: NonNullable<ControlPlaneInput<'CreateFeatureGroup'>['OfflineStoreConfig']>
  readonly ThroughputConfig: NonNullable<ControlPlaneInput<'CreateFeatureGroup'>['ThroughputConfig']>
  readonly RoleArn?: string
  readonly FeatureGroupStatus: FeatureGroupStatus
  readonly OfflineStoreStatus?: OfflineStoreStatus
  /** Of a group that was updated, or is just being updated. */
  readonly LastUpdateStatus?: { readonly Status: 'Successful' | 'InProgress' }
  readonly FailureReason?: string
  readonly Description?: string
  /**
   * Packed bytes of the live records that have reached the online partitions, not the sizes of R-096: those
   * are known for a record only while it is being checked.
   */
  readonly OnlineStoreTotalSizeBytes?: number
}

export interface FeatureGroupSummary {
  readonly FeatureGroupName: string
  readonly FeatureGroupArn: string
  readonly CreationTime: number
  readonly FeatureGroupStatus: FeatureGroupStatus
  readonly OfflineStoreStatus?: OfflineStoreStatus
}

export interface DescribeFeatureMetadataOutput {
  readonly FeatureGroupArn: string
  readonly FeatureGroupName: string
  readonly FeatureName: string
  readonly FeatureType: string
  readonly CreationTime: number
  readonly LastModifiedTime: number
  readonly Description?: string
  readonly Parameters: readonly WirePair[]
}

/** What is known of a group besides its model. */
export interface GroupState {
  readonly isUpdating: boolean
  /** As opposed to one whose deletion failed. */
  readonly isDeleting: boolean
  readonly onlineBytes: number
  /** Why rows cannot become files at present; undefined while they can. */
  readonly offlineFailure: string | undefined
}

const REASON_LENGTH_MAX = 1024
const seconds = (ms: number): number => ms / 1000

export function describeOutput(
  location: StoreLocation,
  group: FeatureGroupModel,
  state: GroupState,
): DescribeFeatureGroupOutput {
  const { settings } = group
  const { CreationTime, FeatureGroupStatus, ...summary } = summaryOutput(location, group, state)
  const hasChanged = group.updatedAtMs > group.createdAtMs
  return {
    ...summary,
    RecordIdentifierFeatureName: group.recordIdentifier,
    EventTimeFeatureName: group.eventTime,
    FeatureDefinitions: group.features.map(definitionOf),
    CreationTime,
    LastModifiedTime: seconds(group.updatedAtMs),
    ...(group.online ? { OnlineStoreConfig: onlineConfig(group) } : {}),
    ...(settings.offlineStore === undefined
      ? {}
      : { OfflineStoreConfig: offlineConfig(group, settings.offlineStore) }),
    ThroughputConfig: throughputConfig(settings.throughput),
    ...(settings.roleArn === undefined ? {} : { RoleArn: settings.roleArn }),
    FeatureGroupStatus,
    ...(state.isUpdating || hasChanged
      ? { LastUpdateStatus: { Status: state.isUpdating ? ('InProgress' as const) : ('Successful' as const) } }
      : {}),
    ...(FeatureGroupStatus === 'DeleteFailed' && state.offlineFailure !== undefined
      ? { FailureReason: state.offlineFailure.slice(0, REASON_LENGTH_MAX) }
      : {}),
    ...(group.description === '' ? {} : { Description: group.description }),
    ...(group.online ? { OnlineStoreTotalSizeBytes: state.onlineBytes } : {}),
  }
}

export function summaryOutput(
  location: StoreLocation,
  group: FeatureGroupModel,
  state: Pick<GroupState, 'isDeleting' | 'offlineFailure'>,
): FeatureGroupSummary {
  return {
    FeatureGroupName: group.name,
    FeatureGroupArn: groupArn(location, group.name),
    CreationTime: seconds(group.createdAtMs),
    FeatureGroupStatus:
      group.status === 'created' ? 'Created' : state.isDeleting ? 'Deleting' : 'DeleteFailed',
    ...(group.offline ? { OfflineStoreStatus: offlineStatus(state.offlineFailure) } : {}),
  }
}

/** rows wait in the log while files cannot be written. */
const offlineStatus = (failure: string | undefined): OfflineStoreStatus =>
  failure === undefined
    ? { Status: 'Active' }
    : { Status: 'Blocked', BlockedReason: failure.slice(0, REASON_LENGTH_MAX) }

function onlineConfig(
  group: FeatureGroupModel,
): NonNullable<DescribeFeatureGroupOutput['OnlineStoreConfig']> {
  const { onlineKmsKeyId } = group.settings
  return {
    ...(onlineKmsKeyId === undefined ? {} : { SecurityConfig: { KmsKeyId: onlineKmsKeyId } }),
    EnableOnlineStore: true,
    ...(group.ttl === undefined ? {} : { TtlDuration: { Unit: group.ttl.unit, Value: group.ttl.value } }),
    StorageType: group.tier,
  }
}

function offlineConfig(
  group: FeatureGroupModel,
  store: OfflineStoreSettings,
): NonNullable<DescribeFeatureGroupOutput['OfflineStoreConfig']> {
  const catalog = store.dataCatalog
  const DataCatalogConfig =
    catalog !== undefined
      ? { TableName: catalog.tableName, Catalog: catalog.catalog, Database: catalog.database }
      : store.isGlueTableCreationDisabled
        ? undefined
        : generatedCatalog(group)
  return {
    S3StorageConfig: {
      S3Uri: store.s3Uri,
      ...(store.kmsKeyId === undefined ? {} : { KmsKeyId: store.kmsKeyId }),
      ResolvedOutputS3Uri: store.resolvedS3Uri,
    },
    DisableGlueTableCreation: store.isGlueTableCreationDisabled,
    ...(DataCatalogConfig === undefined ? {} : { DataCatalogConfig }),
    TableFormat: store.tableFormat ?? 'Glue',
  }
}

/** */
function generatedCatalog({ name, createdAtMs }: FeatureGroupModel): {
  TableName: string
  Catalog: string
  Database: string
} {
  const table = `${name.replaceAll('-', '_')}_${Math.floor(createdAtMs / 1000)}`
  return {
    TableName: table.toLowerCase(),
    Catalog: 'AwsDataCatalog',
    Database: 'sagemaker_featurestore',
  }
}

const throughputConfig = ({
  mode,
  readUnits,
  writeUnits,
}: Throughput): DescribeFeatureGroupOutput['ThroughputConfig'] => ({
  ThroughputMode: mode,
  ...(readUnits === undefined ? {} : { ProvisionedReadCapacityUnits: readUnits }),
  ...(writeUnits === undefined ? {} : { ProvisionedWriteCapacityUnits: writeUnits }),
})

export function featureMetadata(
  location: StoreLocation,
  group: FeatureGroupModel,
  feature: FeatureModel,
): DescribeFeatureMetadataOutput {
  const settings = group.settings.features.find((each) => each.feature === feature.name)
  const createdAtMs = feature.addedAtMs ?? group.createdAtMs
  return {
    FeatureGroupArn: groupArn(location, group.name),
    FeatureGroupName: group.name,
    FeatureName: feature.name,
    FeatureType: feature.type,
    CreationTime: seconds(createdAtMs),
    LastModifiedTime: seconds(settings?.updatedAtMs ?? createdAtMs),
    ...(settings?.description === undefined ? {} : { Description: settings.description }),
    Parameters: wirePairsOf(settings?.parameters ?? []),
  }
}
