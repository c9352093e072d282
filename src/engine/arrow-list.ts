/** List columns of Arrow input, of any of the three layouts, as the elements of each row. */
import { type Data, DataType } from 'apache-arrow'
import { type FeatureSchema, KIND_FRACTIONAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import { FRACTIONAL_TYPES, INTEGRAL_TYPES, isFractional, isIntegral, wordsOf } from './arrow-numbers.ts'
import { textRanges, wrongType } from './arrow-text.ts'

/** The elements of a row; valid until the next call. Null elements are null. */
export type ListElements = (row: number) => ArrayLike<unknown>

/**
 * @param feature - a collection
 * @throws INVALID_ARGUMENT if the column is not one of lists, or of elements that the feature does not take
 */
export function listElements(schema: RecordSchema, feature: FeatureSchema, data: Data): ListElements {
  const { startOf, endOf } = listRanges(schema, feature, data)
  const child = data.children[0]!
  const elements = childElements(schema, feature, child)
  if (child.nullCount === 0) return (row) => elements(startOf(row), endOf(row))
  return (row) => {
    const start = startOf(row)
    return Array.from(elements(start, endOf(row)), (element, i) =>
      child.getValid(start + i) ? element : null,
    )
  }
}

interface ListRanges {
  startOf(row: number): number
  endOf(row: number): number
}

function listRanges(schema: RecordSchema, feature: FeatureSchema, data: Data): ListRanges {
  const { type } = data
  if (DataType.isFixedSizeList(type)) {
    const { listSize } = type
    if (feature.collection === 'Vector' && listSize !== feature.dimension) {
      throw wrongType(schema, feature, data, `lists of ${feature.dimension} elements`)
    }
    return { startOf: (row) => row * listSize, endOf: (row) => (row + 1) * listSize }
  }
  if (!DataType.isList(type) && !DataType.isLargeList(type)) {
    throw wrongType(schema, feature, data, 'List, LargeList or FixedSizeList')
  }
  const raw = data.valueOffsets as Int32Array | BigInt64Array
  const offsets = raw instanceof BigInt64Array ? Float64Array.from(raw, Number) : raw
  return { startOf: (row) => offsets[row]!, endOf: (row) => offsets[row + 1]! }
}

/** The elements from one place in the child column to another, null ones with anything in them. */
function childElements(
  schema: RecordSchema,
  feature: FeatureSchema,
  child: Data,
): (start: number, end: number) => ArrayLike<unknown> {
  if (feature.kind === KIND_STRING) {
    const text = textRanges(schema, feature, child)
    const textAt = (at: number): string => text.bytes.toString('utf8', text.startOf(at), text.endOf(at))
    return (start, end) => Array.from({ length: end - start }, (_, i) => textAt(start + i))
  }
  if (feature.kind === KIND_FRACTIONAL) {
    if (!isFractional(child)) throw wrongType(schema, feature, child, `lists of ${FRACTIONAL_TYPES}`)
  } else if (!isIntegral(child)) throw wrongType(schema, feature, child, `lists of ${INTEGRAL_TYPES}`)
  if (!(child.values instanceof BigInt64Array)) {
    const values = child.values as Float64Array
    return (start, end) => values.subarray(start, end)
  }
  const values = child.values
  const words = wordsOf(values)
  // Most integers are exact as numbers, which are far cheaper than bigints.
  const integerAt = (at: number): number | bigint => {
    const number = (words[at * 2 + 1]! | 0) * 0x1_0000_0000 + words[at * 2]!
    return Number.isSafeInteger(number) ? number : values[at]!
  }
  return (start, end) => Array.from({ length: end - start }, (_, i) => integerAt(start + i))
}
