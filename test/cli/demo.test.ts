/**
 * Goal: the main job ends with both stores holding exactly the rows of its file, however often it is interrupted, and
 * says so only if it is true.
 * Method: the real command on smaller files of the same shape; the stores are tampered with to see the comparison fail.
 */
import { copyFileSync, existsSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { offlineFiles } from '../../src/cli/offline-facts.ts'
import { Millrace } from '../../src/index.ts'
import { openDuckDb, queryRows } from '../../src/query/duckdb.ts'
import { expectOneClearLine, millrace, RunningCommand } from './command-line.ts'
import { temporaryDirectory, temporaryFile, temporaryParquet } from './temporary.ts'

/** Flights out of order, many of them at the same minute of the same route. */
const flights = (count: number): string =>
  `SELECT TIMESTAMP '2001-01-01' + INTERVAL 1 MINUTE * ((i * 7919) % 5000) AS date, (i * 31) % 200 - 50 AS delay,
     100 + i % 900 AS distance, 'A' || (i * 7 % 40) AS origin, 'B' || (i * 13 % 30) AS destination
   FROM range(${count}) AS t(i)`

const flightsFile = (count: number): Promise<string> => temporaryParquet(flights(count))

const newDirectory = (): string => join(temporaryDirectory(), 'data')

/** Looks at the files without the engine. */
async function readFiles(directory: string) {
  const duckDb = await openDuckDb()
  try {
    const names = await queryRows<{ file: string }>(
      duckDb.connection,
      `SELECT file FROM glob('${directory}/offline/**/*') ORDER BY file`,
    )
    const facts = await offlineFiles(duckDb.connection, join(directory, 'offline'))
    return { names: names.map(({ file }) => file), ...facts }
  } finally {
    duckDb.close()
  }
}

describe('a whole run', () => {
  it('shows what is in both stores, and that both agree with the file', async () => {
    const data = newDirectory()
    const outcome = await millrace('demo', '--file', await flightsFile(20_000), '--data', data)
    expect(outcome).toMatchObject({ code: 0, signal: null })
    const sections = outcome.stdout.match(/^[A-Z][^\n]*$/gm)
    expect(sections).toEqual([
      'Online store',
      'Offline store',
      'Agreement with the file',
      'Figures',
      'All agrees: 20,000 rows offline and 120 records online are exactly those of the file.',
    ])
    expect(outcome.stdout).toContain('120 records')
    expect(outcome.stdout).toMatch(/^ {2}A0-B0 {2}\{"date":"2001-/m)
    expect(outcome.stdout).toMatch(/^ {2}2001-01 +20,000$/m)
    expect(outcome.stdout.match(/the same$/gm)).toHaveLength(7)
    const { files, hours, filesPerHourMax } = await readFiles(data)
    expect({ files, hours, filesPerHourMax }).toEqual({ files: 84, hours: 84, filesPerHourMax: 1 })
  })

  it('writes plain lines where there is no terminal', async () => {
    const { stderr } = await millrace('demo', '--file', await flightsFile(20_000), '--data', newDirectory())
    expect(stderr).toMatch(/^100%, 20,000\/20,000 rows, .* durable 20,000, /m)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
    expect(stderr).not.toMatch(/[\r\u001b]/)
  })

  it('takes the data directory from MILLRACE_DATA', async () => {
    const data = newDirectory()
    const file = await flightsFile(100)
    const { code } = await new RunningCommand(['demo', '--file', file], { MILLRACE_DATA: data }).ended
    expect(code).toBe(0)
    expect((await readFiles(data)).files).toBeGreaterThan(0)
  })
})

describe('a run after a whole one', () => {
  it('ingests nothing, changes no file, and compares again', async () => {
    const file = await flightsFile(20_000)
    const data = newDirectory()
    await millrace('demo', '--file', file, '--data', data)
    const before = await readFiles(data)
    const again = await millrace('demo', '--file', file, '--data', data)
    expect(again.code).toBe(0)
    expect(again.stderr).toContain('nothing to ingest: all 20,000 rows')
    expect(again.stdout).toContain('All agrees: 20,000 rows')
    expect(await readFiles(data)).toEqual(before)
  })

  it('knows the file again by its bytes, wherever it lies and however old it is', async () => {
    const file = await flightsFile(1000)
    const data = newDirectory()
    await millrace('demo', '--file', file, '--data', data)
    const copy = join(temporaryDirectory(), 'copy.parquet')
    copyFileSync(file, copy)
    utimesSync(copy, 1000, 1000)
    const again = await millrace('demo', '--file', copy, '--data', data)
    expect(again.code).toBe(0)
    expect(again.stderr).toContain('nothing to ingest')
  })

  it('refuses another file, which would never agree', async () => {
    const data = newDirectory()
    await millrace('demo', '--file', await flightsFile(1000), '--data', data)
    const other = await millrace('demo', '--file', await flightsFile(1001), '--data', data)
    expectOneClearLine(other, /holds another feature group "flights"/, /--data/)
  })

  it('tells every difference, and fails', async () => {
    const file = await flightsFile(1000)
    const data = newDirectory()
    await millrace('demo', '--file', file, '--data', data)
    const store = await Millrace.open(data)
    const group = store.featureGroup('flights')
    const base = { date: '2001-01-02T00:00:00Z', delay: 1, distance: 2, origin: 'X', destination: 'Y' }
    await group.put({ ...base, route: 'X-Y' })
    const record = { delay: undefined, ...(await group.get('A0-B0')) }
    await group.put({ ...record, delay: 777 }, { stores: ['online'] })
    await group.delete('A7-B13', '2001-06-01T00:00:00Z', { mode: 'hard', stores: ['online'] })
    await store.close()

    const { code, stdout } = await millrace('demo', '--file', file, '--data', data)
    expect(code).toBe(1)
    const list = stdout.slice(stdout.indexOf('The stores do NOT agree with the file:'))
    expect(list).toContain('offline store: expected 1000 rows, found 1001')
    expect(list).toContain('online store: record X-Y: expected none, found one')
    expect(list).toContain('online store: record A7-B13: expected one, found none')
    expect(list).toContain(`online store: record A0-B0, feature delay: expected ${record.delay}, found 777`)
    expect(stdout).not.toContain('All agrees')
  })
})

describe('an interrupted run', () => {
  const ROWS = 600_000

  async function expectResumed(file: string, data: string): Promise<void> {
    const resumed = await millrace('demo', '--file', file, '--data', data)
    expect(resumed.stderr).toMatch(/^recovered [\d,]+ records from the log$/m)
    expect(resumed.stderr).toMatch(/^going on after row [\d,]+, where an earlier run stopped$/m)
    expect(resumed.stdout).toContain('All agrees: 600,000 rows offline and 120 records online')
    expect(resumed.code).toBe(0)
    expect((await readFiles(data)).filesPerHourMax).toBeLessThanOrEqual(2)
  }

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'stops at %s, says how to go on, and goes on where it stopped',
    async (signal) => {
      const file = await flightsFile(ROWS)
      const data = newDirectory()
      const command = new RunningCommand(['demo', '--file', file, '--data', data])
      await command.inTheMiddle()
      command.child.kill(signal)
      const outcome = await command.ended
      expect(outcome).toMatchObject({ code: 130, signal: null, stdout: '' })
      const stopped = /^millrace: interrupted after row ([\d,]+) of 600,000; .*same command goes on/m.exec(
        outcome.stderr,
      )
      expect(stopped).not.toBeNull()
      const resumed = new RunningCommand(['demo', '--file', file, '--data', data])
      await resumed.inTheMiddle()
      resumed.child.kill(signal)
      expect((await resumed.ended).stderr).toContain(`going on after row ${stopped?.[1]},`)
      await expectResumed(file, data)
    },
  )

  it('loses no row and doubles none when it is killed, twice', async () => {
    const file = await flightsFile(ROWS)
    const data = newDirectory()
    for (let round = 0; round < 2; round++) {
      const command = new RunningCommand(['demo', '--file', file, '--data', data])
      await command.inTheMiddle()
      command.child.kill('SIGKILL')
      expect(await command.ended).toMatchObject({ code: null, signal: 'SIGKILL' })
    }
    await expectResumed(file, data)
  })
})

describe('bad input gets one clear line, before any store is made', () => {
  it('a missing column', async () => {
    const file = await temporaryParquet(`SELECT origin, date, delay, distance FROM (${flights(10)})`)
    const data = newDirectory()
    expectOneClearLine(
      await millrace('demo', '--file', file, '--data', data),
      /no column "destination"/,
      file,
    )
    expect(existsSync(data)).toBe(false)
  })

  it('dates that are none', async () => {
    const file = await temporaryParquet(`SELECT * REPLACE (5 AS date) FROM (${flights(10)})`)
    const outcome = await millrace('demo', '--file', file, '--data', newDirectory())
    expectOneClearLine(outcome, /column "date": the demo expects a timestamp, found INTEGER/)
  })

  it('a file without rows', async () => {
    const outcome = await millrace('demo', '--file', await flightsFile(0), '--data', newDirectory())
    expectOneClearLine(outcome, /has no rows/)
  })

  it('a file that is not what it says', async () => {
    const file = temporaryFile('flights.parquet', 'date,delay\n')
    expectOneClearLine(
      await millrace('demo', '--file', file, '--data', newDirectory()),
      /expected a Parquet file, which starts with PAR1, found the bytes 64 61 74 65/,
    )
  })

  it('a file that is not there', async () => {
    const file = join(temporaryDirectory(), 'none.parquet')
    const outcome = await millrace('demo', '--file', file, '--data', newDirectory())
    expectOneClearLine(outcome, `${file}: expected a file, found nothing of that name`)
  })

  it('a data directory that cannot be made', async () => {
    const data = join(temporaryFile('plain', 'x'), 'data')
    const outcome = await millrace('demo', '--file', await flightsFile(10), '--data', data)
    expectOneClearLine(outcome, `cannot create ${data}: ENOTDIR`)
  })

  it('a directory with something else in it', async () => {
    const data = temporaryDirectory()
    writeFileSync(join(data, 'thesis.txt'), 'x')
    const outcome = await millrace('demo', '--file', await flightsFile(10), '--data', data)
    expectOneClearLine(
      outcome,
      `${data} is not a Millrace store`,
      'thesis.txt',
      /choose an empty or new directory/,
    )
  })

  it('a store that is open elsewhere', async () => {
    const data = newDirectory()
    const store = await Millrace.open(data)
    const outcome = await millrace('demo', '--file', await flightsFile(10), '--data', data)
    await store.close()
    expectOneClearLine(outcome, `process ${process.pid} has ${data} open`)
  })
})
