/**
 * A RecordPacker validates record objects of one feature group and packs them into the batch of their shard, in
 * one pass. This is the calling thread's share of the bulk path: nothing is allocated per value, and records of
 * the same shape find their features without a lookup.
 * Owns: the reused scratch of one record. Does not own: the batches.
 * Invariant: a record that is refused leaves no trace in any batch.
 */
import type { BatchBuilder } from '../codec/batch-builder.ts'
import { FLAG_NO_TIME, FLAG_TOMBSTONE } from '../codec/row.ts'
import { invalid, type MillraceError, quote } from '../core/errors.ts'
import {
  FRACTIONAL_EVENT_TIME_FORMAT,
  fractionalInstant,
  instantFromMs,
  newInstant,
  parseStringEventTime,
  STRING_EVENT_TIME_FORMAT,
} from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import {
  type FeatureSchema,
  KIND_FRACTIONAL,
  KIND_INTEGRAL,
  KIND_STRING,
  type RecordSchema,
} from '../core/model.ts'
import { CollectionPacker } from './collection-packer.ts'
import { ID_EMPTY, ID_ILL_FORMED, ID_OK, IdScratch } from './id-scratch.ts'
import {
  checkExpiry,
  checkFractional,
  checkIntegral,
  checkTextLength,
  describe,
  featureError,
  ILL_FORMED,
  NUMBER_TEXT_BYTES_MAX,
  textBytesOf,
  tooLarge,
} from './value-checks.ts'

export interface Operation {
  readonly operation: number
  readonly targets: number
  /** Microseconds since 1970. */
  readonly invocationUs: number
  /** Whole seconds from the event time to the expiry; 0 for none. */
  readonly ttlSeconds: number
}

export class RecordPacker {
  readonly id: IdScratch
  readonly #schema: RecordSchema
  readonly #collections: CollectionPacker
  readonly #instant = newInstant()
  #lastEventTime: unknown
  /** Keys of the record before, with their features: most records have the same. */
  readonly #plan: FeatureSchema[] = []
  /** Values of the current record, by feature index, and the order they came in. */
  readonly #values: unknown[]
  readonly #order: FeatureSchema[] = []
  readonly #head

  constructor(schema: RecordSchema, shardCount: number) {
    this.#schema = schema
    this.id = new IdScratch(shardCount)
    this.#collections = new CollectionPacker(schema)
    this.#values = new Array<unknown>(schema.features.length).fill(undefined)
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
   * @param batches - by shard
   * @param isWanted - false leaves a valid record of that shard out (it was taken before)
   * @returns the shard of the record
   * @throws MillraceError INVALID_ARGUMENT naming the feature, what was expected and what was found
   */
  pack(
    record: unknown,
    operation: Operation,
    batches: readonly BatchBuilder[],
    isWanted?: (shard: number) => boolean,
  ): number {
    const count = this.#collect(record)
    try {
      this.#readId(this.#values[this.#schema.identifier.index])
      this.#readEventTime(this.#values[this.#schema.eventTime.index])
      const { shard } = this.id
      const batch = batches[shard]!
      this.#begin(batch, operation, 0)
      try {
        this.#fill(batch, count)
      } catch (thrown) {
        batch.cancelRow()
        throw thrown
      }
      if (isWanted === undefined || isWanted(shard)) batch.endRow()
      else batch.cancelRow()
      return shard
    } finally {
      for (let i = 0; i < count; i++) this.#values[this.#order[i]!.index] = undefined
    }
  }

  /**
   * Packs a delete: the id and the event time, no features.
   * @param operation - OPERATION_SOFT_DELETE or OPERATION_HARD_DELETE
   */
  packDelete(
    id: unknown,
    eventTime: unknown,
    operation: Operation,
    batches: readonly BatchBuilder[],
  ): number {
    this.#readId(id)
    this.#readEventTime(eventTime)
    const { identifier, eventTime: time } = this.#schema
    const batch = batches[this.id.shard]!
    this.#begin(batch, operation, FLAG_TOMBSTONE)
    if (identifier.slot >= 0) this.#setValue(batch, identifier, id)
    if (time.slot >= 0 && time !== identifier) this.#setValue(batch, time, eventTime)
    batch.endRow()
    return this.id.shard
  }

  /**
   * Packs an update: the id and the features to change. Without an event time the row has that of 1970 and no digits,
   * and the shard takes the record's own.
   * @param operation - OPERATION_UPDATE
   */
  packUpdate(id: unknown, changes: unknown, operation: Operation, batches: readonly BatchBuilder[]): number {
    const { identifier, eventTime } = this.#schema
    const count = this.#collect(changes)
    try {
      this.#readId(id)
      const own = this.#values[identifier.index]
      // The id may be among the changes if it is the same.
      if (
        own !== undefined &&
        own !== null &&
        this.#idText(identifier, own) !== this.#idText(identifier, id)
      ) {
        throw this.#error(
          identifier,
          `expected the identifier of the record to update, found ${describe(own)}`,
        )
      }
      const time = this.#values[eventTime.index]
      const hasTime = time !== undefined && time !== null
      if (operation.ttlSeconds > 0 && !hasTime) {
        throw this.#error(eventTime, 'a ttl needs an event time, which it is counted from; found none')
      }
      if (hasTime) this.#readEventTime(time)
      else this.#noEventTime()
      const batch = batches[this.id.shard]!
      this.#begin(batch, operation, hasTime ? 0 : FLAG_NO_TIME)
      try {
        this.#fill(batch, count)
      } catch (thrown) {
        batch.cancelRow()
        throw thrown
      }
      batch.endRow()
      return this.id.shard
    } finally {
      for (let i = 0; i < count; i++) this.#values[this.#order[i]!.index] = undefined
    }
  }

