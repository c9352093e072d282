/**
 * Collections in rows come back as they were given, as values and as texts. Method: properties over plain arrays, with
 * strings of any length before them, so that they lie at any alignment.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BATCH_HEADER_BYTES } from '../../src/codec/batch.ts'
import { BatchBuilder } from '../../src/codec/batch-builder.ts'
import {
  CollectionWriter,
  collectionTextBytes,
  numberText,
  readCollection,
  readCollectionTexts,
} from '../../src/codec/collection.ts'
import { OPERATION_PUT, viewRows } from '../../src/codec/row.ts'
import { type FeatureKind, KIND_FRACTIONAL, KIND_INTEGRAL, KIND_STRING } from '../../src/core/model.ts'
import { type PackedRow, tailOf } from '../fixtures/packing.ts'

const HEAD = { operation: OPERATION_PUT, targets: 3, invocationUs: 0, slotCount: 2, flags: 0, ttlSeconds: 0 }
const ORIGIN = { featureGroup: 1, sourceLow: 0, sourceHigh: 0, sourceFrom: 0, sourceUpTo: 0 }

/** One row: a string in slot 0, then a collection in slot 1. */
function rowWith(before: string, place: (batch: BatchBuilder) => void): PackedRow {
  const batch = new BatchBuilder()
  batch.beginRow(HEAD, Buffer.from('id'), 2, 1, 2, 0, 0, 0)
  batch.setText(0, before)
  place(batch)
  batch.endRow()
  const { buffer, bytes } = batch.finish(ORIGIN)
  return { view: viewRows(buffer, 0, bytes), row: BATCH_HEADER_BYTES }
}

/** What a collection placed in a row reads as. */
function readBack(kind: FeatureKind, packed: PackedRow) {
  const { start } = tailOf(packed, 1)
  const { u8 } = packed.view
  return {
    values: readCollection(kind, u8, start),
    texts: readCollectionTexts(kind, u8, start),
    textBytes: collectionTextBytes(kind, u8, start),
  }
}

const bytesOf = (packed: PackedRow): string => {
  const { start, bytes } = tailOf(packed, 1)
  return packed.view.u8.toString('hex', start, start + bytes)
}

const before = fc.string({ maxLength: 9 })
const sum = (texts: readonly string[]): number =>
  texts.reduce((bytes, text) => bytes + Buffer.byteLength(text), 0)

