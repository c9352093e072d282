/**
 * A feature group of an open store, below its two faces (typed records; the AWS shapes): how packed rows get to the
 * shards, and how stored versions and lists of ids come back.
 * Owns: the model and schema in force, the single writes that wait, the conditional writes and ingestions under way.
 * Does not own: what a record looks like to a caller (packers, decoders), the catalog.
 * Invariant: after `close` nothing of this group is sent any more.
 */
import { NO_SOURCE } from '../codec/batch.ts'
import { BatchBuilder } from '../codec/batch-builder.ts'
import { KeyRequestBuilder, REPLY_HEADER_BYTES } from '../codec/key-request.ts'
import { TARGET_OFFLINE, TARGET_ONLINE } from '../codec/row.ts'
import type { Version } from '../codec/version.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { compileSchema, type FeatureGroupModel, type RecordSchema } from '../core/model.ts'
import type { OfflineSource } from '../query/offline-source.ts'
import { ID_OK, IdScratch } from './id-scratch.ts'
import type { Ingestion } from './ingest.ts'
import { decodeToken, encodeToken } from './list-token.ts'
import type { Publisher } from './publisher.ts'
import { PutBuffer } from './put-buffer.ts'
import type { StoreCore } from './store-core.ts'

/** Packs one row into the batch of its shard. @returns the shard @throws INVALID_ARGUMENT, having left no trace */
export type PackOne = (batches: readonly BatchBuilder[]) => number

export interface IdPage {
  readonly ids: string[]
  readonly nextToken: string | undefined
}

const CONDITIONAL_BUFFER_BYTES = 1024

export class GroupSession {
  readonly core: StoreCore
  readonly puts: PutBuffer
  readonly #publisher: Publisher
  readonly #isDeleted: () => boolean
  #model: FeatureGroupModel
  #schema: RecordSchema
  /** Used again by every read, which fills and copies them before it first waits. */
  readonly #requests: readonly KeyRequestBuilder[]
  readonly #scratch: IdScratch
  /** Those under way. */
  readonly #ingestions = new Set<Ingestion>()
  readonly #conditionals = new Set<Promise<void>>()

  constructor(model: FeatureGroupModel, core: StoreCore, publisher: Publisher, isDeleted: () => boolean) {
    this.#model = model
    this.#schema = compileSchema(model)
    this.core = core
    this.#publisher = publisher
    this.#isDeleted = isDeleted
    this.puts = new PutBuffer(core, model.number)
    this.#requests = core.shards.map(() => new KeyRequestBuilder())
    this.#scratch = new IdScratch(core.shards.length)
  }

  get name(): string {
    return this.#model.name
  }

  get number(): number {
    return this.#model.number
  }

  get model(): FeatureGroupModel {
    return this.#model
  }

  /** A new object whenever the group was updated, so that whoever compiled something from it can tell. */
  get schema(): RecordSchema {
    return this.#schema
  }

  /** The group was updated; the shards know already. */
  replaceModel(model: FeatureGroupModel): void {
    this.#model = model
    this.#schema = compileSchema(model)
  }

  /** Every store the group has. */
  get allTargets(): number {
    const { online, offline } = this.#model
    return (online ? TARGET_ONLINE : 0) | (offline ? TARGET_OFFLINE : 0)
  }

