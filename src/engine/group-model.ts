/** Feature groups between a plan, the catalog's model and what `describe` tells. */
import { join, relative, resolve } from 'node:path'
import type { FeatureDeclaration, OnlineTier, Throughput, TimeToLive } from '../core/definition.ts'
import {
  declarationOf,
  type FeatureGroupModel,
  type FeatureModel,
  type OfflineStoreSettings,
  typeText,
} from '../core/model.ts'
import type { FileSystem } from '../io/file-system.ts'
import { locationOfUri, offlineDataDirectory, offlineDataUri, offlineRoot } from '../io/paths.ts'
import type { GroupPlan, OfflineStorePlan } from './group-plan.ts'
import type { ResolvedOptions, StoreLocation } from './options.ts'
import type { StoreCore } from './store-core.ts'

/** A feature group as `describe` and `list` tell it. */
export interface FeatureGroupDescription {
  readonly name: string
  /** `arn:<partition>:sagemaker:<region>:<account>:feature-group/<name>` (R-044). */
  readonly arn: string
  readonly recordIdentifier: string
  readonly eventTime: string
  readonly features: Readonly<Record<string, FeatureDeclaration>>
  readonly online: boolean
  /** Undefined without an online store. */
  readonly tier: OnlineTier | undefined
  /** The group's default; undefined if records stay. */
  readonly ttl: TimeToLive | undefined
  readonly offline: boolean
  readonly description: string
  readonly tags: Readonly<Record<string, string>>
  readonly throughput: Throughput
  readonly createdAt: Date
  /** Moves with every update of the group, not with its tags (R-536). */
  readonly updatedAt: Date
  readonly status: 'created' | 'deleting'
  /** Absolute path of the directory that holds its `year=.../month=.../day=.../hour=...` partitions; undefined without an offline store. */
  readonly offlineDirectory: string | undefined
}

/** What a model needs to know of its store. */
export interface ModelContext {
  readonly directory: string
  readonly fileSystem: FileSystem
  readonly core: StoreCore
  readonly options: ResolvedOptions
}

/** @param plan - checked */
export function modelOf(context: ModelContext, number: number, plan: GroupPlan): FeatureGroupModel {
  const { core } = context
  const { name, ttl, offlineStore } = plan
  const offline = offlineStore === undefined ? undefined : placeOffline(context, name, offlineStore)
  const createdAtMs = offline?.createdAtMs ?? core.clock.nowMs()
  return {
    number,
    name,
    recordIdentifier: plan.recordIdentifier,
    eventTime: plan.eventTime,
    features: plan.features,
    online: plan.online,
    tier: plan.tier ?? 'Standard',
    ...(ttl === undefined ? {} : { ttl: { unit: ttl.unit, value: ttl.value } }),
    offline: offline !== undefined,
    description: plan.description,
    createdAtMs,
    updatedAtMs: createdAtMs,
    status: 'created',
    offlineDirectory: offline?.directory ?? '',
    settings: { ...plan.settings, ...(offline === undefined ? {} : { offlineStore: offline.settings }) },
  }
}

function placeOffline(
  { directory, fileSystem, core, options }: ModelContext,
  featureGroup: string,
  plan: OfflineStorePlan,
): { createdAtMs: number; directory: string; settings: OfflineStoreSettings } {
  const { accountId, region } = options.location
  const s3Uri = plan.s3Uri ?? defaultUri(options.location)
  const location = plan.s3Uri === undefined ? options.location : locationOfUri(plan.s3Uri)
  let createdAtMs = core.clock.nowMs()
  const names = (): Parameters<typeof offlineDataUri>[1] => ({
    accountId,
    region,
    featureGroup,
    createdSeconds: Math.floor(createdAtMs / 1000),
  })
  const place = (): string => {
    const { bucket, prefix } = location
    return offlineDataDirectory({ root: offlineRoot(directory), bucket, prefix, ...names() })
  }
  // The directory is named by the second; a group re-created within one must not meet the old files (R-543).
  while (fileSystem.exists(resolve(place(), '..'))) createdAtMs += 1000
  return {
    createdAtMs,
    directory: relative(directory, place()),
    settings: { ...plan, s3Uri, resolvedS3Uri: offlineDataUri(s3Uri, names()) },
  }
}

const defaultUri = ({ bucket, prefix }: StoreLocation): string =>
  `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`

/** R-044: the case of the name is kept. */
export const groupArn = ({ partition, region, accountId }: StoreLocation, name: string): string =>
  `arn:${partition}:sagemaker:${region}:${accountId}:feature-group/${name}`

export function describeGroup(
  directory: string,
  location: StoreLocation,
  group: FeatureGroupModel,
): FeatureGroupDescription {
  return {
    name: group.name,
    arn: groupArn(location, group.name),
    recordIdentifier: group.recordIdentifier,
    eventTime: group.eventTime,
    features: Object.fromEntries(group.features.map((feature) => [feature.name, declarationOf(feature)])),
    online: group.online,
    tier: group.online ? group.tier : undefined,
    ttl: group.ttl,
    offline: group.offline,
    description: group.description,
    tags: Object.fromEntries(group.settings.tags.map(({ key, value }) => [key, value])),
    throughput: group.settings.throughput,
    createdAt: new Date(group.createdAtMs),
    updatedAt: new Date(group.updatedAtMs),
    status: group.status,
    offlineDirectory: group.offline ? join(directory, group.offlineDirectory) : undefined,
  }
}

/**
 * @returns the first difference between a group and a plan, in words; undefined if they agree. What a plan leaves to
 *   the defaults agrees with anything; tags and throughput do not count
 */
export function differenceOf(existing: FeatureGroupModel, wanted: GroupPlan): string | undefined {
  const stores = { online: wanted.online, offline: wanted.offlineStore !== undefined }
  const { recordIdentifier, eventTime } = wanted
  for (const [key, value] of Object.entries({ recordIdentifier, eventTime, ...stores })) {
    const is = existing[key as keyof FeatureGroupModel]
    if (is !== value) return `${key} is ${is}, not ${value}`
  }
  if (wanted.tier !== undefined && wanted.tier !== existing.tier) {
    return `its tier is ${existing.tier}, not ${wanted.tier}`
  }
  if (wanted.ttl !== undefined && ttlText(wanted.ttl) !== ttlText(existing.ttl)) {
    return `its ttl is ${ttlText(existing.ttl)}, not ${ttlText(wanted.ttl)}`
  }
  const uri = wanted.offlineStore?.s3Uri
  if (uri !== undefined && uri !== existing.settings.offlineStore?.s3Uri) {
    return `its offline store is ${existing.settings.offlineStore?.s3Uri}, not ${uri}`
  }
  const show = (features: readonly FeatureModel[]): string =>
    features.map((feature) => `${feature.name}: ${typeText(declarationOf(feature))}`).join(', ')
  return show(existing.features) === show(wanted.features)
    ? undefined
    : `its features are ${show(existing.features)}, not ${show(wanted.features)}`
}

const ttlText = (ttl: TimeToLive | undefined): string =>
  ttl === undefined ? 'none' : `${ttl.value} ${ttl.unit}`
