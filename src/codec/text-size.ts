/** The size of a record as the specification counts it: names and values in UTF-8, numbers as their text. */
import { eventTimeTextBytes } from '../core/event-time.ts'
import { KIND_INTEGRAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import { slotsOffset, VALUE_SLOT_COUNT, VALUE_VALIDITY } from './row.ts'
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
    if (slot >= slotCount) continue
    if ((bytes[start + VALUE_VALIDITY + (slot >>> 3)]! & (1 << (slot & 7))) === 0) continue
    total += feature.nameBytes
    const at = start + slotsOffset(slotCount) + slot * 8
    if (feature.kind === KIND_STRING) total += bytes.readUInt32LE(at + 4)
    else {
      const isIntegral = feature.kind === KIND_INTEGRAL
      const shortest = (): string => String(isIntegral ? bytes.readBigInt64LE(at) : bytes.readDoubleLE(at))
      total += texts?.get(slot)?.length ?? shortest().length
    }
  }
  return total
}
