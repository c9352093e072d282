/**
 * Goal: a user's own file ends in a feature group, each row once, and every row that does not is named.
 * Method: the real command on small files; the stores are read back through the library and, offline, by DuckDB.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { offlineRelation } from '../../src/cli/checksum.ts'
import { Millrace } from '../../src/index.ts'
import { openDuckDb, queryRows } from '../../src/query/duckdb.ts'
import { expectOneClearLine, millrace, RunningCommand } from './command-line.ts'
import { temporaryDirectory, temporaryFile, temporaryParquet } from './temporary.ts'

const TRIPS = `trip,at,fare,riders
t1,2026-03-01T12:00:00Z,12.5,2
t2,2026-03-01T13:00:00Z,7.25,
t1,2026-03-01T12:30:00Z,13.5,3
`

const newDirectory = (): string => join(temporaryDirectory(), 'data')

/** The arguments of a backfill whose id column is `trip` and whose event times are in `at`. */
const trips = (file: string, data: string, ...more: string[]): string[] => [
  ...['backfill', file, '--data', data, '--feature-group', 'trips'],
  ...['--record-id', 'trip', '--event-time', 'at', ...more],
]

async function withOpenStore<T>(data: string, use: (store: Millrace) => Promise<T>): Promise<T> {
  const store = await Millrace.open(data)
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

const record = (data: string, group: string, id: string) =>
  withOpenStore(data, (store) => store.featureGroup(group).get(id))

/** Counts rows and distinct ids of a group's Parquet files. */
async function offlineCounts(data: string, group: string, id: string) {
  const directory = await withOpenStore(data, async (store) => store.describe(group).offlineDirectory)
  const duckDb = await openDuckDb()
  try {
    const [row] = await queryRows<{ total: string; ids: string }>(
      duckDb.connection,
      `SELECT count(*) AS total, count(DISTINCT ${id}) AS ids FROM ${offlineRelation(directory ?? '')}`,
    )
    return { rows: Number(row?.total), ids: Number(row?.ids) }
  } finally {
    duckDb.close()
  }
}

describe('a new feature group', () => {
  it('gets its features from the types of the file, and every row in both stores', async () => {
    const data = newDirectory()
    const { code, stdout } = await millrace(...trips(temporaryFile('trips.csv', TRIPS), data))
    expect(code).toBe(0)
    expect(stdout).toMatch(/^rows of the file +3$/m)
    expect(stdout).toMatch(/^ {2}accepted +3$/m)
    expect(stdout).toMatch(/^online records +2$/m)
    expect(stdout).toMatch(/^offline rows +3$/m)
    await withOpenStore(data, async (store) => {
      expect(store.describe('trips')).toMatchObject({
        recordIdentifier: 'trip',
        eventTime: 'at',
        features: { trip: 'String', at: 'String', fare: 'Fractional', riders: 'Integral' },
      })
      const group = store.featureGroup('trips')
      expect(await group.get('t1')).toEqual({ trip: 't1', at: '2026-03-01T12:30:00Z', fare: 13.5, riders: 3 })
      expect(await group.get('t2')).toEqual({ trip: 't2', at: '2026-03-01T13:00:00Z', fare: 7.25 })
    })
    expect(await offlineCounts(data, 'trips', 'trip')).toEqual({ rows: 3, ids: 2 })
  })

  it('joins several columns into one id, renames features, and takes options of the store', async () => {
    const data = newDirectory()
    const lines = [
      '{"line nr":7,"stop":"A","at":1772366400,"late":true}',
      '{"line nr":7,"stop":"B","at":1772366460}',
    ]
    const file = temporaryFile('stops.txt', lines.join('\n'))
    const { code, stderr } = await millrace(
      ...['backfill', file, '--format', 'jsonl', '--data', data, '--feature-group', 'stops'],
      ...['--record-id', 'line nr,stop', '--event-time', 'at', '--id-name', 'visit', '--id-separator', '/'],
      ...['--rename', 'line nr=line', '--rename', 'late=is-late'],
      ...['--shards', '3', '--memory', '64MiB', '--codec', 'snappy', '--durability', 'interval'],
    )
    expect({ code, stderr }).toMatchObject({ code: 0 })
    const expected = { line: 7, stop: 'A', at: 1772366400, 'is-late': 'true', visit: '7/A' }
    expect(await record(data, 'stops', '7/A')).toEqual(expected)
    await withOpenStore(data, async (store) => expect(store.shards).toBe(3))
  })

  it('takes Parquet', async () => {
    const data = newDirectory()
    const file = await temporaryParquet(
      "SELECT 't' || i AS trip, TIMESTAMP '2026-03-01 12:00:00' AS at, i AS n FROM range(5000) AS t(i)",
    )
    expect((await millrace(...trips(file, data))).code).toBe(0)
    expect(await record(data, 'trips', 't4999')).toEqual({
      trip: 't4999',
      at: '2026-03-01T12:00:00Z',
      n: 4999,
    })
  })
})

describe('an existing feature group', () => {
  it('takes another file of the same columns', async () => {
    const data = newDirectory()
    await millrace(...trips(temporaryFile('a.csv', TRIPS), data))
    const more = TRIPS.replaceAll('t2', 't3')
    const { code, stdout } = await millrace(...trips(temporaryFile('a.csv', more), data))
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ {2}accepted +3$/m)
    expect(await offlineCounts(data, 'trips', 'trip')).toEqual({ rows: 6, ids: 3 })
  })

  it('refuses a file of other columns, and says how they differ', async () => {
    const data = newDirectory()
    await millrace(...trips(temporaryFile('a.csv', TRIPS), data))
    const other = temporaryFile('b.csv', TRIPS.replace('riders', 'guests'))
    expectOneClearLine(
      await millrace(...trips(other, data)),
      /feature group "trips" exists with another definition/,
      /riders: Integral, not .*guests: Integral/,
    )
  })

  it('takes the same file once, and another group takes it too', async () => {
    const data = newDirectory()
    const file = temporaryFile('a.csv', TRIPS)
    await millrace(...trips(file, data))
    const again = await millrace(...trips(file, data))
    expect(again.code).toBe(0)
    expect(again.stderr).toContain('nothing to ingest: all 3 rows')
    const other = await millrace(...trips(file, data).map((text) => (text === 'trips' ? 'rides' : text)))
    expect(other.stdout).toMatch(/^ {2}accepted +3$/m)
    expect(await offlineCounts(data, 'trips', 'trip')).toEqual({ rows: 3, ids: 2 })
    expect(await offlineCounts(data, 'rides', 'trip')).toEqual({ rows: 3, ids: 2 })
  })

  it('takes a file for one store, and later for the other', async () => {
    const data = newDirectory()
    const file = temporaryFile('a.csv', TRIPS)
    const offline = await millrace(...trips(file, data, '--offline-only'))
    expect(offline.code).toBe(0)
    expect(await record(data, 'trips', 't1')).toBeUndefined()
    const online = await millrace(...trips(file, data, '--online-only'))
    expect(online.stdout).toMatch(/^ {2}accepted +3$/m)
    expect(await record(data, 'trips', 't1')).toMatchObject({ fare: 13.5 })
    expect(await offlineCounts(data, 'trips', 'trip')).toEqual({ rows: 3, ids: 2 })
  })
})

