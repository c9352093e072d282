/** What every column of an offline file has in common, and the data that several kinds of columns share. */
import { type Data, type DataType, type Field, makeData, Utf8 } from 'apache-arrow'
import { isSlotValid, type RowView, slotCountOf, slotsOffset } from './row.ts'
import type { ScratchLease } from './scratch-memory.ts'

/** Some rows to append: `views[i]` holds a row at byte offset `rows[i]`, for i below `count`. */
export interface RowSlice {
  readonly views: readonly RowView[]
  readonly rows: Uint32Array
  readonly count: number
}

/** One column, filled slice by slice. `values` holds the byte offsets of the rows' values. */
export interface Column {
  readonly field: Field
  append(slice: RowSlice, at: number, values: Uint32Array): void
  finish(): Data<DataType>
  readonly isRepetitive: boolean
}

export const hasSlot = (view: RowView, value: number, slot: number): boolean =>
  slot < slotCountOf(view, value) && isSlotValid(view.u8, value, slot)

export const slotAt = (view: RowView, value: number, slot: number): number =>
  value + slotsOffset(slotCountOf(view, value)) + slot * 8

/** Validity of a nullable column. */
export class Validity {
  readonly bits: Uint8Array
  nullCount = 0

  constructor(rowCount: number, memory: ScratchLease) {
    const bytes = (rowCount + 7) >>> 3
    this.bits = new Uint8Array(memory.take(bytes), 0, bytes).fill(0)
  }

  setValid(i: number): void {
    this.bits[i >>> 3] = this.bits[i >>> 3]! | (1 << (i & 7))
  }

  get data(): { nullCount: number; nullBitmap?: Uint8Array } {
    return this.nullCount === 0 ? { nullCount: 0 } : { nullCount: this.nullCount, nullBitmap: this.bits }
  }
}

/** UTF-8 text that grows as it is filled. */
export class TextData {
  #offsets: Int32Array
  readonly #memory: ScratchLease
  #bytes: Buffer
  #end = 0

  constructor(rowCount: number, memory: ScratchLease) {
    this.#memory = memory
    this.#offsets = new Int32Array(memory.take((rowCount + 1) * 4), 0, rowCount + 1)
    this.#offsets[0] = 0
    this.#bytes = Buffer.from(memory.take(Math.max(64, rowCount * 16)))
  }

  /** Room for that many values in all, where more come than were announced. */
  reserveValues(count: number): void {
    if (count < this.#offsets.length) return
    const length = Math.max(this.#offsets.length * 2, count + 1)
    const grown = new Int32Array(this.#memory.take(length * 4), 0, length)
    grown.set(this.#offsets)
    this.#offsets = grown
  }

  /** Room for one more value. @returns the buffer to write it to, at `end` */
  reserve(bytes: number): Buffer {
    if (this.#end + bytes > this.#bytes.length) {
      const grown = Buffer.from(this.#memory.take(Math.max(this.#bytes.length * 2, this.#end + bytes)))
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
    this.#offsets[i + 1] = end
  }

  copy(i: number, source: Buffer, start: number, bytes: number): void {
    const target = this.reserve(bytes)
    const at = this.#end
    if (bytes <= 64) for (let k = 0; k < bytes; k++) target[at + k] = source[start + k]!
    else target.set(source.subarray(start, start + bytes), at)
    this.close(i, at + bytes)
  }

  valueAt(i: number): string {
    return this.#bytes.toString('latin1', this.#offsets[i]!, this.#offsets[i + 1]!)
  }

  data(rowCount: number, validity: { nullCount: number; nullBitmap?: Uint8Array }): Data<DataType> {
    const data = this.#bytes.subarray(0, this.#end)
    const valueOffsets = this.#offsets.subarray(0, rowCount + 1)
    return makeData({ type: new Utf8(), length: rowCount, valueOffsets, data, ...validity })
  }
}

/** A string column repeats if this many of its first values have at most a quarter as many different ones. */
const SAMPLE_ROWS = 512

export function isRepetitive(text: TextData, rowCount: number): boolean {
  const sample = Math.min(rowCount, SAMPLE_ROWS)
  const different = new Set<string>()
  for (let i = 0; i < sample; i++) different.add(text.valueAt(i))
  return sample >= 16 && different.size * 4 <= sample
}
