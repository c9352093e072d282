/** Packs records of the API as the data plane does, without a store, and decodes them again. */
import { expect } from 'vitest'
import { FeatureValuePacker } from '../../src/aws/feature-value-packer.ts'
import { featureValuesOf } from '../../src/aws/feature-values.ts'
import { BATCH_HEADER_BYTES } from '../../src/codec/batch.ts'
import { BatchBuilder } from '../../src/codec/batch-builder.ts'
import {
  OPERATION_PUT,
  OPERATION_SOFT_DELETE,
  OPERATION_UPDATE,
  ROW_BYTES,
  ROW_ID,
  rowIdBytes,
  valueStart,
  viewRows,
} from '../../src/codec/row.ts'
import type { Version } from '../../src/codec/version.ts'
import type { FeatureDeclaration } from '../../src/core/definition.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { compileSchema, featureModelOf, type RecordSchema } from '../../src/core/model.ts'
import { type ApiValue, apiRecord, type Texts } from '../fixtures/api.ts'
import { GROUP } from '../fixtures/packed-rows.ts'

export function schemaOf(
  features: Record<string, FeatureDeclaration>,
  keys: { recordIdentifier?: string; eventTime?: string } = {},
): RecordSchema {
  const { recordIdentifier = 'id', eventTime = 'at' } = keys
  const list = Object.entries(features).map(([name, declaration]) => featureModelOf(name, declaration))
  return compileSchema({ ...GROUP, recordIdentifier, eventTime, features: list })
}

const ORIGIN = { featureGroup: 1, sourceLow: 0, sourceHigh: 0, sourceFrom: 0, sourceUpTo: 0 }
const operation = (kind: number, ttlSeconds: number) => ({
  operation: kind,
  targets: 3,
  invocationUs: 1,
  ttlSeconds,
})

export interface PackedRow {
  readonly id: string
  readonly version: Version
}

export class Packing {
  readonly schema: RecordSchema
  readonly packer: FeatureValuePacker
  readonly batch = new BatchBuilder()

  constructor(schema: RecordSchema) {
    this.schema = schema
    this.packer = new FeatureValuePacker(schema, 1)
  }

  put(record: Texts | readonly ApiValue[], ttlSeconds = 0): void {
    const values = Array.isArray(record) ? (record as ApiValue[]) : apiRecord(record as Texts)
    this.packer.pack(values, operation(OPERATION_PUT, ttlSeconds), [this.batch])
  }

  update(id: string, features: Texts, ttlSeconds = 0): void {
    this.packer.packUpdate(id, apiRecord(features), operation(OPERATION_UPDATE, ttlSeconds), [this.batch])
  }

  delete(id: string, eventTime: string): void {
    this.packer.packDelete(id, eventTime, operation(OPERATION_SOFT_DELETE, 0), [this.batch])
  }

  /** What `pack` is refused with; nothing of it may be left in the batch. */
  refusalOf(pack: () => void): MillraceError {
    const { bytes, recordCount } = this.batch
    try {
      pack()
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(MillraceError)
      expect((thrown as MillraceError).code, (thrown as MillraceError).message).toBe('INVALID_ARGUMENT')
      expect({ bytes: this.batch.bytes, recordCount: this.batch.recordCount }).toEqual({ bytes, recordCount })
      return thrown as MillraceError
    }
    throw new Error('the record was accepted')
  }

  /** The rows of the batch, which is empty afterwards. */
  finish(): PackedRow[] {
    const { buffer, bytes, recordCount } = this.batch.finish(ORIGIN)
    const view = viewRows(buffer, 0, bytes)
    let row = BATCH_HEADER_BYTES
    return Array.from({ length: recordCount }, () => {
      const id = view.u8.toString('utf8', row + ROW_ID, row + ROW_ID + rowIdBytes(view, row))
      const end = row + view.u32[(row + ROW_BYTES) >>> 2]!
      const version = { bytes: view.u8, start: valueStart(view, row), end }
      row = end
      return { id, version }
    })
  }

  /** The records of the batch, decoded. */
  decode(): ApiValue[][] {
    return this.finish().map(({ id, version }) =>
      featureValuesOf(this.schema, this.schema.features, id, version),
    )
  }
}
