/** What a feature group may be: refused with the reason, and with the switch that would allow it. */
import { describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { checkPlan } from '../../src/engine/definition-rules.ts'
import { planOf } from '../../src/engine/group-plan.ts'
import type { FeatureGroupDefinition } from '../../src/index.ts'

const TRIPS = {
  name: 'trips',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', fare: 'Fractional' },
} as const satisfies FeatureGroupDefinition

const check = (changes: object, hasExtensions = false): void =>
  checkPlan(planOf({ ...TRIPS, ...changes } as FeatureGroupDefinition), hasExtensions)

function refusal(changes: object, hasExtensions = false): string {
  try {
    check(changes, hasExtensions)
  } catch (thrown) {
    if (thrown instanceof MillraceError && thrown.code === 'INVALID_ARGUMENT') return thrown.message
    throw thrown
  }
  return 'accepted'
}

const withFeature = (declaration: unknown, more: object = {}): object => ({
  features: { ...TRIPS.features, x: declaration },
  ...more,
})

const IN_MEMORY = { online: { tier: 'InMemory' }, offline: false }
const VECTOR = { type: 'Fractional', collection: 'Vector', dimension: 3 }

describe('collections', () => {
  it.each(['List', 'Set', 'Vector'])(
    '%s: in memory always, elsewhere only with the switch (R-423, OQ-43)',
    (kind) => {
      const declaration = kind === 'Vector' ? VECTOR : { type: 'String', collection: kind }
      expect(refusal(withFeature(declaration, IN_MEMORY))).toBe('accepted')
      for (const elsewhere of [{}, { online: { tier: 'Standard_V2' } }, { online: false }]) {
        const message = refusal(withFeature(declaration, elsewhere))
        expect(message).toContain(`feature "x": a ${kind} needs an online store of tier InMemory`)
        expect(message).toContain('`extensions: true`')
        expect(refusal(withFeature(declaration, elsewhere), true)).toBe('accepted')
      }
    },
  )

  it('have one Vector at most, with the switch too (R-423)', () => {
    const two = { features: { ...TRIPS.features, x: VECTOR, y: VECTOR } }
    expect(refusal(two, true)).toMatch(/at most one Vector feature, found x, y/)
  })

  it.each([
    [
      { type: 'Integral', collection: 'Vector', dimension: 3 },
      /elements of a Vector are Fractional.*found Integral/,
    ],
    [{ type: 'Fractional', collection: 'Vector' }, /dimension: expected a whole number.*found undefined/],
    [{ ...VECTOR, dimension: 0 }, /from 1 to 8192, found 0/],
    [{ ...VECTOR, dimension: 8193 }, /from 1 to 8192, found 8193/],
    [{ ...VECTOR, dimension: 1.5 }, /found 1\.5/],
    [{ type: 'String', collection: 'List', dimension: 3 }, /only a Vector has a dimension/],
    [{ type: 'String', collection: 'Bag' }, /collection: expected List, Set, Vector, found "Bag"/],
    [{ type: 'Double', collection: 'List' }, /expected String, Integral, Fractional, found "Double"/],
    [{ type: 'String', collection: 'List', size: 3 }, /unknown member "size"/],
  ])('are declared completely (R-506), %#', (declaration, message) => {
    expect(refusal(withFeature(declaration), true)).toMatch(message)
  })

  it('may have 1 to 8192 dimensions (R-506)', () => {
    for (const dimension of [1, 8192]) {
      expect(refusal(withFeature({ ...VECTOR, dimension }, IN_MEMORY))).toBe('accepted')
    }
  })

  it('are neither record identifier nor event time (R-504)', () => {
    const list = { type: 'String', collection: 'List' }
    const features = { ...TRIPS.features, x: list }
    for (const role of ['recordIdentifier', 'eventTime']) {
      expect(refusal({ features, [role]: 'x' }, true)).toContain('are not collections, found a List')
    }
  })
})

describe('features', () => {
  it('are unique ignoring case (R-505)', () => {
    expect(refusal({ features: { ...TRIPS.features, FARE: 'String' } })).toMatch(/differ only in case/)
    const plan = planOf(TRIPS)
    expect(() => checkPlan({ ...plan, features: [...plan.features, plan.features[2]!] }, false)).toThrow(
      'feature "fare" is defined twice',
    )
  })

  it.each(['is_deleted', 'Write_Time', 'API_INVOCATION_TIME'])('are not called %s (R-046)', (name) => {
    expect(refusal({ features: { ...TRIPS.features, [name]: 'String' } })).toMatch(/is reserved/)
  })

  it('include the record identifier and the event time (R-501)', () => {
    expect(refusal({ recordIdentifier: 'key' })).toMatch(/"key" is not one of its features/)
    expect(refusal({ eventTime: 'key' })).toMatch(/"key", which is not one of its features/)
  })

  it('order records by a String or Fractional one (R-502)', () => {
    expect(refusal({ features: { ...TRIPS.features, at: 'Fractional' } })).toBe('accepted')
    expect(refusal({ features: { ...TRIPS.features, at: 'Integral' } })).toMatch(/of type Integral/)
  })

  it.each(['String', 'Integral', 'Fractional'])('identify records by a %s (R-503)', (type) => {
    expect(refusal({ features: { ...TRIPS.features, id: type } })).toBe('accepted')
    expect(refusal({ recordIdentifier: 'at' })).toBe('accepted')
  })
})

describe('stores', () => {
  it('are one at least (R-420)', () => {
    expect(refusal({ online: false, offline: false })).toMatch(/at least one of online and offline/)
  })

  it('in memory go without files, unless the switch allows them (R-422, OQ-43)', () => {
    const both = { online: { tier: 'InMemory' } }
    expect(refusal(both)).toMatch(/without an offline store; the option `extensions: true`/)
    expect(refusal(both, true)).toBe('accepted')
    expect(refusal(IN_MEMORY)).toBe('accepted')
  })

  it('in memory take no key of the customer, with the switch neither (R-422, R-517)', () => {
    const plan = planOf({ ...TRIPS, online: { tier: 'InMemory' }, offline: false })
    const withKey = { ...plan, settings: { ...plan.settings, onlineKmsKeyId: 'key' } }
    for (const hasExtensions of [false, true]) {
      expect(() => checkPlan(withKey, hasExtensions)).toThrow('takes no key of the customer')
    }
  })

  it.each([
    [{ online: { tier: 'Fast' } }, /tier: expected one of Standard, Standard_V2, InMemory, found "Fast"/],
    [
      { online: { ttl: { unit: 'Days', value: 0 } } },
      /ttl: value: expected a whole number of at least 1, found 0/,
    ],
    [{ online: { ttl: { unit: 'Days', value: 1.5 } } }, /found 1\.5/],
    [{ online: { ttl: { unit: 'Years', value: 1 } } }, /ttl: unit: expected one of Seconds.*found "Years"/],
    [{ online: { ttl: null, tire: 'InMemory' } }, /online: unknown member "tire"; expected tier, ttl/],
    [{ online: 5 }, /online: expected true, false or an object, found 5/],
    [{ offline: { uri: 'x' } }, /offline: unknown member "uri"; expected s3Uri/],
    [{ offline: { s3Uri: 'lake/fs' } }, /expected a URI such as s3:\/\/bucket\/prefix, found "lake\/fs"/],
  ])('are described properly (R-405), %#', (changes, message) => {
    expect(refusal(changes)).toMatch(message)
  })

  it('that are not online have no ttl (R-398)', () => {
    const plan = planOf({ ...TRIPS, online: false })
    expect(() => checkPlan({ ...plan, ttl: { unit: 'Days', value: 1 } }, false)).toThrow(
      'there is no online store it could apply to',
    )
  })
})

describe('throughput', () => {
  const provisioned = { mode: 'Provisioned', readUnits: 5, writeUnits: 7 }

  it('is provisioned for the tier Standard and without an online store (R-425)', () => {
    expect(refusal({ throughput: provisioned })).toBe('accepted')
    expect(refusal({ online: false, throughput: { ...provisioned, readUnits: 0 } })).toBe('accepted')
    for (const stores of [{ online: { tier: 'Standard_V2' } }, IN_MEMORY]) {
      expect(refusal({ ...stores, throughput: provisioned })).toMatch(/only for the tier Standard/)
    }
  })

  it.each([
    [{ throughput: { mode: 'Provisioned' } }, /needs readUnits and writeUnits/],
    [{ throughput: { mode: 'Provisioned', writeUnits: 1 } }, /needs readUnits and writeUnits/],
    [{ throughput: { mode: 'OnDemand', readUnits: 1 } }, /readUnits is only for the mode Provisioned/],
    [{ online: false, throughput: provisioned }, /without an online store nothing is read/],
    [{ online: false, throughput: { mode: 'Provisioned' } }, /needs writeUnits/],
    [{ throughput: { ...provisioned, writeUnits: 10_000_001 } }, /from 0 to 10000000, found 10000001/],
    [{ throughput: { ...provisioned, readUnits: -1 } }, /found -1/],
    [{ throughput: { mode: 'Unlimited' } }, /expected OnDemand or Provisioned, found "Unlimited"/],
  ])('has units exactly if it is provisioned (R-516), %#', (changes, message) => {
    expect(refusal(changes)).toMatch(message)
  })
})

describe('tags and descriptions', () => {
  const tags = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, '']))

  it('have the limits of section (e): 50 tags (R-567), 128 characters', () => {
    expect(refusal({ tags: tags(50), description: '😀'.repeat(128) })).toBe('accepted')
    expect(refusal({ tags: tags(51) })).toMatch(/at most 50 tags, found 51/)
    expect(refusal({ description: 'x'.repeat(129) })).toMatch(/at most 128 characters/)
  })

  it.each([
    [{ '': 'x' }, /expected a key of 1 to 128 characters/],
    [{ ['k'.repeat(129)]: 'x' }, /expected a key of 1 to 128 characters/],
    [{ k: 'v'.repeat(257) }, /tag "k": expected a value of 0 to 256 characters/],
    [{ k: 7 }, /tag "k": expected a value/],
  ])('are texts of some length, %#', (bad, message) => {
    expect(refusal({ tags: bad })).toMatch(message)
  })
})
