/**
 * A store, open in this process: the library's front door.
 * Owns: the directory lock, the manifest, the shard and encoder threads, and their life from `open` to `close`.
 * Does not own: feature groups (group-registry), the way of a record (feature-group, put-buffer, ingest, publisher).
 * Invariant: at most one open store per data directory, in this process and in any other (I19).
 */
import { resolve } from 'node:path'
import type { CheckedDefinition, FeatureGroupDefinition } from '../core/definition.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { FeatureGroup } from './feature-group.ts'
import { describeGroup, type FeatureGroupDescription } from './group-model.ts'
import { planOf } from './group-plan.ts'
import { GroupRegistry } from './group-registry.ts'
import type { GroupSession } from './group-session.ts'
import { changeOf, type FeatureGroupUpdate } from './group-update.ts'
import { openStore, type RecoverySummary, type StoreParts } from './open-store.ts'
import { type MillraceOptions, resolveOptions, type StoreLocation } from './options.ts'
import type { ShardClient } from './shard-client.ts'
import { type StoreStatistics, summarise } from './statistics.ts'
import type { StoreCore } from './store-core.ts'

export class Millrace {
  /**
   * Feature groups below their typed face, for other faces built on the engine.
   * @internal
   */
  readonly groups: GroupRegistry
  readonly #parts: StoreParts
  readonly #handles = new WeakMap<GroupSession, FeatureGroup<FeatureGroupDefinition>>()
  #closing: Promise<void> | undefined

  private constructor(parts: StoreParts) {
    this.#parts = parts
    this.groups = new GroupRegistry(parts)
  }

  /**
   * Opens the store in a directory, or makes one there; replays what a crash left in the logs.
   * @throws STORE_LOCKED if it is open elsewhere; INCOMPATIBLE_STORE if the directory is something else, of a newer
   *   format or has another number of shards; LOG_CORRUPT, MANIFEST_CORRUPT, CATALOG_CORRUPT for damage
   */
  static async open(directory: string, options: MillraceOptions = {}): Promise<Millrace> {
    const parts = await openStore(resolve(directory), resolveOptions(options))
    const store = new Millrace(parts)
    parts.publisher.start()
    await store.groups.finishDeletions()
    return store
  }

  /** The data directory, absolute. */
  get directory(): string {
    return this.#parts.directory
  }

  get shards(): number {
    return this.#parts.identity.shards
  }

  /**
   * What other faces built on the engine need of it.
   * @internal
   */
  get core(): StoreCore {
    return this.#parts.core
  }

  get recovery(): RecoverySummary {
    return this.#parts.recovery
  }

  /** What ARNs and offline paths say. */
  get location(): StoreLocation {
    return this.#parts.options.location
  }

  /**
   * Makes a feature group. Durable when it resolves.
   * @throws INVALID_ARGUMENT saying what is wrong with the definition; FEATURE_GROUP_EXISTS
   */
  async createFeatureGroup<const D extends FeatureGroupDefinition>(
    definition: CheckedDefinition<D>,
  ): Promise<FeatureGroup<D>> {
    this.#parts.core.checkOpen()
    return this.#handleOf(await this.groups.create(planOf(definition))) as unknown as FeatureGroup<D>
  }

  /**
   * The feature group of a definition, made if it does not exist yet. What the definition leaves to the defaults is
   * taken as it is.
   * @throws INVALID_ARGUMENT if it exists with another definition
   */
  async ensureFeatureGroup<const D extends FeatureGroupDefinition>(
    definition: CheckedDefinition<D>,
  ): Promise<FeatureGroup<D>> {
    this.#parts.core.checkOpen()
    return this.#handleOf(await this.groups.ensure(planOf(definition))) as unknown as FeatureGroup<D>
  }

  /**
   * An existing feature group, by name (case does not matter). Its records are only typed if `D` is given.
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  featureGroup<D extends FeatureGroupDefinition = FeatureGroupDefinition>(name: string): FeatureGroup<D> {
    return this.#handleOf(this.groups.find(name)) as unknown as FeatureGroup<D>
  }

  /**
   * The group below its typed face, for other faces built on the engine.
   * @internal
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  session(name: string): GroupSession {
    return this.groups.sessionOf(this.groups.find(name))
  }

  /** @throws FEATURE_GROUP_NOT_FOUND */
  describe(name: string): FeatureGroupDescription {
    return this.#describe(this.groups.find(name))
  }

