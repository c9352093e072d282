/** What a feature group becomes by an update. */
import type { FeatureDeclaration, OnlineTier, Throughput, TimeToLive } from '../core/definition.ts'
import { durationSeconds } from '../core/duration.ts'
import { invalid } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { FeatureGroupModel, FeatureModel } from '../core/model.ts'
import { checkFeatures, inGroup } from './definition-rules.ts'
import { checkMembers, readDeclaration } from './group-plan.ts'
import { checkThroughput, checkTier, checkTierChange } from './tier-rules.ts'

/**
 * One kind of change: features, or the online store (its ttl, its tier, or both), or throughput. Features are
 * never removed or changed.
 */
export interface FeatureGroupUpdate {
  /** At most 100. */
  readonly addFeatures?: Readonly<Record<string, FeatureDeclaration>>
  /** For records written from now on; null removes it. */
  readonly ttl?: TimeToLive | null
  /** `Standard_V2`, of a group that is `Standard`. */
  readonly tier?: OnlineTier
  readonly throughput?: Throughput
}

/** The same with the features in order. */
export type GroupChange = Omit<FeatureGroupUpdate, 'addFeatures'> & {
  readonly addFeatures?: readonly FeatureModel[]
}

/** @throws INVALID_ARGUMENT */
export function changeOf(name: string, update: FeatureGroupUpdate): GroupChange {
  const where = `feature group "${name}"`
  checkMembers(where, update, ['addFeatures', 'ttl', 'tier', 'throughput'])
  const { addFeatures, ...rest } = update
  if (addFeatures === undefined) return rest
  if (typeof addFeatures !== 'object' || addFeatures === null || Array.isArray(addFeatures)) {
    throw invalid(`${where}: addFeatures: expected an object of names and types`)
  }
  const features = Object.entries(addFeatures)
  return { ...rest, addFeatures: features.map(([feature, type]) => readDeclaration(where, feature, type)) }
}

/** @throws INVALID_ARGUMENT saying what is wrong, and which switch would allow it */
export function updatedModel(
  group: FeatureGroupModel,
  change: GroupChange,
  context: { readonly hasExtensions: boolean; readonly nowMs: number },
): FeatureGroupModel {
  return inGroup(group.name, () => {
    checkOneKind(change)
    // The clock may have gone back; an update shows all the same.
    const updatedAtMs = Math.max(context.nowMs, group.updatedAtMs + 1)
    const changed = { ...applied(group, change, updatedAtMs), updatedAtMs }
    const { features, online, tier, offline, settings } = changed
    checkFeatures(features)
    const { onlineKmsKeyId } = settings
    checkTier({ features, online, tier, offline, onlineKmsKeyId }, context.hasExtensions)
    checkThroughput(settings.throughput, changed)
    return changed
  })
}

function checkOneKind({ addFeatures, ttl, tier, throughput }: GroupChange): void {
  const kinds = {
    addFeatures: addFeatures !== undefined,
    'ttl or tier': ttl !== undefined || tier !== undefined,
    throughput: throughput !== undefined,
  }
  const given = Object.entries(kinds).flatMap(([kind, isGiven]) => (isGiven ? [kind] : []))
  if (given.length === 1) return
  const found = given.length === 0 ? 'none' : given.join(', ')
  throw invalid(
    `an update makes exactly one kind of change (${Object.keys(kinds).join('; ')}), found ${found}`,
  )
}

function applied(group: FeatureGroupModel, change: GroupChange, nowMs: number): FeatureGroupModel {
  const { addFeatures, ttl, tier, throughput } = change
  if (addFeatures !== undefined) {
    const most = limits.featureAdditionsMax
    if (addFeatures.length === 0 || addFeatures.length > most) {
      throw invalid(`addFeatures: expected 1 to ${most} features, found ${addFeatures.length}`)
    }
    const added = addFeatures.map((feature) => ({ ...feature, addedAtMs: nowMs }))
    return { ...group, features: [...group.features, ...added] }
  }
  if (throughput !== undefined) return { ...group, settings: { ...group.settings, throughput } }
  if (!group.online) throw invalid('ttl and tier belong to an online store, and there is none')
  if (tier !== undefined) checkTierChange(group.tier, tier)
  const { ttl: old, ...rest } = group
  const wanted = ttl === undefined ? old : (ttl ?? undefined)
  if (wanted !== undefined) durationSeconds(wanted, 'ttl')
  return {
    ...rest,
    tier: tier ?? group.tier,
    ...(wanted === undefined ? {} : { ttl: { unit: wanted.unit, value: wanted.value } }),
  }
}
