/**
 * The 64-bit hash of a record id: MurmurHash3 (x86, 32 bits) of its UTF-8 bytes under two seeds. It decides the
 * shard and the order inside an online partition, so it is part of the on-disk format and never changes.
 */

const SEED_HIGH = 0x9747b28c
const SEED_LOW = 0x2f0b4d5e

function mixWord(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  let h = hash ^ Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}

function finish(hash: number, length: number): number {
  let h = hash ^ length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** MurmurHash3 x86 32-bit of `bytes[start, end)`. */
export function murmur3(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed | 0
  let at = start
  for (; at + 4 <= end; at += 4) {
    hash = mixWord(hash, bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
  }
  if (at < end) {
    let tail = bytes[at]!
    if (at + 1 < end) tail |= bytes[at + 1]! << 8
    if (at + 2 < end) tail |= bytes[at + 2]! << 16
    let k = Math.imul(tail, 0xcc9e2d51)
    k = (k << 15) | (k >>> 17)
    hash ^= Math.imul(k, 0x1b873593)
  }
  return finish(hash, end - start)
}

/** High half: chooses the shard and leads the order of keys. */
export const hashHigh = (bytes: Uint8Array, start: number, end: number): number =>
  murmur3(bytes, start, end, SEED_HIGH)

/** Low half: completes the 64 bits. */
export const hashLow = (bytes: Uint8Array, start: number, end: number): number =>
  murmur3(bytes, start, end, SEED_LOW)

/**
 * The shard of a record: shards are equal, consecutive ranges of the high hash half, so that listing shard after
 * shard lists in hash order and a re-sharding splits ranges.
 */
export const shardOfHash = (high: number, shardCount: number): number =>
  Math.floor((high * shardCount) / 0x1_0000_0000)