  /** All feature groups, in the order they were made. */
  list(): FeatureGroupDescription[] {
    return this.groups.all.map((group) => this.#describe(group))
  }

  /**
   * Changes a feature group that may hold data: adds features, sets or removes its ttl, changes its tier or throughput,
   * one kind of change per call. Durable and in force when it resolves. Records and files from before stay as they are:
   * they have no value of a feature that was added later, and they keep their expiry.
   * @throws INVALID_ARGUMENT, also while another update of the group is in progress; FEATURE_GROUP_NOT_FOUND
   */
  async updateFeatureGroup(name: string, update: FeatureGroupUpdate): Promise<FeatureGroupDescription> {
    return this.#describe(await this.groups.update(name, changeOf(name, update)))
  }

  /**
   * Deletes a feature group: its online records are gone at once, rows accepted before are still published, and its
   * offline files stay. Resolves when the online data is removed.
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  deleteFeatureGroup(name: string): Promise<void> {
    return this.groups.delete(name)
  }

  /**
   * Resolves when every write acknowledged before is in Parquet files and merged into the online partitions.
   * Not needed for durability or visibility; acknowledged writes have both.
   */
  async flush(): Promise<void> {
    this.#parts.core.checkOpen()
    await Promise.all([...this.groups.sessions].map((session) => session.puts.drain()))
    const online = this.#askAll((shard) => shard.request({ type: 'flushOnline' }))
    await Promise.all([this.#parts.publisher.flush(), online])
  }

  /**
   * Takes every record out of the online stores whose time to live has passed by now. The store does so by itself, a
   * little later; readers never see such a record in either case.
   * @returns the number of records
   */
  async expire(): Promise<number> {
    this.#parts.core.checkOpen()
    const counts = await this.#askAll((shard) => shard.request({ type: 'expire' }))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async stats(): Promise<StoreStatistics> {
    const { core, manifest, catalog, options, publisher, encoder } = this.#parts
    core.checkOpen()
    const shards = await this.#askAll((shard) => shard.request({ type: 'statistics' }))
    return summarise({
      core,
      manifest,
      groups: catalog.all,
      shards,
      budgetBytes: options.memoryBytes,
      encoder,
      failure: publisher.failure?.message,
    })
  }

  /**
   * Flushes everything and closes. Afterwards opening replays nothing. Idempotent.
   * @param options.flush - false leaves rows that wait for their file in the log, which is quicker; the next
   *   opening replays them, and they become files later
   */
  close(options: { readonly flush?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.flush ?? true)
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(isFlushing: boolean): Promise<void> {
    const { core, publisher, encoder, manifest, lock } = this.#parts
    const failures: unknown[] = []
    const attempt = async (action: () => Promise<unknown>): Promise<void> => {
      await action().catch((thrown: unknown) => failures.push(thrown))
    }
    // Closed first: an ingestion under way must not send more while the shards are being closed.
    core.markClosed()
    await Promise.all([...this.groups.sessions].map((session) => session.close()))
    await this.groups.settle()
    await attempt(() => this.#askAll((shard) => shard.request({ type: 'quiesce' })))
    if (isFlushing) await attempt(() => publisher.flush())
    await attempt(() => publisher.close())
    await attempt(() => this.#askAll((shard) => shard.request({ type: 'close' })))
    await Promise.all([...core.shards, encoder].map((client) => attempt(() => client.close())))
    manifest.close()
    lock.release()
    if (failures.length > 0) throw failures[0]
  }

  #describe(group: FeatureGroupModel): FeatureGroupDescription {
    return describeGroup(this.directory, this.location, group)
  }

  #handleOf(group: FeatureGroupModel): FeatureGroup<FeatureGroupDefinition> {
    const session = this.groups.sessionOf(group)
    let handle = this.#handles.get(session)
    if (handle === undefined) {
      handle = new FeatureGroup(session)
      this.#handles.set(session, handle)
    }
    return handle
  }

  #askAll<T>(ask: (shard: ShardClient) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#parts.core.shards.map(ask))
  }
}
