/** Columns of Arrow input as what fills the slots of rows: numbers and text straight from the column, lists by element. */
import type { Data } from 'apache-arrow'
import type { BatchBuilder } from '../codec/batch-builder.ts'
import type { MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { type FeatureSchema, KIND_FRACTIONAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import { listElements } from './arrow-list.ts'
import { FRACTIONAL_TYPES, INTEGRAL_TYPES, isFractional, isIntegral, wordsOf } from './arrow-numbers.ts'
import { textRanges, wrongType } from './arrow-text.ts'
import type { CollectionPacker } from './collection-packer.ts'
import { featureError, NUMBER_TEXT_BYTES_MAX, textBytesOf } from './value-checks.ts'

/** Fills the slots of one column; rows without a value are not asked for. */
export interface SlotWriter {
  /** @returns the size of the value as text, or a bound above it */
  write(batch: BatchBuilder, row: number): number
  /** The size of the value as text, exactly. */
  textBytes(row: number): number
}

/** @returns undefined if no row is null */
export const nullTest = (data: Data): ((row: number) => boolean) | undefined =>
  data.nullCount === 0 ? undefined : (row) => !data.getValid(row)

/** @throws INVALID_ARGUMENT if the column is of a type that the feature does not take */
export function slotWriter(
  schema: RecordSchema,
  feature: FeatureSchema,
  data: Data,
  collections: CollectionPacker,
): SlotWriter {
  if (feature.collection !== undefined) return listWriter(schema, feature, data, collections)
  if (feature.kind === KIND_STRING) return textWriter(schema, feature, data)
  return numberWriter(schema, feature, data)
}

function listWriter(
  schema: RecordSchema,
  feature: FeatureSchema,
  data: Data,
  collections: CollectionPacker,
): SlotWriter {
  const elementsOf = listElements(schema, feature, data)
  return {
    write: (batch, row) => collections.packElements(batch, feature, elementsOf(row)),
    textBytes: (row) => textBytesOf(feature, elementsOf(row)),
  }
}

function textWriter(schema: RecordSchema, feature: FeatureSchema, data: Data): SlotWriter {
  const { slot } = feature
  const text = textRanges(schema, feature, data)
  const { bytes } = text
  return {
    textBytes: (row) => text.endOf(row) - text.startOf(row),
    write: (batch, row) => {
      const start = text.startOf(row)
      const end = text.endOf(row)
      // What is too large must not grow the batch past its bound; the row is refused for its size.
      if (end - start <= limits.recordBytesMax) batch.setUtf8(slot, bytes, start, end)
      return end - start
    },
  }
}

function numberWriter(schema: RecordSchema, feature: FeatureSchema, data: Data): SlotWriter {
  const write = numberSetter(schema, feature, data)
  const values = data.values as ArrayLike<number | bigint>
  return { write, textBytes: (row) => textBytesOf(feature, values[row]) }
}

function numberSetter(schema: RecordSchema, feature: FeatureSchema, data: Data): SlotWriter['write'] {
  const { slot } = feature
  if (feature.kind === KIND_FRACTIONAL) {
    if (!isFractional(data)) throw wrongType(schema, feature, data, FRACTIONAL_TYPES)
    const values = data.values as Float64Array
    return (batch, row) => {
      const value = values[row]!
      if (!Number.isFinite(value)) throw notFinite(schema, feature, value)
      batch.setFractional(slot, value)
      return NUMBER_TEXT_BYTES_MAX
    }
  }
  if (!isIntegral(data)) throw wrongType(schema, feature, data, INTEGRAL_TYPES)
  if (data.values instanceof BigInt64Array) {
    const words = wordsOf(data.values)
    return (batch, row) => {
      batch.setIntegerWords(slot, words[row * 2]!, words[row * 2 + 1]!)
      return NUMBER_TEXT_BYTES_MAX
    }
  }
  const values = data.values as Int32Array
  return (batch, row) => {
    batch.setInteger(slot, values[row]!)
    return NUMBER_TEXT_BYTES_MAX
  }
}

const notFinite = (schema: RecordSchema, feature: FeatureSchema, value: number): MillraceError =>
  featureError(schema, feature, `expected a finite number, found ${value}`)
