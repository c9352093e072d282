/** Feature groups between the caller's definition, the catalog's model and what `describe` tells. */
import { join, relative, resolve } from 'node:path'
import type { FeatureGroupDefinition } from '../core/definition.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import type { FileSystem } from '../io/file-system.ts'
import { offlineDataDirectory, offlineRoot } from '../io/paths.ts'
import type { ResolvedOptions } from './options.ts'
import type { StoreCore } from './store-core.ts'

/** A feature group as `describe` and `list` tell it. */
export interface FeatureGroupDescription extends Required<FeatureGroupDefinition> {
  readonly createdAt: Date
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
    features: Object.entries(definition.features).map(([name, type]) => ({ name, type })),
    online,
    offline,
    description,
    createdAtMs,
    status: 'created',
    offlineDirectory,
  }
}

export function describeGroup(directory: string, group: FeatureGroupModel): FeatureGroupDescription {
  return {
    name: group.name,
    recordIdentifier: group.recordIdentifier,
    eventTime: group.eventTime,
    features: Object.fromEntries(group.features.map(({ name, type }) => [name, type])),
    online: group.online,
    offline: group.offline,
    description: group.description,
    createdAt: new Date(group.createdAtMs),
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
    group.features.map(({ name, type }) => `${name}: ${type}`).join(', ')
  return show(existing) === show(wanted)
    ? undefined
    : `its features are ${show(existing)}, not ${show(wanted)}`
}