describe('rejected rows', () => {
  const rows = Array.from({ length: 30 }, (_, i) =>
    i % 3 === 1 ? `,2026-03-01T12:00:00Z,${i}` : `t${i},2026-03-01T12:00:00Z,${i}`,
  )
  const csv = `trip,at,n\n${rows.join('\n')}\n`

  it('are told with row, feature and reason, the first ones, and the rest counted; all others are in', async () => {
    const data = newDirectory()
    const { code, stdout } = await millrace(...trips(temporaryFile('a.csv', csv), data, '--errors', '2'))
    expect(code).toBe(3)
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(
      /^row 2 rejected: .*feature "trip": expected a record identifier, found nothing$/,
    )
    expect(lines[1]).toMatch(/^row 5 rejected: /)
    expect(lines[2]).toBe('and 8 more rows rejected')
    expect(stdout).toMatch(/^ {2}accepted +20$/m)
    expect(stdout).toMatch(/^ {2}rejected +10$/m)
    expect(await offlineCounts(data, 'trips', 'trip')).toEqual({ rows: 20, ids: 20 })
  })

  it('are those of event times that are none', async () => {
    const bad = TRIPS.replace('2026-03-01T13:00:00Z', 'yesterday')
    const { code, stdout } = await millrace(...trips(temporaryFile('a.csv', bad), newDirectory()))
    expect(code).toBe(3)
    expect(stdout).toMatch(
      /^row 2 rejected: .*feature "at": expected an event time .*found the string "yesterday"$/m,
    )
  })
})

describe('an interrupted backfill', () => {
  const ROWS = 400_000
  const query = `SELECT 't' || i AS trip, strftime(TIMESTAMP '2026-03-01' + INTERVAL 1 SECOND * i, '%Y-%m-%dT%H:%M:%SZ') AS at,
    i * 0.5 AS fare FROM range(${ROWS}) AS t(i)`

  it.each(['SIGINT', 'SIGKILL'] as const)('goes on after %s with every row once', async (signal) => {
    const file = await temporaryParquet(query)
    const data = newDirectory()
    const command = new RunningCommand(trips(file, data))
    await command.inTheMiddle()
    command.child.kill(signal)
    const { code, stderr } = await command.ended
    expect(code).toBe(signal === 'SIGINT' ? 130 : null)
    if (signal === 'SIGINT') expect(stderr).toMatch(/^millrace: interrupted after row [\d,]+ of 400,000; /m)

    const resumed = await millrace(...trips(file, data))
    expect(resumed.code).toBe(0)
    expect(resumed.stderr).toMatch(/^going on after row [1-9][\d,]*, where an earlier run stopped$/m)
    expect(await offlineCounts(data, 'trips', 'trip')).toEqual({ rows: ROWS, ids: ROWS })
    expect(await record(data, 'trips', `t${ROWS - 1}`)).toMatchObject({ fare: (ROWS - 1) / 2 })
  })
})

