/** ListRecords: pages that neither repeat nor miss an id, and tokens that only lead where something follows. */
import { beforeAll, describe, expect, it } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { apiRecord, refused } from '../fixtures/api.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const AT = '2026-03-01T12:00:00Z'
const LATER = '2026-03-01T12:00:01Z'
const FEATURES = { id: 'String', at: 'String' } as const
const BASE = { recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const

const store = sharedStore()
let plane: DataPlane

beforeAll(() => {
  plane = new DataPlane(store.current)
})

type Options = Omit<DataPlaneInput<'ListRecords'>, 'FeatureGroupName'>
const list = (FeatureGroupName: string, options: Options = {}) =>
  plane.listRecords({ FeatureGroupName, ...options })

/** A group of its own with these ids. */
async function groupOf(name: string, ids: readonly string[]): Promise<void> {
  await store.current.createFeatureGroup({ ...BASE, name })
  await Promise.all(
    ids.map((id) => plane.putRecord({ FeatureGroupName: name, Record: apiRecord({ id, at: AT }) })),
  )
}

/** All pages. */
async function pagesOf(name: string, options: Options = {}): Promise<(readonly string[])[]> {
  const pages: (readonly string[])[] = []
  for (let token: string | undefined; ; ) {
    const page = await list(name, token === undefined ? options : { ...options, NextToken: token })
    pages.push(page.RecordIdentifiers)
    if (page.NextToken === undefined) return pages
    token = page.NextToken
  }
}

const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `id ${i}`)

describe('a listing', () => {
  it('of an empty group is empty and complete (R-332)', async () => {
    await groupOf('empty', [])
    expect(await list('empty')).toEqual({ RecordIdentifiers: [] })
  })

  it.each([1, 2, 3, 4, 5])(
    'in pages of two of %i ids has each once, and no empty page (R-320, R-324, R-325, R-329, R-333, R-334)',
    async (count) => {
      const name = `pages-${count}`
      await groupOf(name, idsOf(count))
      const pages = await pagesOf(name, { MaxResults: 2 })
      expect(pages.flat().sort()).toEqual(idsOf(count))
      expect(pages).toHaveLength(Math.ceil(count / 2))
      for (const page of pages.slice(0, -1)) expect(page).toHaveLength(2)
    },
  )

  it('has a hundred ids a page by default (R-321)', async () => {
    await groupOf('many', idsOf(101))
    const pages = await pagesOf('many')
    expect(pages.map((page) => page.length)).toEqual([100, 1])
  })

  it('has exactly as many in every tier (R-322)', async () => {
    await store.current.createFeatureGroup({
      ...BASE,
      name: 'memory',
      offline: false,
      online: { tier: 'InMemory' },
    })
    for (const id of idsOf(5)) {
      await plane.putRecord({ FeatureGroupName: 'memory', Record: apiRecord({ id, at: AT }) })
    }
    expect((await pagesOf('memory', { MaxResults: 2 })).map((page) => page.length)).toEqual([2, 2, 1])
  })

  it('has soft-deleted ids only if asked, and hard-deleted ones never (R-326, R-327)', async () => {
    await groupOf('deleted', ['live', 'soft', 'hard'])
    const remove = (RecordIdentifierValueAsString: string, DeletionMode: 'SoftDelete' | 'HardDelete') =>
      plane.deleteRecord({
        FeatureGroupName: 'deleted',
        RecordIdentifierValueAsString,
        EventTime: LATER,
        DeletionMode,
      })
    await remove('soft', 'SoftDelete')
    await remove('hard', 'HardDelete')
    expect((await list('deleted')).RecordIdentifiers).toEqual(['live'])
    expect((await list('deleted', { IncludeSoftDeletedRecords: false })).RecordIdentifiers).toEqual(['live'])
    const all = await pagesOf('deleted', { IncludeSoftDeletedRecords: true, MaxResults: 1 })
    expect(all.flat().sort()).toEqual(['live', 'soft'])
  })

  it('has no records that were written offline only (R-328)', async () => {
    await groupOf('stores', ['on'])
    const Record = apiRecord({ id: 'off', at: AT })
    await plane.putRecord({ FeatureGroupName: 'stores', Record, TargetStores: ['OfflineStore'] })
    expect((await list('stores')).RecordIdentifiers).toEqual(['on'])
  })

  it('may change its page size and its filter from page to page (R-330)', async () => {
    await groupOf('changing', idsOf(6))
    const first = await list('changing', { MaxResults: 1 })
    const second = await list('changing', {
      MaxResults: 3,
      NextToken: first.NextToken!,
      IncludeSoftDeletedRecords: true,
    })
    const third = await list('changing', { NextToken: second.NextToken! })
    expect([first, second, third].flatMap((page) => page.RecordIdentifiers).sort()).toEqual(idsOf(6))
  })

  it('goes on with a token after the store was opened again (R-323)', async () => {
    const directory = temporaryDirectory()
    const before = await openStore({}, directory)
    await before.createFeatureGroup({ ...BASE, name: 'g' })
    const open = new DataPlane(before)
    for (const id of idsOf(3)) {
      await open.putRecord({ FeatureGroupName: 'g', Record: apiRecord({ id, at: AT }) })
    }
    const first = await open.listRecords({ FeatureGroupName: 'g', MaxResults: 2 })
    expect(first.NextToken).toMatch(/^[A-Za-z0-9_-]+$/)
    await before.close()
    const again = new DataPlane(await openStore({}, directory))
    const second = await again.listRecords({ FeatureGroupName: 'g', NextToken: first.NextToken! })
    expect([...first.RecordIdentifiers, ...second.RecordIdentifiers].sort()).toEqual(idsOf(3))
  })
})

describe('a listing is refused', () => {
  it.each([0, 101, -1])('for a page of %i (R-321)', async (MaxResults) => {
    expect(await refused(list('none', { MaxResults }))).toMatchObject({
      code: 'ValidationError',
      status: 400,
    })
  })

  it('for a token of another group, an altered one, or one from before the group was made anew (R-323, R-330)', async () => {
    await groupOf('one', idsOf(3))
    await groupOf('two', idsOf(3))
    const { NextToken } = await list('one', { MaxResults: 1 })
    const token = NextToken!
    for (const altered of ['', 'x', `${token}A`, `${token} `, token.slice(1), token.slice(0, -1)]) {
      expect(await refused(list('one', { NextToken: altered })), altered).toMatchObject({
        code: 'ValidationError',
        status: 400,
      })
    }
    expect(await refused(list('two', { NextToken: token }))).toMatchObject({ code: 'ValidationError' })
    await store.current.deleteFeatureGroup('one')
    await groupOf('one', idsOf(3))
    expect(await refused(list('one', { NextToken: token }))).toMatchObject({ code: 'ValidationError' })
  })

  it('as ResourceNotFound if there is no such group, as ValidationError without online store (R-331)', async () => {
    await store.current.createFeatureGroup({ ...BASE, name: 'offline', online: false })
    expect(await refused(list('none'))).toMatchObject({ code: 'ResourceNotFound', status: 404 })
    expect(await refused(list('offline'))).toMatchObject({ code: 'ValidationError', status: 400 })
  })
})
