/**
 * Arrow tables and record batches as input of an ingestion: columns are read where they lie, strings go from the
 * column's bytes into the packed row without becoming JavaScript strings.
 */
import { type Data, DataType, type RecordBatch, type Table } from 'apache-arrow'
import type { BatchBuilder } from '../codec/batch-builder.ts'
import { invalid, type MillraceError } from '../core/errors.ts'
import { EVENT_TIME_TEXT_BYTES_MAX, eventTimeTextBytes } from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import { type FeatureSchema, KIND_INTEGRAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import { nullTest, type SlotWriter, slotWriter } from './arrow-columns.ts'
import { type EventTimeReader, eventTimeReader } from './arrow-event-time.ts'
import { textRanges, wrongType } from './arrow-text.ts'
import { CollectionPacker } from './collection-packer.ts'
import { ID_EMPTY, ID_OK, IdScratch } from './id-scratch.ts'
import type { Ingestion } from './ingest.ts'
import type { Operation } from './record-packer.ts'
import { checkExpiry, tooLarge } from './value-checks.ts'

export type ArrowInput = Table | RecordBatch

export const isArrowTable = (input: unknown): input is Table =>
  typeof input === 'object' && input !== null && 'batches' in input && 'schema' in input

export const isArrowBatch = (input: unknown): input is RecordBatch =>
  typeof input === 'object' &&
  input !== null &&
  'numRows' in input &&
  'schema' in input &&
  'data' in input &&
  !('batches' in input)

export async function feedArrow(
  input: ArrowInput,
  ingestion: Ingestion,
  schema: RecordSchema,
): Promise<void> {
  const batches = isArrowTable(input) ? input.batches : [input]
  for (const batch of batches) {
    const reader = new ArrowRowReader(batch, schema, ingestion.shardCount)
    for (let row = 0; row < batch.numRows; row++) {
      reader.row = row
      const full = ingestion.add(reader.pack)
      if (full < 0) continue
      await ingestion.send(full)
      if (ingestion.isAborted) return
    }
  }
}

interface ColumnWriter {
  readonly feature: FeatureSchema
  readonly isNull: ((row: number) => boolean) | undefined
  readonly slot: SlotWriter
}

class ArrowRowReader {
  row = 0
  readonly #schema: RecordSchema
  readonly #id: IdScratch
  readonly #idText: (row: number) => number
  readonly #eventTime: EventTimeReader
  readonly #collections: CollectionPacker
  readonly #columns: ColumnWriter[] = []
  /** Of identifier and event time where they have no slot. */
  readonly #keyNameBytes: number
  readonly #head

  constructor(batch: RecordBatch, schema: RecordSchema, shardCount: number) {
    this.#schema = schema
    this.#collections = new CollectionPacker(schema)
    this.#id = new IdScratch(shardCount)
    const keys = new Set([schema.identifier, schema.eventTime].filter(({ slot }) => slot < 0))
    this.#keyNameBytes = [...keys].reduce((bytes, { nameBytes }) => bytes + nameBytes, 0)
    this.#head = {
      operation: 0,
      targets: 0,
      invocationUs: 0,
      slotCount: schema.slotCount,
      flags: 0,
      ttlSeconds: 0,
    }
    const columns = new Map<string, Data>()
    batch.schema.fields.forEach((field, i) => {
      const feature = schema.byName.get(field.name)
      if (feature === undefined) {
        throw invalid(
          `feature group "${schema.group.name}" has no feature "${field.name}", which is a column of the Arrow input`,
          {
            featureGroup: schema.group.name,
            feature: field.name,
          },
        )
      }
      const data = batch.data.children[i]!
      columns.set(field.name, data)
      if (feature.slot >= 0) {
        this.#columns.push({
          feature,
          isNull: nullTest(data),
          slot: slotWriter(schema, feature, data, this.#collections),
        })
      }
    })
    this.#idText = idReader(schema, columnOf(schema, columns, schema.identifier), this.#id)
    this.#eventTime = eventTimeReader(schema, columnOf(schema, columns, schema.eventTime))
  }

  /** Packs the current row; see `PackRow`. */
  readonly pack = (
    operation: Operation,
    batches: readonly BatchBuilder[],
    isWanted: ((shard: number) => boolean) | undefined,
  ): number => {
    const { row } = this
    const outcome = this.#idText(row)
    if (outcome !== ID_OK) throw this.#badId(outcome)
    const instant = this.#eventTime(row)
    const { shard } = this.#id
    if (isWanted !== undefined && !isWanted(shard)) return shard
    const head = this.#head
    head.operation = operation.operation
    head.targets = operation.targets
    head.invocationUs = operation.invocationUs
    head.ttlSeconds = operation.ttlSeconds
    if (operation.ttlSeconds > 0) checkExpiry(this.#schema, instant.seconds, operation.ttlSeconds)
    const batch = batches[shard]!
    const id = this.#id
    batch.beginRow(head, id.source, id.bytes, id.high, id.low, instant.seconds, instant.nanos, instant.digits)
    try {
      let bytes = id.bytes + this.#keyNameBytes + EVENT_TIME_TEXT_BYTES_MAX
      let isChecked = false
      this.#collections.elements = 0
      for (const { feature, isNull, slot } of this.#columns) {
        if (isNull?.(row)) continue
        bytes += feature.nameBytes + slot.write(batch, row)
        if (bytes > limits.recordBytesMax && !isChecked) {
          this.#checkExactSize(row, instant.digits)
          isChecked = true
        }
      }
    } catch (thrown) {
      batch.cancelRow()
      throw thrown
    }
    batch.endRow()
    return shard
  }

  #badId(outcome: number): MillraceError {
    const text = outcome === ID_EMPTY ? 'found none or an empty one' : 'found a longer one'
    return invalid(
      `feature group "${this.#schema.group.name}", feature "${this.#schema.identifier.name}": expected a record identifier of 1 to ${limits.recordIdBytesMax} bytes, ${text}`,
      { featureGroup: this.#schema.group.name, feature: this.#schema.identifier.name },
    )
  }

  /** names and values in UTF-8, numbers as their text. */
  #checkExactSize(row: number, eventTimeDigits: number): void {
    let bytes = this.#keyNameBytes
    const { identifier, eventTime } = this.#schema
    if (identifier.slot < 0) bytes += this.#id.bytes
    if (eventTime.slot < 0 && eventTime !== identifier) bytes += eventTimeTextBytes(eventTimeDigits)
    for (const { feature, isNull, slot } of this.#columns) {
      if (!isNull?.(row)) bytes += feature.nameBytes + slot.textBytes(row)
    }
    if (bytes > limits.recordBytesMax) throw tooLarge(this.#schema, bytes)
  }
}

function columnOf(schema: RecordSchema, columns: ReadonlyMap<string, Data>, feature: FeatureSchema): Data {
  const data = columns.get(feature.name)
  if (data !== undefined) return data
  throw invalid(
    `the Arrow input has no column "${feature.name}", which feature group "${schema.group.name}" requires`,
    {
      featureGroup: schema.group.name,
      feature: feature.name,
    },
  )
}

function idReader(schema: RecordSchema, data: Data, id: IdScratch): (row: number) => number {
  const feature = schema.identifier
  const isNull = nullTest(data)
  if (feature.kind === KIND_STRING) {
    const text = textRanges(schema, feature, data)
    return (row) => (isNull?.(row) ? ID_EMPTY : id.setUtf8(text.bytes, text.startOf(row), text.endOf(row)))
  }
  if (feature.kind === KIND_INTEGRAL ? !DataType.isInt(data.type) : !DataType.isFloat(data.type)) {
    throw wrongType(schema, feature, data, feature.kind === KIND_INTEGRAL ? 'integers' : 'floats')
  }
  const values = data.values as Int32Array | BigInt64Array | Float64Array
  return (row) => (isNull?.(row) ? ID_EMPTY : id.setText(String(values[row])))
}
