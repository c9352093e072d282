/**
 * Rows of JavaScript values from the chunks of a result: the record's features under their names, those without a
 * value left out, 64-bit integers as numbers where that is exact, lists as arrays.
 */
import type { DuckDBDataChunk, DuckDBValue } from '@duckdb/node-api'
import { assert } from '../core/errors.ts'
import { DuckDbColumnChunk } from './column-chunk.ts'
import type { ColumnValue } from './column-value.ts'
import type { DuckDb } from './duckdb.ts'
import { type InputValue, READERS, type Reading } from './value-readers.ts'

export type Columns = readonly (readonly ColumnValue[])[]

const READINGS: Readonly<Record<string, Reading>> = { BIGINT: 'integer', DOUBLE: 'double', VARCHAR: 'text' }
/** A list, or an array of fixed length. */
const LIST_TYPE = /\[\d*\]$/

type Read = (chunk: DuckDBDataChunk, rows: DuckDbColumnChunk) => readonly ColumnValue[]

/** Reads the columns of the chunks of one result. What it returns is overwritten by the next chunk. */
export function columnsReader(duckDb: DuckDb, types: readonly string[]): (chunk: DuckDBDataChunk) => Columns {
  const reads = types.map((type, column): Read => {
    if (LIST_TYPE.test(type)) return (chunk) => chunk.getColumnValues(column).map(listOf)
    const reading = READINGS[type]
    assert(reading !== undefined, `a result has columns of known types, not ${type}`)
    const reader = READERS[reading]()
    const values: InputValue[] = []
    return (_, rows) => {
      reader.read(rows, column, values)
      return values
    }
  })
  return (chunk) => {
    const rows = new DuckDbColumnChunk(chunk, duckDb.bindings)
    return reads.map((read) => read(chunk, rows))
  }
}

function listOf(value: DuckDBValue): ColumnValue {
  if (value === null) return null
  assert(typeof value === 'object' && 'items' in value, 'a list has items')
  return value.items.map((item) => {
    if (typeof item !== 'bigint') return item as InputValue
    const number = Number(item)
    return Number.isSafeInteger(number) ? number : item
  })
}

/** The record of a row, from the columns of its features. */
export function recordAt(
  names: readonly string[],
  columns: Columns,
  row: number,
): Record<string, ColumnValue> {
  const record: Record<string, ColumnValue> = {}
  for (let column = 0; column < names.length; column++) {
    const value = columns[column]![row]!
    if (value !== null) record[names[column]!] = value
  }
  return record
}
