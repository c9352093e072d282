/** A stored version, back as the list of features that the API returns. */

import { readCollectionTexts } from '../codec/collection.ts'
import { isSlotValid, readInteger, slotsOffset, VALUE_SLOT_COUNT } from '../codec/row.ts'
import {
  eventTimeTextAt,
  exactTexts,
  expiryNanos,
  expirySeconds,
  hasExpiry,
  type Version,
} from '../codec/version.ts'
import { invalid } from '../core/errors.ts'
import { eventTimeText, fractionDigits } from '../core/event-time.ts'
import { type FeatureSchema, KIND_FRACTIONAL, KIND_INTEGRAL, type RecordSchema } from '../core/model.ts'
import type { FeatureValue } from './data-plane-shapes.ts'

/**
 * @param features - those wanted, in the order of the definition
 * @returns those that have a value; numbers in the text they were sent with, or the shortest one if they were not text
 */
export function featureValuesOf(
  schema: RecordSchema,
  features: readonly FeatureSchema[],
  id: string,
  version: Version,
): FeatureValue[] {
  const { bytes, start } = version
  const slotCount = bytes.readUInt16LE(start + VALUE_SLOT_COUNT)
  const slots = start + slotsOffset(slotCount)
  const texts = exactTexts(version)
  const values: FeatureValue[] = []
  for (const feature of features) {
    const { name, slot, kind } = feature
    if (feature === schema.identifier) {
      values.push({ FeatureName: name, ValueAsString: id })
      continue
    }
    if (slot < 0) {
      values.push({ FeatureName: name, ValueAsString: eventTimeTextAt(bytes, start) })
      continue
    }
    // Features added later than the record was written have no slot in it.
    if (slot >= slotCount || !isSlotValid(bytes, start, slot)) continue
    const at = slots + slot * 8
    if (feature.collection !== undefined) {
      const elements = readCollectionTexts(kind, bytes, start + bytes.readUInt32LE(at))
      values.push({ FeatureName: name, ValueAsStringList: elements })
      continue
    }
    let text = texts?.get(slot)
    if (text === undefined) {
      if (kind === KIND_FRACTIONAL) text = String(bytes.readDoubleLE(at))
      else if (kind === KIND_INTEGRAL) text = String(readInteger(bytes, at))
      else {
        const from = start + bytes.readUInt32LE(at)
        text = bytes.toString('utf8', from, from + bytes.readUInt32LE(at + 4))
      }
    }
    values.push({ FeatureName: name, ValueAsString: text })
  }
  return values
}

/**
 * The features that a read asks for, in the order of the definition; all without names (R-165..R-168).
 * @throws INVALID_ARGUMENT for a name that the group does not have
 */
export function selectFeatures(
  schema: RecordSchema,
  names: readonly string[] | undefined,
): readonly FeatureSchema[] {
  if (names === undefined) return schema.features
  const unknown = names.find((name) => !schema.byName.has(name))
  if (unknown !== undefined) {
    const { name } = schema.group
    throw invalid(`FeatureNames: feature [${unknown}] is not defined in feature group ${name}.`, {
      featureGroup: name,
      feature: unknown,
    })
  }
  const wanted = new Set(names)
  return schema.features.filter((feature) => wanted.has(feature.name))
}

/** When a version expires, as the API says it (R-401, OQ-26); undefined if it does not. */
export function expiresAtOf(version: Version): string | undefined {
  if (!hasExpiry(version)) return undefined
  const nanos = expiryNanos(version)
  return eventTimeText(expirySeconds(version), nanos, fractionDigits(nanos))
}
