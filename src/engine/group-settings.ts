/** Tags of feature groups and what is told about features: kept with the group, without effect on records. */
import { characterCount } from '../core/characters.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { FeatureGroupModel, FeatureSettings, GroupSettings, Pair } from '../core/model.ts'

const TAG_KEY_LENGTH_MAX = 128
const TAG_VALUE_LENGTH_MAX = 256
const PARAMETER_LENGTH_MAX = 255

/** @throws INVALID_ARGUMENT */
export function checkTags(tags: readonly Pair[]): void {
  checkPairs(tags, 'tag', { key: TAG_KEY_LENGTH_MAX, value: TAG_VALUE_LENGTH_MAX, leastValue: 0 })
  if (tags.length <= limits.tagsMax) return
  throw invalid(`a feature group has at most ${limits.tagsMax} tags, found ${tags.length}`)
}

/** Merges by key. @throws INVALID_ARGUMENT */
export function withTags(settings: GroupSettings, tags: readonly Pair[]): GroupSettings {
  checkPairs(tags, 'tag', { key: TAG_KEY_LENGTH_MAX, value: TAG_VALUE_LENGTH_MAX, leastValue: 0 })
  const merged = merge(settings.tags, tags)
  checkTags(merged)
  return { ...settings, tags: merged }
}

/** Keys that are not there are ignored. */
export const withoutTags = (settings: GroupSettings, keys: readonly string[]): GroupSettings => ({
  ...settings,
  tags: settings.tags.filter(({ key }) => !keys.includes(key)),
})

/** Changes of what is told about a feature. */
export interface FeatureChange {
  readonly description?: string
  readonly addParameters?: readonly Pair[]
  /** Keys. */
  readonly removeParameters?: readonly string[]
}

/** @throws FEATURE_NOT_FOUND, or INVALID_ARGUMENT for more than 25 parameters or a key both added and removed */
export function withFeatureChange(
  group: FeatureGroupModel,
  feature: string,
  change: FeatureChange,
  nowMs: number,
): GroupSettings {
  const { settings } = group
  const place = { featureGroup: group.name, feature }
  if (!group.features.some(({ name }) => name === feature)) {
    throw new MillraceError(
      'FEATURE_NOT_FOUND',
      `feature group "${group.name}" has no feature ${quote(feature)}`,
      {
        place,
      },
    )
  }
  const { addParameters = [], removeParameters = [] } = change
  const where = `feature "${feature}"`
  const length = characterCount(change.description ?? '')
  if (length > limits.featureDescriptionLengthMax) {
    throw invalid(
      `${where}: a description has at most ${limits.featureDescriptionLengthMax} characters, found ${length}`,
      place,
    )
  }
  checkPairs(addParameters, `${where}: parameter`, {
    key: PARAMETER_LENGTH_MAX,
    value: PARAMETER_LENGTH_MAX,
    leastValue: 1,
  })
  const both = addParameters.find(({ key }) => removeParameters.includes(key))
  if (both !== undefined) {
    throw invalid(`${where}: parameter ${quote(both.key)} cannot be added and removed in one call`, place)
  }
  const old = settings.features.find((each) => each.feature === feature)
  const kept = (old?.parameters ?? []).filter(({ key }) => !removeParameters.includes(key))
  const parameters = merge(kept, addParameters)
  if (parameters.length > limits.featureParametersMax) {
    throw invalid(
      `${where}: at most ${limits.featureParametersMax} parameters, found ${parameters.length}`,
      place,
    )
  }
  const description = change.description ?? old?.description
  const changed: FeatureSettings = {
    feature,
    ...(description === undefined ? {} : { description }),
    parameters,
    updatedAtMs: nowMs,
  }
  const others = settings.features.filter((each) => each.feature !== feature)
  return { ...settings, features: [...others, changed] }
}

function checkPairs(
  pairs: readonly Pair[],
  what: string,
  lengths: { readonly key: number; readonly value: number; readonly leastValue: number },
): void {
  const keys = new Set<string>()
  for (const { key, value } of pairs) {
    if (typeof key !== 'string' || key === '' || characterCount(key) > lengths.key) {
      throw invalid(`${what}: expected a key of 1 to ${lengths.key} characters, found ${quote(String(key))}`)
    }
    if (
      typeof value !== 'string' ||
      value.length < lengths.leastValue ||
      characterCount(value) > lengths.value
    ) {
      throw invalid(
        `${what} ${quote(key)}: expected a value of ${lengths.leastValue} to ${lengths.value} characters, found ${quote(String(value))}`,
      )
    }
    if (keys.has(key)) throw invalid(`${what} ${quote(key)} is given twice`)
    keys.add(key)
  }
}

/** A key that is there keeps its place. */
function merge(old: readonly Pair[], added: readonly Pair[]): Pair[] {
  const merged = new Map(old.map(({ key, value }) => [key, value]))
  for (const { key, value } of added) merged.set(key, value)
  return [...merged].map(([key, value]) => ({ key, value }))
}
