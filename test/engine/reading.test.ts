/** Goal: what reads promise beside the value itself: whole records, however many and large, and pages that are exact. */
import { describe, expect, it } from 'vitest'
import { openStore } from '../fixtures/open-store.ts'

const DEFINITION = {
  name: 'read',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', a: 'Integral', b: 'Integral', s: 'String' },
} as const

const AT = '2026-03-01T12:00:00Z'

describe('reading many records', () => {
  it('gives each one whole, as one write left it, while all are written over (R-203)', async () => {
    const store = await openStore({ memoryBytes: 64 * 1024 * 1024 })
    const group = await store.createFeatureGroup(DEFINITION)
    const ids = Array.from({ length: 100 }, (_, i) => `id-${i}`)
    const write = (n: number): Promise<unknown> =>
      group.ingest(ids.map((id) => ({ id, at: AT, a: n, b: n, s: `${n}`.repeat((n % 7) * 50) })))
    await write(0)
    let isWriting = true
    const writer = (async () => {
      for (let n = 1; isWriting; n++) {
        await write(n)
        if (n % 20 === 0) await store.flush()
      }
    })()
    for (let i = 0; i < 60; i++) {
      for (const record of await group.getMany(ids)) {
        expect(record?.b).toBe(record?.a)
        expect(record?.s).toBe(`${record?.a}`.repeat((Number(record?.a) % 7) * 50))
      }
    }
    isWriting = false
    await writer
  })

  it('gives a hundred of the largest at once (R-204)', async () => {
    const store = await openStore({ memoryBytes: 128 * 1024 * 1024 })
    const group = await store.createFeatureGroup(DEFINITION)
    const ids = Array.from({ length: 100 }, (_, i) => `id-${i}`)
    const textOf = (id: string): string => id.padEnd(358_300, '.')
    await group.ingest(ids.map((id) => ({ id, at: AT, s: textOf(id) })))
    for (const isMerged of [false, true]) {
      if (isMerged) await store.flush()
      const found = await group.getMany(ids)
      expect(found.every((record, i) => record?.s === textOf(ids[i]!))).toBe(true)
    }
  })
})

describe('a page of a listing', () => {
  it.each(['Standard', 'Standard_V2', 'InMemory'] as const)(
    'has exactly as many ids as were asked for, in the tier %s (R-322)',
    async (tier) => {
      const store = await openStore()
      const group = await store.createFeatureGroup({ ...DEFINITION, online: { tier }, offline: false })
      await group.ingest(Array.from({ length: 50 }, (_, i) => ({ id: `id-${i}`, at: AT })))
      for (let i = 0; i < 50; i += 2) await group.delete(`id-${i}`, '2026-03-01T12:00:01Z')
      for (const pageSize of [1, 7, 25]) {
        const sizes: number[] = []
        for (let token: string | undefined; ; ) {
          const page = await group.listRecords({ pageSize, ...(token === undefined ? {} : { token }) })
          sizes.push(page.ids.length)
          token = page.nextToken
          if (token === undefined) break
        }
        expect(sizes.slice(0, -1).every((size) => size === pageSize)).toBe(true)
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(25)
      }
    },
  )
})
