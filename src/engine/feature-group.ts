/** A handle on one feature group: what callers do with records. */

import { BatchBuilder } from '../codec/batch-builder.ts'
import { KeyRequestBuilder, REPLY_HEADER_BYTES } from '../codec/key-request.ts'
import { decodeRecord } from '../codec/record.ts'
import {
  OPERATION_HARD_DELETE,
  OPERATION_PUT,
  OPERATION_SOFT_DELETE,
  TARGET_OFFLINE,
  TARGET_ONLINE,
} from '../codec/row.ts'
import type {
  DeletionMode,
  FeatureGroupDefinition,
  RecordId,
  RecordInput,
  RecordOutput,
  TargetStore,
} from '../core/definition.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import {
  compileSchema,
  type FeatureGroupModel,
  KIND_INTEGRAL,
  KIND_STRING,
  type RecordSchema,
} from '../core/model.ts'
import type { OfflineSource } from '../query/offline-source.ts'
import { ID_OK, IdScratch } from './id-scratch.ts'
import { Ingestion, type IngestOptions, type IngestReport, sourceHash, sourcePositions } from './ingest.ts'
import { feedRows, type RowInput } from './ingest-input.ts'
import { decodeToken, encodeToken } from './list-token.ts'
import { OfflineReading } from './offline-reading.ts'
import type { Publisher } from './publisher.ts'
import { PutBuffer } from './put-buffer.ts'
import { RecordPacker } from './record-packer.ts'
import type { StoreCore } from './store-core.ts'

export interface PutOptions {
  /** Default: every store the feature group has. */
  readonly stores?: readonly TargetStore[]
}

export interface DeleteOptions extends PutOptions {
  /**
   * `soft` (default): the record is hidden, its id and event time stay. `hard`: it is gone, and any event time may
   * be written next; refused unless the event time is later than the record's.
   */
  readonly mode?: DeletionMode
}

export interface ListOptions {
  /** Where the last page ended. */
  readonly token?: string
  /** Ids a page holds at most; default 1000, at most 10,000. */
  readonly pageSize?: number
  readonly includeSoftDeleted?: boolean
}

export interface RecordPage {
  readonly ids: readonly string[]
  /** Undefined on the last page. */
  readonly nextToken: string | undefined
}

export class FeatureGroup<
  D extends FeatureGroupDefinition = FeatureGroupDefinition,
