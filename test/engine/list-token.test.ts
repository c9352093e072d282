/** Goal: a token means the place it was made for, or is refused. Method: round trips and alterations. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeToken, encodeToken } from '../../src/engine/list-token.ts'

describe('list tokens', () => {
  it('come back as they went, and are safe in a URL', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        fc.nat(255),
        fc.option(fc.uint8Array({ minLength: 1, maxLength: 2000 }), { nil: undefined }),
        (featureGroup, shard, after) => {
          const token = encodeToken(featureGroup, shard, after)
          expect(token).toMatch(/^[A-Za-z0-9_-]{1,8192}$/)
          const start = decodeToken(token, featureGroup, 256)
          expect(start.shard).toBe(shard)
          expect(start.after === undefined ? undefined : [...start.after]).toEqual(
            after === undefined ? undefined : [...after],
          )
        },
      ),
    )
  })

  it('start at the beginning without one', () => {
    expect(decodeToken(undefined, 1, 2)).toEqual({ shard: 0, after: undefined })
  })

  it('are refused for another feature group, for too few shards, and when altered anywhere', () => {
    const token = encodeToken(7, 3, Uint8Array.of(1, 2, 3))
    expect(() => decodeToken(token, 8, 4)).toThrow('not a token')
    expect(() => decodeToken(token, 7, 3)).toThrow('not a token')
    expect(() => decodeToken('', 7, 4)).toThrow('not a token')
    const bytes = Buffer.from(token, 'base64url')
    bytes.forEach((_, i) => {
      const altered = Buffer.from(bytes)
      altered[i] = altered[i]! ^ 1
      expect(() => decodeToken(altered.toString('base64url'), 7, 4)).toThrow('not a token')
    })
  })
})
