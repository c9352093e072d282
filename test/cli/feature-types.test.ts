/**
 * Goal: every column type becomes the feature type that keeps its values, or is refused with the column named.
 * Method: the plan alone; what the values become is tested with rows.ts.
 */
import { describe, expect, it } from 'vitest'
import { featureTypesOf, type PlanOptions, planFeatures } from '../../src/cli/feature-types.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { limits } from '../../src/core/limits.ts'
import type { SqlColumn } from '../../src/query/duckdb.ts'

const ID: SqlColumn = { name: 'id', type: 'VARCHAR' }
const AT: SqlColumn = { name: 'at', type: 'TIMESTAMP' }

const plan = (columns: readonly SqlColumn[], options: Partial<PlanOptions> = {}) =>
  planFeatures(columns, { recordIdColumns: ['id'], eventTimeColumn: 'at', ...options }, 'trips.csv')

function refusal(columns: readonly SqlColumn[], options: Partial<PlanOptions> = {}): MillraceError {
  try {
    plan(columns, options)
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError)
    return error as MillraceError
  }
  throw new Error('was not refused')
}

describe('types', () => {
  it.each([
    ['TINYINT', 'Integral'],
    ['SMALLINT', 'Integral'],
    ['INTEGER', 'Integral'],
    ['BIGINT', 'Integral'],
    ['UTINYINT', 'Integral'],
    ['USMALLINT', 'Integral'],
    ['UINTEGER', 'Integral'],
    ['UBIGINT', 'Integral'],
    ['HUGEINT', 'Integral'],
    ['UHUGEINT', 'Integral'],
    ['FLOAT', 'Fractional'],
    ['DOUBLE', 'Fractional'],
    ['DECIMAL(18,3)', 'Fractional'],
    ['VARCHAR', 'String'],
    ['BOOLEAN', 'String'],
    ['UUID', 'String'],
    ["ENUM('a', 'b[]')", 'String'],
    ['DATE', 'String'],
    ['TIME', 'String'],
    ['TIME WITH TIME ZONE', 'String'],
    ['INTERVAL', 'String'],
    ['TIMESTAMP', 'String'],
    ['TIMESTAMP_S', 'String'],
    ['TIMESTAMP_MS', 'String'],
    ['TIMESTAMP_NS', 'String'],
    ['TIMESTAMP WITH TIME ZONE', 'String'],
    ['JSON', 'String'],
    ['"NULL"', 'String'],
  ])('makes %s %s', (type, expected) => {
    expect(featureTypesOf(plan([ID, AT, { name: 'x', type }]))).toEqual({
      id: 'String',
      at: 'String',
      x: expected,
    })
  })

  it.each([
    ['STRUCT(a BIGINT)', 'nested'],
    ['BIGINT[]', 'nested'],
    ['VARCHAR[3]', 'nested'],
    ["ENUM('a')[]", 'nested'],
    ['MAP(VARCHAR, DOUBLE)', 'nested'],
    ['UNION(a BIGINT, b VARCHAR)', 'nested'],
    ['BLOB', 'binary'],
  ])('refuses %s, naming the column', (type, kind) => {
    const error = refusal([ID, AT, { name: 'legs', type }])
    expect(error.code).toBe('INVALID_INPUT_FILE')
    expect(error.message).toContain(`column "legs" of trips.csv is ${kind} (${type})`)
    expect(error.place).toEqual({ file: 'trips.csv', feature: 'legs' })
  })
})

describe('event time', () => {
  it.each([
    ['TIMESTAMP', 'String'],
    ['TIMESTAMP_NS', 'String'],
    ['TIMESTAMP WITH TIME ZONE', 'String'],
    ['DATE', 'String'],
    ['VARCHAR', 'String'],
    ['BIGINT', 'Fractional'],
    ['UBIGINT', 'Fractional'],
    ['DOUBLE', 'Fractional'],
    ['DECIMAL(18,3)', 'Fractional'],
  ])('may be %s and is then %s', (type, expected) => {
    expect(featureTypesOf(plan([ID, { name: 'at', type }]))).toEqual({ id: 'String', at: expected })
  })

  it.each(['BOOLEAN', 'TIME', 'INTERVAL', 'UUID'])('may not be %s', (type) => {
    const error = refusal([ID, { name: 'at', type }])
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.message).toMatch(/column "at" of trips.csv has type .*an event time is a timestamp/)
  })
})

