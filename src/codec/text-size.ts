/** The size of a record as the specification counts it: names and values in UTF-8, numbers as their text. */
import { eventTimeTextBytes } from '../core/event-time.ts'
import { KIND_INTEGRAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import { collectionCount, collectionTextBytes } from './collection.ts'
import { isSlotValid, slotsOffset, VALUE_SLOT_COUNT } from './row.ts'
import { exactTexts, type Version, versionDigits } from './version.ts'

export function recordTextBytes(schema: RecordSchema, idBytes: number, version: Version): number {
  const { bytes, start } = version
  const slotCount = bytes.readUInt16LE(start + VALUE_SLOT_COUNT)
  const texts = exactTexts(version)
  let total = 0
  for (const feature of schema.features) {
    const { slot } = feature
    if (slot < 0) {
      const isIdentifier = feature === schema.identifier
      total += feature.nameBytes + (isIdentifier ? idBytes : eventTimeTextBytes(versionDigits(version)))
      continue
    }
    if (slot >= slotCount || !isSlotValid(bytes, start, slot)) continue
    total += feature.nameBytes
    const at = start + slotsOffset(slotCount) + slot * 8
    if (feature.collection !== undefined) {
      total += collectionTextBytes(feature.kind, bytes, start + bytes.readUInt32LE(at))
    } else if (feature.kind === KIND_STRING) total += bytes.readUInt32LE(at + 4)
    else {
      const isIntegral = feature.kind === KIND_INTEGRAL
      const shortest = (): string => String(isIntegral ? bytes.readBigInt64LE(at) : bytes.readDoubleLE(at))
      total += texts?.get(slot)?.length ?? shortest().length
    }
  }
  return total
}

/** Elements of all collections of a record. Empty strings count no bytes, so their number has a limit of its own. */
export function recordElements(schema: RecordSchema, { bytes, start }: Version): number {
  const slotCount = bytes.readUInt16LE(start + VALUE_SLOT_COUNT)
  let total = 0
  for (const { slot, collection } of schema.features) {
    if (collection === undefined || slot >= slotCount || !isSlotValid(bytes, start, slot)) continue
    total += collectionCount(bytes, start + bytes.readUInt32LE(start + slotsOffset(slotCount) + slot * 8))
  }
  return total
}