  /** Reads an id of any accepted type into `this.id`. */
  #readId(value: unknown): void {
    const { identifier } = this.#schema
    if (value === undefined || value === null) {
      throw this.#error(identifier, 'expected a record identifier, found nothing')
    }
    const outcome = this.id.setText(this.#idText(identifier, value))
    if (outcome === ID_OK) return
    if (outcome === ID_EMPTY)
      throw this.#error(identifier, 'expected a record identifier, found an empty string')
    if (outcome === ID_ILL_FORMED) throw this.#error(identifier, ILL_FORMED)
    throw this.#error(identifier, `a record identifier has at most ${limits.recordIdBytesMax} bytes`)
  }

  #idText(identifier: FeatureSchema, value: unknown): string {
    if (identifier.kind === KIND_STRING) {
      if (typeof value === 'string') return value
      const isTime = identifier === this.#schema.eventTime && value instanceof Date
      if (isTime && !Number.isNaN(value.getTime())) return value.toISOString()
      throw this.#error(identifier, `expected a String, found ${describe(value)}`)
    }
    if (identifier.kind === KIND_INTEGRAL) checkIntegral(this.#schema, identifier, value)
    else checkFractional(this.#schema, identifier, value)
    return String(value)
  }

  #readEventTime(value: unknown): void {
    const { eventTime } = this.#schema
    if (value === undefined || value === null) {
      throw this.#error(eventTime, 'expected an event time, found nothing')
    }
    // Neighbouring records often carry the same time.
    if (value === this.#lastEventTime && typeof value !== 'object') return
    this.#lastEventTime = undefined
    if (eventTime.kind === KIND_STRING) {
      const isText = typeof value === 'string'
      const isRead = isText
        ? parseStringEventTime(value, this.#instant)
        : value instanceof Date && instantFromMs(value.getTime(), this.#instant)
      if (!isRead) {
        throw this.#error(
          eventTime,
          `expected an event time ${STRING_EVENT_TIME_FORMAT}, found ${describe(value)}`,
        )
      }
    } else if (typeof value !== 'number' || !fractionalInstant(value, this.#instant)) {
      throw this.#error(
        eventTime,
        `expected an event time in ${FRACTIONAL_EVENT_TIME_FORMAT}, found ${describe(value)}`,
      )
    }
    this.#lastEventTime = value
  }

  #noEventTime(): void {
    this.#lastEventTime = undefined
    this.#instant.seconds = 0
    this.#instant.nanos = 0
    this.#instant.digits = 0
  }

  #begin(batch: BatchBuilder, operation: Operation, flags: number): void {
    const head = this.#head
    head.operation = operation.operation
    head.targets = operation.targets
    head.invocationUs = operation.invocationUs
    head.flags = flags
    head.ttlSeconds = operation.ttlSeconds
    if (operation.ttlSeconds > 0) checkExpiry(this.#schema, this.#instant.seconds, operation.ttlSeconds)
    const { id } = this
    const { seconds, nanos, digits } = this.#instant
    batch.beginRow(head, id.source, id.bytes, id.high, id.low, seconds, nanos, digits)
  }

  /** Sorts the record's own values by feature. @returns how many it has */
  #collect(record: unknown): number {
    if (typeof record !== 'object' || record === null || Array.isArray(record)) {
      throw invalid(`${this.#where()}: expected a record object, found ${describe(record)}`)
    }
    const plan = this.#plan
    const order = this.#order
    let count = 0
    try {
      for (const key in record) {
        let feature = plan[count]
        if (feature === undefined || feature.name !== key) {
          feature = this.#featureOf(record, key)
          plan[count] = feature
        }
        order[count++] = feature
        this.#values[feature.index] = (record as Record<string, unknown>)[key]
      }
    } catch (thrown) {
      // An unknown feature, or a getter that failed: what was collected before it must not be left to the next record.
      this.#values.fill(undefined)
      throw thrown
    }
    return count
  }

