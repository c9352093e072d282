/** The value part of a row, back as a record of the caller's types. Runs on the calling thread. */

import type { AnyOutputValue } from '../core/definition.ts'
import { KIND_FRACTIONAL, KIND_INTEGRAL, type RecordSchema } from '../core/model.ts'
import { readCollection } from './collection.ts'
import {
  FLAG_TOMBSTONE,
  isSlotValid,
  readInteger,
  slotsOffset,
  VALUE_FLAGS,
  VALUE_SLOT_COUNT,
} from './row.ts'
import { eventTimeTextAt } from './version.ts'

export type PlainRecord = Record<string, AnyOutputValue>

/**
 * @param source - holds the value at `value`, 8-byte alignment not needed
 * @returns the record, features in the order of the definition; undefined for a tombstone
 */
export function decodeRecord(
  schema: RecordSchema,
  id: string,
  source: Buffer,
  value: number,
): PlainRecord | undefined {
  if ((source[value + VALUE_FLAGS]! & FLAG_TOMBSTONE) !== 0) return undefined
  const slotCount = source.readUInt16LE(value + VALUE_SLOT_COUNT)
  const slots = value + slotsOffset(slotCount)
  const record: PlainRecord = {}
  for (const feature of schema.features) {
    const { slot } = feature
    if (slot < 0) {
      record[feature.name] = feature === schema.identifier ? id : eventTimeTextAt(source, value)
      continue
    }
    // Features added later than the record was written have no slot in it.
    if (slot >= slotCount || !isSlotValid(source, value, slot)) continue
    const at = slots + slot * 8
    if (feature.collection !== undefined) {
      record[feature.name] = readCollection(feature.kind, source, value + source.readUInt32LE(at))
    } else if (feature.kind === KIND_FRACTIONAL) record[feature.name] = source.readDoubleLE(at)
    else if (feature.kind === KIND_INTEGRAL) record[feature.name] = readInteger(source, at)
    else {
      const start = value + source.readUInt32LE(at)
      record[feature.name] = source.toString('utf8', start, start + source.readUInt32LE(at + 4))
    }
  }
  return record
}
