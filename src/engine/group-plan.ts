/** A feature group that is to be made, in the form that all faces of the engine bring their definitions into. */
import type {
  FeatureDeclaration,
  FeatureGroupDefinition,
  OfflineStoreOptions,
  OnlineStoreOptions,
  OnlineTier,
  TimeToLive,
} from '../core/definition.ts'
import { invalid, quote } from '../core/errors.ts'
import {
  type FeatureModel,
  featureModelOf,
  type GroupSettings,
  NO_SETTINGS,
  type OfflineStoreSettings,
  type Pair,
} from '../core/model.ts'

export interface GroupPlan {
  readonly name: string
  readonly recordIdentifier: string
  readonly eventTime: string
  readonly features: readonly FeatureModel[]
  readonly online: boolean
  /** Undefined: the default. */
  readonly tier: OnlineTier | undefined
  readonly ttl: TimeToLive | undefined
  /** Undefined: no offline store. */
  readonly offlineStore: OfflineStorePlan | undefined
  readonly description: string
  readonly settings: Omit<GroupSettings, 'offlineStore'>
}

/** Without a URI: where the store's `location` says. */
export type OfflineStorePlan = Omit<OfflineStoreSettings, 's3Uri' | 'resolvedS3Uri'> & {
  readonly s3Uri?: string
}

const MEMBERS = [
  'name',
  'recordIdentifier',
  'eventTime',
  'features',
  'online',
  'offline',
  'description',
  'tags',
  'throughput',
]
const ONLINE_MEMBERS = ['tier', 'ttl']
const OFFLINE_MEMBERS = ['s3Uri']

/**
 * Reads a caller's definition; whether what it says is allowed, `checkPlan` decides.
 * @throws INVALID_ARGUMENT for what is not a definition at all
 */
export function planOf(definition: FeatureGroupDefinition): GroupPlan {
  const { name, recordIdentifier, eventTime, features } = definition
  const where = `feature group ${quote(String(name))}`
  checkMembers(where, definition, MEMBERS)
  if (typeof features !== 'object' || features === null || Array.isArray(features)) {
    const found = Array.isArray(features) ? 'an array' : String(features)
    throw invalid(`${where}: features: expected an object of names and types, found ${found}`)
  }
  const online = storeOptions<OnlineStoreOptions>(where, 'online', definition.online, ONLINE_MEMBERS)
  const offline = storeOptions<OfflineStoreOptions>(where, 'offline', definition.offline, OFFLINE_MEMBERS)
  return {
    name,
    recordIdentifier,
    eventTime,
    features: Object.entries(features).map(([feature, declaration]) =>
      readDeclaration(where, feature, declaration),
    ),
    online: online !== undefined,
    tier: online?.tier,
    ttl: online?.ttl,
    offlineStore:
      offline === undefined
        ? undefined
        : {
            isGlueTableCreationDisabled: false,
            ...(offline.s3Uri === undefined ? {} : { s3Uri: offline.s3Uri }),
          },
    description: definition.description ?? '',
    settings: {
      ...NO_SETTINGS,
      tags: pairsOf(definition.tags ?? {}),
      throughput: definition.throughput ?? NO_SETTINGS.throughput,
    },
  }
}

const pairsOf = (record: Readonly<Record<string, string>>): Pair[] =>
  Object.entries(record).map(([key, value]) => ({ key, value }))

/** @throws INVALID_ARGUMENT */
export function readDeclaration(where: string, name: string, declaration: FeatureDeclaration): FeatureModel {
  if (typeof declaration === 'object' && declaration !== null) {
    checkMembers(`${where}: feature "${name}"`, declaration, ['type', 'collection', 'dimension'])
  }
  return featureModelOf(name, declaration)
}

/** @returns undefined for a store that is off */
function storeOptions<T extends object>(
  where: string,
  store: string,
  given: boolean | T | undefined,
  members: readonly string[],
): T | Record<string, never> | undefined {
  if (given === false) return undefined
  if (given === true || given === undefined) return {}
  if (typeof given !== 'object' || given === null) {
    throw invalid(`${where}: ${store}: expected true, false or an object, found ${String(given)}`)
  }
  checkMembers(`${where}: ${store}`, given, members)
  return given
}

export function checkMembers(where: string, given: object, members: readonly string[]): void {
  for (const member of Object.keys(given)) {
    if (members.includes(member)) continue
    throw invalid(`${where}: unknown member "${member}"; expected ${members.join(', ')}`)
  }
}
