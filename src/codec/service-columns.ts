/** The three columns that the store adds to every offline row. */
import { Bool, type Data, type DataType, Field, makeData, TimestampMicrosecond } from 'apache-arrow'
import { type Column, type RowSlice, Validity } from './column.ts'
import { OPERATION_PUT, ROW_ID_BYTES, ROW_INVOCATION_US, ROW_OPERATION } from './row.ts'
import type { ScratchLease } from './scratch-memory.ts'

export const SERVICE_COLUMNS = ['write_time', 'api_invocation_time', 'is_deleted'] as const

export class WriteTimeColumn implements Column {
  readonly field = new Field(SERVICE_COLUMNS[0], new TimestampMicrosecond('UTC'), false)
  readonly isRepetitive = false
  readonly #rowCount: number
  readonly #us: number
  readonly #memory: ScratchLease

  constructor(rowCount: number, memory: ScratchLease, us: number) {
    this.#memory = memory
    this.#rowCount = rowCount
    this.#us = us
  }

  append(): void {
    // One value for all rows of a file.
  }

  finish(): Data<DataType> {
    const data = new BigInt64Array(this.#memory.take(this.#rowCount * 8), 0, this.#rowCount)
    data.fill(BigInt(this.#us))
    return makeData({ type: new TimestampMicrosecond('UTC'), length: this.#rowCount, nullCount: 0, data })
  }
}

export class InvocationColumn implements Column {
  readonly field = new Field(SERVICE_COLUMNS[1], new TimestampMicrosecond('UTC'), false)
  readonly isRepetitive = false
  readonly #words: Uint32Array<ArrayBuffer>

  constructor(rowCount: number, memory: ScratchLease) {
    this.#words = new Uint32Array(memory.take(rowCount * 8), 0, rowCount * 2)
  }

  append(slice: RowSlice, at: number): void {
    for (let i = 0; i < slice.count; i++) {
      const us = slice.views[i]!.f64[(slice.rows[i]! + ROW_INVOCATION_US) >>> 3]!
      this.#words[(at + i) * 2] = us >>> 0
      this.#words[(at + i) * 2 + 1] = Math.floor(us / 0x1_0000_0000) >>> 0
    }
  }

  finish(): Data<DataType> {
    const data = new BigInt64Array(this.#words.buffer, 0, this.#words.length / 2)
    return makeData({ type: new TimestampMicrosecond('UTC'), length: data.length, nullCount: 0, data })
  }
}

export class DeletedColumn implements Column {
  readonly field = new Field(SERVICE_COLUMNS[2], new Bool(), false)
  readonly isRepetitive = false
  readonly #bits: Validity
  readonly #rowCount: number

  constructor(rowCount: number, memory: ScratchLease) {
    this.#rowCount = rowCount
    this.#bits = new Validity(rowCount, memory)
  }

  append(slice: RowSlice, at: number): void {
    for (let i = 0; i < slice.count; i++) {
      const word = slice.views[i]!.u32[(slice.rows[i]! + ROW_ID_BYTES) >>> 2]!
      if (((word >>> ((ROW_OPERATION - ROW_ID_BYTES) * 8)) & 0xff) !== OPERATION_PUT)
        this.#bits.setValid(at + i)
    }
  }

  finish(): Data<DataType> {
    return makeData({ type: new Bool(), length: this.#rowCount, nullCount: 0, data: this.#bits.bits })
  }
}
