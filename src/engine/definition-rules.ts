/** Checks a definition before anything is made of it (R-041, R-042, R-046, R-420, R-501..R-505). */
import type { FeatureGroupDefinition } from '../core/definition.ts'
import { invalid, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'

const NAME = /^[a-zA-Z0-9](?:[-_]*[a-zA-Z0-9])*$/
const RESERVED = new Set(['is_deleted', 'write_time', 'api_invocation_time'])
const TYPES = ['String', 'Integral', 'Fractional']
const MEMBERS = ['name', 'recordIdentifier', 'eventTime', 'features', 'online', 'offline', 'description']

export const NAME_RULE = '1 to 64 letters, digits, "-" and "_", a letter or digit at both ends'

export const isName = (text: string): boolean => text.length <= limits.nameLengthMax && NAME.test(text)

export function checkDefinition(definition: FeatureGroupDefinition): void {
  const group = definition.name
  if (typeof group !== 'string' || !isName(group)) {
    throw invalid(`feature group name: expected ${NAME_RULE}, found ${quote(String(group))}`)
  }
  const place = { featureGroup: group }
  for (const member of Object.keys(definition)) {
    if (!MEMBERS.includes(member)) {
      throw invalid(
        `feature group "${group}": unknown member "${member}"; expected ${MEMBERS.join(', ')}`,
        place,
      )
    }
  }
  const { features } = definition
  if (typeof features !== 'object' || features === null || Array.isArray(features)) {
    const found = Array.isArray(features) ? 'an array' : String(features)
    throw invalid(
      `feature group "${group}": features: expected an object of names and types, found ${found}`,
      place,
    )
  }
  const names = Object.keys(features)
  if (names.length === 0 || names.length > limits.featuresMax) {
    throw invalid(
      `feature group "${group}": expected 1 to ${limits.featuresMax} features, found ${names.length}`,
      place,
    )
  }
  const seen = new Map<string, string>()
  for (const name of names) {
    checkFeature(group, name, features[name])
    const folded = name.toLowerCase()
    const other = seen.get(folded)
    if (other !== undefined) {
      throw invalid(`feature group "${group}": features "${other}" and "${name}" differ only in case`, place)
    }
    seen.set(folded, name)
  }
  const types = new Map(Object.entries(features))
  if (!types.has(definition.recordIdentifier)) {
    throw invalid(
      `feature group "${group}": recordIdentifier ${quote(String(definition.recordIdentifier))} is not one of its features`,
      place,
    )
  }
  const eventTimeType = types.get(definition.eventTime)
  if (eventTimeType === undefined || eventTimeType === 'Integral') {
    throw invalid(
      `feature group "${group}": eventTime must name a String or Fractional feature, found ${quote(String(definition.eventTime))}` +
        (eventTimeType === undefined ? ', which is not one of its features' : ' of type Integral'),
      place,
    )
  }
  if (definition.online === false && definition.offline === false) {
    throw invalid(`feature group "${group}": at least one of online and offline must be on`, place)
  }
  if ((definition.description?.length ?? 0) > 128) {
    throw invalid(`feature group "${group}": a description has at most 128 characters`, place)
  }
}

function checkFeature(group: string, name: string, type: unknown): void {
  const place = { featureGroup: group, feature: name }
  if (!isName(name)) {
    throw invalid(
      `feature group "${group}": feature name: expected ${NAME_RULE}, found ${quote(name)}`,
      place,
    )
  }
  if (RESERVED.has(name.toLowerCase())) {
    throw invalid(
      `feature group "${group}": the feature name "${name}" is reserved for a service column`,
      place,
    )
  }
  if (typeof type !== 'string' || !TYPES.includes(type)) {
    throw invalid(
      `feature group "${group}": feature "${name}": expected ${TYPES.join(', ')}, found ${quote(String(type))}`,
      place,
    )
  }
}