  #featureOf(record: object, key: string): FeatureSchema {
    const feature = this.#schema.byName.get(key)
    if (feature !== undefined && Object.hasOwn(record, key)) return feature
    throw invalid(`${this.#where()}: unknown feature ${quote(key)}; ${this.#known()}`, {
      featureGroup: this.#schema.group.name,
      feature: key,
    })
  }

  #fill(batch: BatchBuilder, count: number): void {
    let bytes = this.id.bytes
    let isChecked = false
    this.#collections.elements = 0
    for (let i = 0; i < count; i++) {
      const feature = this.#order[i]!
      const value = this.#values[feature.index]
      if (value === undefined || value === null) continue
      bytes += feature.nameBytes
      if (feature.slot >= 0) bytes += this.#setValue(batch, feature, value)
      else if (feature === this.#schema.eventTime) bytes += 30
      // Not only at the end: a record that is far too large must not grow the batch past its bound.
      if (bytes > limits.recordBytesMax && !isChecked) {
        this.#checkExactSize(count)
        isChecked = true
      }
    }
  }

  /** @returns the size the value has as text, or a bound above it */
  #setValue(batch: BatchBuilder, feature: FeatureSchema, value: unknown): number {
    if (feature.collection !== undefined) return this.#collections.pack(batch, feature, value)
    if (feature.kind === KIND_FRACTIONAL) {
      batch.setFractional(feature.slot, checkFractional(this.#schema, feature, value))
      return NUMBER_TEXT_BYTES_MAX
    }
    if (feature.kind === KIND_INTEGRAL) {
      if (typeof value === 'number' && Number.isSafeInteger(value)) batch.setInteger(feature.slot, value)
      else batch.setBigInteger(feature.slot, checkIntegral(this.#schema, feature, value))
      return NUMBER_TEXT_BYTES_MAX
    }
    if (typeof value !== 'string') throw this.#error(feature, `expected a String, found ${describe(value)}`)
    checkTextLength(this.#schema, feature, value)
    const bytes = batch.setText(feature.slot, value)
    if (bytes < 0) throw this.#error(feature, ILL_FORMED)
    return bytes
  }

  /** names and values in UTF-8, numbers as their text. */
  #checkExactSize(count: number): void {
    let bytes = 0
    for (let i = 0; i < count; i++) {
      const feature = this.#order[i]!
      const value = this.#values[feature.index]
      if (value === undefined || value === null) continue
      bytes += feature.nameBytes
      if (feature === this.#schema.eventTime && value instanceof Date) bytes += value.toISOString().length
      else bytes += textBytesOf(feature, value)
    }
    if (bytes > limits.recordBytesMax) throw tooLarge(this.#schema, bytes)
  }

  #error(feature: FeatureSchema, text: string): MillraceError {
    return featureError(this.#schema, feature, text)
  }

  #where(): string {
    return `feature group "${this.#schema.group.name}"`
  }

  #known(): string {
    const names = this.#schema.features.slice(0, 12).map((feature) => feature.name)
    return `its features are ${names.join(', ')}${this.#schema.features.length > 12 ? ', ...' : ''}`
  }
}
