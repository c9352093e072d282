/** The bytes of a log: both headers are pinned, and every byte of them is covered by a checksum. */
import { describe, expect, it } from 'vitest'
import {
  decodeFrameHeader,
  FRAME_HEADER_BYTES,
  type FrameFields,
  type FrameHeader,
  FrameHeaderEncoder,
  FrameKind,
  isIntact,
} from '../../src/codec/frame.ts'
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../../src/codec/segment-header.ts'
import { limits } from '../../src/core/limits.ts'
import type { Lsn } from '../../src/core/lsn.ts'

const fields: FrameFields = {
  kind: FrameKind.batches,
  recordCount: 3,
  firstLsn: 41 as Lsn,
  epoch: { low: 0x89ab_cdef, high: 0x0123_4567 },
  syncedBytes: 512,
  previousCrc: 0xdead_beef,
}
const payload = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6, 7, 8)]

function encodeFrame(
  changes: Partial<FrameFields> = {},
  pieces: readonly Uint8Array[] = payload,
): Uint8Array {
  const encoder = new FrameHeaderEncoder()
  encoder.encode({ ...fields, ...changes }, pieces)
  return new Uint8Array(Buffer.concat([encoder.bytes, ...pieces]))
}

const isWhole = (bytes: Uint8Array): boolean => {
  const header = decodeFrameHeader(bytes)
  return typeof header !== 'string' && header.frameBytes === bytes.length && isIntact(header, bytes)
}

describe('a frame', () => {
  it('has exactly these bytes', () => {
    expect(Buffer.from(encodeFrame()).toString('hex').match(/.{16}/g)).toEqual(GOLDEN_FRAME)
  })

  it('decodes to what was encoded', () => {
    const header = decodeFrameHeader(encodeFrame()) as FrameHeader
    expect(header).toEqual({ ...fields, frameBytes: FRAME_HEADER_BYTES + 8, crc: header.crc })
  })

  it('does not depend on how the payload is cut into pieces', () => {
    expect(encodeFrame({}, [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)])).toEqual(encodeFrame())
  })

  it('is not intact with any single bit flipped, in header or payload', () => {
    const frame = encodeFrame()
    expect(isWhole(frame)).toBe(true)
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = frame.slice()
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      expect(isWhole(damaged), `bit ${bit}`).toBe(false)
    }
  })

  it('takes a payload of the limit and refuses a larger one', () => {
    const largest = new Uint8Array(limits.framePayloadBytesMax)
    expect(isWhole(encodeFrame({}, [largest]))).toBe(true)
    expect(() => encodeFrame({}, [largest, new Uint8Array(8)])).toThrow('fits in a frame')
  })

  it('refuses a payload that is not a multiple of 8 bytes', () => {
    expect(() => encodeFrame({}, [new Uint8Array(7)])).toThrow('multiple of 8')
  })

  it('takes LSNs exactly if it holds batches', () => {
    expect(() => encodeFrame({ recordCount: 0 })).toThrow('batches take LSNs')
    expect(() => encodeFrame({ kind: FrameKind.seal })).toThrow('batches take LSNs')
    expect(() => encodeFrame({ kind: FrameKind.checkpoint, recordCount: 0 })).not.toThrow()
  })

  it('tells the end of the data from a damaged length', () => {
    const withLength = (bytes: number): Uint8Array => {
      const frame = encodeFrame()
      new DataView(frame.buffer).setUint32(4, bytes, true)
      return frame
    }
    expect(decodeFrameHeader(new Uint8Array(64))).toBe('zero')
    expect(decodeFrameHeader(new Uint8Array(20))).toBe('zero')
    expect(decodeFrameHeader(Uint8Array.of(0, 0, 1))).toBe('incomplete header')
    expect(decodeFrameHeader(new Uint8Array(64).fill(7))).toBe('no frame header')
    for (const bytes of [0, 40, 57, limits.framePayloadBytesMax + FRAME_HEADER_BYTES + 8, 0xffff_fff8]) {
      expect(decodeFrameHeader(withLength(bytes)), `length ${bytes}`).toBe('impossible length')
    }
  })
})

describe('a segment header', () => {
  const header: SegmentHeader = {
    shard: 2,
    shardCount: 8,
    storeId: Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index),
    sequence: 7,
    firstLsn: 1001 as Lsn,
    epoch: { low: 0x89ab_cdef, high: 0x0123_4567 },
    previousCrc: 0xdead_beef,
  }

  it('has exactly these bytes', () => {
    const bytes = Buffer.from(encodeSegmentHeader(header))
    expect(bytes.length).toBe(SEGMENT_HEADER_BYTES)
    expect(bytes.subarray(0, 72).toString('hex').match(/.{16}/g)).toEqual(GOLDEN_SEGMENT_HEADER)
    expect(bytes.subarray(72, 508).every((byte) => byte === 0)).toBe(true)
    expect(bytes.subarray(508).toString('hex')).toBe(GOLDEN_SEGMENT_CRC)
  })

  it('decodes to what was encoded', () => {
    expect(decodeSegmentHeader(encodeSegmentHeader(header))).toEqual(header)
  })

  it('is damaged with any single byte changed', () => {
    const bytes = encodeSegmentHeader(header)
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice()
      damaged[at]! ^= 0x10
      expect(decodeSegmentHeader(damaged), `byte ${at}`).toMatchObject({ defect: 'damaged' })
    }
    expect(decodeSegmentHeader(bytes.subarray(0, 511))).toMatchObject({ defect: 'damaged' })
  })
})

// Eight bytes a line; made by hand from the drawings in the sources, the checksums by another implementation.
const GOLDEN_FRAME = [
  '4d52667238000000', // magic, frameBytes 56
  '0000000000804440', // firstLsn 41
  '0300000001000000', // recordCount 3, batches
  'efcdab8967452301', // epoch
  '00020000efbeadde', // syncedBytes 512, previousCrc
  '000000000c34c3e9', // zero, crc
  '0102030405060708',
]
const GOLDEN_SEGMENT_HEADER = [
  '4d5257414c76310a', // "MRWALv1\n"
  '0100000002000000', // formatVersion 1, shard 2
  '0800000000000000', // shardCount 8
  'a0a1a2a3a4a5a6a7', // storeId
  'a8a9aaabacadaeaf',
  '0000000000001c40', // sequence 7
  '0000000000488f40', // firstLsn 1001
  'efcdab8967452301', // epoch
  'efbeadde00000000', // previousCrc
]
const GOLDEN_SEGMENT_CRC = 'aba75e09'