describe('a collection', () => {
  const writer = new CollectionWriter()

  it('of doubles comes back to the bit, and as shortest texts', () => {
    fc.assert(
      fc.property(before, fc.array(fc.double({ noNaN: true }), { maxLength: 40 }), (text, doubles) => {
        const packed = rowWith(text, (batch) => {
          writer.beginWords(doubles.length)
          for (const value of doubles) writer.addFractional(value)
          writer.place(batch, 1)
        })
        const texts = doubles.map((value) => (Object.is(value, -0) ? '-0' : `${value}`))
        expect(readBack(KIND_FRACTIONAL, packed)).toEqual({ values: doubles, texts, textBytes: sum(texts) })
      }),
    )
  })

  it('of 64-bit integers comes back without loss', () => {
    const integer = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.maxSafeInteger().map(BigInt))
    fc.assert(
      fc.property(before, fc.array(integer, { maxLength: 40 }), (text, integers) => {
        const packed = rowWith(text, (batch) => {
          writer.beginWords(integers.length)
          for (const value of integers) {
            if (Number.isSafeInteger(Number(value))) writer.addInteger(Number(value))
            else writer.addBigInteger(value)
          }
          writer.place(batch, 1)
        })
        const values = integers.map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value))
        const texts = integers.map(String)
        expect(readBack(KIND_INTEGRAL, packed)).toEqual({ values, texts, textBytes: sum(texts) })
      }),
    )
  })

  it('of strings comes back with every character, empty ones too', () => {
    const strings = fc.array(fc.string({ unit: 'grapheme', maxLength: 70 }), { maxLength: 40 })
    fc.assert(
      fc.property(before, strings, (text, values) => {
        const added = rowWith(text, (batch) => {
          writer.beginTexts(values.length)
          for (const value of values) expect(writer.addText(value)).toBe(Buffer.byteLength(value))
          writer.place(batch, 1)
        })
        const asBytes = rowWith(text, (batch) => {
          writer.beginTexts(values.length)
          for (const value of values)
            writer.addUtf8(Buffer.from(`>${value}`), 1, 1 + Buffer.byteLength(value))
          writer.place(batch, 1)
        })
        const asTexts = rowWith(text, (batch) => writer.placeTexts(batch, 1, KIND_STRING, values))
        for (const packed of [added, asBytes, asTexts]) {
          expect(readBack(KIND_STRING, packed)).toEqual({ values, texts: values, textBytes: sum(values) })
        }
      }),
    )
  })

  const NUMBER_TEXTS = {
    [KIND_FRACTIONAL]: [
      '0',
      '-0',
      '+1.5',
      '12.',
      '.5',
      '1e10',
      '1E-7',
      '10.0',
      '0.9134653465346535',
      '1e-400',
      '1E3',
    ],
    [KIND_INTEGRAL]: [
      '0',
      '-0',
      '+5',
      '007',
      '42',
      '9223372036854775807',
      '-9223372036854775808',
      '9007199254740993',
      '+9223372036854775807',
    ],
  }

  it.each([
    ['Fractional', KIND_FRACTIONAL, (text: string): number | bigint => Number(text)],
    ['Integral', KIND_INTEGRAL, (text: string): number | bigint => BigInt(text)],
  ] as const)(
    'of %s given as texts keeps every character and tells the numbers (R-090)',
    (_, kind, parse) => {
      const shortest =
        kind === KIND_FRACTIONAL
          ? fc.double({ noNaN: true, noDefaultInfinity: true }).map(numberText)
          : fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(String)
      const text = fc.oneof(fc.constantFrom(...NUMBER_TEXTS[kind]), shortest)
      fc.assert(
        fc.property(before, fc.array(text, { maxLength: 12 }), (first, texts) => {
          const read = readBack(
            kind,
            rowWith(first, (batch) => writer.placeTexts(batch, 1, kind, texts)),
          )
          expect(read.texts).toEqual(texts)
          expect(read.textBytes).toBe(sum(texts))
          const numbers = kind === KIND_FRACTIONAL ? read.values : read.values.map(BigInt)
          expect(numbers).toEqual(texts.map(parse))
        }),
      )
    },
  )

  it('refuses ill-formed text and goes on without it', () => {
    const packed = rowWith('', (batch) => {
      writer.beginTexts(3)
      writer.addText('a')
      expect(writer.addText('\ud800')).toBe(-1)
      writer.addText('b')
      writer.place(batch, 1)
    })
    expect(readBack(KIND_STRING, packed).values).toEqual(['a', 'b'])
  })

  it('may be as large as a record can be', () => {
    const count = 358_400
    const ones = Array.from({ length: count }, (_, i) => String(i % 10))
    for (const kind of [KIND_STRING, KIND_INTEGRAL, KIND_FRACTIONAL] as const) {
      const packed = rowWith('x', (batch) => writer.placeTexts(batch, 1, kind, ones))
      const read = readBack(kind, packed)
      expect(read.textBytes).toBe(count)
      expect(read.texts.join('')).toBe(ones.join(''))
    }
  })

  it('has exactly these bytes', () => {
    const numbers = (kind: FeatureKind, texts: string[]): string =>
      bytesOf(rowWith('abc', (batch) => writer.placeTexts(batch, 1, kind, texts)))
    expect(numbers(KIND_FRACTIONAL, ['1', '-0'])).toBe('0200000000000000000000000000f03f0000000000000080')
    expect(numbers(KIND_INTEGRAL, ['1', '-2'])).toBe('02000000000000000100000000000000feffffffffffffff')
    expect(numbers(KIND_FRACTIONAL, ['1.0', '2'])).toBe('02000000010000000300000004000000312e3032')
    expect(numbers(KIND_STRING, ['é', '', 'x'])).toBe('0300000001000000020000000200000003000000c3a978')
    expect(numbers(KIND_STRING, [])).toBe('0000000001000000')
    expect(numbers(KIND_INTEGRAL, [])).toBe('0000000000000000')
  })
})
