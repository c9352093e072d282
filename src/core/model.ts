/**
 * A feature group as the engine knows it: plain data that is kept in the catalog and sent to threads, and the
 * schema compiled from it, which says where each feature lies in a packed record.
 */
import type { FeatureType } from './definition.ts'
import { assert } from './errors.ts'

export interface FeatureModel {
  readonly name: string
  readonly type: FeatureType
}

export interface FeatureGroupModel {
  /** Never reused; leads the keys of the online store, so a re-created group shares nothing with the old one. */
  readonly number: number
  readonly name: string
  readonly recordIdentifier: string
  readonly eventTime: string
  readonly features: readonly FeatureModel[]
  readonly online: boolean
  readonly offline: boolean
  readonly description: string
  readonly createdAtMs: number
  /** A group is `deleting` until its last offline rows are published and its online range is empty. */
  readonly status: 'created' | 'deleting'
  /** Directory of the offline files, relative to the data directory; empty if the group has no offline store. */
  readonly offlineDirectory: string
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
  readonly kind: FeatureKind
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
