/**
 * The column of a collection feature: an Arrow List of the element type, LIST in Parquet (section g.4). No value is a
 * null list, an empty collection an empty one.
 * The field of the elements is named and nullable as the Parquet format's own text has it (`list.element`, OPTIONAL),
 * which every reader takes, though no element is ever null.
 */
import { type Data, type DataType, Field, Float64, Int64, List, makeData, Utf8 } from 'apache-arrow'
import { type FeatureKind, type FeatureSchema, KIND_FRACTIONAL, KIND_STRING } from '../core/model.ts'
import {
  COLLECTION_ELEMENTS,
  COLLECTION_FORM,
  collectionCount,
  FORM_WORDS,
  forEachText,
} from './collection.ts'
import { type Column, hasSlot, type RowSlice, slotAt, TextData, Validity } from './column.ts'
import type { ScratchLease } from './scratch-memory.ts'

const ELEMENT = 'element'

export class ListColumn implements Column {
  readonly field: Field
  /** Parquet's encoder takes the name of a column for its whole path, so it cannot be told of the elements'. */
  readonly isRepetitive = false
  readonly #type: List
  readonly #elements: Elements
  readonly #offsets: Int32Array
  readonly #validity: Validity
  readonly #slot: number
  readonly #rowCount: number

  constructor(feature: FeatureSchema, rowCount: number, memory: ScratchLease) {
    const { kind } = feature
    this.#elements = kind === KIND_STRING ? new TextElements(memory) : new WordElements(kind, memory)
    this.#type = new List(new Field(ELEMENT, this.#elements.type, true))
    this.field = new Field(feature.name, this.#type, true)
    this.#slot = feature.slot
    this.#rowCount = rowCount
    this.#offsets = new Int32Array(memory.take((rowCount + 1) * 4), 0, rowCount + 1)
    this.#offsets[0] = 0
    this.#validity = new Validity(rowCount, memory)
  }

  append(slice: RowSlice, at: number, values: Uint32Array): void {
    const elements = this.#elements
    for (let i = 0; i < slice.count; i++) {
      const view = slice.views[i]!
      const value = values[i]!
      if (hasSlot(view, value, this.#slot)) {
        elements.append(view.u8, value + view.u32[slotAt(view, value, this.#slot) >>> 2]!)
        this.#validity.setValid(at + i)
      } else this.#validity.nullCount++
      this.#offsets[at + i + 1] = elements.count
    }
  }

  finish(): Data<DataType> {
    return makeData({
      type: this.#type,
      length: this.#rowCount,
      valueOffsets: this.#offsets,
      child: this.#elements.finish(),
      ...this.#validity.data,
    })
  }
}

/** The elements of all rows, back to back. */
interface Elements {
  readonly type: DataType
  readonly count: number
  /** Adds the elements of the collection at `start`. */
  append(source: Buffer, start: number): void
  finish(): Data<DataType>
}

/** Numbers: copied as words, and parsed where a collection keeps the texts that were sent. */
class WordElements implements Elements {
  readonly type: Float64 | Int64
  count = 0
  readonly #kind: FeatureKind
  readonly #memory: ScratchLease
  #bytes: Buffer

  constructor(kind: FeatureKind, memory: ScratchLease) {
    this.type = kind === KIND_FRACTIONAL ? new Float64() : new Int64()
    this.#kind = kind
    this.#memory = memory
    this.#bytes = Buffer.from(memory.take(1024))
  }

  append(source: Buffer, start: number): void {
    const count = collectionCount(source, start)
    const at = this.count * 8
    const end = at + count * 8
    if (end > this.#bytes.length) this.#grow(end)
    const bytes = this.#bytes
    const first = start + COLLECTION_ELEMENTS
    if (source.readUInt32LE(start + COLLECTION_FORM) === FORM_WORDS) {
      if (count > 8) source.copy(bytes, at, first, first + count * 8)
      else for (let i = 0; i < count * 8; i++) bytes[at + i] = source[first + i]!
    } else {
      forEachText(source, start, (from, to, i) => {
        const text = source.toString('latin1', from, to)
        if (this.#kind === KIND_FRACTIONAL) bytes.writeDoubleLE(Number(text), at + i * 8)
        else bytes.writeBigInt64LE(BigInt(text), at + i * 8)
      })
    }
    this.count += count
  }

  finish(): Data<DataType> {
    const { buffer } = this.#bytes
    const common = { length: this.count, nullCount: 0 }
    return this.type instanceof Float64
      ? makeData({ type: this.type, data: new Float64Array(buffer, 0, this.count), ...common })
      : makeData({ type: this.type, data: new BigInt64Array(buffer, 0, this.count), ...common })
  }

  #grow(bytes: number): void {
    const grown = Buffer.from(this.#memory.take(Math.max(this.#bytes.length * 2, bytes)))
    this.#bytes.copy(grown, 0, 0, this.count * 8)
    this.#bytes = grown
  }
}

class TextElements implements Elements {
  readonly type = new Utf8()
  count = 0
  readonly #text: TextData

  constructor(memory: ScratchLease) {
    this.#text = new TextData(0, memory)
  }

  append(source: Buffer, start: number): void {
    const count = collectionCount(source, start)
    const at = this.count
    this.#text.reserveValues(at + count)
    forEachText(source, start, (from, to, i) => this.#text.copy(at + i, source, from, to - from))
    this.count += count
  }

  finish(): Data<DataType> {
    return this.#text.data(this.count, { nullCount: 0 })
  }
}
