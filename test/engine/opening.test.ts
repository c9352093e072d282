/**
 * What opening refuses: each time with a message that says what was found and what to do, before anything is
 * written, and without keeping the directory from those who may open it.
 */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { FeatureGroupDefinition, MillraceOptions } from '../../src/index.ts'
import { Millrace } from '../../src/index.ts'
import { catalogFile, manifestFile, storeFile } from '../../src/io/paths.ts'
import { openStore, SMALL, sharedStore } from '../fixtures/open-store.ts'
import { StoreProcess } from '../fixtures/store-process.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const TRIPS = {
  name: 'trips',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', fare: 'Fractional' },
} as const

/** Names of everything below a directory, with sizes and times. */
function snapshot(directory: string): Map<string, string> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()
  return new Map(
    names.map((name) => {
      const { size, mtimeMs } = statSync(join(directory, name))
      return [name, `${size} bytes, ${mtimeMs}`]
    }),
  )
}

/** A store with one record, closed. */
async function makeStore(directory: string): Promise<void> {
  const store = await Millrace.open(directory, SMALL)
  const group = await store.createFeatureGroup(TRIPS)
  await group.put({ id: 'a', at: '2026-03-01T12:00:00Z' })
  await store.close()
}

describe('a store that is open', () => {
  it('is refused a second time in the same process, and can be opened once it is closed', async () => {
    const directory = temporaryDirectory()
    const store = await openStore({}, directory)
    await expect(Millrace.open(directory, SMALL)).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(directory),
    })
    await expect(Millrace.open(join(directory, '.'), SMALL)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    const alias = join(temporaryDirectory(), 'alias')
    symlinkSync(directory, alias)
    await expect(Millrace.open(alias, SMALL)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await store.createFeatureGroup(TRIPS)
    await store.close()
    await (await openStore({}, directory)).close()
  })

  it('is refused to another process, which learns who has it; after a kill it is free', async () => {
    const directory = temporaryDirectory()
    const other = new StoreProcess()
    try {
      await other.call('open', { directory, options: SMALL, definition: TRIPS })
      await expect(Millrace.open(directory, SMALL)).rejects.toMatchObject({
        code: 'STORE_LOCKED',
        message: expect.stringMatching(/process \d+/),
      })
    } finally {
      await other.kill()
    }
    const store = await openStore({}, directory)
    expect(store.list().map((group) => group.name)).toEqual(['trips'])
  })
})

describe('a store with another number of shards', () => {
  it('is refused with the option to use, and opens without the option', async () => {
    const directory = temporaryDirectory()
    await makeStore(directory)
    const before = snapshot(directory)
    await expect(Millrace.open(directory, { ...SMALL, shards: 3 })).rejects.toMatchObject({
      code: 'INCOMPATIBLE_STORE',
      message: expect.stringMatching(/has 2 shards.*opened with 3.*open it with shards: 2/),
    })
    expect(snapshot(directory)).toEqual(before)
    const store = await Millrace.open(directory, { memoryBytes: SMALL.memoryBytes! })
    expect(store.shards).toBe(2)
    await store.close()
  })
})