describe('bad input gets one clear line, before any store is made', () => {
  const good = (): string => temporaryFile('trips.csv', TRIPS)
  it.each([
    [
      'a missing id column',
      () => [good(), 'trips', 'tripp', 'at'],
      /no column "tripp".*"trip", "at", "fare", "riders"/,
    ],
    ['a missing event time', () => [good(), 'trips', 'trip', 'when'], /no column "when"/],
    [
      'a wrong name',
      () => [good(), 'my trips', 'trip', 'at'],
      /feature group name: expected .*found "my trips"/,
    ],
    [
      'an unknown kind of file',
      () => [temporaryFile('a.xls', 'x'), 'trips', 'trip', 'at'],
      /--format parquet, csv or jsonl/,
    ],
    [
      'a file that is not what it says',
      () => [temporaryFile('a.jsonl', 'trip,at\n1,2\n'), 'trips', 'trip', 'at'],
      /JSON/,
    ],
    [
      'a file that is cut off',
      () => [temporaryFile('a.parquet', 'PAR1xxxxxxxx'), 'trips', 'trip', 'at'],
      /cut off/,
    ],
    ['an empty file', () => [temporaryFile('a.csv', ''), 'trips', 'trip', 'at'], /found an empty one/],
    [
      'a directory',
      () => [temporaryDirectory(), 'trips', 'trip', 'at', '--format', 'csv'],
      /found a directory/,
    ],
    [
      'too little memory',
      () => [good(), 'trips', 'trip', 'at', '--memory', '1MB'],
      /memoryBytes: expected .* found 1000000/,
    ],
  ])('%s', async (_, make, expected) => {
    const [file, group, id, time, ...more] = make()
    const data = newDirectory()
    const outcome = await millrace(
      ...['backfill', file!, '--data', data, '--feature-group', group!],
      ...['--record-id', id!, '--event-time', time!, ...more],
    )
    expectOneClearLine(outcome, expected)
    expect(existsSync(data)).toBe(false)
  })

  it('another number of shards than the store has', async () => {
    const data = newDirectory()
    await millrace(...trips(good(), data, '--shards', '2'))
    expectOneClearLine(
      await millrace(...trips(good(), data, '--shards', '4')),
      /has 2 shards and was to be opened with 4/,
    )
  })
})

describe('a wrong command line', () => {
  it.each([
    ['nothing', []],
    ['an unknown command', ['refill']],
    ['an unknown option', ['demo', '--colour']],
    ['a missing file', ['backfill']],
    ['missing options', ['backfill', 'a.csv', '--data', 'd']],
    ['a number that is none', [...trips('a.csv', 'd'), '--shards', 'two']],
    ['bytes that are none', [...trips('a.csv', 'd'), '--memory', '3 apples']],
    ['an unknown codec', [...trips('a.csv', 'd'), '--codec', 'rar']],
    ['an unknown durability', [...trips('a.csv', 'd'), '--durability', 'hope']],
    ['a renaming without a name', [...trips('a.csv', 'd'), '--rename', 'a=']],
    ['both stores alone', [...trips('a.csv', 'd'), '--online-only', '--offline-only']],
  ])('is told by exit code 2: %s', async (_, args) => {
    const { code, stdout, stderr } = await millrace(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^(error: |Usage: )/)
    expect(stderr).not.toContain('    at ')
  })

  it('is not asking for help or the version', async () => {
    expect(await millrace('--help')).toMatchObject({ code: 0, stderr: '' })
    expect(await millrace('--version')).toMatchObject({ code: 0, stdout: '0.1.0\n' })
    expect((await millrace('backfill', '--help')).stdout).toMatch(/3 +backfill: some rows were rejected/)
  })
})

describe('--verbose', () => {
  it('shows everything known about a failure', async () => {
    const args = trips(join(temporaryDirectory(), 'none.csv'), newDirectory())
    const { code, stderr } = await millrace(...args, '--verbose')
    expect(code).toBe(1)
    expect(stderr).toContain("code: 'INVALID_INPUT_FILE'")
    expect(stderr).toContain('ENOENT')
  })
})

describe('inspect', () => {
  it('shows feature groups, what is in them, and leaves everything as it is', async () => {
    const data = newDirectory()
    await millrace(...trips(temporaryFile('a.csv', TRIPS), data))
    const { code, stdout } = await millrace('inspect', data)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ {2}trips {2}.* 2 +0 .* 3 +2 /m)
    expect(stdout).toMatch(/^ {2}trip +String +record identifier$/m)
    expect(stdout).toMatch(/^ {2}riders +Integral$/m)
    // Every opening adds a few bytes to the log.
    const groups = (text: string) => text.slice(text.indexOf('Feature groups'))
    expect(groups((await millrace('inspect', data)).stdout)).toBe(groups(stdout))
  })

  it('refuses a directory that is not a store, and makes none there', async () => {
    const data = newDirectory()
    expectOneClearLine(await millrace('inspect', data), `${data}: expected a Millrace store, found none`)
    expect(existsSync(data)).toBe(false)
  })
})
