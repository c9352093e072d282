/**
 * Goal: a row holds exactly the values of the file, as the types the engine takes.
 * Method: DuckDB makes the values; the expectations are written by hand, or computed by DuckDB or Date in another way.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type IngestPlan, type PlanOptions, planFeatures } from '../../src/cli/feature-types.ts'
import { InputFile } from '../../src/cli/input-file.ts'
import { rowsOf } from '../../src/cli/rows.ts'
import type { ColumnChunk } from '../../src/query/column-chunk.ts'
import { openDuckDb, queryRows } from '../../src/query/duckdb.ts'
import { sqlText } from '../../src/query/sql.ts'
import { type ColumnReader, type InputValue, READERS } from '../../src/query/value-readers.ts'
import { temporaryParquet } from './temporary.ts'

/** The columns that these tests use. */
interface Row {
  readonly [column: string]: InputValue
  readonly id: InputValue
  readonly at: InputValue
  readonly x: InputValue
  readonly word: InputValue
  readonly text: InputValue
  readonly number: InputValue
}

async function readRows(
  query: string,
  options: Partial<PlanOptions> = {},
): Promise<{ rows: Row[]; plan: IngestPlan }> {
  const path = await temporaryParquet(query)
  const file = await InputFile.open(path)
  try {
    const plan = planFeatures(
      file.columns,
      { recordIdColumns: ['id'], eventTimeColumn: 'at', ...options },
      path,
    )
    const rows: Row[] = []
    for await (const some of rowsOf(file.chunks(plan.features.map((feature) => feature.selectSql)), plan)) {
      rows.push(...(some as Row[]))
    }
    return { rows, plan }
  } finally {
    file.close()
  }
}

/** The values of one expression of each type, read as a feature `x` and as text by way of `textSql`. */
async function valuesOf(type: string, ...values: string[]) {
  const list = values.map((value, i) => `(${i}, CAST(${value} AS ${type}))`).join(', ')
  const query = `SELECT 'r' AS id, TIMESTAMP '2001-01-01' AS "at", x FROM (VALUES ${list}) AS t(i, x) ORDER BY i`
  const { rows, plan } = await readRows(query)
  expect(rows.every((row) => row.id === 'r' && row.at === '2001-01-01T00:00:00Z')).toBe(true)
  const textSql = plan.features.find((feature) => feature.name === 'x')!.textSql
  const duckDb = await openDuckDb()
  const texts = await queryRows<{ text: string | null }>(
    duckDb.connection,
    `SELECT ${textSql} AS text FROM (${query})`,
  )
  duckDb.close()
  return { values: rows.map((row) => row.x), texts: texts.map((row) => row.text) }
}

