/** Goal: strings of Arrow columns are read as they are, in every encoding. Method: against the library's own reading. */
import {
  Dictionary,
  Int32,
  LargeUtf8,
  makeData,
  tableFromArrays,
  Utf8,
  Vector,
  vectorFromArray,
} from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { compileSchema, NO_SETTINGS } from '../../src/core/model.ts'
import { textRanges } from '../../src/engine/arrow-text.ts'

const schema = compileSchema({
  number: 1,
  name: 'words',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: [
    { name: 'id', type: 'String' },
    { name: 'at', type: 'String' },
  ],
  online: true,
  offline: false,
  description: '',
  tier: 'Standard',
  createdAtMs: 0,
  updatedAtMs: 0,
  settings: NO_SETTINGS,
  status: 'created',
  offlineDirectory: '',
})
const WORDS = ['LAS', '', 'Zürich', 'LAS', '🚲', 'a'.repeat(100), 'Zürich']

function textOf(data: Parameters<typeof textRanges>[2]): string[] {
  const text = textRanges(schema, schema.identifier, data)
  return Array.from({ length: data.length }, (_, row) =>
    text.bytes.toString('utf8', text.startOf(row), text.endOf(row)),
  )
}

describe('textRanges', () => {
  it('reads plain, large and dictionary-encoded strings', () => {
    expect(textOf(vectorFromArray(WORDS, new Utf8()).data[0]!)).toEqual(WORDS)
    expect(textOf(vectorFromArray(WORDS, new LargeUtf8()).data[0]!)).toEqual(WORDS)
    expect(textOf(vectorFromArray(WORDS, new Dictionary(new Utf8(), new Int32())).data[0]!)).toEqual(WORDS)
    expect(textOf(tableFromArrays({ id: WORDS }).getChild('id')!.data[0]!)).toEqual(WORDS)
  })

  it('reads a slice from where it starts', () => {
    expect(textOf(vectorFromArray(WORDS, new Utf8()).slice(2, 5).data[0]!)).toEqual(WORDS.slice(2, 5))
  })

  it('reads a dictionary that comes in several pieces', () => {
    const pieces = [vectorFromArray(['LAS', 'ü'], new Utf8()), vectorFromArray(['PHL'], new Utf8())]
    const dictionary = new Vector(pieces.flatMap((piece) => piece.data))
    const type = new Dictionary(new Utf8(), new Int32())
    const data = makeData({ type, length: 4, nullCount: 0, data: Int32Array.of(2, 0, 1, 2), dictionary })
    expect(textOf(data)).toEqual(['PHL', 'LAS', 'ü', 'PHL'])
  })

  it('refuses bytes that are not UTF-8, and columns that are not text, naming the feature', () => {
    const broken = makeData({
      type: new Utf8(),
      length: 1,
      nullCount: 0,
      valueOffsets: Int32Array.of(0, 1),
      data: Uint8Array.of(0xff),
    })
    expect(() => textOf(broken)).toThrow('feature "id": expected an Arrow column of well-formed UTF-8')
    expect(() => textOf(vectorFromArray([1, 2], new Int32()).data[0]!)).toThrow('found Int32')
  })
})
