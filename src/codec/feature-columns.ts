/** The columns of scalar features: numbers copied as words, strings as bytes, event-time text made from its instant. */
import { type Data, type DataType, Field, Float64, Int64, makeData, Utf8 } from 'apache-arrow'
import { EVENT_TIME_TEXT_BYTES_MAX, writeEventTime } from '../core/event-time.ts'
import { type FeatureSchema, KIND_INTEGRAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import { type Column, hasSlot, isRepetitive, type RowSlice, slotAt, TextData, Validity } from './column.ts'
import { ListColumn } from './list-column.ts'
import { ROW_ID, rowIdBytes, VALUE_DIGITS, VALUE_NANOS, VALUE_SECONDS } from './row.ts'
import type { ScratchLease } from './scratch-memory.ts'

export function featureColumn(
  schema: RecordSchema,
  feature: FeatureSchema,
  rowCount: number,
  memory: ScratchLease,
): Column {
  if (feature.collection !== undefined) return new ListColumn(feature, rowCount, memory)
  if (feature.kind === KIND_STRING) {
    if (feature.slot >= 0) return new TextColumn(feature, rowCount, memory)
    return feature === schema.identifier
      ? new IdColumn(feature, rowCount, memory)
      : new EventTimeColumn(feature, rowCount, memory)
  }
  return feature.kind === KIND_INTEGRAL
    ? new WordColumn(feature, rowCount, memory, new Int64())
    : new WordColumn(feature, rowCount, memory, new Float64())
}

/** 64-bit values, integers and doubles alike: copied as two words, never read as numbers. */
class WordColumn implements Column {
  readonly field: Field
  readonly isRepetitive = false
  readonly #type: Int64 | Float64
  readonly #words: Uint32Array<ArrayBuffer>
  readonly #validity: Validity
  readonly #slot: number
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number, memory: ScratchLease, type: Int64 | Float64) {
    this.field = new Field(feature.name, type, true)
    this.#type = type
    this.#slot = feature.slot
    this.#rowCount = rowCount
    this.#words = new Uint32Array(memory.take(rowCount * 8), 0, rowCount * 2)
    this.#validity = new Validity(rowCount, memory)
  }

  append(slice: RowSlice, at: number, values: Uint32Array): void {
    const words = this.#words
    const slot = this.#slot
    for (let i = 0; i < slice.count; i++) {
      const view = slice.views[i]!
      const value = values[i]!
      if (!hasSlot(view, value, slot)) {
        this.#validity.nullCount++
        words[(at + i) * 2] = 0
        words[(at + i) * 2 + 1] = 0
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
      ? makeData({ type: this.#type, data: new BigInt64Array(buffer, 0, this.#rowCount), ...common })
      : makeData({ type: this.#type, data: new Float64Array(buffer, 0, this.#rowCount), ...common })
  }
}

class TextColumn implements Column {
  readonly field: Field
  readonly #text: TextData
  readonly #validity: Validity
  readonly #slot: number
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number, memory: ScratchLease) {
    this.field = new Field(feature.name, new Utf8(), true)
    this.#slot = feature.slot
    this.#rowCount = rowCount
    this.#text = new TextData(rowCount, memory)
    this.#validity = new Validity(rowCount, memory)
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

  constructor(feature: FeatureSchema, rowCount: number, memory: ScratchLease) {
    this.field = new Field(feature.name, new Utf8(), true)
    this.#rowCount = rowCount
    this.#text = new TextData(rowCount, memory)
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

  constructor(feature: FeatureSchema, rowCount: number, memory: ScratchLease) {
    this.field = new Field(feature.name, new Utf8(), true)
    this.#rowCount = rowCount
    this.#text = new TextData(rowCount, memory)
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
