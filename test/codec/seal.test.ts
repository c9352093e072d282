/** Seals and checkpoints come back from the log as they were written; the bytes are part of the format. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCheckpoint, decodeSeal, encodeCheckpoint, encodeSeal } from '../../src/codec/seal.ts'

const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })

describe('a seal', () => {
  it('comes back as it was written, also from the middle of a larger buffer', () => {
    const hour = fc.record({
      featureGroup: u32,
      eventHour: fc.integer({ min: -17_268_672, max: 70_389_527 }),
    })
    const seal = fc.record({ round: whole, writeTimeUs: whole, partBytes: whole, hours: fc.array(hour) })
    fc.assert(
      fc.property(seal, (each) => {
        const bytes = encodeSeal(each)
        expect(decodeSeal(bytes)).toEqual(each)
        const framed = Buffer.concat([Buffer.alloc(5), bytes, Buffer.alloc(3)])
        expect(decodeSeal(framed.subarray(5, 5 + bytes.length))).toEqual(each)
      }),
    )
  })

  it('has the documented bytes', () => {
    const seal = {
      round: 3,
      writeTimeUs: 1_772_366_400_000,
      partBytes: 65_536,
      hours: [{ featureGroup: 2, eventHour: -1 }],
    }
    expect(Buffer.from(encodeSeal(seal)).toString('hex')).toBe(
      [
        '0000000000000840',
        '0000a05094ca7942',
        '000000000000f040',
        '01000000',
        '00000000',
        '02000000',
        'ffffffff',
      ].join(''),
    )
  })

  it('that is cut, or too long, is refused', () => {
    const bytes = encodeSeal({
      round: 1,
      writeTimeUs: 1,
      partBytes: 1,
      hours: [{ featureGroup: 1, eventHour: 1 }],
    })
    expect(() => decodeSeal(bytes.subarray(0, bytes.length - 8))).toThrow(
      'a seal has the length its count says',
    )
    expect(() => decodeSeal(Buffer.concat([bytes, Buffer.alloc(8)]))).toThrow('a seal has the length')
  })
})

describe('a checkpoint', () => {
  it('comes back as it was written', () => {
    const source = fc.record({ low: u32, high: u32, position: whole })
    const checkpoint = fc.record({ publishedLsn: whole, sources: fc.array(source) })
    fc.assert(
      fc.property(checkpoint, (each) => {
        expect(decodeCheckpoint(encodeCheckpoint(each))).toEqual(each)
      }),
    )
  })

  it('has the documented bytes', () => {
    const bytes = encodeCheckpoint({
      publishedLsn: 10,
      sources: [{ low: 1, high: 0xffff_fffe, position: 5 }],
    })
    expect(Buffer.from(bytes).toString('hex')).toBe(
      ['0000000000002440', '01000000', '00000000', '01000000', 'feffffff', '0000000000001440'].join(''),
    )
  })

  it('that is cut is refused', () => {
    const bytes = encodeCheckpoint({ publishedLsn: 1, sources: [{ low: 1, high: 1, position: 1 }] })
    expect(() => decodeCheckpoint(bytes.subarray(0, 24))).toThrow(
      'a checkpoint has the length its count says',
    )
  })
})