> extends OfflineReading<D> {
  readonly #model: FeatureGroupModel
  readonly #schema: RecordSchema
  readonly #core: StoreCore
  readonly #publisher: Publisher
  readonly #packer: RecordPacker
  readonly #puts: PutBuffer
  readonly #isDeleted: () => boolean
  /** Those under way. */
  readonly #ingestions = new Set<Ingestion>()
  readonly #hardDeletes = new Set<Promise<void>>()

  /** Made by the store. */
  constructor(model: FeatureGroupModel, core: StoreCore, publisher: Publisher, isDeleted: () => boolean) {
    super()
    this.#model = model
    this.#schema = compileSchema(model)
    this.#core = core
    this.#publisher = publisher
    this.#isDeleted = isDeleted
    this.#packer = new RecordPacker(this.#schema, core.shards.length)
    this.#puts = new PutBuffer(core, model.number)
  }

  get name(): string {
    return this.#model.name
  }

  /**
   * Writes a record: replaces the whole record of its id online unless a later one is there (R-112..R-114), and
   * appends a row offline. Resolves when it is durable and visible.
   * @throws INVALID_ARGUMENT naming the feature, before anything is written; THROTTLED if too many puts wait
   */
  put(record: RecordInput<D>, options: PutOptions = {}): Promise<void> {
    return this.#single(OPERATION_PUT, options.stores, (operation) =>
      this.#packer.pack(record, operation, this.#puts.batches),
    )
  }

  /**
   * Deletes the record of an id as of an event time (b.7 of the specification). A soft delete that is not later
   * than the record leaves it as it is; offline every delete appends a marker.
   * @throws EVENT_TIME_NOT_LATER for a hard delete that is not later than the record; nothing is written then
   */
  async delete(
    id: RecordId,
    eventTime: RecordInput<D>[D['eventTime'] & keyof RecordInput<D>],
    options: DeleteOptions = {},
  ): Promise<void> {
    const { mode = 'soft' } = options
    if (mode !== 'soft' && mode !== 'hard')
      throw invalid(`mode: expected "soft" or "hard", found ${quote(String(mode))}`)
    const value = this.#typedId(id)
    if (mode === 'soft') {
      return this.#single(OPERATION_SOFT_DELETE, options.stores, (operation) =>
        this.#packer.packDelete(value, eventTime, operation, this.#puts.batches),
      )
    }
    this.#checkOpen()
    const targets = this.#targets(options.stores)
    // Writes made before must be seen by the check.
    this.#puts.sendAll()
    const batches = this.#core.shards.map(() => new BatchBuilder(() => new ArrayBuffer(1024)))
    const operation = { operation: OPERATION_HARD_DELETE, targets, invocationMs: this.#core.invocationMs() }
    const shard = this.#packer.packDelete(value, eventTime, operation, batches)
    const batch = batches[shard]!.finish({
      featureGroup: this.#model.number,
      sourceLow: 0,
      sourceHigh: 0,
      sourceFrom: 0,
      sourceUpTo: 0,
    })
    await this.#core.gate.acquire(batch.bytes)
    try {
      this.#checkOpen()
    } catch (thrown) {
      this.#core.gate.release(batch.bytes)
      throw thrown
    }
    // Without the online store there is nothing to compare with.
    const sent = this.#core.send(shard, batch, (targets & TARGET_ONLINE) === 0 ? 'write' : 'hardDelete')
    this.#hardDeletes.add(sent)
    await sent.finally(() => this.#hardDeletes.delete(sent))
  }

  /**
   * Ingests many rows: an iterable or async iterable of records or of arrays of records, an Arrow table or record
   * batches. A row that is refused is reported by its position and does not stop the others.
   * @returns when every accepted row is durable and visible
   * @throws MillraceError if the store refuses a batch; rows before it may be written
   */
  async ingest(rows: RowInput<RecordInput<D>>, options: IngestOptions = {}): Promise<IngestReport> {
    this.#checkOpen()
    const targets = this.#targets(options.stores)
    const { number: featureGroup } = this.#model
    const target = { core: this.#core, featureGroup, targets, checkOpen: () => this.#checkOpen() }
    const ingestion = new Ingestion(target, options)
    await ingestion.start()
    this.#ingestions.add(ingestion)
    try {
      await feedRows(rows, ingestion, new RecordPacker(this.#schema, this.#core.shards.length), this.#schema)
      return await ingestion.finish()
    } catch (thrown) {
      await ingestion.settle()
      throw thrown
    } finally {
      this.#ingestions.delete(ingestion)
    }
  }

  /** Number of rows of a source that are durable on every shard: an ingestion may start reading there. */
  async ingestPosition(sourceId: string): Promise<number> {
    this.#checkOpen()
    return Math.min(...(await sourcePositions(this.#core, sourceHash(this.#model.number, sourceId))))
  }

  /** The current record of an id; undefined if there is none, or if it is deleted. */
  async get(id: RecordId): Promise<RecordOutput<D> | undefined> {
    return (await this.getMany([id]))[0]
  }

  /** The current records of many ids, in the order asked; undefined where there is none. */
  async getMany(ids: readonly RecordId[]): Promise<(RecordOutput<D> | undefined)[]> {
    this.#checkOpen()
    this.#checkOnline()
    const texts = ids.map((id) => String(id))
    const requests = this.#core.shards.map(() => new KeyRequestBuilder())
    const positions: number[][] = this.#core.shards.map(() => [])
    const scratch = new IdScratch(this.#core.shards.length)
    texts.forEach((text, i) => {
      if (scratch.setText(text) !== ID_OK) {
        throw invalid(
          `feature group "${this.name}": a record identifier is a well-formed text of 1 to ${limits.recordIdBytesMax} bytes, found ${quote(text)}`,
          { featureGroup: this.name, row: i },
        )
      }
      requests[scratch.shard]!.add(scratch.high, scratch.low, scratch.source, scratch.bytes)
      positions[scratch.shard]!.push(i)
    })
    const records = new Array<RecordOutput<D> | undefined>(ids.length).fill(undefined)
    await Promise.all(
      this.#core.shards.map(async (shard, s) => {
        const { count } = requests[s]!
        if (count === 0) return
        const keys = requests[s]!.finish()
        const reply = await shard.request({ type: 'get', featureGroup: this.#model.number, keys, count }, [
          keys,
        ])
        const bytes = Buffer.from(reply)
        let at = 0
        for (const position of positions[s]!) {
          const length = bytes.readUInt32LE(at)
          at += REPLY_HEADER_BYTES
          if (length > 0) {
            records[position] = decodeRecord(this.#schema, texts[position]!, bytes, at) as
              | RecordOutput<D>
              | undefined
          }
          at += length
        }
      }),
    )
    return records
  }

  /** One page of record ids, in an order that stays the same: no id comes twice, none that was there throughout is missed. */
  async listRecords(options: ListOptions = {}): Promise<RecordPage> {
    this.#checkOpen()
    this.#checkOnline()
    const { pageSize = 1000, includeSoftDeleted = false } = options
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > limits.listPageMax) {
      throw invalid(`pageSize: expected a whole number from 1 to ${limits.listPageMax}, found ${pageSize}`)
    }
    const start = decodeToken(options.token, this.#model.number, this.#core.shards.length)
    const ids: string[] = []
    let { shard, after } = start
    // One id more than asked for tells whether anything follows.
    while (shard < this.#core.shards.length) {
      const page = await this.#core.shards[shard]!.request({
        type: 'list',
        featureGroup: this.#model.number,
        after,
        limit: pageSize - ids.length,
        includeTombstones: includeSoftDeleted,
      })
      ids.push(...page.ids)
      if (page.next !== undefined)
        return { ids, nextToken: encodeToken(this.#model.number, shard, page.next) }
      shard++
      after = undefined
      if (ids.length === pageSize) break
    }
    const hasMore = shard < this.#core.shards.length && (await this.#hasAny(shard, includeSoftDeleted))
    return { ids, nextToken: hasMore ? encodeToken(this.#model.number, shard, undefined) : undefined }
  }

  /** All record ids, page by page. */
  async *ids(options: Omit<ListOptions, 'token'> = {}): AsyncGenerator<string> {
    let token: string | undefined
    do {
      const page: RecordPage = await this.listRecords(token === undefined ? options : { ...options, token })
      yield* page.ids
      token = page.nextToken
    } while (token !== undefined)
  }

  /** Resolves when every write of this group acknowledged before is in a Parquet file that readers can see. */
  async flush(): Promise<void> {
    this.#checkOpen()
    await this.#puts.drain()
    await this.#publisher.flush(this.#model.number)
  }

  /**
   * Lets the writes that are on their way finish. The store refuses further ones by then: an ingestion ends with its
   * next batch.
   */
  async close(): Promise<void> {
    await this.drain()
    await Promise.all([...this.#ingestions].map((ingestion) => ingestion.settle()))
    await Promise.allSettled(this.#hardDeletes)
  }

  /** Lets the single writes made so far finish. */
  async drain(): Promise<void> {
    await this.#puts.drain()
  }

  #single(
    operation: number,
    stores: readonly TargetStore[] | undefined,
    pack: (operation: { operation: number; targets: number; invocationMs: number }) => number,
  ): Promise<void> {
    try {
      this.#checkOpen()
      this.#puts.checkRoom()
      const targets = this.#targets(stores)
      return this.#puts.added(pack({ operation, targets, invocationMs: this.#core.invocationMs() }))
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  async #hasAny(from: number, includeTombstones: boolean): Promise<boolean> {
    for (const shard of this.#core.shards.slice(from)) {
      const page = await shard.request({
        type: 'list',
        featureGroup: this.#model.number,
        after: undefined,
        limit: 1,
        includeTombstones,
      })
      if (page.ids.length > 0) return true
    }
    return false
  }

  /** An id may be given as text; a numeric identifier is stored as a number too, so its text must be one. */
  #typedId(id: RecordId): RecordId {
    const { kind, name } = this.#schema.identifier
    if (kind === KIND_STRING) return String(id)
    if (typeof id !== 'string') return id
    const isWhole = kind === KIND_INTEGRAL && /^-?\d+$/.test(id)
    const number = isWhole ? BigInt(id) : Number(id)
    if (id !== '' && String(number) === id) return number
    throw invalid(
      `feature group "${this.name}", feature "${name}": expected a number as it is written out, found ${quote(id)}`,
      {
        featureGroup: this.name,
        feature: name,
      },
    )
  }

  #targets(stores: readonly TargetStore[] | undefined): number {
    const { online, offline } = this.#model
    const all = (online ? TARGET_ONLINE : 0) | (offline ? TARGET_OFFLINE : 0)
    if (stores === undefined) return all
    let targets = 0
    for (const store of stores) {
      const target = store === 'online' ? TARGET_ONLINE : store === 'offline' ? TARGET_OFFLINE : 0
      if (target === 0) throw invalid(`stores: expected "online" or "offline", found ${quote(String(store))}`)
      if ((all & target) === 0)
        throw invalid(`feature group "${this.name}" has no ${store} store`, { featureGroup: this.name })
      if ((targets & target) !== 0) throw invalid(`stores: "${store}" is named twice`)
      targets |= target
    }
    if (targets === 0) throw invalid('stores: expected at least one of "online" and "offline"')
    return targets
  }

  protected override offlineSource(): OfflineSource {
    this.#checkOpen()
    const group = this.#model
    const place = { featureGroup: group.name }
    if (!group.offline)
      throw invalid(`feature group "${group.name}" has no offline store to read from`, place)
    return { group, files: () => this.#publisher.filesOf(group.number), flush: () => this.flush() }
  }

  #checkOnline(): void {
    if (this.#model.online) return
    throw invalid(`feature group "${this.name}" has no online store to read from`, {
      featureGroup: this.name,
    })
  }

  #checkOpen(): void {
    this.#core.checkOpen()
    if (!this.#isDeleted()) return
    throw new MillraceError('FEATURE_GROUP_NOT_FOUND', `feature group "${this.name}" was deleted`, {
      place: { featureGroup: this.name },
    })
  }
}
