/**
 * Collections through a whole store: written as records and as Arrow tables, read back, updated, in offline files of
 * several shards, and after a restart.
 */
import {
  type DataType,
  Field,
  Float32,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
  vectorFromArray,
} from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import type { FeatureGroup, Millrace } from '../../src/index.ts'
import { queryOffline } from '../fixtures/offline-rows.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const AT = '2026-03-01T12:00:00Z'

const ITEMS = {
  name: 'items',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: {
    id: 'String',
    at: 'String',
    note: 'String',
    words: { type: 'String', collection: 'List' },
    digits: { type: 'Integral', collection: 'List' },
    codes: { type: 'Integral', collection: 'Set' },
    embedding: { type: 'Fractional', collection: 'Vector', dimension: 2 },
  },
  online: { tier: 'InMemory' },
  offline: true,
} as const

let lastGroup = 0
const newGroup = (store: Millrace): Promise<FeatureGroup<typeof ITEMS>> =>
  store.createFeatureGroup({ ...ITEMS, name: `items-${++lastGroup}` }) as unknown as Promise<
    FeatureGroup<typeof ITEMS>
  >

describe('a record with collections', () => {
  const store = sharedStore({ extensions: true })

  it('comes back as arrays, from single writes and from many', async () => {
    const group = await newGroup(store.current)
    const record = { words: ['b', 'a', 'b'], codes: [3, 1], embedding: [0.5, -0] }
    await group.put({ id: 'one', at: AT, ...record, codes: new Set([3, 1]) })
    await group.ingest([
      { id: 'two', at: AT, ...record, embedding: Float64Array.of(0.5, -0) },
      { id: 'three', at: AT, words: [], codes: [2n ** 63n - 1n] },
      { id: 'four', at: AT },
    ])
    expect(await group.getMany(['one', 'two', 'three', 'four'])).toEqual([
      { id: 'one', at: AT, ...record },
      { id: 'two', at: AT, ...record },
      { id: 'three', at: AT, words: [], codes: [2n ** 63n - 1n] },
      { id: 'four', at: AT },
    ])
  })

  it('has a collection replaced as a whole by an update, the others kept (R-365)', async () => {
    const group = await newGroup(store.current)
    await group.put({ id: 'a', at: AT, words: ['a', 'b', 'c'], codes: [1, 2], embedding: [1, 2], note: 'x' })
    await group.update('a', { words: ['d'], note: 'longer than before' })
    const updated = {
      id: 'a',
      at: AT,
      note: 'longer than before',
      words: ['d'],
      codes: [1, 2],
      embedding: [1, 2],
    }
    expect(await group.get('a')).toEqual(updated)
    await group.update('a', { codes: [], embedding: [3, 4] })
    expect(await group.get('a')).toEqual({ ...updated, codes: [], embedding: [3, 4] })
  })

  it('is not made larger than 358400 bytes or elements by an update (R-096)', async () => {
    const group = await newGroup(store.current)
    await group.put({ id: 'a', at: AT, words: new Array(200_000).fill('x') })
    const codes = Array.from({ length: 40_000 }, (_, i) => 10_000 + i)
    await expect(group.update('a', { codes })).rejects.toThrow(/at most 358400 bytes of names and values/)
    await group.put({ id: 'b', at: AT, words: new Array(350_000).fill('') })
    await expect(group.update('b', { codes: codes.slice(0, 8401) })).rejects.toThrow(
      /at most 358400 elements/,
    )
    await group.update('b', { codes: codes.slice(0, 8400) })
    expect((await group.get('b'))!.codes).toHaveLength(8400)
  })

  it('may be as large as any record, all of it in one-digit elements (R-091, R-096)', async () => {
    const group = await newGroup(store.current)
    const room = 358_400 - 'ida'.length - 'at'.length - AT.length - 'digits'.length
    const digits = Array.from({ length: room }, (_, i) => i % 10)
    const words = digits.slice(1).map(String)
    const tooMany = group.put({ id: 'a', at: AT, digits: [...digits, 1] })
    await expect(tooMany).rejects.toThrow(/found 358401/)
    await Promise.all([group.put({ id: 'a', at: AT, digits }), group.put({ id: 'b', at: AT, words })])
    expect(await group.get('a')).toEqual({ id: 'a', at: AT, digits })
    expect(await group.get('b')).toEqual({ id: 'b', at: AT, words })
    await group.flush()
    const directory = store.current.describe(group.name).offlineDirectory!
    const [row] = await queryOffline(directory, 'select sum(len(digits)) d, sum(len(words)) w from {offline}')
    expect(row).toEqual({ d: String(room), w: String(room - 1) })
  })
})

describe('an offline store with collections', () => {
  it('has the lists of all shards, empty ones apart from missing ones, and none for markers (R-094, R-473)', async () => {
    const directory = temporaryDirectory()
    const options = { shards: 3, memoryBytes: 64 * 1024 * 1024, extensions: true }
    const store = await openStore(options, directory)
    const group = await newGroup(store)
    const records = Array.from({ length: 60 }, (_, i) => ({
      id: `id-${i}`,
      at: AT,
      ...(i % 4 === 0 ? {} : { words: Array.from({ length: (i % 4) - 1 }, (_, k) => `w${i}-${k}`) }),
      ...(i % 3 === 0 ? {} : { codes: [i, -i], embedding: [i / 2, -i] }),
    }))
    await group.ingest(records)
    await group.delete('id-1', '2026-03-01T12:00:01Z')
    // The rows come from the log, and nothing of them is made anew.
    await store.close()
    const again = await openStore(options, directory)
    await again.featureGroup(group.name).flush()
    const rows = await queryOffline(
      again.describe(group.name).offlineDirectory!,
      'select id, words, codes, embedding, is_deleted from {offline} order by is_deleted, cast(id[4:] as int)',
    )
    const expected = records.map(({ id, words, codes, embedding }) => ({
      id,
      words: words ?? null,
      codes: codes?.map(String) ?? null,
      embedding: embedding ?? null,
      is_deleted: false,
    }))
    const marker = { id: 'id-1', words: null, codes: null, embedding: null, is_deleted: true }
    expect(rows).toEqual([...expected, marker])
  })
})

