/**
 * A collection inside a row: the elements of a List, Set or Vector, in order. It lies among the strings of the row, at
 * any alignment; its slot has offset and byte length as that of a string has. Little endian:
 *
 *   0  u32  number of elements      4  u32  form
 *   8       form 0, words: 8 bytes each, f64 or i64
 *           form 1, texts: u32 end of each element, counted from where the texts start; then the texts, UTF-8, back to
 *           back
 *
 * Strings are texts. Numbers are words, unless one of them was sent with a text that is not the shortest one of its
 * number; then all of them are texts, exactly as they were sent.
 *
 * A CollectionWriter gathers the elements of one collection after the other, because how many remain of a Set is known
 * only at its end. Owns: that scratch. Does not own: validation; what is added fits its feature.
 */
import { type FeatureKind, KIND_FRACTIONAL, KIND_STRING } from '../core/model.ts'
import type { BatchBuilder } from './batch-builder.ts'
import { readInteger } from './row.ts'
import { writeUtf8 } from './text.ts'

const COLLECTION_COUNT = 0
export const COLLECTION_FORM = 4
export const COLLECTION_ELEMENTS = 8

export const FORM_WORDS = 0
export const FORM_TEXTS = 1

/** Fewer bytes are copied faster one by one than by a call. */
const COPIED_BYTES_MAX = 64

export class CollectionWriter {
  /** Elements added since `begin`. */
  count = 0
  #form = FORM_WORDS
  #f64 = new Float64Array(256)
  #u32 = new Uint32Array(this.#f64.buffer)
  #ends = new Uint32Array(64)
  #texts = Buffer.alloc(1024)
  #textBytes = 0

