/** Histories with much that is equal: few ids, few instants in many spellings, few milliseconds. */
import fc from 'fast-check'
import type { FileContent, FileRow } from './offline-files.ts'

export const IDS = ["o'hara", 'ü "x" $1', '01', '1']

export const TIMES = [
  '0000-01-01T00:00:00Z',
  '0000-01-01T00:00:00.000000001Z',
  '1969-12-31T23:59:59.999999999Z',
  '2026-03-01T12:00:00Z',
  '2026-03-01T12:00:00.000Z',
  '2026-03-01T12:00:00.5Z',
  '2026-03-01T12:00:00.500000000Z',
  '2026-03-01T12:00:00.500000001Z',
  '2026-03-01T12:00:00.50000001Z',
  '2026-03-01T13:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
]

export const SECONDS = [
  -62_167_219_200, -0.25, 0, 0.1, 1_772_366_400, 1_772_366_400.000_000_2, 253_402_300_799,
]

export interface HistoryShape {
  readonly times: readonly (string | number)[]
}

const fileRow = ({ times }: HistoryShape): fc.Arbitrary<FileRow> =>
  fc.record({
    id: fc.constantFrom(...IDS),
    at: fc.constantFrom(...times),
    api: fc.integer({ min: 0, max: 3 }),
    deleted: fc.boolean(),
    values: fc.record({
      fare: fc.option(fc.constantFrom(0.1, -0, 1e300, 5e-324), { nil: null }),
      riders: fc.option(fc.constantFrom(1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n), { nil: null }),
      hour: fc.option(fc.constantFrom('', "it's", '𝄞'), { nil: null }),
    }),
  })

/** Files in the order in which they were written; their write times may be equal, and they may lack features. */
export const histories = (shape: HistoryShape): fc.Arbitrary<FileContent[]> =>
  fc
    .array(
      fc.record({
        later: fc.integer({ min: 0, max: 2 }),
        rows: fc.array(fileRow(shape), { minLength: 1, maxLength: 8 }),
        lacks: fc.constantFrom([], ['fare'], ['hour', 'riders']),
      }),
      { maxLength: 4 },
    )
    .map((files) => {
      let write = 3
      return files.map(({ later, rows, lacks }) => {
        write += later
        return { write, rows, lacks }
      })
    })
