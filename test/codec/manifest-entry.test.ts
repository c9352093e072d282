/** The bytes of the manifest are pinned, and every byte of them is covered by a checksum. */
import { describe, expect, it } from 'vitest'
import {
  decodeManifestFrame,
  decodeManifestHeader,
  encodeManifestFrames,
  encodeManifestHeader,
  isWholeFrame,
  MANIFEST_FORMAT_VERSION,
  type ManifestEntry,
  manifestFrameBytes,
} from '../../src/codec/manifest-entry.ts'
import { limits } from '../../src/core/limits.ts'

const entry: ManifestEntry = {
  featureGroup: 3,
  featureGroupName: 'trips',
  round: 12,
  eventHour: 492_288,
  path: 'offline/lake/hour=00/20260228T233015Z_k3V9xQ0aT7bM2nZd.parquet',
  rows: 1000,
  bytes: 23_454,
  sha256: 'ab'.repeat(32),
  latestEventSeconds: 1_772_321_415,
  writeTimeUs: 1_772_321_500_123_456,
  parts: [
    { shard: 0, rows: 400, firstLsn: 1, lastLsn: 900 },
    { shard: 1, rows: 600, firstLsn: 5, lastLsn: 2 ** 53 - 1 },
  ],
}

const encodeOne = (...entries: ManifestEntry[]): Uint8Array => encodeManifestFrames(entries)[0]!.bytes
const isIntact = (bytes: Uint8Array): boolean =>
  manifestFrameBytes(bytes) === bytes.length && isWholeFrame(bytes)

describe('the header', () => {
  it('has exactly these bytes', () => {
    expect(Buffer.from(encodeManifestHeader()).toString('hex')).toBe('4d524d616e69660a010000005f257922')
  })

  it('decodes to its version', () => {
    expect(decodeManifestHeader(encodeManifestHeader())).toBe(MANIFEST_FORMAT_VERSION)
  })

  it('is refused with any single bit flipped, and cut anywhere', () => {
    const header = encodeManifestHeader()
    for (let bit = 0; bit < header.length * 8; bit++) {
      const bad = header.slice()
      bad[bit >>> 3]! ^= 1 << (bit & 7)
      expect(decodeManifestHeader(bad), `bit ${bit}`).toBeUndefined()
    }
    for (let length = 0; length < header.length; length++) {
      expect(decodeManifestHeader(header.subarray(0, length))).toBeUndefined()
    }
  })
})

describe('a frame', () => {
  it('has exactly these bytes', () => {
    const frame = Buffer.from(encodeOne({ ...entry, path: 'é', parts: [] }))
    expect(frame.subarray(0, 8).toString('hex')).toBe('100100007f90793f')
    expect(frame.subarray(8).toString()).toBe(GOLDEN_BODY)
  })

  it('decodes to its entries, and is 8-byte aligned whatever their length', () => {
    for (let length = 0; length < 9; length++) {
      const entries = [entry, { ...entry, path: 'p'.repeat(length) }]
      const frame = encodeOne(...entries)
      expect(frame.length % 8).toBe(0)
      expect(isIntact(frame)).toBe(true)
      expect(decodeManifestFrame(frame)).toEqual(entries)
    }
  })

  it('is not intact with any single bit flipped', () => {
    const frame = encodeOne(entry)
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const bad = frame.slice()
      bad[bit >>> 3]! ^= 1 << (bit & 7)
      expect(isIntact(bad), `bit ${bit}`).toBe(false)
    }
  })

  it('is not followed by another until it would be too large', () => {
    const large = { ...entry, path: 'p'.repeat(limits.framePayloadBytesMax / 2) }
    expect(encodeManifestFrames([])).toEqual([])
    expect(encodeManifestFrames(new Array(5000).fill(entry)).length).toBe(1)
    const frames = encodeManifestFrames([entry, large, large, entry])
    expect(frames.map((frame) => frame.entries.length)).toEqual([2, 2])
    for (const { bytes, entries } of frames) expect(decodeManifestFrame(bytes)).toEqual(entries)
  })

  it('is not made of an incomplete entry', () => {
    const { sha256: _, ...incomplete } = entry
    expect(() => encodeManifestFrames([incomplete as ManifestEntry])).toThrow('entry is complete')
    expect(() => encodeManifestFrames([{ ...entry, rows: Number.NaN }])).toThrow('entry is complete')
    const part = { shard: 0, rows: 1, firstLsn: 1 } as ManifestEntry['parts'][number]
    expect(() => encodeManifestFrames([{ ...entry, parts: [part] }])).toThrow('entry is complete')
  })

  it('with a body that is not a list of entries decodes to nothing', () => {
    for (const body of ['[{}]   ', 'null    ', '[1,     ', '{}      ']) {
      const frame = Buffer.concat([Buffer.alloc(8), Buffer.from(body)])
      expect(decodeManifestFrame(frame), body).toBeUndefined()
    }
  })
})

const GOLDEN_BODY =
  '[{"featureGroup":3,"featureGroupName":"trips","round":12,"eventHour":492288,"path":"é","rows":1000,' +
  `"bytes":23454,"sha256":"${'ab'.repeat(32)}","latestEventSeconds":1772321415,` +
  '"writeTimeUs":1772321500123456,"parts":[]}]       '
