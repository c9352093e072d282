/**
 * A store, open in this process: the library's front door.
 * Owns: the directory lock, the catalog, the manifest, the shard and encoder threads, and their life from `open`
 * to `close`. Does not own: the way of a record (feature-group, put-buffer, ingest, publisher).
 * Invariant: at most one open store per data directory, in this process and in any other (I19).
 */
import { resolve } from 'node:path'
import type { CheckedDefinition, FeatureGroupDefinition } from '../core/definition.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { checkDefinition } from './definition-rules.ts'
import { FeatureGroup } from './feature-group.ts'
import { describeGroup, differenceOf, type FeatureGroupDescription, modelOf } from './group-model.ts'
import { GroupSession } from './group-session.ts'
import { openStore, type RecoverySummary, type StoreParts } from './open-store.ts'
import { type MillraceOptions, resolveOptions } from './options.ts'
import type { ShardClient } from './shard-client.ts'
import { type StoreStatistics, summarise } from './statistics.ts'

export class Millrace {
  readonly #parts: StoreParts
  readonly #sessions = new Map<number, GroupSession>()
  readonly #handles = new WeakMap<GroupSession, FeatureGroup<FeatureGroupDefinition>>()
  #closing: Promise<void> | undefined

  private constructor(parts: StoreParts) {
    this.#parts = parts
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
    await store.#finishDeletions()
    return store
  }

  /** The data directory, absolute. */
  get directory(): string {
    return this.#parts.directory
  }

  get shards(): number {
    return this.#parts.identity.shards
  }

  get recovery(): RecoverySummary {
    return this.#parts.recovery
  }

  /**
   * Makes a feature group. Durable when it resolves.
   * @throws INVALID_ARGUMENT saying what is wrong with the definition; FEATURE_GROUP_EXISTS
   */
  async createFeatureGroup<const D extends FeatureGroupDefinition>(
    definition: CheckedDefinition<D>,
  ): Promise<FeatureGroup<D>> {
    this.#parts.core.checkOpen()
    checkDefinition(definition)
    const { catalog } = this.#parts
    const existing = catalog.find(definition.name)
    if (existing !== undefined) {
      const state = existing.status === 'deleting' ? ' and is being deleted' : ''
      throw new MillraceError(
        'FEATURE_GROUP_EXISTS',
        `a feature group named "${existing.name}" exists already${state}`,
        {
          place: { featureGroup: existing.name },
        },
      )
    }
    const model = catalog.add((number) => modelOf(this.#parts, number, definition))
    await this.#askAll((shard) => shard.request({ type: 'addGroup', group: model }))
    return this.#handleOf(model) as unknown as FeatureGroup<D>
  }

  /**
   * The feature group of a definition, made if it does not exist yet.
   * @throws INVALID_ARGUMENT if it exists with another definition
   */
  async ensureFeatureGroup<const D extends FeatureGroupDefinition>(
    definition: CheckedDefinition<D>,
  ): Promise<FeatureGroup<D>> {
    this.#parts.core.checkOpen()
    checkDefinition(definition)
    const existing = this.#parts.catalog.find(definition.name)
    if (existing === undefined) return this.createFeatureGroup<D>(definition)
    const difference = differenceOf(existing, modelOf(this.#parts, existing.number, definition))
    if (difference !== undefined) {
      throw invalid(`feature group "${existing.name}" exists with another definition: ${difference}`, {
        featureGroup: existing.name,
      })
    }
    return this.#handleOf(existing) as unknown as FeatureGroup<D>
  }

  /**
   * An existing feature group, by name (case does not matter). Its records are only typed if `D` is given.
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  featureGroup<D extends FeatureGroupDefinition = FeatureGroupDefinition>(name: string): FeatureGroup<D> {
    this.#parts.core.checkOpen()
    return this.#handleOf(this.#find(name)) as unknown as FeatureGroup<D>
  }

  /**
   * The group below its typed face, for other faces built on the engine.
   * @internal
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  session(name: string): GroupSession {
    this.#parts.core.checkOpen()
    return this.#sessionOf(this.#find(name))
  }

  /** @throws FEATURE_GROUP_NOT_FOUND */
  describe(name: string): FeatureGroupDescription {
    return describeGroup(this.#parts.directory, this.#find(name))
  }

  /** All feature groups, in the order they were made. */
  list(): FeatureGroupDescription[] {
    this.#parts.core.checkOpen()
    return this.#parts.catalog.all.map((group) => describeGroup(this.#parts.directory, group))
  }

  /**
   * Deletes a feature group: its online records are gone at once, rows accepted before are still published, and its
   * offline files stay. Resolves when the online data is removed.
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  async deleteFeatureGroup(name: string): Promise<void> {
    const group = this.#find(name)
    const session = this.#sessions.get(group.number)
    this.#parts.catalog.replace({ ...group, status: 'deleting' })
    this.#sessions.delete(group.number)
    await session?.close()
    await this.#finishDeletions()
  }

  /**
   * Resolves when every write acknowledged before is in Parquet files and merged into the online partitions.
   * Not needed for durability or visibility; acknowledged writes have both.
   */
  async flush(): Promise<void> {
    this.#parts.core.checkOpen()
    await Promise.all([...this.#sessions.values()].map((session) => session.puts.drain()))
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
    await Promise.all([...this.#sessions.values()].map((session) => session.close()))
    if (isFlushing) await attempt(() => publisher.flush())
    await attempt(() => publisher.close())
    await attempt(() => this.#askAll((shard) => shard.request({ type: 'close' })))
    await Promise.all([...core.shards, encoder].map((client) => attempt(() => client.close())))
    manifest.close()
    lock.release()
    if (failures.length > 0) throw failures[0]
  }

  /** Groups whose deletion was begun, here or before a crash. */
  async #finishDeletions(): Promise<void> {
    const { catalog, publisher } = this.#parts
    for (const group of catalog.all.filter((each) => each.status === 'deleting')) {
      if (group.offline) await publisher.flush(group.number)
      await this.#askAll((shard) => shard.request({ type: 'dropGroup', featureGroup: group.number }))
      catalog.remove(group.number)
    }
  }

  #find(name: string): FeatureGroupModel {
    this.#parts.core.checkOpen()
    const group = this.#parts.catalog.find(name)
    if (group?.status === 'created') return group
    const known = this.#parts.catalog.all.map((each) => each.name).slice(0, 12)
    const advice = known.length === 0 ? 'the store has none yet' : `the store has ${known.join(', ')}`
    throw new MillraceError(
      'FEATURE_GROUP_NOT_FOUND',
      `there is no feature group ${quote(name)}; ${advice}`,
      {
        place: { featureGroup: name },
      },
    )
  }

  #handleOf(model: FeatureGroupModel): FeatureGroup<FeatureGroupDefinition> {
    const session = this.#sessionOf(model)
    let handle = this.#handles.get(session)
    if (handle === undefined) {
      handle = new FeatureGroup(session)
      this.#handles.set(session, handle)
    }
    return handle
  }

  #sessionOf(model: FeatureGroupModel): GroupSession {
    let session = this.#sessions.get(model.number)
    if (session === undefined) {
      const { core, publisher, catalog } = this.#parts
      const isDeleted = (): boolean =>
        !catalog.all.some((group) => group.number === model.number && group.status === 'created')
      session = new GroupSession(model, core, publisher, isDeleted)
      this.#sessions.set(model.number, session)
    }
    return session
  }

  #askAll<T>(ask: (shard: ShardClient) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#parts.core.shards.map(ask))
  }
}
