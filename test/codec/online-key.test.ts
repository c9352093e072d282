/** Keys of the online partition: different records have different keys, in the order of group, hash and id. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isLongKey,
  KEY_ID,
  LONG_ID_BYTES,
  storedId,
  storedValueStart,
  withLongId,
  writeOnlineKey,
} from '../../src/codec/online-key.ts'
import { limits } from '../../src/core/limits.ts'

interface Place {
  readonly featureGroup: number
  readonly high: number
  readonly low: number
  readonly id: string
}

const scratch = Buffer.alloc(KEY_ID + LONG_ID_BYTES)

function keyOf({ featureGroup, high, low, id }: Place): Buffer {
  // In the middle of other bytes, as ids lie in rows.
  const source = Buffer.from(`##${id}##`)
  const idBytes = source.length - 4
  const length = writeOnlineKey(scratch, featureGroup, high, low, source, 2, idBytes)
  return Buffer.from(scratch.subarray(0, length))
}

const u32 = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 255, 256, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
)
const id = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
  fc.constantFrom(
    '\0',
    '\0\0',
    'a',
    'a\0',
    '\u00ff',
    'x'.repeat(LONG_ID_BYTES),
    'x'.repeat(LONG_ID_BYTES + 1),
    'x'.repeat(2047),
    'x'.repeat(2048),
    `${'x'.repeat(2047)}y`,
  ),
)
// Few different numbers, so that the ids decide often.
const place = fc.record({
  featureGroup: fc.oneof(u32, fc.constant(1)),
  high: fc.oneof(u32, fc.constant(5)),
  low: fc.oneof(u32, fc.constant(7)),
  id,
})

const isLong = ({ id: text }: Place): boolean => Buffer.byteLength(text) > LONG_ID_BYTES

describe('keys', () => {
  it('are equal only for the same record', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        const isSame =
          a.featureGroup === b.featureGroup && a.high === b.high && a.low === b.low && a.id === b.id
        expect(keyOf(a).equals(keyOf(b))).toBe(isSame)
      }),
      { numRuns: 2000 },
    )
  })

  it('stand in the order of feature group, hash and id bytes', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        const byNumbers = a.featureGroup - b.featureGroup || a.high - b.high || a.low - b.low
        // Long ids stand behind all short ones of their hash, in the order of their digests.
        if (byNumbers === 0 && isLong(a) && isLong(b)) return
        const byId =
          Number(isLong(a)) - Number(isLong(b)) || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id))
        expect(Math.sign(Buffer.compare(keyOf(a), keyOf(b)))).toBe(Math.sign(byNumbers || byId))
      }),
      { numRuns: 2000 },
    )
  })

  it('fit into LMDB, whose longest is 1,978 bytes, for every legal id', () => {
    for (let bytes = 1; bytes <= limits.recordIdBytesMax; bytes++) {
      expect(keyOf({ featureGroup: 1, high: 2, low: 3, id: 'x'.repeat(bytes) }).length).toBeLessThanOrEqual(
        1978,
      )
    }
  })

  it('tell whether they are of a long id, and give the id back', () => {
    fc.assert(
      fc.property(place, fc.uint8Array({ maxLength: 64 }), (each, value) => {
        const key = keyOf(each)
        expect(isLongKey(key)).toBe(isLong(each))
        const bytes = Buffer.from(each.id)
        const stored = isLong(each) ? withLongId(bytes, value) : Buffer.from(value)
        expect(storedId(key, stored).toString('utf8')).toBe(each.id)
        const start = storedValueStart(isLong(each), stored)
        expect([...stored.subarray(start)]).toEqual([...value])
        expect(start % 8).toBe(0)
      }),
    )
  })
})
