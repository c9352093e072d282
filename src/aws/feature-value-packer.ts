/**
 * A FeatureValuePacker validates records of one feature group as the API carries them, a list of features with their
 * values as text, and packs them into the batch of their shard. Nothing is allocated per value, and records that list
 * the same features in the same order find them without a lookup.
 * Owns: the reused scratch of one record. Does not own: the batches, the words for what is wrong (record-check.ts).
 * Invariants: a record that is refused leaves no trace in any batch; what is packed comes back character for
 * character.
 */
import type { BatchBuilder } from '../codec/batch-builder.ts'
import { CollectionWriter } from '../codec/collection.ts'
import { FLAG_NO_TIME, FLAG_TOMBSTONE } from '../codec/row.ts'
import { assert, type MillraceError } from '../core/errors.ts'
import {
  EVENT_SECONDS_MAX,
  newInstant,
  parseFractionalEventTime,
  parseStringEventTime,
} from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import {
  type FeatureKind,
  type FeatureSchema,
  KIND_FRACTIONAL,
  KIND_STRING,
  type RecordSchema,
} from '../core/model.ts'
import { NumberReader, TEXT_INVALID, TEXT_OWN, type TextForm } from '../core/number-text.ts'
import { ID_OK, IdScratch } from '../engine/id-scratch.ts'
import type { Operation } from '../engine/record-packer.ts'
import type { WrittenValue } from './data-plane-shapes.ts'
import { deleteOffence, recordOffence, updateOffence } from './record-check.ts'

/** No valid event time, so that nothing is taken for the one before. */
const NO_EVENT_TIME = ''
const REFUSED = -1

export class FeatureValuePacker {
  /** Of the row last packed. */
  readonly id: IdScratch
  readonly #schema: RecordSchema
  readonly #instant = newInstant()
  readonly #number = new NumberReader()
  readonly #collection = new CollectionWriter()
  /** How many more elements the record may have. */
  #elementsLeft = 0
  #lastEventTime = NO_EVENT_TIME
  /** Features of the record before, by position: most records list the same. */
  readonly #plan: FeatureSchema[] = []
  #identifierAt = 0
  #eventTimeAt = 0
  /** By feature index, the number of the record it was last seen in. */
  readonly #seenIn: Float64Array
  #recordNumber = 0
  readonly #head

