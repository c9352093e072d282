/** Arrow IPC streams as a shard would make them: one record batch, columns from typed arrays. */
import {
  Bool,
  type Data,
  type DataType,
  Field,
  Float64,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
} from 'apache-arrow'

export interface Row {
  readonly id: string
  readonly name: string | null
  readonly fare: number | null
  readonly riders: bigint | null
  readonly writtenMs: number
  readonly isDeleted: boolean
}

function validity(values: readonly unknown[]): { nullCount: number; nullBitmap: Uint8Array } {
  const nullBitmap = new Uint8Array((values.length + 7) >>> 3)
  let nullCount = 0
  values.forEach((value, i) => {
    if (value === null) nullCount++
    else nullBitmap[i >>> 3]! |= 1 << (i & 7)
  })
  return { nullCount, nullBitmap }
}

export function utf8Column(values: readonly (string | null)[]): Data<DataType> {
  const texts = values.map((value) => Buffer.from(value ?? ''))
  const valueOffsets = new Int32Array(values.length + 1)
  texts.forEach((text, i) => {
    valueOffsets[i + 1] = valueOffsets[i]! + text.length
  })
  const data = new Uint8Array(Buffer.concat(texts))
  return makeData({ type: new Utf8(), length: values.length, valueOffsets, data, ...validity(values) })
}

const doubles = (values: readonly (number | null)[]): Data<DataType> =>
  makeData({
    type: new Float64(),
    length: values.length,
    data: Float64Array.from(values, (value) => value ?? 0),
    ...validity(values),
  })

const integers = (values: readonly (bigint | null)[]): Data<DataType> =>
  makeData({
    type: new Int64(),
    length: values.length,
    data: BigInt64Array.from(values, (value) => value ?? 0n),
    ...validity(values),
  })

const timestamps = (values: readonly number[]): Data<DataType> =>
  makeData({
    type: new TimestampMillisecond('UTC'),
    length: values.length,
    nullCount: 0,
    data: BigInt64Array.from(values, BigInt),
  })

const booleans = (values: readonly boolean[]): Data<DataType> =>
  makeData({
    type: new Bool(),
    length: values.length,
    nullCount: 0,
    data: validity(values.map((value) => value || null)).nullBitmap,
  })

/** A stream of rows with a column of each type the offline store has. */
export function rowStream(rows: readonly Row[]): Uint8Array<ArrayBuffer> {
  return columnStream({
    id: [utf8Column(rows.map((row) => row.id)), true],
    name: [utf8Column(rows.map((row) => row.name)), true],
    fare: [doubles(rows.map((row) => row.fare)), true],
    riders: [integers(rows.map((row) => row.riders)), true],
    write_time: [timestamps(rows.map((row) => row.writtenMs)), false],
    is_deleted: [booleans(rows.map((row) => row.isDeleted)), false],
  })
}

/** A stream of columns, each with whether it may have nulls. */
export function columnStream(columns: Record<string, [Data<DataType>, boolean]>): Uint8Array<ArrayBuffer> {
  const fields = Object.entries(columns).map(
    ([name, [data, isNullable]]) => new Field(name, data.type, isNullable),
  )
  const children = Object.values(columns).map(([data]) => data)
  const struct = makeData({ type: new Struct(fields), length: children[0]!.length, nullCount: 0, children })
  return RecordBatchStreamWriter.writeAll([new RecordBatch(new Schema(fields), struct)]).toUint8Array(
    true,
  ) as Uint8Array<ArrayBuffer>
}

const NAMES = ['', 'plain', 'Zürich', '東京', '🚋', "it's", 'a\u0000b', null]
const FARES = [0, -0, 12.5, Number.MIN_VALUE, -Number.MAX_VALUE, 0.1 + 0.2, null]
const RIDERS = [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_993n, null]

/** Rows that differ, with nulls and the extremes of each type. `from` is the number of the first. */
export const someRows = (count: number, from = 0): Row[] =>
  Array.from({ length: count }, (_, i): Row => {
    const n = from + i
    return {
      id: `trip-${n}`,
      name: NAMES[n % NAMES.length]!,
      fare: FARES[n % FARES.length]!,
      riders: RIDERS[n % RIDERS.length]!,
      writtenMs: 1_772_236_800_000 + n,
      isDeleted: n % 3 === 0,
    }
  })