describe('values', () => {
  it('reads integers exactly, as numbers where that is possible', async () => {
    const { values } = await valuesOf(
      'BIGINT',
      ...['0', '-1', '2147483647', '-2147483648', '2147483648', '-2147483649', '4294967296', '-4294967297'],
      ...['9007199254740991', '9007199254740992', '-9007199254740991', '-9007199254740992'],
      ...['9223372036854775807', '-9223372036854775808', 'NULL'],
    )
    expect(values).toEqual([
      ...[0, -1, 2_147_483_647, -2_147_483_648, 2_147_483_648, -2_147_483_649, 4_294_967_296, -4_294_967_297],
      ...[9_007_199_254_740_991, 9_007_199_254_740_992n, -9_007_199_254_740_991, -9_007_199_254_740_992n],
      ...[9_223_372_036_854_775_807n, -9_223_372_036_854_775_808n, null],
    ])
  })

  it.each([
    ['TINYINT', '-128', -128],
    ['UTINYINT', '255', 255],
    ['UINTEGER', '4294967295', 4_294_967_295],
    ['UBIGINT', '7', 7],
    ['UBIGINT', '18446744073709551615', 18_446_744_073_709_551_615n],
    ['DOUBLE', '0.1', 0.1],
    ['DOUBLE', '-1e308', -1e308],
    ['FLOAT', '0.1', Math.fround(0.1)],
    ['DECIMAL(18,3)', '-12.345', -12.345],
    ['BOOLEAN', 'true', 'true'],
    ['BOOLEAN', 'false', 'false'],
    ['DATE', "'2001-02-03'", '2001-02-03'],
    ['TIME', "'01:02:03.5'", '01:02:03.5'],
    ['UUID', "'47183823-2574-4bfd-b411-99ed177d3e43'", '47183823-2574-4bfd-b411-99ed177d3e43'],
    ["ENUM('red', 'blue')", "'blue'", 'blue'],
    ['VARCHAR', "''", ''],
    ['VARCHAR', "'twelve bytes'", 'twelve bytes'],
    ['VARCHAR', "'thirteen byte'", 'thirteen byte'],
    ['VARCHAR', "'Zürich – 東京 🚂'", 'Zürich – 東京 🚂'],
    ['TIMESTAMP', "'2001-02-03 04:05:06'", '2001-02-03T04:05:06Z'],
    ['TIMESTAMP', "'2001-02-03 04:05:06.25'", '2001-02-03T04:05:06.250Z'],
    ['TIMESTAMP', "'2001-02-03 04:05:06.000001'", '2001-02-03T04:05:06.000001Z'],
    ['TIMESTAMP', "'1969-12-31 23:59:59.999999'", '1969-12-31T23:59:59.999999Z'],
    ['TIMESTAMP', "'0001-01-01 00:00:00'", '0001-01-01T00:00:00Z'],
    ['TIMESTAMP', "'9999-12-31 23:59:59.999'", '9999-12-31T23:59:59.999Z'],
    ['TIMESTAMP', "'12345-02-03 00:00:00.5'", '12345-02-03T00:00:00.500Z'],
    ['TIMESTAMP', "'0050-03-01 (BC) 00:00:00'", '-49-03-01T00:00:00Z'],
    ['TIMESTAMP', "'infinity'", 'infinity'],
    ['TIMESTAMP', "'-infinity'", '-infinity'],
    ['TIMESTAMP_NS', "'2001-02-03 04:05:06.123456789'", '2001-02-03T04:05:06.123456789Z'],
    ['TIMESTAMP_NS', "'1969-12-31 23:59:59.000000001'", '1969-12-31T23:59:59.000000001Z'],
    ['TIMESTAMP_NS', "'1969-12-31 23:59:59.000001'", '1969-12-31T23:59:59.000001Z'],
    ['TIMESTAMP_NS', "'1969-12-31 23:59:59.5'", '1969-12-31T23:59:59.500Z'],
    ['TIMESTAMP WITH TIME ZONE', "'2001-02-03 04:05:06+02'", '2001-02-03T02:05:06Z'],
  ])('reads %s %s', async (type, sql, expected) => {
    const { values, texts } = await valuesOf(type, sql, 'NULL', sql)
    expect(values).toEqual([expected, null, expected])
    // The text for checking is that of the value the offline store will hold.
    const text = typeof expected === 'number' && type !== 'BIGINT' ? texts.map((t) => Number(t)) : texts
    const wanted = typeof expected === 'bigint' ? expected.toString() : expected
    expect([text[0], texts[1], text[2]]).toEqual([wanted, null, wanted])
  })

  it('reads every timestamp as Date does, and as DuckDB writes it', async () => {
    const random = fc.sample(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), 500)
    const { values, texts } = await valuesOf('TIMESTAMP', ...random.map((ms) => `make_timestamp_ms(${ms})`))
    expect(values).toEqual(random.map((ms) => new Date(ms).toISOString().replace('.000Z', 'Z')))
    expect(texts).toEqual(values)
  })

  it('reads numbers as event time', async () => {
    const query = `SELECT 'r' AS id, x AS "at" FROM (VALUES (1772366400.25::DECIMAL(18,2)), (NULL)) AS t(x)`
    expect((await readRows(query)).rows).toEqual([
      { id: 'r', at: 1_772_366_400.25 },
      { id: 'r', at: null },
    ])
    const whole = (await readRows(`SELECT 'r' AS id, 1772366400::BIGINT AS "at"`)).rows
    expect(whole).toEqual([{ id: 'r', at: 1_772_366_400 }])
  })

  it('reads a date as event time at midnight', async () => {
    expect((await readRows(`SELECT 'r' AS id, DATE '2001-02-03' AS "at"`)).rows).toEqual([
      { id: 'r', at: '2001-02-03T00:00:00Z' },
    ])
  })
})

it('tells timestamps apart that differ only in their upper half', async () => {
  const { values } = await valuesOf('TIMESTAMP', 'make_timestamp(1000000)', 'make_timestamp(4295967296)')
  expect(values).toEqual(['1970-01-01T00:00:01Z', '1970-01-01T01:11:35.967296Z'])
})

