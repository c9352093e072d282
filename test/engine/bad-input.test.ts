/**
 * Each kind of bad input is refused with a message that says what was expected, what was found and where, before any
 * side effect; and the rows around it are not harmed. (Directories that are not ours, options and definitions:
 * opening.test.ts; a full disk: test/crash; input files: test/cli.)
 */
import { describe, expect, it } from 'vitest'
import type { FeatureGroup } from '../../src/index.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { sharedStore } from '../fixtures/open-store.ts'

const AT = '2026-03-01T12:00:00Z'

const READINGS = {
  name: 'readings',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', s: 'String', n: 'Integral', x: 'Fractional' },
} as const

const SECONDS = {
  name: 'seconds',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'Integral', at: 'Fractional' },
} as const

interface Bad {
  readonly what: string
  readonly record: object
  readonly feature: string | undefined
  /** What the message says was expected, and what was found. */
  readonly expected: string
  readonly found: string
}

const BAD: readonly Bad[] = [
  {
    what: 'an unknown feature',
    record: { id: 'a', at: AT, fare: 1 },
    feature: 'fare',
    expected: 'its features are id, at, s, n, x',
    found: 'unknown feature "fare"',
  },
  {
    what: 'a feature in another case',
    record: { id: 'a', at: AT, S: 'x' },
    feature: 'S',
    expected: 'its features are',
    found: 'unknown feature "S"',
  },
  {
    what: '__proto__',
    record: { id: 'a', at: AT, ['__proto__']: 'x' },
    feature: '__proto__',
    expected: 'its features are',
    found: 'unknown feature "__proto__"',
  },
  {
    what: 'an inherited feature',
    record: Object.assign(Object.create({ s: 'inherited' }), { id: 'a', at: AT }),
    feature: 's',
    expected: 'its features are',
    found: 'unknown feature "s"',
  },
  {
    what: 'no id',
    record: { at: AT },
    feature: 'id',
    expected: 'expected a record identifier',
    found: 'found nothing',
  },
  {
    what: 'an empty id',
    record: { id: '', at: AT },
    feature: 'id',
    expected: 'expected a record identifier',
    found: 'found an empty string',
  },
  {
    what: 'an id of another type',
    record: { id: 7, at: AT },
    feature: 'id',
    expected: 'expected a String',
    found: 'found number 7',
  },
  {
    what: 'an over-long id',
    record: { id: 'é'.repeat(1025), at: AT },
    feature: 'id',
    expected: 'at most 2048 bytes',
    found: 'feature "id"',
  },
  {
    what: 'an ill-formed id',
    record: { id: '\udfff', at: AT },
    feature: 'id',
    expected: 'a lone surrogate',
    found: 'ill-formed Unicode',
  },
  {
    what: 'no event time',
    record: { id: 'a' },
    feature: 'at',
    expected: 'expected an event time',
    found: 'found nothing',
  },
  {
    what: 'a date without time',
    record: { id: 'a', at: '2026-03-01' },
    feature: 'at',
    expected: 'YYYY-MM-DDThh:mm:ss',
    found: 'found the string "2026-03-01"',
  },
  {
    what: 'an offset',
    record: { id: 'a', at: '2026-03-01T12:00:00+00:00' },
    feature: 'at',
    expected: 'Z, years 0000 to 9999',
    found: '+00:00"',
  },
  {
    what: 'no zone',
    record: { id: 'a', at: '2026-03-01T12:00:00' },
    feature: 'at',
    expected: 'YYYY-MM-DD',
    found: '"2026-03-01T12:00:00"',
  },
  {
    what: 'ten digits',
    record: { id: 'a', at: '2026-03-01T12:00:00.1234567890Z' },
    feature: 'at',
    expected: '1 to 9 digits',
    found: '.1234567890Z"',
  },
  {
    what: 'a day that does not exist',
    record: { id: 'a', at: '2023-02-29T00:00:00Z' },
    feature: 'at',
    expected: 'an event time',
    found: '"2023-02-29T00:00:00Z"',
  },
  {
    what: 'the hour 24',
    record: { id: 'a', at: '2026-03-01T24:00:00Z' },
    feature: 'at',
    expected: 'an event time',
    found: 'T24:00:00Z"',
  },
  {
    what: 'a leap second',
    record: { id: 'a', at: '2026-06-30T23:59:60Z' },
    feature: 'at',
    expected: 'an event time',
    found: ':60Z"',
  },
  {
    what: 'the year 10000',
    record: { id: 'a', at: '10000-01-01T00:00:00Z' },
    feature: 'at',
    expected: 'years 0000 to 9999',
    found: '"10000-01-01T00:00:00Z"',
  },
  {
    what: 'seconds for a String event time',
    record: { id: 'a', at: 1_772_366_400 },
    feature: 'at',
    expected: 'YYYY-MM-DD',
    found: 'number 1772366400',
  },
  {
    what: 'an invalid Date',
    record: { id: 'a', at: new Date('x') },
    feature: 'at',
    expected: 'YYYY-MM-DD',
    found: 'a Date (invalid)',
  },
  {
    what: 'a number for a String',
    record: { id: 'a', at: AT, s: 1 },
    feature: 's',
    expected: 'expected a String',
    found: 'found number 1',
  },
  {
    what: 'an object for a String',
    record: { id: 'a', at: AT, s: {} },
    feature: 's',
    expected: 'expected a String',
    found: 'a value of type object',
  },
  {
    what: 'ill-formed Unicode',
    record: { id: 'a', at: AT, s: 'a\ud83d' },
    feature: 's',
    expected: 'a lone surrogate',
    found: 'ill-formed Unicode',
  },
  {
    what: 'a text for an Integral',
    record: { id: 'a', at: AT, n: '1' },
    feature: 'n',
    expected: 'expected an Integral',
    found: 'the string "1"',
  },
  {
    what: 'a fraction for an Integral',
    record: { id: 'a', at: AT, n: 0.5 },
    feature: 'n',
    expected: 'a whole number',
    found: 'number 0.5',
  },
  {
    what: 'an Integral that is not exact',
    record: { id: 'a', at: AT, n: 2 ** 53 },
    feature: 'n',
    expected: 'use a bigint',
    found: 'number 9007199254740992',
  },
  {
    what: 'an Integral past 64 bits',
    record: { id: 'a', at: AT, n: 2n ** 63n },
    feature: 'n',
    expected: '9223372036854775807',
    found: 'bigint 9223372036854775808',
  },
  {
    what: 'a NaN',
    record: { id: 'a', at: AT, x: Number.NaN },
    feature: 'x',
    expected: 'a finite number',
    found: 'number NaN',
  },
  {
    what: 'an infinity',
    record: { id: 'a', at: AT, x: Number.NEGATIVE_INFINITY },
    feature: 'x',
    expected: 'a finite number',
    found: 'number -Infinity',
  },
  {
    what: 'a bigint for a Fractional',
    record: { id: 'a', at: AT, x: 1n },
    feature: 'x',
    expected: 'expected a Fractional',
    found: 'bigint 1',
  },
  {
    what: 'a boolean',
    record: { id: 'a', at: AT, x: true },
    feature: 'x',
    expected: 'expected a Fractional',
    found: 'boolean true',
  },
  {
    what: 'an over-long value',
    record: { id: 'a', at: AT, s: 'x'.repeat(400_000) },
    feature: 's',
    expected: 'at most 358400 bytes',
    found: 'found 400000',
  },
  {
    what: 'an over-long record',
    record: { id: 'a', at: AT, s: 'x'.repeat(358_390) },
    feature: undefined,
    expected: 'at most 358400 bytes of names and values',
    found: 'found 358416',
  },
]

