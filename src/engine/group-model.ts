/** Feature groups between the caller's definition, the catalog's model and what `describe` tells. */
import { join, relative, resolve } from 'node:path'
import type {
  FeatureDeclaration,
  FeatureGroupDefinition,
  OnlineTier,
  TimeToLive,
} from '../core/definition.ts'
import {
  declarationOf,
  type FeatureGroupModel,
  featureModelOf,
  NO_SETTINGS,
  typeText,
} from '../core/model.ts'
import type { FileSystem } from '../io/file-system.ts'
import { offlineDataDirectory, offlineRoot } from '../io/paths.ts'
import type { ResolvedOptions } from './options.ts'
import type { StoreCore } from './store-core.ts'

/** A feature group as `describe` and `list` tell it. */
export interface FeatureGroupDescription {
  readonly name: string
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
  readonly createdAt: Date
  /** Moves with every update of the group. */
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

export function modelOf(
  context: ModelContext,
  number: number,
  definition: FeatureGroupDefinition,
): FeatureGroupModel {
  const { online = true, offline = true, description = '' } = definition
  const { tier = 'Standard', ttl } = typeof online === 'object' ? online : {}
  const { directory, fileSystem, core, options } = context
  let createdAtMs = core.clock.nowMs()
  let offlineDirectory = ''
  if (offline) {
    const place = (): string =>
      offlineDataDirectory({
        root: offlineRoot(directory),
        ...options.location,
        featureGroup: definition.name,
        createdSeconds: Math.floor(createdAtMs / 1000),
      })
    // The directory is named by the second; a group re-created within one must not meet the old files.
    while (fileSystem.exists(resolve(place(), '..'))) createdAtMs += 1000
    offlineDirectory = relative(directory, place())
  }
  return {
    number,
    name: definition.name,
    recordIdentifier: definition.recordIdentifier,
    eventTime: definition.eventTime,
    features: Object.entries(definition.features).map(([name, type]) => featureModelOf(name, type)),
    online: online !== false,
    tier,
    ...(ttl === undefined ? {} : { ttl: { unit: ttl.unit, value: ttl.value } }),
    offline,
    description,
    createdAtMs,
    updatedAtMs: createdAtMs,
    status: 'created',
    offlineDirectory,
    settings: NO_SETTINGS,
  }
}

export function describeGroup(directory: string, group: FeatureGroupModel): FeatureGroupDescription {
  return {
    name: group.name,
    recordIdentifier: group.recordIdentifier,
    eventTime: group.eventTime,
    features: Object.fromEntries(group.features.map((feature) => [feature.name, declarationOf(feature)])),
    online: group.online,
    tier: group.online ? group.tier : undefined,
    ttl: group.ttl,
    offline: group.offline,
    description: group.description,
    createdAt: new Date(group.createdAtMs),
    updatedAt: new Date(group.updatedAtMs),
    status: group.status,
    offlineDirectory: group.offline ? join(directory, group.offlineDirectory) : undefined,
  }
}

/** @returns the first difference between two definitions, in words; undefined if they agree */
export function differenceOf(existing: FeatureGroupModel, wanted: FeatureGroupModel): string | undefined {
  for (const key of ['recordIdentifier', 'eventTime', 'online', 'offline'] as const) {
    if (existing[key] !== wanted[key]) return `${key} is ${existing[key]}, not ${wanted[key]}`
  }
  const show = (group: FeatureGroupModel): string =>
    group.features.map((feature) => `${feature.name}: ${typeText(declarationOf(feature))}`).join(', ')
  return show(existing) === show(wanted)
    ? undefined
    : `its features are ${show(existing)}, not ${show(wanted)}`
}
