/**
 * A feature group as the engine knows it: plain data that is kept in the catalog and sent to threads, and the
 * schema compiled from it, which says where each feature lies in a packed record.
 */
import type {
  CollectionType,
  FeatureDeclaration,
  FeatureType,
  OnlineTier,
  Throughput,
  TimeToLive,
} from './definition.ts'
import { assert } from './errors.ts'

export interface FeatureModel {
  readonly name: string
  readonly type: FeatureType
  /** Undefined for a scalar. */
  readonly collection?: CollectionType
  /** Of a Vector. */
  readonly dimension?: number
  /** Of one that an update added. */
  readonly addedAtMs?: number
}

/** What is kept for the control plane and told again, and has no effect on records. */
export interface GroupSettings {
  /** Keys are unique; in the order they were added. */
  readonly tags: readonly Pair[]
  /** Only of features that have any. */
  readonly features: readonly FeatureSettings[]
  readonly roleArn?: string
  readonly onlineKmsKeyId?: string
  /** Of a group that has an offline store. */
  readonly offlineStore?: OfflineStoreSettings
  readonly throughput: Throughput
}

export interface Pair {
  readonly key: string
  readonly value: string
}

export interface FeatureSettings {
  readonly feature: string
  readonly description?: string
  readonly parameters: readonly Pair[]
  readonly updatedAtMs: number
}

/** The offline store as its creator described it (R-511..R-514). */
export interface OfflineStoreSettings {
  /** As given, or that of the store: `s3://bucket/prefix`. */
  readonly s3Uri: string
  /** Up to and including `data`. */
  readonly resolvedS3Uri: string
  readonly kmsKeyId?: string
  readonly isGlueTableCreationDisabled: boolean
  readonly dataCatalog?: DataCatalog
  readonly tableFormat?: 'Default' | 'Glue'
}

export interface DataCatalog {
  readonly tableName: string
  readonly catalog: string
  readonly database: string
}

export const NO_SETTINGS: GroupSettings = { tags: [], features: [], throughput: { mode: 'OnDemand' } }

export interface FeatureGroupModel {
  /** Never reused; leads the keys of the online store, so a re-created group shares nothing with the old one. */
  readonly number: number
  readonly name: string
  readonly recordIdentifier: string
  readonly eventTime: string
  readonly features: readonly FeatureModel[]
  readonly online: boolean
  /** Of the online store; `Standard` also without one. */
  readonly tier: OnlineTier
  /** For records written without one of their own. */
  readonly ttl?: TimeToLive
  readonly offline: boolean
  readonly description: string
  readonly createdAtMs: number
  /** Moves with every update of the group. */
  readonly updatedAtMs: number
  /** A group is `deleting` until its last offline rows are published and its online range is empty. */
  readonly status: 'created' | 'deleting'
  /** Directory of the offline files, relative to the data directory; empty if the group has no offline store. */
  readonly offlineDirectory: string
  readonly settings: GroupSettings
}

/** A feature as its creator declared it. */
export function declarationOf({ type, collection, dimension }: FeatureModel): FeatureDeclaration {
  if (collection === undefined) return type
  if (collection !== 'Vector') return { type, collection }
  return { type: 'Fractional', collection, dimension: dimension ?? 0 }
}

export function featureModelOf(name: string, declaration: FeatureDeclaration): FeatureModel {
  return typeof declaration === 'string' ? { name, type: declaration } : { name, ...declaration }
}

/** A feature's type for a person: `String`, `Set<String>`, `Vector<Fractional, 128>`. */
export function typeText(declaration: FeatureDeclaration): string {
  if (typeof declaration === 'string') return declaration
  const { type, collection } = declaration
  return collection === 'Vector' ? `Vector<${type}, ${declaration.dimension}>` : `${collection}<${type}>`
}

/** Numbers instead of names, because packing branches on it per value. */
export const KIND_STRING = 0
export const KIND_INTEGRAL = 1
export const KIND_FRACTIONAL = 2
export type FeatureKind = typeof KIND_STRING | typeof KIND_INTEGRAL | typeof KIND_FRACTIONAL

const KINDS = { String: KIND_STRING, Integral: KIND_INTEGRAL, Fractional: KIND_FRACTIONAL } as const

export interface FeatureSchema {
  readonly name: string
  readonly index: number
  /** Of the value, or of each element of a collection. */
  readonly kind: FeatureKind
  readonly collection: CollectionType | undefined
  /** Elements of a Vector; 0 otherwise. */
  readonly dimension: number
  readonly nameBytes: number
  /** Position of its 8-byte slot; -1 if the value is the record's id or event-time text, which need no slot. */
  readonly slot: number
}

export interface RecordSchema {
  readonly group: FeatureGroupModel
  readonly features: readonly FeatureSchema[]
  readonly byName: ReadonlyMap<string, FeatureSchema>
  readonly identifier: FeatureSchema
  readonly eventTime: FeatureSchema
  /** Whether one String feature is both. */
  readonly isIdentifierEventTime: boolean
  readonly slotCount: number
}

/**
 * Every feature has a slot except a String identifier (its bytes are the id) and a String event time (its text
 * follows from the instant). Features are only ever appended, so slots never move.
 */
export function compileSchema(group: FeatureGroupModel): RecordSchema {
  let slotCount = 0
  const features = group.features.map((feature, index): FeatureSchema => {
    const kind = KINDS[feature.type]
    const isKeyText =
      kind === KIND_STRING && (feature.name === group.recordIdentifier || feature.name === group.eventTime)
    return {
      name: feature.name,
      index,
      kind,
      collection: feature.collection,
      dimension: feature.dimension ?? 0,
      nameBytes: feature.name.length,
      slot: isKeyText ? -1 : slotCount++,
    }
  })
  const byName = new Map(features.map((feature) => [feature.name, feature]))
  const identifier = byName.get(group.recordIdentifier)
  const eventTime = byName.get(group.eventTime)
  assert(identifier !== undefined, 'the identifier is one of the features')
  assert(eventTime !== undefined, 'the event time is one of the features')
  return {
    group,
    features,
    byName,
    identifier,
    eventTime,
    isIdentifierEventTime: identifier === eventTime,
    slotCount,
  }
}