  constructor(schema: RecordSchema, shardCount: number) {
    this.#schema = schema
    this.id = new IdScratch(shardCount)
    this.#seenIn = new Float64Array(schema.features.length)
    this.#head = {
      operation: 0,
      targets: 0,
      invocationUs: 0,
      slotCount: schema.slotCount,
      flags: 0,
      ttlSeconds: 0,
    }
  }

  /**
   * Packs a put.
   * @param batches - by shard
   * @returns the shard of the record
   * @throws MillraceError INVALID_ARGUMENT naming the first offending feature, what was expected and what was found
   */
  pack(record: readonly WrittenValue[], operation: Operation, batches: readonly BatchBuilder[]): number {
    const { identifier, eventTime } = this.#schema
    this.#identifierAt = positionOf(record, identifier, this.#identifierAt)
    this.#eventTimeAt = positionOf(record, eventTime, this.#eventTimeAt)
    const isReady =
      this.#readId(record[this.#identifierAt]?.ValueAsString) &&
      this.#readEventTime(record[this.#eventTimeAt]?.ValueAsString) &&
      this.#isExpiryInRange(operation)
    if (!isReady || !this.#packFeatures(record, operation, 0, batches)) {
      throw wrong(recordOffence(this.#schema, record, operation))
    }
    return this.id.shard
  }

  /**
   * Packs an update: the features to change. Without an event time among them the row has that of 1970 and no digits, and
   * the shard takes the record's own.
   * @param operation - OPERATION_UPDATE
   */
  packUpdate(
    id: string,
    features: readonly WrittenValue[],
    operation: Operation,
    batches: readonly BatchBuilder[],
  ): number {
    const { identifier, eventTime } = this.#schema
    const own = features.find((value) => value.FeatureName === identifier.name)
    const time = features.find((value) => value.FeatureName === eventTime.name)
    if (time === undefined) this.#clearEventTime()
    const isReady =
      this.#readId(id) &&
      (own === undefined || own.ValueAsString === id) &&
      (time === undefined || (this.#readEventTime(time.ValueAsString) && this.#isExpiryInRange(operation)))
    const flags = time === undefined ? FLAG_NO_TIME : 0
    if (!isReady || !this.#packFeatures(features, operation, flags, batches)) {
      throw wrong(updateOffence(this.#schema, id, features, operation))
    }
    return this.id.shard
  }

  /**
   * Packs a delete: the id and the event time, no features.
   * @param operation - OPERATION_SOFT_DELETE or OPERATION_HARD_DELETE
   */
  packDelete(id: string, eventTime: string, operation: Operation, batches: readonly BatchBuilder[]): number {
    if (!this.#readId(id) || !this.#readEventTime(eventTime)) {
      throw wrong(deleteOffence(this.#schema, id, eventTime))
    }
    const { identifier, eventTime: time } = this.#schema
    const batch = batches[this.id.shard]!
    this.#begin(batch, operation, FLAG_TOMBSTONE)
    // The marker's columns of a numeric id and event time are made of their slots.
    if (identifier.slot >= 0) this.#setText(batch, identifier, id)
    if (time.slot >= 0) this.#setText(batch, time, eventTime)
    batch.endRow()
    return this.id.shard
  }

  #packFeatures(
    values: readonly WrittenValue[],
    operation: Operation,
    flags: number,
    batches: readonly BatchBuilder[],
  ): boolean {
    const batch = batches[this.id.shard]!
    this.#begin(batch, operation, flags)
    if (this.#fill(batch, values)) {
      batch.endRow()
      return true
    }
    batch.cancelRow()
    return false
  }

  #begin(batch: BatchBuilder, operation: Operation, flags: number): void {
    const head = this.#head
    head.operation = operation.operation
    head.targets = operation.targets
    head.invocationUs = operation.invocationUs
    head.flags = flags
    head.ttlSeconds = operation.ttlSeconds
    const { id } = this
    const { seconds, nanos, digits } = this.#instant
    batch.beginRow(head, id.source, id.bytes, id.high, id.low, seconds, nanos, digits)
  }

  #fill(batch: BatchBuilder, values: readonly WrittenValue[]): boolean {
    const plan = this.#plan
    const seenIn = this.#seenIn
    const recordNumber = ++this.#recordNumber
    this.#elementsLeft = limits.collectionElementsMax
    let bytes = 0
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      const name = value.FeatureName
      let feature = plan[i]
      if (feature === undefined || feature.name !== name) {
        feature = this.#schema.byName.get(name)
        if (feature === undefined) return false
        plan[i] = feature
      }
      if (seenIn[feature.index] === recordNumber) return false
      seenIn[feature.index] = recordNumber
      const valueBytes = this.#setValue(batch, feature, value)
      if (valueBytes === REFUSED) return false
      bytes += feature.nameBytes + valueBytes
      // Not only at the end: a record that is far too large must not grow the batch past its bound.
      if (bytes > limits.recordBytesMax) return false
    }
    return true
  }

  /** @returns the bytes of its text in UTF-8, or REFUSED */
  #setValue(batch: BatchBuilder, feature: FeatureSchema, value: WrittenValue): number {
    const text = value.ValueAsString
    const list = value.ValueAsStringList
    if (feature.collection !== undefined) {
      if (!Array.isArray(list) || (text !== undefined && text !== null)) return REFUSED
      return this.#setCollection(batch, feature, list)
    }
    if (typeof text !== 'string' || (list !== undefined && list !== null)) return REFUSED
    return this.#setText(batch, feature, text)
  }

  /** @returns the bytes of the elements that are kept, or REFUSED */
  #setCollection(batch: BatchBuilder, feature: FeatureSchema, list: readonly unknown[]): number {
    const { collection, kind, slot, dimension } = feature
    if (collection === 'Vector' && list.length !== dimension) return REFUSED
    // A Set keeps the first of equal elements, compared as text.
    const elements = collection === 'Set' ? [...new Set(list)] : list
    this.#elementsLeft -= elements.length
    if (this.#elementsLeft < 0) return REFUSED
    const writer = this.#collection
    if (kind === KIND_STRING) {
      writer.beginTexts(elements.length)
      const bytes = this.#addTexts(elements)
      if (bytes !== REFUSED) writer.place(batch, slot)
      return bytes
    }
    writer.beginWords(elements.length)
    let bytes = 0
    let isShortest = true
    for (const text of elements) {
      const form = typeof text === 'string' ? this.#readNumber(kind, text) : TEXT_INVALID
      if (form === TEXT_INVALID) return REFUSED
      if (form === TEXT_OWN) isShortest = false
      if (kind === KIND_FRACTIONAL) writer.addFractional(this.#number.number)
      else writer.addIntegerWords(this.#number.low, this.#number.high)
      bytes += (text as string).length
      if (bytes > limits.recordBytesMax) return REFUSED
    }
    if (isShortest) writer.place(batch, slot)
    else writer.placeTexts(batch, slot, kind, elements as readonly string[])
    return bytes
  }

  #addTexts(elements: readonly unknown[]): number {
    let bytes = 0
    for (const text of elements) {
      if (typeof text !== 'string' || text.length > limits.recordBytesMax) return REFUSED
      const added = this.#collection.addText(text)
      if (added < 0) return REFUSED
      bytes += added
      if (bytes > limits.recordBytesMax) return REFUSED
    }
    return bytes
  }

  #readNumber(kind: FeatureKind, text: string): TextForm {
    return kind === KIND_FRACTIONAL ? this.#number.readFractional(text) : this.#number.readIntegral(text)
  }

  #setText(batch: BatchBuilder, feature: FeatureSchema, text: string): number {
    const { slot, kind } = feature
    // The text of an id is the id, and that of a String event time follows from the instant.
    if (slot < 0) return feature === this.#schema.identifier ? this.id.bytes : text.length
    if (text.length > limits.recordBytesMax) return REFUSED
    if (kind === KIND_STRING) return batch.setText(slot, text)
    const form = this.#readNumber(kind, text)
    if (form === TEXT_INVALID) return REFUSED
    if (kind === KIND_FRACTIONAL) batch.setFractional(slot, this.#number.number)
    else batch.setIntegerWords(slot, this.#number.low, this.#number.high)
    if (form === TEXT_OWN && feature !== this.#schema.identifier) batch.setExactText(slot, text)
    return text.length
  }

  #readId(text: string | null | undefined): boolean {
    if (typeof text !== 'string' || this.id.setText(text) !== ID_OK) return false
    const { kind } = this.#schema.identifier
    return kind === KIND_STRING || this.#readNumber(kind, text) !== TEXT_INVALID
  }

  #readEventTime(text: string | null | undefined): boolean {
    // Neighbouring records often carry the same time.
    if (text === this.#lastEventTime) return text !== NO_EVENT_TIME
    this.#lastEventTime = NO_EVENT_TIME
    if (typeof text !== 'string') return false
    const { kind } = this.#schema.eventTime
    const isRead =
      kind === KIND_STRING
        ? parseStringEventTime(text, this.#instant)
        : parseFractionalEventTime(text, this.#instant)
    if (isRead) this.#lastEventTime = text
    return isRead
  }

  #clearEventTime(): void {
    this.#lastEventTime = NO_EVENT_TIME
    this.#instant.seconds = 0
    this.#instant.nanos = 0
    this.#instant.digits = 0
  }

  /** */
  #isExpiryInRange({ ttlSeconds }: Operation): boolean {
    return this.#instant.seconds + ttlSeconds <= EVENT_SECONDS_MAX
  }
}

/** Where a record has a feature, looked for first where the record before had it; -1 if nowhere. */
function positionOf(record: readonly WrittenValue[], { name }: FeatureSchema, hint: number): number {
  if (record[hint]?.FeatureName === name) return hint
  return record.findIndex((value) => value.FeatureName === name)
}

function wrong(offence: MillraceError | undefined): MillraceError {
  assert(offence !== undefined, 'what is refused has something wrong with it')
  return offence
}
