/**
 * Goal: a user's file gives every one of its rows, in order and unrounded, or an error that says what is wrong with it.
 * Method: small files of each format, whole and damaged, made on the fly.
 */
import { mkdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { planFeatures } from '../../src/cli/feature-types.ts'
import { InputFile, type InputFileOptions } from '../../src/cli/input-file.ts'
import { rowsOf } from '../../src/cli/rows.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { openDuckDb } from '../../src/query/duckdb.ts'
import { sqlName } from '../../src/query/sql.ts'
import { temporaryDirectory, temporaryFile, temporaryParquet } from './temporary.ts'

async function opened<T>(
  path: string,
  use: (file: InputFile) => Promise<T>,
  options?: InputFileOptions,
): Promise<T> {
  const file = await InputFile.open(path, options)
  try {
    return await use(file)
  } finally {
    file.close()
  }
}

/** All rows from `startRow` on; the first column is the id, the second the event time. */
const readRows = (path: string, startRow = 0, options?: InputFileOptions) =>
  opened(
    path,
    async (file) => {
      const [id, at] = file.columns
      const plan = planFeatures(
        file.columns,
        { recordIdColumns: [id!.name], eventTimeColumn: at!.name },
        'the file',
      )
      const rows = []
      const selected = plan.features.map((feature) => feature.selectSql)
      for await (const some of rowsOf(file.chunks(selected, startRow), plan)) rows.push(...some)
      return rows
    },
    options,
  )

async function refusal(path: string, options?: InputFileOptions): Promise<MillraceError> {
  const thrown: unknown = await readRows(path, 0, options).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(MillraceError)
  return thrown as MillraceError
}

const ROWS = [
  { id: 'a', at: '2026-03-01T12:00:00Z', n: 1, f: 0.5 },
  { id: 'b', at: '2026-03-01T12:00:01Z', n: -2, f: null },
  { id: 'ü, "c"', at: '2026-03-01T12:00:02.250Z', n: 9_007_199_254_740_993n, f: -1e300 },
]
const CSV = `id,at,n,f
a,2026-03-01T12:00:00Z,1,0.5
b,2026-03-01T12:00:01Z,-2,
"ü, ""c""",2026-03-01T12:00:02.250Z,9007199254740993,-1e300
`
const JSON_LINES = `{"id":"a","at":"2026-03-01T12:00:00Z","n":1,"f":0.5}
{"id":"b","at":"2026-03-01T12:00:01Z","n":-2}
{"id":"ü, \\"c\\"","at":"2026-03-01T12:00:02.250Z","n":9007199254740993,"f":-1e300}
`
const PARQUET_QUERY = `SELECT * FROM (VALUES
  ('a', TIMESTAMP '2026-03-01 12:00:00', 1::BIGINT, 0.5::DOUBLE),
  ('b', TIMESTAMP '2026-03-01 12:00:01', -2, NULL),
  ('ü, "c"', TIMESTAMP '2026-03-01 12:00:02.250', 9007199254740993, -1e300)) AS t(id, "at", n, f)`

describe('formats', () => {
  it.each([
    ['CSV', 'in.csv', CSV],
    ['CSV with semicolons', 'in.csv', 'id;at;n\na;2026-03-01 12:00:00;1\n'],
    ['tab-separated text', 'in.tsv', CSV.replaceAll(/,(?! )/g, '\t')],
    ['gzipped CSV', 'in.csv.gz', gzipSync(CSV)],
    ['CSV with a byte order mark', 'in.CSV', `\ufeff${CSV}`],
    ['CSV with CRLF', 'in.csv', CSV.replaceAll('\n', '\r\n')],
    ['JSON lines', 'in.jsonl', JSON_LINES],
    ['gzipped NDJSON', 'in.ndjson.gz', gzipSync(JSON_LINES)],
  ])('reads %s', async (_, name, content) => {
    const rows = await readRows(temporaryFile(name, content))
    if (rows.length === 1) expect(rows).toEqual([{ id: 'a', at: '2026-03-01T12:00:00Z', n: 1 }])
    else expect(rows).toEqual(ROWS)
  })

  it('reads Parquet', async () => {
    expect(await readRows(await temporaryParquet(PARQUET_QUERY))).toEqual(ROWS)
  })

  it('takes the format from the option rather than from the name', async () => {
    expect(await readRows(temporaryFile('in.txt', CSV), 0, { format: 'csv' })).toEqual(ROWS)
    const path = await temporaryParquet(PARQUET_QUERY, 'in.csv')
    expect(await readRows(path, 0, { format: 'parquet' })).toEqual(ROWS)
  })

  it('reads exactly the file named, though its name looks like a pattern', async () => {
    const directory = temporaryDirectory()
    mkdirSync(join(directory, 'year=2001'))
    writeFileSync(join(directory, 'year=2001', "it's x12.csv"), 'id,at\nwrong,2026-03-01T12:00:00Z\n')
    const path = join(directory, 'year=2001', "it's [x]*?.csv")
    writeFileSync(path, 'id,at\nright,2026-03-01T12:00:00Z\n')
    // Nor does a directory that looks like a partition add a column.
    expect(await readRows(path)).toEqual([{ id: 'right', at: '2026-03-01T12:00:00Z' }])
  })

  it('tells columns, row count and identity', async () => {
    await opened(await temporaryParquet(PARQUET_QUERY), async (file) => {
      expect(file.rowCount).toBe(3)
      expect(file.columns).toEqual([
        { name: 'id', type: 'VARCHAR' },
        { name: 'at', type: 'TIMESTAMP' },
        { name: 'n', type: 'BIGINT' },
        { name: 'f', type: 'DOUBLE' },
      ])
      expect(file.identity.bytes).toBe(readFileSync(file.path).length)
    })
    await opened(temporaryFile('in.csv', CSV), async (file) => {
      expect(file.rowCount).toBe(3)
    })
  })

  it('reads a file that has columns but no rows', async () => {
    expect(await readRows(temporaryFile('in.csv', 'id,at\n'))).toEqual([])
    expect(await readRows(await temporaryParquet(`${PARQUET_QUERY} LIMIT 0`))).toEqual([])
  })
})

describe('order and position', () => {
  const COUNT = 100_000
  const numbers = async (path: string, startRow: number): Promise<number[]> =>
    opened(path, async (file) => {
      const found: number[] = []
      for await (const chunk of file.chunks([`CAST(${sqlName('n')} AS BIGINT)`], startRow)) {
        const { words } = chunk.column(0, 8)
        for (let row = 0; row < chunk.rowCount; row++) found.push(words[row * 2]!)
      }
      return found
    })
  const expected = (startRow: number) => Array.from({ length: COUNT - startRow }, (_, i) => i + startRow)

  it.each([0, 1, 2048, 65_537, COUNT - 1, COUNT])(
    'gives all rows of Parquet in file order from row %d on',
    async (start) => {
      const query = `SELECT range AS n, hash(range)::VARCHAR AS filler FROM range(${COUNT})`
      const path = await temporaryParquet(query, 'in.parquet', ', ROW_GROUP_SIZE 20480')
      expect(await numbers(path, start)).toEqual(expected(start))
    },
  )

  it.each([0, 1, 65_537, COUNT])('gives all rows of text in file order from row %d on', async (start) => {
    const lines = Array.from({ length: COUNT }, (_, n) => `${n},${'x'.repeat(n % 40)}`)
    expect(await numbers(temporaryFile('in.csv', `n,filler\n${lines.join('\n')}\n`), start)).toEqual(
      expected(start),
    )
    const objects = Array.from({ length: COUNT }, (_, n) => `{"n":${n},"filler":"${'x'.repeat(n % 40)}"}`)
    expect(await numbers(temporaryFile('in.jsonl', `${objects.join('\n')}\n`), start)).toEqual(
      expected(start),
    )
  })

  it('is not disturbed by another query while it reads', async () => {
    const path = await temporaryParquet(`SELECT range AS n FROM range(${COUNT})`)
    await opened(path, async (file) => {
      let count = 0
      for await (const chunk of file.chunks(['n'])) {
        if (count === 0) await file.duckDb.connection.run(`SELECT sum(n) FROM ${file.relation}`)
        count += chunk.rowCount
      }
      expect(count).toBe(COUNT)
    })
  })

  it('notices rows that appear or vanish while it is open', async () => {
    const path = temporaryFile('in.csv', CSV)
    await opened(path, async (file) => {
      writeFileSync(path, `${CSV}d,2026-03-01T12:00:03Z,1,1\n`)
      const reading = async () => {
        for await (const chunk of file.chunks(['id'])) expect(chunk.rowCount).toBe(4)
      }
      await expect(reading()).rejects.toMatchObject({ code: 'INVALID_INPUT_FILE' })
    })
  })
})

describe('identity', () => {
  const identity = (path: string) => opened(path, async (file) => file.identity)

  it('is that of the bytes: the same for a copy made at another time, another after any change', async () => {
    const text = CSV + 'c,2026-03-01T14:00:00Z,1,1.5\n'.repeat(100_000)
    const path = temporaryFile('in.csv', text)
    const first = await identity(path)
    const copy = temporaryFile('copy.csv', text)
    utimesSync(copy, 1000, 1000)
    expect(await identity(copy)).toEqual(first)
    const middle = text.length / 2
    const at = text.indexOf('1.5', middle)
    writeFileSync(path, `${text.slice(0, at)}1.6${text.slice(at + 3)}`)
    const edited = await identity(path)
    expect(edited.bytes).toBe(first.bytes)
    expect(edited.digest).not.toBe(first.digest)
  })
})

describe('values that a guessed type would change', () => {
  it('keeps nanoseconds of timestamps in text', async () => {
    const rows = [
      { id: 'a', at: '2026-03-01T12:00:00.123456789Z' },
      { id: 'b', at: '2026-03-01T12:00:00Z' },
    ]
    const csv = `id,at\n${rows.map(({ id, at }) => `${id},${at}`).join('\n')}\n`
    expect(await readRows(temporaryFile('in.csv', csv))).toEqual(rows)
    const lines = rows.map((row) => JSON.stringify(row)).join('\n')
    expect(await readRows(temporaryFile('in.jsonl', lines))).toEqual(rows)
  })

  it('keeps leading zeros and whole numbers beyond 64 bits in CSV as text', async () => {
    const csv = 'id,at,big\n00501,2026-03-01T12:00:00Z,18446744073709551617\n10001,2026-03-01T12:00:00Z,1\n'
    expect(await readRows(temporaryFile('in.csv', csv))).toEqual([
      { id: '00501', at: '2026-03-01T12:00:00Z', big: '18446744073709551617' },
      { id: '10001', at: '2026-03-01T12:00:00Z', big: '1' },
    ])
  })

  it('keeps whole numbers that need the 64th bit in JSON lines as numbers, for the engine to judge', async () => {
    const lines =
      '{"id":"a","at":"2026-03-01T12:00:00Z","n":18446744073709551615}\n{"id":"b","at":"2026-03-01T12:00:00Z","n":1}\n'
    expect(await readRows(temporaryFile('in.jsonl', lines))).toMatchObject([
      { n: 18_446_744_073_709_551_615n },
      { n: 1 },
    ])
  })

  it('guesses types from the whole file, not from its beginning', async () => {
    const lines = Array.from({ length: 50_000 }, (_, n) => `r${n},2026-03-01T12:00:00Z,${n}`)
    const csv = `id,at,n\n${lines.join('\n')}\nlast,2026-03-01T12:00:00Z,none\n`
    const rows = await readRows(temporaryFile('in.csv', csv), 49_999)
    expect(rows).toEqual([
      { id: 'r49999', at: '2026-03-01T12:00:00Z', n: '49999' },
      { id: 'last', at: '2026-03-01T12:00:00Z', n: 'none' },
    ])
  })

  it('turns times with an offset into UTC', async () => {
    const csv = 'id,at\na,2026-03-01T12:00:00+02:00\nb,2026-03-01T12:00:00Z\n'
    expect(await readRows(temporaryFile('in.csv', csv))).toEqual([
      { id: 'a', at: '2026-03-01T10:00:00Z' },
      { id: 'b', at: '2026-03-01T12:00:00Z' },
    ])
  })

  it('takes a line that starts like a comment for a row', async () => {
    const csv = 'id,at\n#1,2026-03-01T12:00:00Z\n#2,2026-03-01T12:00:00Z\n'
    expect(await readRows(temporaryFile('in.csv', csv))).toMatchObject([{ id: '#1' }, { id: '#2' }])
  })

  it('refuses a line that could only be a comment, rather than skip it', async () => {
    const error = await refusal(temporaryFile('in.csv', 'id,at\n# note\na,2026-03-01T12:00:00Z\n'))
    expect(error.code).toBe('INVALID_INPUT_FILE')
  })

  it('reads columns without values, or with values of several types, as text', async () => {
    const lines =
      '{"id":"a","at":"2026-03-01T12:00:00Z","x":null,"y":1}\n{"id":"b","at":"2026-03-01T12:00:00Z","x":null,"y":"z"}\n'
    expect(await readRows(temporaryFile('in.jsonl', lines))).toEqual([
      { id: 'a', at: '2026-03-01T12:00:00Z', x: null, y: '1' },
      { id: 'b', at: '2026-03-01T12:00:00Z', x: null, y: 'z' },
    ])
  })
})

describe('a file that is not what it says', () => {
  const garbage = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) % 256)
  const truncatedGzip = gzipSync(CSV.repeat(50)).subarray(0, 60)
  const damagedGzip = gzipSync(CSV)
  damagedGzip[damagedGzip.length - 6]! ^= 1

  it.each<[string, string, string | Uint8Array, RegExp]>([
    ['an empty file', 'in.csv', '', /found an empty one/],
    ['an empty Parquet file', 'in.parquet', '', /found an empty one/],
    [
      'CSV named .parquet',
      'in.parquet',
      CSV,
      /expected a Parquet file, which starts with PAR1, found the bytes 69 64/,
    ],
    ['magic bytes only', 'in.parquet', 'PAR1PAR1', /cut off/],
    ['a Parquet shell', 'in.parquet', `PAR1${'x'.repeat(50)}PAR1`, /cannot be read as a Parquet file/],
    ['binary garbage named .csv', 'in.csv', garbage, /binary data \(a zero byte at offset 0\)/],
    ['Parquet named .csv', 'in.csv', 'PAR1 and so on', /found a Parquet file; try --format parquet/],
    ['Parquet named .jsonl', 'in.jsonl', 'PAR1 and so on', /found a Parquet file/],
    ['UTF-16', 'in.csv', Buffer.from(`\ufeff${CSV}`, 'utf16le'), /found UTF-16/],
    ['Latin-1', 'in.csv', Buffer.from(CSV, 'latin1'), /not utf-8/i],
    ['text named .gz', 'in.csv.gz', CSV, /expected gzip, as its name says/],
    ['a cut-off gzip stream', 'in.csv.gz', truncatedGzip, /cut-off or damaged stream/],
    ['a gzip stream with a wrong checksum', 'in.csv.gz', damagedGzip, /cut-off or damaged stream/],
    ['lines of different lengths', 'in.csv', 'id,at\nx,1\ny,2,3,4\nz,3\n', /Line: 3/],
    ['CSV named .jsonl', 'in.jsonl', CSV, /cannot be read as UTF-8 text with one JSON object per line/],
    ['a cut-off JSON line', 'in.jsonl', '{"id":"a","at":"x"}\n{"id":"b","a', /line 2|line 3/],
    ['a JSON array', 'in.jsonl', '[{"id":"a"},{"id":"b"}]', /one JSON object per line/],
    ['JSON scalars', 'in.jsonl', '1\n2\n', /one JSON object per line/],
    ['a repeated JSON key', 'in.jsonl', '{"id":"a","at":1,"at":2}\n', /duplicate key/],
  ])('is refused: %s', async (_, name, content, expected) => {
    const path = temporaryFile(name, content)
    const error = await refusal(path)
    expect(error.code).toBe('INVALID_INPUT_FILE')
    expect(error.place.file).toBe(path)
    expect(error.message).toContain(path)
    expect(error.message).toMatch(expected)
    expect(error.message).not.toMatch(/Possible|LINE 1|\n/)
  })

  it.each([
    ['a CSV line', 'in.csv', 'id,at\n', (n: number) => `r${n},${n}\n`, 'last\n', /Line: 30002/],
    [
      'a JSON line',
      'in.jsonl',
      '',
      (n: number) => `{"id":"r${n}","at":${n}}\n`,
      '{"id":"last","at":1,"at":2}\n',
      /line 30001/,
    ],
  ])(
    'is refused before its first row is read if its last is wrong: %s',
    async (_, name, head, line, last, expected) => {
      const body = Array.from({ length: 30_000 }, (_, n) => line(n)).join('')
      const opening = InputFile.open(temporaryFile(name, head + body + last))
      await expect(opening).rejects.toMatchObject({
        code: 'INVALID_INPUT_FILE',
        message: expect.stringMatching(expected),
      })
    },
  )

  it('is refused: a truncated Parquet file', async () => {
    const path = await temporaryParquet(PARQUET_QUERY)
    truncateSync(path, readFileSync(path).length - 10)
    expect(await refusal(path)).toMatchObject({
      code: 'INVALID_INPUT_FILE',
      message: expect.stringMatching(/cut off/),
    })
  })

  it('is refused: nothing, and a directory', async () => {
    const directory = temporaryDirectory()
    expect((await refusal(join(directory, 'none.csv'))).message).toMatch(/nothing of that name/)
    mkdirSync(join(directory, 'some.csv'))
    expect((await refusal(join(directory, 'some.csv'))).message).toMatch(/expected a file, found a directory/)
  })

  it('is refused: a name that does not say what it is', async () => {
    const error = await refusal(temporaryFile('in.json', '[]'))
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.message).toMatch(/expected \.parquet, \.csv.*--format/)
  })
})

describe('DuckDB', () => {
  it('is asked for by name when it is not installed', async () => {
    const load = () => Promise.reject(new Error('ERR_MODULE_NOT_FOUND'))
    await expect(openDuckDb({ load })).rejects.toMatchObject({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringContaining('npm install @duckdb/node-api'),
    })
  })
})
