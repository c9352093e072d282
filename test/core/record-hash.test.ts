/**
 * Goal: the hash of a record id, and with it shard and key order, never drifts: it is part of the on-disk format.
 * Method: published vectors of MurmurHash3_x86_32, golden values of our two seeds, and the bounds of every shard.
 */
import { describe, expect, it } from 'vitest'
import { hashHigh, hashLow, murmur3, shardOfHash } from '../../src/core/record-hash.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)

describe('murmur3', () => {
  it.each<[string, Uint8Array, number, number]>([
    ['nothing, seed 0', bytes(), 0, 0],
    ['nothing, seed 1', bytes(), 1, 0x514e28b7],
    ['nothing, all seed bits', bytes(), 0xffffffff, 0x81f16f39],
    ['four 0xff', bytes(0xff, 0xff, 0xff, 0xff), 0, 0x76293b50],
    ['four bytes', bytes(0x21, 0x43, 0x65, 0x87), 0, 0xf55b516b],
    ['four bytes and a seed', bytes(0x21, 0x43, 0x65, 0x87), 0x5082edee, 0x2362f9de],
    ['three bytes', bytes(0x21, 0x43, 0x65), 0, 0x7e4a8634],
    ['two bytes', bytes(0x21, 0x43), 0, 0xa0f7b07a],
    ['one byte', bytes(0x21), 0, 0x72661cf4],
    ['four zeros', bytes(0, 0, 0, 0), 0, 0x2362f9de],
    ['three zeros', bytes(0, 0, 0), 0, 0x85f0b427],
    ['two zeros', bytes(0, 0), 0, 0x30f4c306],
    ['one zero', bytes(0), 0, 0x514e28b7],
    ['test', text('test'), 0, 0xba6bd213],
    ['test with our high seed', text('test'), 0x9747b28c, 0x704b81dc],
    ['Hello, world!', text('Hello, world!'), 0x9747b28c, 0x24884cba],
    ['a sentence', text('The quick brown fox jumps over the lazy dog'), 0x9747b28c, 0x2fa826cd],
  ])('agrees with the published value for %s', (_, input, seed, expected) => {
    expect(murmur3(input, 0, input.length, seed)).toBe(expected)
  })

  it('reads only the bytes between start and end', () => {
    const padded = new Uint8Array([1, 2, 3, ...text('test'), 9, 9])
    expect(murmur3(padded, 3, 7, 0)).toBe(0xba6bd213)
  })
})

describe('the hash of a record id', () => {
  it.each<[string, number, number]>([
    ['', 0xebb6c228, 0x649d2323],
    ['a', 0x7fa09ea6, 0xd4118b83],
    ['LAS-PHL', 0xc5d93b02, 0xaaf7bba1],
    ['trip-0000001', 0x09ac8247, 0x3af2450d],
    ['Zürich–東京–🚂', 0xc388fe98, 0x9bf376f3],
    ['x'.repeat(2048), 0x6127be69, 0x714e849b],
  ])('is the golden value for %j', (id, high, low) => {
    const input = text(id)
    expect([hashHigh(input, 0, input.length), hashLow(input, 0, input.length)]).toEqual([high, low])
  })
})

describe('shardOfHash', () => {
  const LAST_HASH = 0xffffffff

  it('covers exactly the shards 0 to n - 1', () => {
    for (let shardCount = 1; shardCount <= 256; shardCount++) {
      expect(shardOfHash(0, shardCount)).toBe(0)
      expect(shardOfHash(LAST_HASH, shardCount)).toBe(shardCount - 1)
      // The first hash of each range, and the one before it, lie on either side of the border.
      for (let shard = 1; shard < shardCount; shard++) {
        const first = Math.ceil((shard * 0x1_0000_0000) / shardCount)
        expect(shardOfHash(first, shardCount)).toBe(shard)
        expect(shardOfHash(first - 1, shardCount)).toBe(shard - 1)
      }
    }
  })

  it('never falls as the hash grows', () => {
    for (const shardCount of [1, 2, 3, 7, 16, 61]) {
      let previous = 0
      for (let high = 0; high <= LAST_HASH; high += 65_521) {
        const shard = shardOfHash(high, shardCount)
        expect(shard).toBeGreaterThanOrEqual(previous)
        previous = shard
      }
    }
  })

  it('spreads consecutive ids evenly', () => {
    const counts = new Array<number>(8).fill(0)
    for (let i = 0; i < 8000; i++) {
      const input = text(`trip-${i}`)
      counts[shardOfHash(hashHigh(input, 0, input.length), 8)]!++
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})