describe('a directory that is not a store of this version', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const paths = [storeFile(directory), catalogFile(directory), manifestFile(directory)]
  let intact: Buffer[] = []
  beforeAll(async () => {
    await makeStore(directory)
    intact = paths.map((path) => readFileSync(path))
  })
  afterEach(() => {
    paths.forEach((path, i) => {
      writeFileSync(path, intact[i]!)
    })
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  const changeIdentity = (directory: string, changes: object): void => {
    const path = storeFile(directory)
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...changes }))
  }

  it.each<readonly [string, (directory: string) => void, string, RegExp]>([
    [
      'a newer format',
      (directory) => changeIdentity(directory, { version: 3 }),
      'INCOMPATIBLE_STORE',
      /format 3.*reads format 2.*open it with a newer Millrace/,
    ],
    [
      'another program',
      (directory) => changeIdentity(directory, { format: 'other' }),
      'INCOMPATIBLE_STORE',
      /millrace\.json is damaged, or not of a Millrace store/,
    ],
    [
      'an identity that is no JSON',
      (directory) => writeFileSync(storeFile(directory), 'not json'),
      'INCOMPATIBLE_STORE',
      /millrace\.json is damaged: it is not valid JSON/,
    ],
    [
      'an identity that is JSON, but no object',
      (directory) => writeFileSync(storeFile(directory), 'null'),
      'INCOMPATIBLE_STORE',
      /millrace\.json is damaged/,
    ],
    [
      'a number of shards that makes no sense',
      (directory) => changeIdentity(directory, { shards: -1 }),
      'INCOMPATIBLE_STORE',
      /millrace\.json is damaged/,
    ],
    [
      'a damaged catalog',
      (directory) => writeFileSync(catalogFile(directory), '{"version":1'),
      'CATALOG_CORRUPT',
      /catalog\.json cannot be read/,
    ],
    [
      'a damaged manifest',
      (directory) => writeFileSync(manifestFile(directory), 'MRManif?'),
      'MANIFEST_CORRUPT',
      /manifest\.log is damaged at offset 0/,
    ],
  ])('is refused: %s', async (_, damage, code, message) => {
    damage(directory)
    const before = snapshot(directory)
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(Millrace.open(directory, SMALL)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      })
      expect(snapshot(directory)).toEqual(before)
    }
  })

  it('can be opened when the damage is undone, for a refusal keeps nothing locked', async () => {
    const store = await Millrace.open(directory, SMALL)
    expect(await store.featureGroup('trips').get('a')).toEqual({ id: 'a', at: '2026-03-01T12:00:00Z' })
    await store.close()
  })

  it('is refused if it holds files of something else, and is left as it is', async () => {
    const other = temporaryDirectory()
    mkdirSync(join(other, 'photos'))
    writeFileSync(join(other, 'letter.txt'), 'Dear')
    const before = snapshot(other)
    await expect(Millrace.open(other, SMALL)).rejects.toMatchObject({
      code: 'INCOMPATIBLE_STORE',
      message: expect.stringMatching(
        /not a Millrace store.*letter\.txt, photos.*choose an empty or new directory/,
      ),
    })
    expect(snapshot(other)).toEqual(before)
  })

  it('is refused if it is a file', async () => {
    const path = join(temporaryDirectory(), 'file')
    writeFileSync(path, 'content')
    await expect(Millrace.open(path, SMALL)).rejects.toMatchObject({ message: expect.stringContaining(path) })
    expect(readFileSync(path, 'utf8')).toBe('content')
  })

  it('is made if it does not exist yet, with all directories above it', async () => {
    const path = join(temporaryDirectory(), 'a', 'b', 'c')
    await openStore({}, path)
    expect(readdirSync(path)).toContain('millrace.json')
  })
})

describe('an option', () => {
  it.each<readonly [object, RegExp]>([
    [{ shard: 2 }, /unknown option "shard"; expected one of shards, durability/],
    [
      { flush: { age: 5 } },
      /unknown option "flush\.age"; expected one of flush\.ageMs, flush\.rows, flush\.bytes/,
    ],
    [
      { parquet: { level: 3 } },
      /unknown option "parquet\.level"; expected one of parquet\.codec, parquet\.threads/,
    ],
    [{ log: { segments: 3 } }, /unknown option "log\.segments"/],
    [{ location: { account: 'x' } }, /unknown option "location\.account"/],
    [{ flush: 5 }, /flush: expected an object.*found 5/],
    [{ shards: 0 }, /shards: expected a whole number from 1 to 256, found 0/],
    [{ shards: 257 }, /shards: expected a whole number from 1 to 256, found 257/],
    [{ shards: 1.5 }, /shards: expected a whole number.*found 1\.5/],
    [{ shards: '2' }, /shards: expected a whole number.*found "2"/],
    [{ shards: Number.NaN }, /shards: expected a whole number.*found NaN/],
    [{ durability: 'none' }, /durability: expected "strict" or "interval", found "none"/],
    [{ syncIntervalMs: 0 }, /syncIntervalMs: expected a whole number from 1 to 60000, found 0/],
    [{ memoryBytes: 1024 }, /memoryBytes: expected a whole number from 33554432 to/],
    [
      { flush: { ageMs: 15 * 60_000 + 1 } },
      /flush\.ageMs: expected a whole number from 100 to 900000, found 900001/,
    ],
    [{ flush: { rows: 0 } }, /flush\.rows: expected a whole number from 1/],
    [{ flush: { bytes: 1 } }, /flush\.bytes: expected a whole number from 65536/],
    [
      { parquet: { codec: 'brotli' } },
      /parquet\.codec: expected one of zstd, snappy, lz4, gzip, none, found "brotli"/,
    ],
    [{ parquet: { threads: 0 } }, /parquet\.threads: expected a whole number from 1/],
    [{ log: { segmentBytes: 1 } }, /log\.segmentBytes: expected a whole number from 65536/],
    [{ log: { segmentBytes: 65_536, bytes: 65_536 } }, /log\.bytes: expected a whole number from 262144/],
    [
      { shards: 8, log: { segmentBytes: 65_536, bytes: 262_144 } },
      /log\.bytes: 262144 bytes are less than two segments/,
    ],
    [{ location: { bucket: '../..' } }, /location\.bucket: expected a plain name.*found "\.\.\/\.\."/],
    [{ location: { region: '' } }, /location\.region: expected a text that matches.*found ""/],
    [{ location: { accountId: '12' } }, /location\.accountId: expected a text that matches.*found "12"/],
    [{ location: { partition: 'gcp' } }, /location\.partition: expected a text that matches.*found "gcp"/],
  ])('%j is refused, and no directory is made', async (options, message) => {
    const directory = join(temporaryDirectory(), 'store')
    await expect(Millrace.open(directory, options as MillraceOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    })
    expect(() => readdirSync(directory)).toThrow('ENOENT')
  })

  it('names the place of the offline files', async () => {
    const location = { bucket: 'lake', prefix: 'fs/v1', accountId: '123456789012', region: 'us-west-2' }
    const store = await openStore({ location })
    await store.createFeatureGroup(TRIPS)
    expect(store.describe('trips').offlineDirectory).toMatch(
      /\/offline\/lake\/fs\/v1\/123456789012\/sagemaker\/us-west-2\/offline-store\/trips-\d+\/data$/,
    )
  })
})

