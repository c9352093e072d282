/** What CreateFeatureGroup and UpdateFeatureGroup ask for, in the engine's words. */
import type { Throughput, TimeToLive } from '../core/definition.ts'
import type { DataCatalog, FeatureGroupModel, FeatureModel, GroupSettings, Pair } from '../core/model.ts'
import type { GroupPlan, OfflineStorePlan } from '../engine/group-plan.ts'
import type { GroupChange } from '../engine/group-update.ts'
import type { ControlPlaneInput, WireFeatureDefinition, WirePair } from './control-plane-shapes.ts'
import { ServiceError } from './service-error.ts'

type CreateInput = ControlPlaneInput<'CreateFeatureGroup'>
type UpdateInput = ControlPlaneInput<'UpdateFeatureGroup'>
type WireTtl = { readonly Unit?: TimeToLive['unit']; readonly Value?: number }
type WireThroughput = NonNullable<UpdateInput['ThroughputConfig']>

/** @throws ServiceError ValidationException for what only the wire can say; the engine checks the rest */
export function planOfInput(input: CreateInput): GroupPlan {
  const names = input.FeatureDefinitions.map((definition) => definition.FeatureName)
  for (const member of ['RecordIdentifierFeatureName', 'EventTimeFeatureName'] as const) {
    if (names.includes(input[member])) continue
    throw refused(`${member}: "${input[member]}" is not one of FeatureDefinitions.`)
  }
  const { OnlineStoreConfig: onlineConfig = {}, OfflineStoreConfig: offlineConfig } = input
  const online = onlineConfig.EnableOnlineStore ?? false
  if (!online) {
    for (const member of ['TtlDuration', 'StorageType'] as const) {
      if (onlineConfig[member] === undefined) continue
      throw refused(`OnlineStoreConfig.${member}: there is no online store; EnableOnlineStore is not true.`)
    }
  }
  const onlineKmsKeyId = online ? onlineConfig.SecurityConfig?.KmsKeyId : undefined
  const settings: Omit<GroupSettings, 'offlineStore'> = {
    tags: pairsOf(input.Tags ?? []),
    features: [],
    throughput: throughputOf(input.ThroughputConfig ?? {}, { mode: 'OnDemand' }),
    ...(input.RoleArn === undefined ? {} : { roleArn: input.RoleArn }),
    ...(onlineKmsKeyId === undefined ? {} : { onlineKmsKeyId }),
  }
  return {
    name: input.FeatureGroupName,
    recordIdentifier: input.RecordIdentifierFeatureName,
    eventTime: input.EventTimeFeatureName,
    features: input.FeatureDefinitions.map(featureOf),
    online,
    tier: onlineConfig.StorageType,
    ttl: onlineConfig.TtlDuration === undefined ? undefined : ttlOf(onlineConfig.TtlDuration),
    offlineStore: offlineConfig === undefined ? undefined : offlineStoreOf(offlineConfig),
    description: input.Description ?? '',
    settings,
  }
}

/** @throws ServiceError ValidationException unless exactly one kind of change is asked for */
export function changeOfInput(input: UpdateInput): (group: FeatureGroupModel) => GroupChange {
  const kinds = ['FeatureAdditions', 'OnlineStoreConfig', 'ThroughputConfig'] as const
  const given = kinds.filter((kind) => input[kind] !== undefined && Object.keys(input[kind]).length > 0)
  if (given.length !== 1) {
    const found = given.length === 0 ? 'none' : given.join(' and ')
    throw refused(`Expected exactly one change out of ${kinds.join(', ')}, found ${found}.`)
  }
  const { FeatureAdditions: additions, OnlineStoreConfig: online = {}, ThroughputConfig: throughput } = input
  if (additions !== undefined) return () => ({ addFeatures: additions.map(featureOf) })
  if (throughput !== undefined) {
    return (group) => ({ throughput: throughputOf(throughput, group.settings.throughput) })
  }
  const { TtlDuration: ttl, StorageType: tier } = online
  const change: GroupChange = {
    ...(ttl === undefined ? {} : { ttl: ttlOf(ttl) ?? null }),
    ...(tier === undefined ? {} : { tier }),
  }
  return () => change
}

/** @returns undefined for one without members, which removes a default */
function ttlOf({ Unit: unit, Value: value }: WireTtl): TimeToLive | undefined {
  if (unit === undefined && value === undefined) return undefined
  if (unit !== undefined && value !== undefined) return { unit, value }
  throw refused('OnlineStoreConfig.TtlDuration: expected both Unit and Value, or neither to remove it.')
}

function featureOf(definition: WireFeatureDefinition): FeatureModel {
  const { FeatureName: name, FeatureType: type, CollectionType: collection } = definition
  const dimension = definition.CollectionConfig?.VectorConfig?.Dimension
  return {
    name,
    type,
    ...(collection === undefined ? {} : { collection }),
    ...(dimension === undefined ? {} : { dimension }),
  }
}

export function definitionOf({ name, type, collection, dimension }: FeatureModel): WireFeatureDefinition {
  return {
    FeatureName: name,
    FeatureType: type,
    ...(collection === undefined ? {} : { CollectionType: collection }),
    ...(dimension === undefined ? {} : { CollectionConfig: { VectorConfig: { Dimension: dimension } } }),
  }
}

function offlineStoreOf(config: NonNullable<CreateInput['OfflineStoreConfig']>): OfflineStorePlan {
  const { S3StorageConfig: storage, DataCatalogConfig: catalog, TableFormat: tableFormat } = config
  if (tableFormat === 'Iceberg') {
    throw refused('OfflineStoreConfig.TableFormat: Iceberg is not supported; expected Glue or Default.')
  }
  const dataCatalog: DataCatalog | undefined =
    catalog === undefined
      ? undefined
      : { tableName: catalog.TableName, catalog: catalog.Catalog, database: catalog.Database }
  return {
    s3Uri: storage.S3Uri,
    isGlueTableCreationDisabled: config.DisableGlueTableCreation ?? false,
    ...(storage.KmsKeyId === undefined ? {} : { kmsKeyId: storage.KmsKeyId }),
    ...(dataCatalog === undefined ? {} : { dataCatalog }),
    ...(tableFormat === undefined ? {} : { tableFormat }),
  }
}

/** What an update leaves out stays, as far as the mode has it. */
function throughputOf(config: WireThroughput, current: Throughput): Throughput {
  const mode = config.ThroughputMode ?? current.mode
  const old: Partial<Throughput> = mode === 'Provisioned' ? current : {}
  const readUnits = config.ProvisionedReadCapacityUnits ?? old.readUnits
  const writeUnits = config.ProvisionedWriteCapacityUnits ?? old.writeUnits
  return {
    mode,
    ...(readUnits === undefined ? {} : { readUnits }),
    ...(writeUnits === undefined ? {} : { writeUnits }),
  }
}

export const pairsOf = (pairs: readonly WirePair[]): Pair[] =>
  pairs.map(({ Key: key, Value: value }) => ({ key, value }))

export const wirePairsOf = (pairs: readonly Pair[]): WirePair[] =>
  pairs.map(({ key, value }) => ({ Key: key, Value: value }))

const refused = (message: string): ServiceError => new ServiceError('control', 'ValidationException', message)
