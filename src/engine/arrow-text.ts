/** Text columns of Arrow input, plain or dictionary-encoded, as bytes and the range of each row. */
import { isUtf8 } from 'node:buffer'
import { type Data, DataType, type Dictionary } from 'apache-arrow'
import { invalid, type MillraceError } from '../core/errors.ts'
import type { FeatureSchema, RecordSchema } from '../core/model.ts'

export interface TextRanges {
  readonly bytes: Buffer
  startOf(row: number): number
  endOf(row: number): number
}

/**
 * The bytes of a column of strings, checked once for the whole column.
 * @throws INVALID_ARGUMENT if the column is of another type or not well-formed UTF-8
 */
export function textRanges(schema: RecordSchema, feature: FeatureSchema, data: Data): TextRanges {
  if (DataType.isDictionary(data.type)) return dictionaryRanges(schema, feature, data as Data<Dictionary>)
  if (!DataType.isUtf8(data.type) && !DataType.isLargeUtf8(data.type)) {
    throw wrongType(schema, feature, data, 'Utf8, LargeUtf8 or a dictionary of them')
  }
  const values = data.values as Uint8Array | undefined
  const bytes =
    values === undefined ? Buffer.alloc(0) : Buffer.from(values.buffer, values.byteOffset, values.byteLength)
  const raw = data.valueOffsets as Int32Array | BigInt64Array
  const offsets = raw instanceof BigInt64Array ? Float64Array.from(raw, Number) : raw
  if (!isUtf8(bytes.subarray(offsets[0] ?? 0, offsets[data.length] ?? 0))) {
    throw wrongType(schema, feature, data, 'well-formed UTF-8')
  }
  return { bytes, startOf: (row) => offsets[row]!, endOf: (row) => offsets[row + 1]! }
}

/** A dictionary may come in several pieces (deltas of a stream); their words are put one after the other. */
function dictionaryRanges(schema: RecordSchema, feature: FeatureSchema, data: Data<Dictionary>): TextRanges {
  const chunks = data.dictionary?.data ?? []
  if (chunks.some((chunk) => chunk.nullCount > 0)) {
    throw wrongType(schema, feature, data, 'strings, or a dictionary without null entries')
  }
  const words = chunks.map((chunk) => textRanges(schema, feature, chunk))
  const starts: number[] = []
  const ends: number[] = []
  let base = 0
  words.forEach((word, i) => {
    for (let entry = 0; entry < chunks[i]!.length; entry++) {
      starts.push(base + word.startOf(entry))
      ends.push(base + word.endOf(entry))
    }
    base += word.bytes.length
  })
  const keys = data.values as Int32Array | BigInt64Array
  const indexes = keys instanceof BigInt64Array ? Float64Array.from(keys, Number) : keys
  return {
    bytes: words.length === 1 ? words[0]!.bytes : Buffer.concat(words.map((word) => word.bytes)),
    startOf: (row) => starts[indexes[row]!]!,
    endOf: (row) => ends[indexes[row]!]!,
  }
}

export function wrongType(
  schema: RecordSchema,
  feature: FeatureSchema,
  data: Data,
  expected: string,
): MillraceError {
  return invalid(
    `feature group "${schema.group.name}", feature "${feature.name}": expected an Arrow column of ${expected}, found ${data.type}`,
    { featureGroup: schema.group.name, feature: feature.name },
  )
}
