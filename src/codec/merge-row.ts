/** A record with some of its features changed, as a new row: how an update becomes a put of the whole record. */
import { KIND_STRING, type RecordSchema } from '../core/model.ts'
import type { BatchBuilder } from './batch-builder.ts'
import { isSlotValid, slotsOffset, VALUE_SLOT_COUNT } from './row.ts'
import { exactTexts, type Version } from './version.ts'

/** A version opened for copying features out of it. */
interface Source {
  readonly version: Version
  readonly slotCount: number
  readonly texts: ReadonlyMap<number, string> | undefined
}

/**
 * Fills the slots of the row that was begun: each feature from the changes if they have it, else from the base.
 * @param keepsEventTime - the changes have no event time, so its slot comes from the base
 */
export function fillMerged(
  builder: BatchBuilder,
  schema: RecordSchema,
  base: Version,
  changes: Version,
  keepsEventTime: boolean,
): void {
  const older = open(base)
  const newer = open(changes)
  for (const feature of schema.features) {
    const { slot } = feature
    if (slot < 0) continue
    const isKept = (feature === schema.eventTime && keepsEventTime) || !has(newer, slot)
    const source = isKept ? older : newer
    if (has(source, slot))
      copySlot(builder, source, slot, feature.kind === KIND_STRING || feature.collection !== undefined)
  }
}

/** The 8 bytes of a slot; undefined if it has no value. */
export function slotBits(version: Version, slot: number): { low: number; high: number } | undefined {
  const source = open(version)
  return has(source, slot) ? bitsOf(source, slot) : undefined
}

function bitsOf({ version, slotCount }: Source, slot: number): { low: number; high: number } {
  const at = version.start + slotsOffset(slotCount) + slot * 8
  return { low: version.bytes.readUInt32LE(at), high: version.bytes.readUInt32LE(at + 4) }
}

const open = (version: Version): Source => ({
  version,
  slotCount: version.bytes.readUInt16LE(version.start + VALUE_SLOT_COUNT),
  texts: exactTexts(version),
})

const has = ({ version, slotCount }: Source, slot: number): boolean =>
  slot < slotCount && isSlotValid(version.bytes, version.start, slot)

function copySlot(builder: BatchBuilder, source: Source, slot: number, isText: boolean): void {
  const { bytes, start } = source.version
  const { low, high } = bitsOf(source, slot)
  if (isText) {
    builder.setUtf8(slot, bytes, start + low, start + low + high)
    return
  }
  builder.setIntegerWords(slot, low, high)
  const text = source.texts?.get(slot)
  if (text !== undefined) builder.setExactText(slot, text)
}