describe('record id', () => {
  const columns = [AT, { name: 'origin', type: 'VARCHAR' }, { name: 'stop', type: 'INTEGER' }]

  it('is the feature of a single column, whatever its type', () => {
    const made = plan(columns, { recordIdColumns: ['stop'] })
    expect(made.recordIdentifier).toBe('stop')
    expect(featureTypesOf(made)).toEqual({ at: 'String', origin: 'String', stop: 'Integral' })
  })

  it('is a new String feature of several columns, beside them', () => {
    const made = plan(columns, { recordIdColumns: ['origin', 'stop'] })
    expect(made.recordIdentifier).toBe('origin_stop')
    expect(featureTypesOf(made)).toEqual({
      at: 'String',
      origin: 'String',
      stop: 'Integral',
      origin_stop: 'String',
    })
    const named = plan(columns, { recordIdColumns: ['origin', 'stop'], idName: 'route' })
    expect(named.recordIdentifier).toBe('route')
  })

  it('is refused if it cannot be', () => {
    const both = ['origin', 'stop']
    expect(refusal(columns, { recordIdColumns: [] }).message).toMatch(/at least one/)
    expect(refusal(columns, { recordIdColumns: ['stop', 'stop'] }).message).toMatch(/named twice/)
    expect(refusal(columns, { recordIdColumns: both, idName: 'origin' }).message).toMatch(
      /two columns.*--id-name/,
    )
    expect(refusal(columns, { recordIdColumns: both, idName: '_x' }).message).toMatch(/--id-name/)
    expect(refusal(columns, { recordIdColumns: ['stop'], idName: 'x' }).message).toMatch(/--rename/)
  })

  it('names the columns there are when one is missing', () => {
    const error = refusal(columns, { recordIdColumns: ['destination'] })
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.message).toContain(
      'no column "destination" in trips.csv; its columns are "at", "origin", "stop"',
    )
    expect(refusal(columns, { recordIdColumns: ['stop'], eventTimeColumn: 'AT' }).message).toContain(
      'no column "AT"',
    )
  })
})

describe('names', () => {
  it.each(['a', 'A-1', 'a__b', '2001', 'constructor', 'x'.repeat(64), 'year'])('accepts %s', (name) => {
    expect(plan([ID, AT, { name, type: 'VARCHAR' }]).features[2]!.name).toBe(name)
  })

  it.each([
    ['', 'feature'],
    ['_a', 'a'],
    ['a-', 'a'],
    ['a b', 'a_b'],
    ['größe (m²)', 'gro_e_m2'],
    ['__proto__', 'proto'],
    ['x'.repeat(65), 'x'.repeat(62)],
    ['is_deleted', 'is_deleted_2'],
    ['Write_Time', 'Write_Time_2'],
  ])('refuses %j and says how to rename it', (name, suggestion) => {
    const error = refusal([ID, AT, { name, type: 'VARCHAR' }])
    expect(error.code).toBe('INVALID_INPUT_FILE')
    expect(error.message).toContain(`--rename ${JSON.stringify(`${name}=${suggestion}`)}`)
    // What it suggests is accepted.
    const renames = new Map([[name, suggestion]])
    expect(plan([ID, AT, { name, type: 'VARCHAR' }], { renames }).features[2]!.name).toBe(suggestion)
  })

  it('names all the columns to rename at once', () => {
    const error = refusal([ID, AT, { name: 'a b', type: 'VARCHAR' }, { name: 'c (d)', type: 'VARCHAR' }])
    expect(error.message).toContain('--rename "a b=a_b" --rename "c (d)=c_d"')
  })

  it('renames id and event time too, which are chosen by their column names', () => {
    const made = plan(
      [
        { name: 'the id', type: 'BIGINT' },
        { name: 'the time', type: 'DATE' },
      ],
      {
        recordIdColumns: ['the id'],
        eventTimeColumn: 'the time',
        renames: new Map([
          ['the id', 'id'],
          ['the time', 'at'],
        ]),
      },
    )
    expect([made.recordIdentifier, made.eventTime]).toEqual(['id', 'at'])
  })

  it('refuses a rename of no column, to an illegal name, or to a name that is taken', () => {
    expect(refusal([ID, AT], { renames: new Map([['x', 'y']]) }).message).toContain('no column "x"')
    expect(refusal([ID, AT], { renames: new Map([['id', 'a b']]) }).message).toContain(
      'under the names "a b"',
    )
    expect(refusal([ID, AT], { renames: new Map([['id', 'at']]) }).message).toContain('feature "at"')
  })

  it('accepts as many features as a feature group may have, and not one more', () => {
    const wide = (count: number) => [
      ID,
      AT,
      ...Array.from({ length: count - 2 }, (_, i) => ({ name: `f${i}`, type: 'DOUBLE' })),
    ]
    expect(plan(wide(limits.featuresMax)).features).toHaveLength(limits.featuresMax)
    expect(refusal(wide(limits.featuresMax + 1)).message).toContain(`at most ${limits.featuresMax}`)
  })
})
