/**
 * A chunk of a DuckDB result, column by column, as DuckDB lays it out: no value becomes a JavaScript value before
 * somebody asks for it. A chunk, and everything read from it, is valid while the chunk is referenced.
 */
import type { DuckDBDataChunk } from '@duckdb/node-api'
import type { DuckDb } from './duckdb.ts'

/** Bytes of one value: 64-bit integers, doubles and timestamps take 8, strings 16. */
export type ValueBytes = 8 | 16

export interface ColumnData {
  /** The values; those of rows without a value are undefined. */
  readonly bytes: Buffer
  readonly words: Uint32Array
  /** Bit i, least significant first, tells whether row i has a value; undefined if all have. */
  readonly validity: Uint32Array | undefined
}

export interface ColumnChunk {
  readonly rowCount: number
  column(index: number, valueBytes: ValueBytes): ColumnData
  /** The text of a string too long to lie in the column itself. */
  longText(data: ColumnData, row: number, byteLength: number): string
}

export class DuckDbColumnChunk implements ColumnChunk {
  readonly rowCount: number
  readonly #chunk: DuckDBDataChunk
  readonly #bindings: DuckDb['bindings']

  constructor(chunk: DuckDBDataChunk, bindings: DuckDb['bindings']) {
    this.#chunk = chunk
    this.#bindings = bindings
    this.rowCount = chunk.rowCount
  }

  column(index: number, valueBytes: ValueBytes): ColumnData {
    const vector = this.#bindings.data_chunk_get_vector(this.#chunk.chunk, index)
    const data = this.#bindings.vector_get_data(vector, this.rowCount * valueBytes)
    const validityBytes = Math.ceil(this.rowCount / 64) * 8
    // The type says always, but there is no bitmap where every row has a value.
    const validity: Uint8Array | undefined = this.#bindings.vector_get_validity(vector, validityBytes)
    return {
      bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      words: wordsOf(data),
      validity: validity ? wordsOf(validity) : undefined,
    }
  }

  longText(data: ColumnData, row: number, byteLength: number): string {
    const pointer = data.bytes.byteOffset + row * 16 + 8
    const text = this.#bindings.get_data_from_pointer(data.bytes.buffer as ArrayBuffer, pointer, byteLength)
    return Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8')
  }
}

const wordsOf = (bytes: Uint8Array): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2)