  /**
   * Sends a row with the next batch. Resolves when it is durable and visible.
   * @param isAdmitted - the caller has waited for room (`puts.room`)
   */
  write(pack: PackOne, isAdmitted = false): Promise<void> {
    try {
      this.checkOpen()
      if (!isAdmitted) this.puts.checkRoom()
      return this.puts.added(pack(this.puts.batches))
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  /**
   * Sends one row whose shard decides, against the stored record, whether it is written: a hard delete or an update.
   * @throws what the shard refused it with; nothing is written then
   */
  async writeConditional(pack: PackOne): Promise<void> {
    this.checkOpen()
    // Writes made before must be seen by the condition.
    this.puts.sendAll()
    const batches = this.core.shards.map(
      () => new BatchBuilder(() => new ArrayBuffer(CONDITIONAL_BUFFER_BYTES)),
    )
    const shard = pack(batches)
    const batch = batches[shard]!.finish({ ...NO_SOURCE, featureGroup: this.number })
    const { gate } = this.core
    if (gate.wouldWait(batch.bytes)) {
      await gate.acquire(batch.bytes)
      try {
        this.checkOpen()
      } catch (thrown) {
        gate.release(batch.bytes)
        throw thrown
      }
    } else void gate.acquire(batch.bytes)
    const sent = this.core.send(shard, batch, 'conditional')
    this.#conditionals.add(sent)
    await sent.finally(() => this.#conditionals.delete(sent))
  }

  /** Runs an ingestion to its end; `close` waits for it. */
  async track<T>(ingestion: Ingestion, run: () => Promise<T>): Promise<T> {
    this.#ingestions.add(ingestion)
    try {
      return await run()
    } catch (thrown) {
      await ingestion.settle()
      throw thrown
    } finally {
      this.#ingestions.delete(ingestion)
    }
  }

  /** The current versions of records, in the order asked; undefined where there is none, or it is deleted or expired. */
  async read(ids: readonly string[]): Promise<(Version | undefined)[]> {
    this.checkOpen()
    this.#checkOnline()
    const { shards } = this.core
    const requests = this.#requests
    for (const request of requests) request.clear()
    const positions: number[][] = shards.map(() => [])
    const scratch = this.#scratch
    for (let i = 0; i < ids.length; i++) {
      const text = ids[i]!
      if (scratch.setText(text) !== ID_OK) throw this.#badId(text, i)
      requests[scratch.shard]!.add(scratch.high, scratch.low, scratch.source, scratch.bytes)
      positions[scratch.shard]!.push(i)
    }
    const versions = new Array<Version | undefined>(ids.length).fill(undefined)
    this.core.readsInFlight++
    await Promise.all(
      shards.map(async (shard, s) => {
        const { count } = requests[s]!
        if (count === 0) return
        const keys = requests[s]!.finish()
        const reply = await shard.reads.read(this.number, keys, count)
        const bytes = Buffer.from(reply)
        let at = 0
        for (const position of positions[s]!) {
          const length = bytes.readUInt32LE(at)
          const start = at + REPLY_HEADER_BYTES
          at = start + length
          if (length > 0) versions[position] = { bytes, start, end: at }
        }
      }),
    ).finally(() => this.core.readsInFlight--)
    return versions
  }

  /**
   * One page of record ids in the order of the online keys: no id comes twice, none that was there throughout
   * is missed, and a token is only given if something follows.
   * @param token - undefined, or one that an earlier page of this group gave
   */
  async list(token: string | undefined, pageSize: number, includeTombstones: boolean): Promise<IdPage> {
    this.checkOpen()
    this.#checkOnline()
    const { shards } = this.core
    const featureGroup = this.number
    const ids: string[] = []
    let { shard, after } = decodeToken(token, featureGroup, shards.length)
    while (shard < shards.length) {
      const limit = pageSize - ids.length
      const page = await shards[shard]!.request({
        type: 'list',
        featureGroup,
        after,
        limit,
        includeTombstones,
      })
      ids.push(...page.ids)
      if (page.next !== undefined) return { ids, nextToken: encodeToken(featureGroup, shard, page.next) }
      shard++
      after = undefined
      if (ids.length === pageSize) break
    }
    const hasMore = shard < shards.length && (await this.#hasAny(shard, includeTombstones))
    return { ids, nextToken: hasMore ? encodeToken(featureGroup, shard, undefined) : undefined }
  }

  /** Resolves when every write of this group acknowledged before is in a Parquet file that readers can see. */
  async flush(): Promise<void> {
    this.checkOpen()
    await this.puts.drain()
    await this.#publisher.flush(this.number)
  }

  /** @throws INVALID_ARGUMENT without an offline store */
  offlineSource(): OfflineSource {
    this.checkOpen()
    const group = this.#model
    if (group.offline) {
      return { group, files: () => this.#publisher.filesOf(group.number), flush: () => this.flush() }
    }
    throw invalid(`feature group "${this.name}" has no offline store to read from`, {
      featureGroup: this.name,
    })
  }

  /**
   * Every row with an invocation time up to here is in a file, and no row to come has one; microseconds. Writes on
   * their way are stamped anew if they reach the log after this, as those that are overtaken always are.
   */
  async watermarkUs(): Promise<number> {
    this.checkOpen()
    if (!this.#model.offline) {
      throw invalid(`feature group "${this.name}" has no offline store`, { featureGroup: this.name })
    }
    const request = {
      type: 'watermark',
      featureGroup: this.number,
      upToUs: this.core.invocationUs(),
    } as const
    return Math.min(...(await Promise.all(this.core.shards.map((shard) => shard.request(request)))))
  }

  /**
   * Lets the writes that are on their way finish. The store refuses further ones by then: an ingestion ends with its
   * next batch.
   */
  async close(): Promise<void> {
    await this.puts.drain()
    await Promise.all([...this.#ingestions].map((ingestion) => ingestion.settle()))
    await Promise.allSettled(this.#conditionals)
  }

  checkOpen(): void {
    this.core.checkOpen()
    if (!this.#isDeleted()) return
    throw new MillraceError('FEATURE_GROUP_NOT_FOUND', `feature group "${this.name}" was deleted`, {
      place: { featureGroup: this.name },
    })
  }

  #checkOnline(): void {
    if (this.#model.online) return
    throw invalid(`feature group "${this.name}" has no online store to read from`, {
      featureGroup: this.name,
    })
  }

  #badId(text: string, row: number): MillraceError {
    return invalid(
      `feature group "${this.name}": a record identifier is a well-formed text of 1 to ${limits.recordIdBytesMax} bytes, found ${quote(text)}`,
      { featureGroup: this.name, row },
    )
  }

  async #hasAny(from: number, includeTombstones: boolean): Promise<boolean> {
    const request = { type: 'list', featureGroup: this.number, after: undefined, limit: 1 } as const
    for (const shard of this.core.shards.slice(from)) {
      const page = await shard.request({ ...request, includeTombstones })
      if (page.ids.length > 0) return true
    }
    return false
  }
}
