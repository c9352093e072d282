/**
 * Goal: each base row gets the record as of its event time, in its place, whatever is equal, late, deleted or missing.
 * Method: files made by hand, joined and compared with an oracle of plain arrays.
 */
import { tableFromArrays } from 'apache-arrow'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FeatureGroupModel } from '../../src/core/model.ts'
import { joinPointInTime } from '../../src/query/point-in-time-join.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'
import { histories, IDS, SECONDS, TIMES } from './arbitraries.ts'
import {
  all,
  FileWriter,
  featuresOf,
  instantOf,
  latestOf,
  modelOf,
  type OracleRow,
  oracleRows,
} from './offline-files.ts'

const FEATURES = {
  id: 'String',
  at: 'String',
  fare: 'Fractional',
  riders: 'Integral',
  hour: 'String',
} as const

let writer: FileWriter
beforeAll(async () => {
  writer = await FileWriter.open()
})
afterAll(() => writer.close())

const exact = (value: unknown): unknown =>
  typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value

/** The latest snapshot as of the base row's event time, of its id. */
function recordAsOf(
  group: FeatureGroupModel,
  rows: readonly OracleRow[],
  base: { key: string; when: string | number },
): Record<string, unknown> | undefined {
  const known = rows.filter(({ id, instant }) => id === base.key && instant <= instantOf(base.when))
  const [latest] = latestOf(known)
  if (latest === undefined) return undefined
  return Object.fromEntries(
    Object.entries(featuresOf(group, latest)).map(([name, value]) => [name, exact(value)]),
  )
}

async function check(group: FeatureGroupModel, times: readonly (string | number)[]): Promise<void> {
  const baseRow = fc.record({
    key: fc.constantFrom(...IDS, 'nobody'),
    when: fc.constantFrom(...times),
    label: fc.nat(),
  })
  await fc.assert(
    fc.asyncProperty(
      histories({ times }),
      fc.array(baseRow, { maxLength: 12 }),
      fc.option(fc.integer({ min: 2, max: 9 }), { nil: undefined }),
      async (contents, base, asOfWrite) => {
        const source = await writer.write(group, temporaryDirectory(), contents)
        const options = { recordIdentifier: 'key', eventTime: 'when' }
        const joined = await all(
          joinPointInTime(
            source,
            base,
            asOfWrite === undefined ? options : { ...options, asOfWriteTime: new Date(asOfWrite) },
          ),
        )
        const rows = oracleRows(contents).filter(({ write }) => asOfWrite === undefined || write <= asOfWrite)
        expect(joined).toEqual(base.map((row) => ({ row, features: recordAsOf(group, rows, row) })))
        // The caller's own objects, not copies of them.
        expect(joined.every(({ row }, i) => row === base[i])).toBe(true)
      },
    ),
    { numRuns: 30 },
  )
}

describe('a point-in-time join of generated files', () => {
  it('takes the greatest event time that is not later, for String event times (R-115, R-475, R-477, R-478, R-533)', () =>
    check(modelOf(FEATURES), TIMES))

  it('takes the greatest event time that is not later, for Fractional event times (R-475, R-477, R-478)', () =>
    check(modelOf({ ...FEATURES, at: 'Fractional' }), SECONDS))
})

describe('many base rows', () => {
  it('keep their order and their duplicates, over many chunks (R-478)', async () => {
    const group = modelOf({ id: 'String', at: 'Fractional', n: 'Integral' })
    const rows = Array.from({ length: 500 }, (_, n) => ({
      id: `r${n % 50}`,
      at: n,
      api: 0,
      deleted: false,
      values: { n: BigInt(n) },
    }))
    const source = await writer.write(group, temporaryDirectory(), [{ write: 1, rows }])
    const base = Array.from({ length: 20_000 }, (_, i) => ({ id: `r${(i * 7) % 60}`, at: (i * 13) % 600 }))
    const found = (await all(joinPointInTime(source, base, { columns: ['n'] }))).map(
      ({ features }) => features?.['n'],
    )
    const expected = base.map(({ id, at }) => {
      const first = Number(id.slice(1))
      const last = first + Math.floor((Math.min(at, 499) - first) / 50) * 50
      return first < 50 && last >= first ? last : undefined
    })
    expect(found).toEqual(expected)
  })
})

describe('base rows', () => {
  const group = modelOf({ id: 'Integral', at: 'String', n: 'Integral' })
  const at = '2026-03-01T12:00:00Z'
  const source = () =>
    writer.write(group, temporaryDirectory(), [
      { write: 1, rows: [{ id: '7', at, api: 0, deleted: false, values: { n: 1n } }] },
    ])
  const numbers = async (rows: Iterable<object> | AsyncIterable<object>): Promise<unknown[]> =>
    (await all(joinPointInTime(await source(), rows, {}))).map(({ features }) => features?.['n'])

  it('may come one by one, later, with ids of any form and event times as dates', async () => {
    async function* rows() {
      yield { id: 7, at: new Date(at) }
      yield { id: '7', at: '2026-03-01T11:59:59.999999999Z' }
      yield { id: 7n, at: '2026-03-01T12:00:00.000000000Z' }
    }
    expect(await numbers(rows())).toEqual([1, undefined, 1])
    expect(await numbers([])).toEqual([])
  })

  it('may be an Arrow table', async () => {
    const table = tableFromArrays({
      id: BigInt64Array.from([7n, 8n, 7n]),
      at: [at, at, '2026-01-01T00:00:00Z'],
    })
    expect(await numbers(table)).toEqual([1, undefined, undefined])
  })

  it('are refused by number, before any file is read, if their id or event time is not one', async () => {
    const join = (row: object) =>
      all(
        joinPointInTime(
          { group, files: () => expect.fail('no file is read'), flush: async () => undefined },
          [{ id: 7, at }, row],
          {},
        ),
      )
    await expect(join({ id: 7.5, at })).rejects.toThrow(
      'row 1, "id": expected a whole number of 64 bits, found 7.5',
    )
    await expect(join({ id: 2n ** 63n, at })).rejects.toThrow(
      'row 1, "id": expected a whole number of 64 bits',
    )
    await expect(join({ id: '', at })).rejects.toThrow(
      'row 1, "id": expected a whole number of 64 bits, found ""',
    )
    await expect(join({ id: 7, at: 5 })).rejects.toThrow('row 1, "at": expected YYYY-MM-DDThh:mm:ss')
    await expect(join({ id: 7 })).rejects.toThrow('or a Date, found undefined')
    const fractional = modelOf({ id: 'String', at: 'Fractional' })
    const none = { group: fractional, files: () => [], flush: async () => undefined }
    await expect(all(joinPointInTime(none, [{ id: 'a', at: Number.NaN }], {}))).rejects.toThrow(
      'row 0, "at": expected Unix seconds from -62167219200 to 253402300799.999999999 or a Date, found NaN',
    )
    expect(() => joinPointInTime(none, 5 as unknown as [], {})).toThrow('rows: expected an iterable')
  })
})