describe('a definition', () => {
  const store = sharedStore()

  const many = (count: number): Record<string, 'String'> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, 'String']))

  it.each<readonly [string, object, RegExp]>([
    ['an empty name', { name: '' }, /feature group name: expected 1 to 64 letters.*found ""/],
    ['a name that starts with a dash', { name: '-a' }, /found "-a"/],
    ['a name that ends with an underscore', { name: 'a_' }, /found "a_"/],
    ['a name with a dot', { name: 'a.b' }, /found "a\.b"/],
    ['a name with a slash', { name: '../a' }, /found "\.\.\/a"/],
    ['a name of 65 characters', { name: 'x'.repeat(65) }, /1 to 64/],
    ['a name that is a number', { name: 7 }, /feature group name.*found "7"/],
    ['no name', { name: undefined }, /feature group name.*found "undefined"/],
    ['no features', { features: {} }, /expected 1 to 2500 features, found 0/],
    ['features that are missing', { features: undefined }, /features: expected an object.*found undefined/],
    ['features that are a list', { features: ['id'] }, /features: expected an object.*found an array/],
    ['too many features', { features: { id: 'String', at: 'String', ...many(2499) } }, /found 2501/],
    [
      'an unknown type',
      { features: { ...TRIPS.features, x: 'Double' } },
      /feature "x": expected String, Integral, Fractional, found "Double"/,
    ],
    [
      'a type that is missing',
      { features: { ...TRIPS.features, x: undefined } },
      /feature "x": expected String/,
    ],
    [
      '__proto__ as a feature',
      { features: { ...TRIPS.features, ['__proto__']: 'String' } },
      /found "__proto__"/,
    ],
    [
      'a reserved feature name',
      { features: { ...TRIPS.features, Is_Deleted: 'String' } },
      /"Is_Deleted" is reserved for a service column/,
    ],
    [
      'a reserved feature name',
      { features: { ...TRIPS.features, write_time: 'String' } },
      /"write_time" is reserved/,
    ],
    [
      'a reserved feature name',
      { features: { ...TRIPS.features, api_invocation_time: 'String' } },
      /is reserved/,
    ],
    [
      'names that differ in case only',
      { features: { ...TRIPS.features, FARE: 'String' } },
      /"fare" and "FARE" differ only in case/,
    ],
    [
      'an unknown identifier',
      { recordIdentifier: 'key' },
      /recordIdentifier "key" is not one of its features/,
    ],
    [
      'an identifier that objects have anyway',
      { recordIdentifier: 'toString' },
      /recordIdentifier "toString" is not one of/,
    ],
    [
      'an unknown event time',
      { eventTime: 'when' },
      /eventTime.*found "when", which is not one of its features/,
    ],
    [
      'an Integral event time',
      { features: { ...TRIPS.features, at: 'Integral' } },
      /eventTime.*found "at" of type Integral/,
    ],
    ['no store', { online: false, offline: false }, /at least one of online and offline/],
    ['a long description', { description: 'x'.repeat(129) }, /at most 128 characters/],
    ['an unknown member', { ttl: 5 }, /unknown member "ttl"; expected name, recordIdentifier/],
  ])(
    'with %s is refused, and nothing is made (R-041, R-042, R-046, R-420, R-501, R-502, R-505)',
    async (_, changes, message) => {
      const definition = { ...TRIPS, ...changes } as FeatureGroupDefinition
      for (const make of ['createFeatureGroup', 'ensureFeatureGroup'] as const) {
        await expect(store.current[make](definition)).rejects.toMatchObject({
          code: 'INVALID_ARGUMENT',
          message: expect.stringMatching(message),
        })
      }
      expect(store.current.list()).toEqual([])
      expect(readdirSync(store.current.directory)).not.toContain('catalog.json')
    },
  )

  it('may have 2,500 features', async () => {
    const group = await store.current.createFeatureGroup({
      ...TRIPS,
      name: 'wide',
      features: { id: 'String', at: 'String', ...many(2498) } as Record<string, 'String'>,
    } as FeatureGroupDefinition)
    const record = { id: 'a', at: '2026-03-01T12:00:00Z', f0: 'first', f2497: 'last' }
    await group.put(record)
    expect(await group.get('a')).toEqual(record)
    await store.current.flush()
    expect(await group.get('a')).toEqual(record)
    await store.current.deleteFeatureGroup('wide')
  })
})
