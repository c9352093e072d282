/**
 * Rows for `featureGroup.ingest`, made from the chunks of a file. All rows of a file have the same shape: every feature,
 * in the order of the plan, null where there is no value.
 */
import type { ColumnChunk } from '../query/column-chunk.ts'
import { type ColumnReader, type InputValue, READERS } from '../query/value-readers.ts'
import type { IngestPlan } from './feature-types.ts'

export type InputRow = Record<string, InputValue>

interface Column {
  readonly name: string
  readonly reader: ColumnReader
  /** Refilled for every chunk. */
  readonly values: InputValue[]
}

/** @param chunks - of the `selectSql` expressions of the plan's features, in their order */
export async function* rowsOf(
  chunks: AsyncIterable<ColumnChunk>,
  plan: IngestPlan,
): AsyncGenerator<InputRow[]> {
  const columns = plan.features.map(
    (feature): Column => ({ name: feature.name, reader: READERS[feature.reading](), values: [] }),
  )
  const template = Object.fromEntries(columns.map(({ name }): [string, InputValue] => [name, null]))
  for await (const chunk of chunks) yield rowsOfChunk(chunk, columns, template)
}

function rowsOfChunk(chunk: ColumnChunk, columns: readonly Column[], template: InputRow): InputRow[] {
  for (const [index, { reader, values }] of columns.entries()) reader.read(chunk, index, values)
  const rows = new Array<InputRow>(chunk.rowCount)
  for (let row = 0; row < chunk.rowCount; row++) {
    // A copy of the template has its shape at once; adding the features one by one would walk through all shapes.
    const made = { ...template }
    for (const { name, values } of columns) made[name] = values[row]!
    rows[row] = made
  }
  return rows
}