const BAD_SECONDS: readonly Bad[] = [
  {
    what: 'milliseconds',
    record: { id: 1, at: 1_772_366_400_000 },
    feature: 'at',
    expected: 'Unix seconds from -62167219200 to 253402300799',
    found: 'number 1772366400000',
  },
  {
    what: 'a text',
    record: { id: 1, at: AT },
    feature: 'at',
    expected: 'Unix seconds',
    found: `the string "${AT}"`,
  },
  {
    what: 'a Date',
    record: { id: 1, at: new Date(0) },
    feature: 'at',
    expected: 'Unix seconds',
    found: 'a Date (1970-01-01T00:00:00.000Z)',
  },
  {
    what: 'NaN',
    record: { id: 1, at: Number.NaN },
    feature: 'at',
    expected: 'Unix seconds',
    found: 'number NaN',
  },
  {
    what: 'before the year 0000',
    record: { id: 1, at: -62_167_219_201 },
    feature: 'at',
    expected: 'from -62167219200',
    found: 'number -62167219201',
  },
  {
    what: 'a text as Integral id',
    record: { id: '1', at: 1 },
    feature: 'id',
    expected: 'expected an Integral',
    found: 'the string "1"',
  },
]

describe.each([
  {
    definition: READINGS,
    list: BAD,
    good: [
      { id: 'before', at: AT },
      { id: 'after', at: AT },
    ],
  },
  {
    definition: SECONDS,
    list: BAD_SECONDS,
    good: [
      { id: 1, at: 1 },
      { id: 2, at: 1 },
    ],
  },
])('in $definition.name', ({ definition, list, good }) => {
  const store = sharedStore()
  const groupOf = (): Promise<FeatureGroup> =>
    store.current.ensureFeatureGroup(definition as never) as Promise<never>

  it.each(list)(
    '$what is refused by put, and nothing is written (R-032, R-081, R-083, R-087, R-088, R-097, R-098, R-100)',
    async ({ record, feature, expected, found }) => {
      const group = await groupOf()
      const refusal = await group.put(record as never).then(
        () => undefined,
        (error: unknown) => error,
      )
      expect(refusal).toMatchObject({
        code: 'INVALID_ARGUMENT',
        kind: 'invalid',
        isRetryable: false,
        place: { featureGroup: definition.name, ...(feature === undefined ? {} : { feature }) },
      })
      const { message } = refusal as Error
      expect(message).toContain(`feature group "${definition.name}"`)
      if (feature !== undefined) expect(message).toContain(`"${feature}"`)
      expect(message).toContain(expected)
      expect(message).toContain(found)
      expect(message.length).toBeLessThan(500)
      const { shards, log } = await store.current.stats()
      expect(shards.map((shard) => [shard.lastLsn, shard.unpublishedRows, shard.memtableRecords])).toEqual([
        [0, 0, 0],
        [0, 0, 0],
      ])
      expect(log.bytes).toBeLessThan(10_000)
    },
  )

  it('is reported by ingest with its row, and the rows around it are taken', async () => {
    const group = await groupOf()
    const rows = list.flatMap(({ record }) => [good[0], record, good[1]])
    const report = await group.ingest(rows as never)
    expect(report.errors.map(({ row, feature, code }) => ({ row, feature, code }))).toEqual(
      list.map(({ feature }, i) => ({ row: i * 3 + 1, feature, code: 'INVALID_ARGUMENT' })),
    )
    report.errors.forEach(({ message }, i) => {
      expect(message).toContain(list[i]!.expected)
      expect(message).toContain(list[i]!.found)
    })
    expect(report).toMatchObject({ rows: rows.length, accepted: list.length * 2, rejected: list.length })
    await store.current.flush()
    const written = await offlineRows(store.current.directory)
    expect(written.length).toBe(list.length * 2)
    expect(new Set(written.map(({ id }) => String(id)))).toEqual(new Set(good.map(({ id }) => String(id))))
    expect((await store.current.stats()).featureGroups[0]!.online.records).toBe(2)
  })
})