  /** Starts a collection of numbers. @param countMax - no more are added */
  beginWords(countMax: number): void {
    this.count = 0
    this.#form = FORM_WORDS
    if (countMax <= this.#f64.length) return
    this.#f64 = new Float64Array(Math.max(this.#f64.length * 2, countMax))
    this.#u32 = new Uint32Array(this.#f64.buffer)
  }

  /** Starts a collection of texts. @param countMax - no more are added */
  beginTexts(countMax: number): void {
    this.count = 0
    this.#form = FORM_TEXTS
    this.#textBytes = 0
    if (countMax > this.#ends.length) this.#ends = new Uint32Array(Math.max(this.#ends.length * 2, countMax))
  }

  addFractional(value: number): void {
    this.#f64[this.count++] = value
  }

  /** @param value - a safe integer */
  addInteger(value: number): void {
    this.addIntegerWords(value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0)
  }

  /** The two halves of a 64-bit integer, as they lie in memory. */
  addIntegerWords(low: number, high: number): void {
    const word = this.count++ * 2
    this.#u32[word] = low
    this.#u32[word + 1] = high
  }

  /** @param value - within 64 bits */
  addBigInteger(value: bigint): void {
    this.addIntegerWords(Number(BigInt.asUintN(32, value)), Number(BigInt.asUintN(32, value >> 32n)))
  }

  /** @returns the number of UTF-8 bytes, or -1 (nothing added) if the text is ill-formed */
  addText(text: string): number {
    this.#reserveText(text.length * 3)
    const bytes = writeUtf8(this.#texts, this.#textBytes, text)
    if (bytes >= 0) this.#closeText(bytes)
    return bytes
  }

  /** Adds a text from UTF-8 bytes that are known to be well-formed. */
  addUtf8(source: Uint8Array, start: number, end: number): void {
    this.#reserveText(end - start)
    copyBytes(source, start, end, this.#texts, this.#textBytes)
    this.#closeText(end - start)
  }

  /** Makes the elements the value of a slot of the batch's current row. */
  place(batch: BatchBuilder, slot: number): void {
    const { count } = this
    const isTexts = this.#form === FORM_TEXTS
    const table = isTexts ? count * 4 : count * 8
    const texts = COLLECTION_ELEMENTS + table
    const bytes = isTexts ? texts + this.#textBytes : texts
    const target = batch.reserveTail(bytes)
    const at = batch.tail
    target.writeUInt32LE(count, at + COLLECTION_COUNT)
    target.writeUInt32LE(this.#form, at + COLLECTION_FORM)
    const elements = isTexts ? this.#ends : this.#u32
    copyBytes(bytesOf(elements, table), 0, table, target, at + COLLECTION_ELEMENTS)
    if (isTexts) copyBytes(this.#texts, 0, this.#textBytes, target, at + texts)
    batch.placeTail(slot, bytes)
  }

  /**
   * Makes elements given as texts the value of a slot, so that `readCollectionTexts` gives the same texts again.
   * @param texts - legal texts of the kind; of a Set without duplicates
   */
  placeTexts(batch: BatchBuilder, slot: number, kind: FeatureKind, texts: readonly string[]): void {
    if (kind === KIND_STRING || !this.#addShortest(kind, texts)) {
      this.beginTexts(texts.length)
      for (const text of texts) this.addText(text)
    }
    this.place(batch, slot)
  }

  /** Adds texts as numbers. @returns false if one of them is not the shortest text of its number */
  #addShortest(kind: FeatureKind, texts: readonly string[]): boolean {
    this.beginWords(texts.length)
    for (const text of texts) {
      const number = Number(text)
      if (kind === KIND_FRACTIONAL) {
        if (numberText(number) !== text) return false
        this.addFractional(number)
      } else if (Number.isSafeInteger(number)) {
        if (String(number) !== text) return false
        this.addInteger(number)
      } else {
        const integer = BigInt(text)
        if (String(integer) !== text) return false
        this.addBigInteger(integer)
      }
    }
    return true
  }

  #reserveText(bytes: number): void {
    const needed = this.#textBytes + bytes
    if (needed <= this.#texts.length) return
    const grown = Buffer.alloc(Math.max(this.#texts.length * 2, needed))
    grown.set(this.#texts.subarray(0, this.#textBytes))
    this.#texts = grown
  }

  #closeText(bytes: number): void {
    this.#textBytes += bytes
    this.#ends[this.count++] = this.#textBytes
  }
}

const bytesOf = (words: Uint32Array, bytes: number): Uint8Array => new Uint8Array(words.buffer, 0, bytes)

function copyBytes(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): void {
  if (end - start > COPIED_BYTES_MAX) target.set(source.subarray(start, end), at)
  else for (let i = start; i < end; i++) target[at + i - start] = source[i]!
}

/** The shortest decimal text of an element; minus zero keeps its sign. */
export const numberText = (value: number | bigint): string => (Object.is(value, -0) ? '-0' : String(value))

/**
 * The elements of a collection as values.
 * @param source - holds the collection at `start`, at any alignment
 * @returns strings, numbers, or numbers and bigints: a number where a 64-bit integer is exact
 */
export function readCollection(
  kind: FeatureKind,
  source: Buffer,
  start: number,
): (string | number | bigint)[] {
  if (source.readUInt32LE(start + COLLECTION_FORM) === FORM_TEXTS) {
    const texts = readTexts(source, start)
    if (kind === KIND_STRING) return texts
    return texts.map(kind === KIND_FRACTIONAL ? Number : integerOf)
  }
  return readWords(kind, source, start)
}

/** The elements of a collection as texts, exactly as they were sent; those of numbers sent as numbers are shortest. */
export function readCollectionTexts(kind: FeatureKind, source: Buffer, start: number): string[] {
  if (source.readUInt32LE(start + COLLECTION_FORM) === FORM_TEXTS) return readTexts(source, start)
  return readWords(kind, source, start).map(numberText)
}

/** UTF-8 bytes of all texts of a collection together. */
export function collectionTextBytes(kind: FeatureKind, source: Buffer, start: number): number {
  const count = collectionCount(source, start)
  if (source.readUInt32LE(start + COLLECTION_FORM) === FORM_TEXTS) {
    return count === 0 ? 0 : source.readUInt32LE(start + COLLECTION_ELEMENTS + (count - 1) * 4)
  }
  return readWords(kind, source, start).reduce<number>((bytes, value) => bytes + numberText(value).length, 0)
}

export const collectionCount = (source: Buffer, start: number): number =>
  source.readUInt32LE(start + COLLECTION_COUNT)

function readWords(kind: FeatureKind, source: Buffer, start: number): (number | bigint)[] {
  const count = collectionCount(source, start)
  const first = start + COLLECTION_ELEMENTS
  const values = new Array<number | bigint>(count)
  for (let i = 0; i < count; i++) {
    const at = first + i * 8
    values[i] = kind === KIND_FRACTIONAL ? source.readDoubleLE(at) : readInteger(source, at)
  }
  return values
}

function readTexts(source: Buffer, start: number): string[] {
  const texts = new Array<string>(collectionCount(source, start))
  forEachText(source, start, (from, to, i) => {
    texts[i] = source.toString('utf8', from, to)
  })
  return texts
}

/** The byte ranges of the elements of a collection of texts, in order. */
export function forEachText(
  source: Buffer,
  start: number,
  visit: (from: number, to: number, index: number) => void,
): void {
  const count = collectionCount(source, start)
  const ends = start + COLLECTION_ELEMENTS
  const first = ends + count * 4
  let from = first
  for (let i = 0; i < count; i++) {
    const to = first + source.readUInt32LE(ends + i * 4)
    visit(from, to, i)
    from = to
  }
}

function integerOf(text: string): number | bigint {
  const integer = Number(text)
  return Number.isSafeInteger(integer) ? integer : BigInt(text)
}
