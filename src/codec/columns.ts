/**
 * Rows of one feature group and hour as Arrow columns, filled straight into typed arrays (the library's builders
 * are ten to twenty times slower), and as one Arrow IPC stream.
 * Column order: features as defined, then write_time, api_invocation_time, is_deleted (R-452, R-453, section g.4).
 *
 * Rows come in slices, so that a shard can look at its messages in between. Within a slice each column is filled
 * on its own: a slice of rows stays in the processor's cache while the columns walk over it.
 */
import { makeData, RecordBatch, RecordBatchStreamWriter, Schema, Struct } from 'apache-arrow'
import { assert } from '../core/errors.ts'
import type { RecordSchema } from '../core/model.ts'
import type { Column, RowSlice } from './column.ts'
import { featureColumn } from './feature-columns.ts'
import { valueStart } from './row.ts'
import { ScratchLease, ScratchMemory } from './scratch-memory.ts'
import { DeletedColumn, InvocationColumn, WriteTimeColumn } from './service-columns.ts'

export interface ColumnPart {
  /** A complete Arrow IPC stream with one record batch. */
  readonly ipc: Uint8Array<ArrayBuffer>
  readonly rows: number
  /** String columns whose values repeat, worth dictionary encoding. */
  readonly dictionaryColumns: string[]
}

export class ColumnBuilder {
  readonly #rowCount: number
  readonly #columns: Column[]
  readonly #lease: ScratchLease
  #rows = 0
  /** Byte offsets of the values of the current slice. */
  #values = new Uint32Array(0)

  /**
   * @param rowCount - number of rows that will be appended in all
   * @param memory - where the columns are built; given back by `finish`
   */
  constructor(
    schema: RecordSchema,
    rowCount: number,
    writeTimeUs: number,
    memory: ScratchMemory = new ScratchMemory(),
  ) {
    this.#rowCount = rowCount
    const lease = new ScratchLease(memory)
    this.#lease = lease
    this.#columns = schema.features.map((feature) => featureColumn(schema, feature, rowCount, lease))
    this.#columns.push(
      new WriteTimeColumn(rowCount, lease, writeTimeUs),
      new InvocationColumn(rowCount, lease),
      new DeletedColumn(rowCount, lease),
    )
  }

  append(slice: RowSlice): void {
    if (this.#values.length < slice.count) this.#values = new Uint32Array(slice.count)
    const values = this.#values
    for (let i = 0; i < slice.count; i++) values[i] = valueStart(slice.views[i]!, slice.rows[i]!)
    for (const column of this.#columns) column.append(slice, this.#rows, values)
    this.#rows += slice.count
  }

  finish(): ColumnPart {
    assert(this.#rows === this.#rowCount, 'as many rows as announced')
    const fields = this.#columns.map((column) => column.field)
    const struct = makeData({
      type: new Struct(fields),
      length: this.#rowCount,
      nullCount: 0,
      children: this.#columns.map((column) => column.finish()),
    })
    const batch = new RecordBatch(new Schema(fields), struct)
    const ipc = RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true) as Uint8Array<ArrayBuffer>
    const dictionaryColumns = this.#columns.filter((column) => column.isRepetitive).map((c) => c.field.name)
    // The stream is a copy; what it was made from can be used again.
    this.#lease.end()
    return { ipc, rows: this.#rowCount, dictionaryColumns }
  }
}
