/** A handle on one feature group: what callers do with typed records. */
import { decodeRecord } from '../codec/record.ts'
import {
  OPERATION_HARD_DELETE,
  OPERATION_PUT,
  OPERATION_SOFT_DELETE,
  OPERATION_UPDATE,
  TARGET_OFFLINE,
  TARGET_ONLINE,
} from '../codec/row.ts'
import type {
  DeletionMode,
  FeatureGroupDefinition,
  RecordId,
  RecordInput,
  RecordOutput,
  RecordUpdate,
  TargetStore,
  TimeToLive,
} from '../core/definition.ts'
import { durationSeconds } from '../core/duration.ts'
import { invalid, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { KIND_INTEGRAL, KIND_STRING, type RecordSchema } from '../core/model.ts'
import type { OfflineSource } from '../query/offline-source.ts'
import type { GroupSession } from './group-session.ts'
import { Ingestion, type IngestOptions, type IngestReport, sourceHash, sourcePositions } from './ingest.ts'
import { feedRows, type RowInput } from './ingest-input.ts'
import { OfflineReading } from './offline-reading.ts'
import { type Operation, RecordPacker } from './record-packer.ts'
import { allowsUpdates } from './tier-rules.ts'

export interface WriteOptions {
  /** Default: every store the feature group has. */
  readonly stores?: readonly TargetStore[]
}

export interface PutOptions extends WriteOptions {
  /** How long after its event time the record stays online. Default: the group's. */
  readonly ttl?: TimeToLive
}

export interface DeleteOptions extends WriteOptions {
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
  readonly #session: GroupSession
  #packer: RecordPacker | undefined
  #packerSchema: RecordSchema | undefined

  /** Made by the store. */
  constructor(session: GroupSession) {
    super()
    this.#session = session
  }

  get name(): string {
    return this.#session.name
  }

  /**
   * Writes a record: replaces the whole record of its id online unless a later one is there (R-112..R-114), and
   * appends a row offline. Resolves when it is durable and visible.
   * @throws INVALID_ARGUMENT naming the feature, before anything is written; THROTTLED if too many puts wait
   */
  put(record: RecordInput<D>, options: PutOptions = {}): Promise<void> {
    return this.#session.write((batches) =>
      this.#currentPacker().pack(record, this.#operation(OPERATION_PUT, options), batches),
    )
  }

  /**
   * Changes some features of the record of an id and leaves the others as they are; reading, merging and writing are
   * one step. Offline the whole merged record is appended. Without an event time the record keeps its own;
   * a `ttl` needs an event time.
   * @throws RECORD_NOT_FOUND if there is no record to change; EVENT_TIME_OLDER if the event time is older than the
   *   record's; INVALID_ARGUMENT also on the tier `Standard`
   */
  async update(id: RecordId, changes: RecordUpdate<D>, options: PutOptions = {}): Promise<void> {
    const { model, core } = this.#session
    if (!allowsUpdates(model, core.hasExtensions)) {
      throw invalid(
        `feature group "${this.name}": records are updated in part only in online stores of tier Standard_V2 or InMemory` +
          (model.online ? `, and this one is ${model.tier}` : ', and it has no online store'),
        { featureGroup: this.name },
      )
    }
    const value = this.#typedId(id)
    await this.#session.writeConditional((batches) =>
      this.#currentPacker().packUpdate(value, changes, this.#operation(OPERATION_UPDATE, options), batches),
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
    const operation = this.#operation(
      mode === 'soft' ? OPERATION_SOFT_DELETE : OPERATION_HARD_DELETE,
      options,
    )
    const pack = (batches: Parameters<RecordPacker['packDelete']>[3]): number =>
      this.#currentPacker().packDelete(value, eventTime, operation, batches)
    // Without the online store there is nothing a hard delete could be compared with.
    const isConditional = mode === 'hard' && (operation.targets & TARGET_ONLINE) !== 0
    return isConditional ? this.#session.writeConditional(pack) : this.#session.write(pack)
  }

  /**
   * Ingests many rows: an iterable or async iterable of records or of arrays of records, an Arrow table or record
   * batches. A row that is refused is reported by its position and does not stop the others.
   * @returns when every accepted row is durable and visible
   * @throws MillraceError if the store refuses a batch; rows before it may be written
   */
  async ingest(rows: RowInput<RecordInput<D>>, options: IngestOptions = {}): Promise<IngestReport> {
    const session = this.#session
    session.checkOpen()
    const { core, schema, number: featureGroup } = session
    const { targets, ttlSeconds } = this.#operation(OPERATION_PUT, options)
    const checkOpen = (): void => session.checkOpen()
    const ingestion = new Ingestion({ core, featureGroup, targets, ttlSeconds, checkOpen }, options)
    await ingestion.start()
    return session.track(ingestion, async () => {
      await feedRows(rows, ingestion, new RecordPacker(schema, core.shards.length), schema)
      return ingestion.finish()
    })
  }

  /** Number of rows of a source that are durable on every shard: an ingestion may start reading there. */
  async ingestPosition(sourceId: string): Promise<number> {
    const { core, number } = this.#session
    this.#session.checkOpen()
    return Math.min(...(await sourcePositions(core, sourceHash(number, sourceId))))
  }

  /** The current record of an id; undefined if there is none, or if it is deleted or expired. */
  async get(id: RecordId): Promise<RecordOutput<D> | undefined> {
    return (await this.getMany([id]))[0]
  }

  /** The current records of many ids, in the order asked; undefined where there is none. */
  async getMany(ids: readonly RecordId[]): Promise<(RecordOutput<D> | undefined)[]> {
    const texts = ids.map((id) => String(id))
    const versions = await this.#session.read(texts)
    const { schema } = this.#session
    return versions.map((version, i) =>
      version === undefined
        ? undefined
        : (decodeRecord(schema, texts[i]!, version.bytes, version.start) as RecordOutput<D>),
    )
  }

  /** One page of record ids, in an order that stays the same: no id comes twice, none that was there throughout is missed. */
  async listRecords(options: ListOptions = {}): Promise<RecordPage> {
    const { pageSize = 1000, includeSoftDeleted = false } = options
    if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > limits.listPageMax) {
      throw invalid(`pageSize: expected a whole number from 1 to ${limits.listPageMax}, found ${pageSize}`)
    }
    return this.#session.list(options.token, pageSize, includeSoftDeleted)
  }

  /** All record ids, page by page. */
  async *ids(options: Omit<ListOptions, 'token'> = {}): AsyncGenerator<string> {
    let page: RecordPage | undefined = await this.listRecords(options)
    while (page !== undefined) {
      const { ids, nextToken: token }: RecordPage = page
      // The next page is read while this one is consumed.
      const next: Promise<RecordPage> | undefined =
        token === undefined ? undefined : this.listRecords({ ...options, token })
      next?.catch(() => undefined)
      for (const id of ids) yield id
      page = await next
    }
  }

  /** Resolves when every write of this group acknowledged before is in a Parquet file that readers can see. */
  async flush(): Promise<void> {
    await this.#session.flush()
  }

  /**
   * How far the offline store is complete: every row of this group whose `api_invocation_time` is at or before this
   * moment is in a Parquet file, and no further row will have such a time. That time is the wall clock's when
   * a write was made, or a little later; so what was acknowledged before this moment can be read from the files.
   * Whole milliseconds, rounded down. Never falls while the store is open, nor after it is opened again unless the
   * machine's clock was set back meanwhile.
   * @throws INVALID_ARGUMENT if the group has no offline store
   */
  async watermark(): Promise<Date> {
    return new Date(Math.floor((await this.#session.watermarkUs()) / 1000))
  }

  protected override offlineSource(): OfflineSource {
    return this.#session.offlineSource()
  }

  /** The group may have been updated since the last record was packed. */
  #currentPacker(): RecordPacker {
    const { schema, core } = this.#session
    if (this.#packer === undefined || this.#packerSchema !== schema) {
      this.#packer = new RecordPacker(schema, core.shards.length)
      this.#packerSchema = schema
    }
    return this.#packer
  }

  #operation(operation: number, options: PutOptions): Operation {
    const { model, core } = this.#session
    const targets = this.#targets(options.stores)
    const ttl = options.ttl ?? model.ttl
    if (options.ttl !== undefined && !model.online) {
      throw invalid(`feature group "${this.name}" has no online store that a ttl could apply to`, {
        featureGroup: this.name,
      })
    }
    // An update keeps the duration that the record has; a delete has none.
    const hasTtl =
      operation === OPERATION_PUT || (operation === OPERATION_UPDATE && options.ttl !== undefined)
    const ttlSeconds = hasTtl && ttl !== undefined ? durationSeconds(ttl, 'ttl') : 0
    return { operation, targets, ttlSeconds, invocationUs: core.invocationUs() }
  }

  /** An id may be given as text; a numeric identifier is stored as a number too, so its text must be one. */
  #typedId(id: RecordId): RecordId {
    const { kind, name } = this.#session.schema.identifier
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
    const all = this.#session.allTargets
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
}