describe('cached strings', () => {
  /** One column of strings, laid out as DuckDB does; long ones all claim to lie at the same address. */
  function chunkOf(texts: readonly string[]): ColumnChunk {
    const bytes = Buffer.alloc(texts.length * 16)
    for (const [row, text] of texts.entries()) {
      bytes.writeUInt32LE(Buffer.byteLength(text), row * 16)
      bytes.write(text.length > 12 ? text.slice(0, 4) : text, row * 16 + 4)
    }
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    return {
      rowCount: texts.length,
      column: () => ({ bytes, words, validity: undefined }),
      longText: (_data, row) => texts[row]!,
    }
  }

  function read(reader: ColumnReader, texts: readonly string[]): InputValue[] {
    const into: InputValue[] = []
    reader.read(chunkOf(texts), 0, into)
    return into
  }

  it('do not outlive the chunk whose memory they were in', () => {
    const reader = READERS.text()
    for (const text of ['a longer text 1', 'a longer text 2', 'a longer text 1']) {
      expect(read(reader, [text])).toEqual([text])
    }
  })

  it('are told apart by every one of their bytes', () => {
    const reader = READERS.text()
    for (const width of [4, 8, 12]) {
      const texts = Array.from({ length: 20_000 }, (_, i) =>
        i.toString(36).padStart(4, '_').padStart(width, '='),
      )
      expect(read(reader, texts)).toEqual(texts)
      const turned = texts.map((text) => text.slice(-4) + text.slice(0, -4))
      expect(read(reader, turned)).toEqual(turned)
    }
  })
})

describe('joined record ids', () => {
  const query = `SELECT * FROM (VALUES
    ('LAS', 7, TIMESTAMP '2001-01-01'), ('PHL', NULL, TIMESTAMP '2001-01-01')) AS t(origin, stop, "at")`

  it('joins the texts of the columns; a row that lacks one has no id', async () => {
    const { rows } = await readRows(query, { recordIdColumns: ['origin', 'stop'], idName: 'route' })
    expect(rows).toEqual([
      { origin: 'LAS', stop: 7, at: '2001-01-01T00:00:00Z', route: 'LAS-7' },
      { origin: 'PHL', stop: null, at: '2001-01-01T00:00:00Z', route: null },
    ])
  })

  it('takes another separator', async () => {
    const { rows } = await readRows(query, { recordIdColumns: ['stop', 'origin'], idSeparator: "'|'" })
    expect(rows[0]).toMatchObject({ stop_origin: "7'|'LAS" })
  })
})

describe('many rows', () => {
  it('mixes up no strings, short or long, repeated or not, over many chunks', async () => {
    const words = ['', 'a', 'twelve bytes', 'thirteen byte', 'thirteen bytf', 'ä'.repeat(6), 'ä'.repeat(7)]
    const pick = `[${words.map(sqlText).join(', ')}][1 + (hash(range) % ${words.length})::BIGINT]`
    const query = `SELECT range::VARCHAR AS id, TIMESTAMP '2001-01-01' + INTERVAL (range // 3) SECOND AS "at",
      ${pick} AS word, CASE WHEN range % 3 = 0 THEN NULL ELSE 'a longer text ' || range % 10000 END AS text,
      CASE WHEN range % 5 > 0 THEN range END AS number FROM range(50000)`
    const { rows } = await readRows(query)
    const duckDb = await openDuckDb()
    const expected = await queryRows<{ word: string }>(
      duckDb.connection,
      `SELECT ${pick} AS word FROM range(50000)`,
    )
    duckDb.close()
    const wrong = rows.filter((row, n) => {
      const isRight =
        row.id === String(n) &&
        row.at ===
          new Date(Date.UTC(2001, 0, 1) + Math.floor(n / 3) * 1000).toISOString().replace('.000', '') &&
        row.word === expected[n]!.word &&
        row.text === (n % 3 === 0 ? null : `a longer text ${n % 10_000}`) &&
        row.number === (n % 5 > 0 ? n : null)
      return !isRight
    })
    expect(rows).toHaveLength(50_000)
    expect(wrong).toEqual([])
  })

  it('gives every row the same keys in the same order', async () => {
    const { rows } = await readRows(
      `SELECT range AS id, NULL AS x, TIMESTAMP '2001-01-01' AS "at", 'v' AS "constructor" FROM range(3000)`,
    )
    for (const row of rows) expect(Object.keys(row)).toEqual(['id', 'x', 'at', 'constructor'])
  })
})
