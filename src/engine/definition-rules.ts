/** Checks a feature group before anything is made of it, and features before they are added (section b.13). */
import { characterCount } from '../core/characters.ts'
import { durationSeconds } from '../core/duration.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { FeatureModel } from '../core/model.ts'
import { locationOfUri } from '../io/paths.ts'
import type { GroupPlan } from './group-plan.ts'
import { checkTags } from './group-settings.ts'
import { checkThroughput, checkTier } from './tier-rules.ts'

const NAME = /^[a-zA-Z0-9](?:[-_]*[a-zA-Z0-9])*$/
/** Service columns of offline files. */
const RESERVED = new Set(['is_deleted', 'write_time', 'api_invocation_time'])
const TYPES = ['String', 'Integral', 'Fractional']
const COLLECTIONS = ['List', 'Set', 'Vector']

const NAME_RULE = '1 to 64 letters, digits, "-" and "_", a letter or digit at both ends'

const isName = (text: unknown): text is string =>
  typeof text === 'string' && text.length <= limits.nameLengthMax && NAME.test(text)

/** Columns that the Spark writer of the service adds. */
const SPARK_NAMES = new Set(['year', 'month', 'day', 'hour', 'temp_event_time_col'])

/** @returns the features that are allowed, but will be in the way of the service's Spark writer */
export const sparkNames = (features: readonly FeatureModel[]): string[] =>
  features.map((feature) => feature.name).filter((name) => SPARK_NAMES.has(name.toLowerCase()))

/**
 * @param hasExtensions - of the store
 * @throws INVALID_ARGUMENT saying what is wrong, and which switch would allow it
 */
export function checkPlan(plan: GroupPlan, hasExtensions: boolean): void {
  const { name, features, online, offlineStore, description } = plan
  if (!isName(name)) throw invalid(`feature group name: expected ${NAME_RULE}, found ${quote(String(name))}`)
  inGroup(name, () => {
    checkFeatures(features)
    checkKeyFeatures(plan)
    if (!online && offlineStore === undefined) {
      throw invalid('at least one of online and offline must be on')
    }
    if (typeof description !== 'string' || characterCount(description) > limits.descriptionLengthMax) {
      throw invalid(`a description is a text of at most ${limits.descriptionLengthMax} characters`)
    }
    if (!online && plan.ttl !== undefined) throw invalid('ttl: there is no online store it could apply to')
    if (plan.ttl !== undefined) durationSeconds(plan.ttl, 'ttl')
    if (offlineStore?.s3Uri !== undefined) locationOfUri(offlineStore.s3Uri)
    const stores = { online, tier: plan.tier ?? 'Standard', offline: offlineStore !== undefined } as const
    checkTier({ ...stores, features, onlineKmsKeyId: plan.settings.onlineKmsKeyId }, hasExtensions)
    checkThroughput(plan.settings.throughput, stores)
    checkTags(plan.settings.tags)
  })
}

/** Adds the name of a group to errors about it. */
export function inGroup<T>(name: string, check: () => T): T {
  try {
    return check()
  } catch (thrown) {
    if (!(thrown instanceof MillraceError) || thrown.place.featureGroup !== undefined) throw thrown
    throw new MillraceError(thrown.code, `feature group "${name}": ${thrown.message}`, {
      place: { ...thrown.place, featureGroup: name },
    })
  }
}

/** Of all features of a group: those it has and those to be added alike. */
export function checkFeatures(features: readonly FeatureModel[]): void {
  if (features.length === 0 || features.length > limits.featuresMax) {
    throw invalid(`expected 1 to ${limits.featuresMax} features, found ${features.length}`)
  }
  const seen = new Map<string, string>()
  for (const feature of features) {
    checkFeature(feature)
    const folded = feature.name.toLowerCase()
    const other = seen.get(folded)
    if (other === feature.name) throw invalid(`feature "${other}" is defined twice`, { feature: other })
    // Tables of data lakes ignore case.
    if (other !== undefined) throw invalid(`features "${other}" and "${feature.name}" differ only in case`)
    seen.set(folded, feature.name)
  }
  const vectors = features.filter((feature) => feature.collection === 'Vector')
  if (vectors.length > 1) {
    const names = vectors.map((feature) => feature.name).join(', ')
    throw invalid(`a feature group has at most one Vector feature, found ${names}`)
  }
}

function checkFeature({ name, type, collection, dimension }: FeatureModel): void {
  const place = { feature: name }
  if (!isName(name)) throw invalid(`feature name: expected ${NAME_RULE}, found ${quote(String(name))}`, place)
  if (RESERVED.has(name.toLowerCase())) {
    throw invalid(`the feature name "${name}" is reserved for a service column`, place)
  }
  const where = `feature "${name}"`
  if (typeof type !== 'string' || !TYPES.includes(type)) {
    throw invalid(`${where}: expected ${TYPES.join(', ')}, found ${quote(String(type))}`, place)
  }
  if (collection !== undefined && !COLLECTIONS.includes(collection)) {
    throw invalid(
      `${where}: collection: expected ${COLLECTIONS.join(', ')}, found ${quote(String(collection))}`,
      place,
    )
  }
  if (collection !== 'Vector') {
    if (dimension === undefined) return
    throw invalid(`${where}: only a Vector has a dimension, found ${dimension}`, place)
  }
  if (type !== 'Fractional') {
    throw invalid(`${where}: the elements of a Vector are Fractional, found ${type}`, place)
  }
  if (!Number.isInteger(dimension) || dimension! < 1 || dimension! > limits.vectorDimensionMax) {
    throw invalid(
      `${where}: dimension: expected a whole number from 1 to ${limits.vectorDimensionMax}, found ${dimension}`,
      place,
    )
  }
}

/** */
function checkKeyFeatures({ features, recordIdentifier, eventTime }: GroupPlan): void {
  const identifier = features.find((feature) => feature.name === recordIdentifier)
  if (identifier === undefined) {
    throw invalid(`recordIdentifier ${quote(String(recordIdentifier))} is not one of its features`)
  }
  const time = features.find((feature) => feature.name === eventTime)
  const expected = `eventTime must name a String or Fractional feature, found ${quote(String(eventTime))}`
  if (time === undefined) throw invalid(`${expected}, which is not one of its features`)
  if (time.type === 'Integral') throw invalid(`${expected} of type Integral`)
  for (const { name, collection } of [identifier, time]) {
    if (collection === undefined) continue
    throw invalid(
      `feature "${name}": record identifier and event time are not collections, found a ${collection}`,
    )
  }
}
