/**
 * Rows of one feature group and hour as Arrow columns, filled straight into typed arrays (the library's builders
 * are ten to twenty times slower), and as one Arrow IPC stream.
 * Column order: features as defined, then write_time, api_invocation_time, is_deleted (R-452, R-453, section g.4).
 *
 * Rows come in slices, so that a shard can look at its messages in between. Within a slice each column is filled
 * on its own: a slice of rows stays in the processor's cache while the columns walk over it.
 */
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
import { assert } from '../core/errors.ts'
import { EVENT_TIME_TEXT_BYTES_MAX, writeEventTime } from '../core/event-time.ts'
import { type FeatureSchema, KIND_INTEGRAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import {
  isSlotValid,
  OPERATION_PUT,
  ROW_ID,
  ROW_ID_BYTES,
  ROW_INVOCATION_MS,
  ROW_OPERATION,
  type RowView,
  rowIdBytes,
  slotCountOf,
  slotsOffset,
  VALUE_DIGITS,
  VALUE_NANOS,
  VALUE_SECONDS,
  valueStart,
} from './row.ts'

/** Some rows to append: `views[i]` holds a row at byte offset `rows[i]`, for i below `count`. */
export interface RowSlice {
  readonly views: readonly RowView[]
  readonly rows: Uint32Array
  readonly count: number
}

export const SERVICE_COLUMNS = ['write_time', 'api_invocation_time', 'is_deleted'] as const

/** A string column repeats if this many of its first values have at most a quarter as many different ones. */
const SAMPLE_ROWS = 512

interface Column {
  readonly field: Field
  append(slice: RowSlice, at: number, values: Uint32Array): void
  finish(): Data<DataType>
  readonly isRepetitive: boolean
}

export interface ColumnPart {
  /** A complete Arrow IPC stream with one record batch. */
  readonly ipc: Uint8Array<ArrayBuffer>
  readonly rows: number
  /** String columns whose values repeat, worth dictionary encoding. */
  readonly dictionaryColumns: string[]
}

export class ColumnBuilder {
  readonly #rowCount: number
  readonly #columns: Column[]
  #rows = 0
  /** Byte offsets of the values of the current slice. */
  #values = new Uint32Array(0)

  /** @param rowCount - number of rows that will be appended in all */
  constructor(schema: RecordSchema, rowCount: number, writeTimeMs: number) {
    this.#rowCount = rowCount
    this.#columns = schema.features.map((feature) => featureColumn(schema, feature, rowCount))
    this.#columns.push(
      new WriteTimeColumn(rowCount, writeTimeMs),
      new InvocationColumn(rowCount),
      new DeletedColumn(rowCount),
    )
  }

  append(slice: RowSlice): void {
    if (this.#values.length < slice.count) this.#values = new Uint32Array(slice.count)
    const values = this.#values
    for (let i = 0; i < slice.count; i++) values[i] = valueStart(slice.views[i]!, slice.rows[i]!)
    for (const column of this.#columns) column.append(slice, this.#rows, values)
    this.#rows += slice.count
  }

  finish(): ColumnPart {
    assert(this.#rows === this.#rowCount, 'as many rows as announced')
    const fields = this.#columns.map((column) => column.field)
    const struct = makeData({
      type: new Struct(fields),
      length: this.#rowCount,
      nullCount: 0,
      children: this.#columns.map((column) => column.finish()),
    })
    const batch = new RecordBatch(new Schema(fields), struct)
    const ipc = RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true) as Uint8Array<ArrayBuffer>
    const dictionaryColumns = this.#columns.filter((column) => column.isRepetitive).map((c) => c.field.name)
    return { ipc, rows: this.#rowCount, dictionaryColumns }
  }
}

function featureColumn(schema: RecordSchema, feature: FeatureSchema, rowCount: number): Column {
  if (feature.kind === KIND_STRING) {
    if (feature.slot >= 0) return new TextColumn(feature, rowCount)
    return feature === schema.identifier
      ? new IdColumn(feature, rowCount)
      : new EventTimeColumn(feature, rowCount)
  }
  return feature.kind === KIND_INTEGRAL
    ? new WordColumn(feature, rowCount, new Int64())
    : new WordColumn(feature, rowCount, new Float64())
}

/** Validity of a nullable column. */
class Validity {
  readonly bits: Uint8Array
  nullCount = 0

  constructor(rowCount: number) {
    this.bits = new Uint8Array((rowCount + 7) >>> 3)
  }

  setValid(i: number): void {
    this.bits[i >>> 3] = this.bits[i >>> 3]! | (1 << (i & 7))
  }

  get data(): { nullCount: number; nullBitmap?: Uint8Array } {
    return this.nullCount === 0 ? { nullCount: 0 } : { nullCount: this.nullCount, nullBitmap: this.bits }
  }
}

const hasSlot = (view: RowView, value: number, slot: number): boolean =>
  slot < slotCountOf(view, value) && isSlotValid(view.u8, value, slot)

const slotAt = (view: RowView, value: number, slot: number): number =>
  value + slotsOffset(slotCountOf(view, value)) + slot * 8

/** 64-bit values, integers and doubles alike: copied as two words, never read as numbers. */
class WordColumn implements Column {
  readonly field: Field
  readonly isRepetitive = false
  readonly #type: Int64 | Float64
  readonly #words: Uint32Array<ArrayBuffer>
  readonly #validity: Validity
  readonly #slot: number
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number, type: Int64 | Float64) {
    this.field = new Field(feature.name, type, true)
    this.#type = type
    this.#slot = feature.slot
    this.#rowCount = rowCount
    this.#words = new Uint32Array(rowCount * 2)
    this.#validity = new Validity(rowCount)
  }

  append(slice: RowSlice, at: number, values: Uint32Array): void {
    const words = this.#words
    const slot = this.#slot
    for (let i = 0; i < slice.count; i++) {
      const view = slice.views[i]!
      const value = values[i]!
      if (!hasSlot(view, value, slot)) {
        this.#validity.nullCount++
        continue
      }
      const word = slotAt(view, value, slot) >>> 2
      words[(at + i) * 2] = view.u32[word]!
      words[(at + i) * 2 + 1] = view.u32[word + 1]!
      this.#validity.setValid(at + i)
    }
  }

  finish(): Data<DataType> {
    const common = { length: this.#rowCount, ...this.#validity.data }
    const { buffer } = this.#words
    return this.#type instanceof Int64
      ? makeData({ type: this.#type, data: new BigInt64Array(buffer), ...common })
      : makeData({ type: this.#type, data: new Float64Array(buffer), ...common })
  }
}

/** UTF-8 text that grows as it is filled. */
class TextData {
  readonly offsets: Int32Array
  #bytes: Buffer
  #end = 0

  constructor(rowCount: number) {
    this.offsets = new Int32Array(rowCount + 1)
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(64, rowCount * 16))
  }

  /** Room for one more value. @returns the buffer to write it to, at `end` */
  reserve(bytes: number): Buffer {
    if (this.#end + bytes > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#end + bytes))
      grown.set(this.#bytes.subarray(0, this.#end))
      this.#bytes = grown
    }
    return this.#bytes
  }

  get end(): number {
    return this.#end
  }

  /** Ends value i, whose bytes reach to `end`. */
  close(i: number, end: number): void {
    this.#end = end
    this.offsets[i + 1] = end
  }

  copy(i: number, source: Buffer, start: number, bytes: number): void {
    const target = this.reserve(bytes)
    const at = this.#end
    if (bytes <= 64) for (let k = 0; k < bytes; k++) target[at + k] = source[start + k]!
    else target.set(source.subarray(start, start + bytes), at)
    this.close(i, at + bytes)
  }

  valueAt(i: number): string {
    return this.#bytes.toString('latin1', this.offsets[i]!, this.offsets[i + 1]!)
  }

  data(rowCount: number, validity: { nullCount: number; nullBitmap?: Uint8Array }): Data<DataType> {
    const data = this.#bytes.subarray(0, this.#end)
    return makeData({ type: new Utf8(), length: rowCount, valueOffsets: this.offsets, data, ...validity })
  }
}

function isRepetitive(text: TextData, rowCount: number): boolean {
  const sample = Math.min(rowCount, SAMPLE_ROWS)
  const different = new Set<string>()
  for (let i = 0; i < sample; i++) different.add(text.valueAt(i))
  return sample >= 16 && different.size * 4 <= sample
}

class TextColumn implements Column {
  readonly field: Field
  readonly #text: TextData
  readonly #validity: Validity
  readonly #slot: number
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number) {
    this.field = new Field(feature.name, new Utf8(), true)
    this.#slot = feature.slot
    this.#rowCount = rowCount
    this.#text = new TextData(rowCount)
    this.#validity = new Validity(rowCount)
  }

  get isRepetitive(): boolean {
    return isRepetitive(this.#text, this.#rowCount)
  }

  append(slice: RowSlice, at: number, values: Uint32Array): void {
    const text = this.#text
    for (let i = 0; i < slice.count; i++) {
      const view = slice.views[i]!
      const value = values[i]!
      if (!hasSlot(view, value, this.#slot)) {
        this.#validity.nullCount++
        text.close(at + i, text.end)
        continue
      }
      const word = slotAt(view, value, this.#slot) >>> 2
      text.copy(at + i, view.u8, value + view.u32[word]!, view.u32[word + 1]!)
      this.#validity.setValid(at + i)
    }
  }

  finish(): Data<DataType> {
    return this.#text.data(this.#rowCount, this.#validity.data)
  }
}

class IdColumn implements Column {
  readonly field: Field
  readonly #text: TextData
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number) {
    this.field = new Field(feature.name, new Utf8(), true)
    this.#rowCount = rowCount
    this.#text = new TextData(rowCount)
  }

  get isRepetitive(): boolean {
    return isRepetitive(this.#text, this.#rowCount)
  }

  append(slice: RowSlice, at: number): void {
    for (let i = 0; i < slice.count; i++) {
      const view = slice.views[i]!
      const row = slice.rows[i]!
      this.#text.copy(at + i, view.u8, row + ROW_ID, rowIdBytes(view, row))
    }
  }

  finish(): Data<DataType> {
    return this.#text.data(this.#rowCount, { nullCount: 0 })
  }
}

class EventTimeColumn implements Column {
  readonly field: Field
  readonly isRepetitive = false
  readonly #text: TextData
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number) {
    this.field = new Field(feature.name, new Utf8(), true)
    this.#rowCount = rowCount
    this.#text = new TextData(rowCount)
  }

  append(slice: RowSlice, at: number, values: Uint32Array): void {
    const text = this.#text
    for (let i = 0; i < slice.count; i++) {
      const view = slice.views[i]!
      const value = values[i]!
      const target = text.reserve(EVENT_TIME_TEXT_BYTES_MAX)
      const seconds = view.f64[(value + VALUE_SECONDS) >>> 3]!
      const nanos = view.u32[(value + VALUE_NANOS) >>> 2]!
      text.close(at + i, writeEventTime(target, text.end, seconds, nanos, view.u8[value + VALUE_DIGITS]!))
    }
  }

  finish(): Data<DataType> {
    return this.#text.data(this.#rowCount, { nullCount: 0 })
  }
}

class WriteTimeColumn implements Column {
  readonly field = new Field(SERVICE_COLUMNS[0], new TimestampMillisecond('UTC'), false)
  readonly isRepetitive = false
  readonly #rowCount: number
  readonly #ms: number

  constructor(rowCount: number, ms: number) {
    this.#rowCount = rowCount
    this.#ms = ms
  }

  append(): void {
    // One value for all rows of a file.
  }

  finish(): Data<DataType> {
    const data = new BigInt64Array(this.#rowCount).fill(BigInt(this.#ms))
    return makeData({ type: new TimestampMillisecond('UTC'), length: this.#rowCount, nullCount: 0, data })
  }
}

class InvocationColumn implements Column {
  readonly field = new Field(SERVICE_COLUMNS[1], new TimestampMillisecond('UTC'), false)
  readonly isRepetitive = false
  readonly #words: Uint32Array<ArrayBuffer>

  constructor(rowCount: number) {
    this.#words = new Uint32Array(rowCount * 2)
  }

  append(slice: RowSlice, at: number): void {
    for (let i = 0; i < slice.count; i++) {
      const ms = slice.views[i]!.f64[(slice.rows[i]! + ROW_INVOCATION_MS) >>> 3]!
      this.#words[(at + i) * 2] = ms >>> 0
      this.#words[(at + i) * 2 + 1] = Math.floor(ms / 0x1_0000_0000) >>> 0
    }
  }

  finish(): Data<DataType> {
    const data = new BigInt64Array(this.#words.buffer)
    return makeData({ type: new TimestampMillisecond('UTC'), length: data.length, nullCount: 0, data })
  }
}

class DeletedColumn implements Column {
  readonly field = new Field(SERVICE_COLUMNS[2], new Bool(), false)
  readonly isRepetitive = false
  readonly #bits: Validity
  readonly #rowCount: number

  constructor(rowCount: number) {
    this.#rowCount = rowCount
    this.#bits = new Validity(rowCount)
  }

  append(slice: RowSlice, at: number): void {
    for (let i = 0; i < slice.count; i++) {
      const word = slice.views[i]!.u32[(slice.rows[i]! + ROW_ID_BYTES) >>> 2]!
      if (((word >>> ((ROW_OPERATION - ROW_ID_BYTES) * 8)) & 0xff) !== OPERATION_PUT)
        this.#bits.setValid(at + i)
    }
  }

  finish(): Data<DataType> {
    return makeData({ type: new Bool(), length: this.#rowCount, nullCount: 0, data: this.#bits.bits })
  }
}
