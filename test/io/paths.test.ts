/** Names of files: fixed by examples, read back as they were made, and unable to leave their directory. */
import { normalize } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventHour } from '../../src/core/event-time.ts'
import {
  catalogFile,
  hourDirectory,
  isTemporaryName,
  locationOfUri,
  lockFile,
  manifestFile,
  type OfflineLocation,
  offlineDataDirectory,
  offlineDataUri,
  offlineRoot,
  onlineDirectory,
  parquetFileName,
  parseSegmentName,
  preparedSegmentFile,
  segmentFile,
  shardDirectory,
  storeFile,
  temporaryFile,
  tornFile,
  walDirectory,
} from '../../src/io/paths.ts'

describe('a data directory', () => {
  it('has these names', () => {
    expect([storeFile('d'), catalogFile('d'), lockFile('d'), manifestFile('d'), offlineRoot('d')]).toEqual([
      'd/millrace.json',
      'd/catalog.json',
      'd/LOCK',
      'd/manifest.log',
      'd/offline',
    ])
    expect([shardDirectory('d', 3), walDirectory('d', 12), onlineDirectory('d', 100)]).toEqual([
      'd/shards/03',
      'd/shards/12/wal',
      'd/shards/100/online',
    ])
    expect(segmentFile('w', 255, 16)).toBe('w/0000000000000010-00000000000000ff.wal')
  })

  it('reads segment names back, and no others', () => {
    const whole = fc.maxSafeNat()
    fc.assert(
      fc.property(whole, whole, (firstLsn, sequence) => {
        expect(parseSegmentName(segmentFile('', firstLsn, sequence))).toEqual({ firstLsn, sequence })
      }),
    )
    const name = segmentFile('', 1, 1)
    const others = [
      `${name}.torn`,
      `.${name}`,
      name.toUpperCase(),
      name.slice(1),
      '',
      'f'.repeat(16) + name.slice(16),
    ]
    for (const other of others) expect(parseSegmentName(other)).toBeUndefined()
  })

  it('hides what is unfinished beside its final place', () => {
    expect(temporaryFile('d/e/name.json')).toBe('d/e/.name.json.tmp')
    for (const path of [temporaryFile('name.wal'), preparedSegmentFile('')]) {
      expect(isTemporaryName(path)).toBe(true)
      expect(parseSegmentName(path)).toBeUndefined()
    }
    expect(isTemporaryName(tornFile('name.wal', { offset: 8, epoch: 'ab' }))).toBe(false)
  })
})

describe('an offline path', () => {
  const location: OfflineLocation = {
    root: '/r',
    bucket: 'lake',
    prefix: 'fs',
    accountId: '123456789012',
    region: 'us-west-2',
    featureGroup: 'rides',
    createdSeconds: 1_768_469_400,
  }

  it('is that of the worked example of R-460, R-461, R-462 and R-463', () => {
    const seconds = Date.parse('2026-02-28T23:30:15Z') / 1000
    const directory = hourDirectory(offlineDataDirectory(location), eventHour(seconds))
    expect(`${directory}/${parquetFileName(seconds, 'k3V9xQ0aT7bM2nZd')}`).toBe(
      '/r/lake/fs/123456789012/sagemaker/us-west-2/offline-store/rides-1768469400/data/' +
        'year=2026/month=02/day=28/hour=23/20260228T233015Z_k3V9xQ0aT7bM2nZd.parquet',
    )
  })

  it('takes an empty prefix or one of several parts', () => {
    const tail = '123456789012/sagemaker/us-west-2/offline-store/rides-1768469400/data'
    expect(offlineDataDirectory({ ...location, prefix: '' })).toBe(`/r/lake/${tail}`)
    expect(offlineDataDirectory({ ...location, prefix: 'a/b/' })).toBe(`/r/lake/a/b/${tail}`)
  })

  it('never leaves the root', () => {
    for (const bad of ['..', '.', 'a/../b', 'a\\b', 'a\0b']) {
      expect(() => offlineDataDirectory({ ...location, prefix: bad })).toThrow('plain name')
      expect(() => offlineDataDirectory({ ...location, bucket: bad })).toThrow('plain name')
    }
    expect(() => offlineDataDirectory({ ...location, bucket: '' })).toThrow('plain name')
  })

  it('of any URI that is taken stays below the root, and no part of it is hidden or too long', () => {
    const part = fc.oneof(
      fc.constantFrom('', '.', '..', '...', '.a', '%2E', 'a\\b', '\0', '~', ' ', 'é'.repeat(130)),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.string({ unit: 'binary', maxLength: 10 }),
    )
    let taken = 0
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        let place: ReturnType<typeof locationOfUri>
        try {
          place = locationOfUri(`s3://${parts.join('/')}`)
        } catch (error) {
          expect(String(error)).toMatch(/expected (a URI|at most 255 bytes|a prefix)/)
          return
        }
        taken++
        const path = offlineDataDirectory({ ...location, ...place })
        const names = path.split('/').slice(1)
        expect(normalize(path)).toBe(path)
        expect(names[0]).toBe('r')
        for (const name of names) {
          expect(name).not.toMatch(/^\.|[\\\p{Cc}]/u)
          expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
        }
      }),
      { numRuns: 500 },
    )
    expect(taken).toBeGreaterThan(50)
  })

  it('is named as a URI like the one it was made from, without the slashes at its end (R-511)', () => {
    const tail = '123456789012/sagemaker/us-west-2/offline-store/rides-1768469400/data'
    for (const uri of ['s3://lake/fs/', 's3://lake/fs', 's3://lake/fs//']) {
      expect(offlineDataUri(uri, location)).toBe(`s3://lake/fs/${tail}`)
    }
  })

  it('agrees with the calendar for every hour of years 0 to 9999 (R-461)', () => {
    const hours = fc.integer({ min: -17_268_672, max: 70_389_527 })
    fc.assert(
      fc.property(hours, (hour) => {
        const date = new Date(hour * 3_600_000)
        const [year, month, day] = date.toISOString().slice(0, 10).split('-')
        const hourText = date.toISOString().slice(11, 13)
        expect(hourDirectory('', hour)).toBe(`year=${year}/month=${month}/day=${day}/hour=${hourText}`)
      }),
    )
  })

  it('names files by a suffix of 16 alphanumerics only', () => {
    for (const suffix of ['', 'a'.repeat(15), 'a'.repeat(17), `${'a'.repeat(15)}/`]) {
      expect(() => parquetFileName(0, suffix)).toThrow('16 alphanumerics')
    }
  })
})