describe('records with collections, read from offline files', () => {
  it('are the records that were written, and rebuild the online store', async () => {
    const store = await openStore({ extensions: true })
    const group = await newGroup(store)
    const records = [
      {
        id: 'a',
        at: AT,
        words: ['x', '', 'x'],
        digits: [2n ** 62n, -1],
        codes: [2, 1],
        embedding: [0.5, -0],
      },
      { id: 'b', at: AT, words: [], codes: [] },
      { id: 'c', at: AT },
    ]
    await group.ingest(records)
    await group.flush()
    // The order of rows with one event time is open.
    const history = new Map<string, object>()
    for await (const { id, words, digits, codes, embedding } of group.history()) {
      history.set(id, { id, words, digits, codes, embedding })
    }
    expect(['a', 'b', 'c'].map((id) => history.get(id))).toEqual(
      records.map(({ at: _, ...record }) => record),
    )
    expect(await group.checkAgreement()).toMatchObject({ differences: [] })
    await group.rebuildOnline()
    expect(await group.getMany(['a', 'b', 'c'])).toEqual(records)
  })
})

describe('an Arrow table with lists', () => {
  const store = sharedStore({ extensions: true })

  const column = (type: DataType, lists: readonly (readonly unknown[] | null)[]) => {
    const offsets = [0]
    for (const list of lists) offsets.push(offsets.at(-1)! + (list?.length ?? 0))
    const nullBitmap = new Uint8Array(8)
    lists.forEach((list, i) => {
      if (list !== null) nullBitmap[i >>> 3]! |= 1 << (i & 7)
    })
    return makeData({
      type: new List(new Field('item', type, true)),
      length: lists.length,
      nullCount: lists.filter((list) => list === null).length,
      nullBitmap,
      valueOffsets: Int32Array.from(offsets),
      child: vectorFromArray(lists.flatMap((list) => list ?? []) as unknown[], type).data[0]!,
    })
  }

  const table = (columns: Record<string, ReturnType<typeof makeData>>): Table => {
    const fields = Object.entries(columns).map(([name, { type }]) => new Field(name, type, true))
    const children = Object.values(columns)
    const struct = makeData({ type: new Struct(fields), length: children[0]!.length, nullCount: 0, children })
    return new Table([new RecordBatch(new Schema(fields), struct as never)])
  }

  const texts = (values: readonly string[]) => vectorFromArray(values, new Utf8()).data[0]!

  it('fills collections, and refuses the rows that break a rule with the index (R-092, R-093, R-095)', async () => {
    const group = await newGroup(store.current)
    const ids = ['a', 'b', 'c', 'd', 'e', 'f']
    const input = table({
      id: texts(ids),
      at: texts(ids.map(() => AT)),
      words: column(new Utf8(), [['x', 'x'], [], null, ['x', null], ['y'], ['é']]),
      codes: column(new Int64(), [[3n, 1n, 3n], [2n ** 62n], null, [1n], [1n], [1n]]),
      embedding: column(new Float32(), [[0.5, 1], null, null, null, [1, 2, 3], [1, Number.NaN]]),
    })
    const report = await group.ingest(input)
    expect(report.accepted).toBe(3)
    expect(
      report.errors.map(({ row, feature, message }) => [row, feature, message.replace(/^.*?", /, '')]),
    ).toEqual([
      [3, 'words', 'feature "words", element 1: expected a String, found null'],
      [4, 'embedding', 'feature "embedding": expected 2 elements, found 3'],
      [
        5,
        'embedding',
        'feature "embedding", element 1: expected a Fractional (a finite number), found number NaN',
      ],
    ])
    expect(await group.getMany(ids)).toEqual([
      { id: 'a', at: AT, words: ['x', 'x'], codes: [3, 1], embedding: [0.5, 1] },
      { id: 'b', at: AT, words: [], codes: [2n ** 62n] },
      { id: 'c', at: AT },
      undefined,
      undefined,
      undefined,
    ])
  })

  it('may have rows of exactly 358400 bytes, not one more, numbers counted as their texts (R-096)', async () => {
    const group = await newGroup(store.current)
    const room = 358_400 - 'ida'.length - 'at'.length - AT.length - 'codes'.length - 'note'.length
    const codes = Array.from({ length: 50_000 }, (_, i) => BigInt(10_000 + i))
    const note = 'x'.repeat(room - 250_000)
    const input = table({
      id: texts(['a', 'b']),
      at: texts([AT, AT]),
      codes: column(new Int64(), [codes, codes]),
      note: texts([note, `${note}x`]),
    })
    const report = await group.ingest(input)
    expect(report).toMatchObject({ accepted: 1, rejected: 1 })
    expect(report.errors[0]!.message).toMatch(/at most 358400 bytes of names and values, found 358401/)
  })
})
