/**
 * A store, open in this process: the library's front door.
 * Owns: the directory lock, the catalog, the manifest, the shard and encoder threads, and their life from `open`
 * to `close`. Does not own: the way of a record (feature-group, put-buffer, ingest, publisher).
 * Invariant: at most one open store per data directory, in this process and in any other (I19).
 */
import { join, relative, resolve } from 'node:path'
import { systemClock } from '../core/clock.ts'
import type { CheckedDefinition, FeatureGroupDefinition } from '../core/definition.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { DirectoryLock } from '../io/directory-lock.ts'
import { type FileSystem, nodeFileSystem } from '../io/file-system.ts'
import {
  manifestFile,
  offlineDataDirectory,
  offlineRoot,
  onlineDirectory,
  walDirectory,
} from '../io/paths.ts'
import { Manifest } from '../stores/manifest.ts'
import { removeLeftoverTempFiles } from '../stores/offline-files.ts'
import type { RecoveryReport, ShardConfig } from '../workers/protocol.ts'
import { ByteGate } from './byte-gate.ts'
import { Catalog } from './catalog.ts'
import { checkDefinition } from './definition-rules.ts'
import { EncoderClient } from './encoder-client.ts'
import { FeatureGroup } from './feature-group.ts'
import { FilePublisher } from './file-jobs.ts'
import {
  defaultShards,
  divideBudgets,
  type MillraceOptions,
  type ResolvedOptions,
  resolveOptions,
} from './options.ts'
import { publishedHours } from './published-hours.ts'
import { Publisher } from './publisher.ts'
import { ShardClient } from './shard-client.ts'
import { type StoreStatistics, summarise } from './statistics.ts'
import { StoreCore } from './store-core.ts'
import { checkShards, createIdentity, readIdentity, type StoreIdentity } from './store-identity.ts'

/** A feature group as `describe` and `list` tell it. */
export interface FeatureGroupDescription extends Required<FeatureGroupDefinition> {
  readonly createdAt: Date
  readonly status: 'created' | 'deleting'
  /** Absolute path of the directory that holds its `year=.../month=.../day=.../hour=...` partitions; undefined without an offline store. */
  readonly offlineDirectory: string | undefined
}

/** What opening had to do. */
export interface RecoverySummary {
  /** Records replayed from the logs; 0 after a clean close. */
  readonly replayedRecords: number
  /** Bytes of unfinished last writes that were cut (they were never acknowledged). */
  readonly tornBytes: number
}

interface StoreParts {
  readonly directory: string
  readonly fileSystem: FileSystem
  readonly lock: DirectoryLock
  readonly options: ResolvedOptions
  readonly identity: StoreIdentity
  readonly catalog: Catalog
  readonly manifest: Manifest
  readonly core: StoreCore
  readonly encoder: EncoderClient
  readonly publisher: Publisher
  readonly recovery: RecoverySummary
}

export class Millrace {
  readonly #parts: StoreParts
  readonly #handles = new Map<number, FeatureGroup<FeatureGroupDefinition>>()
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
    const parts = await openParts(resolve(directory), resolveOptions(options))
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
    const model = catalog.add((number) => this.#modelOf(number, definition))
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
    const difference = differenceOf(existing, this.#modelOf(existing.number, definition))
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

  /** @throws FEATURE_GROUP_NOT_FOUND */
  describe(name: string): FeatureGroupDescription {
    return this.#description(this.#find(name))
  }

  /** All feature groups, in the order they were made. */
  list(): FeatureGroupDescription[] {
    this.#parts.core.checkOpen()
    return this.#parts.catalog.all.map((group) => this.#description(group))
  }

  /**
   * Deletes a feature group: its online records are gone at once, rows accepted before are still published, and its
   * offline files stay. Resolves when the online data is removed.
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  async deleteFeatureGroup(name: string): Promise<void> {
    const group = this.#find(name)
    const handle = this.#handles.get(group.number)
    this.#parts.catalog.replace({ ...group, status: 'deleting' })
    this.#handles.delete(group.number)
    await handle?.close()
    await this.#finishDeletions()
  }

  /**
   * Resolves when every write acknowledged before is in Parquet files and merged into the online partitions.
   * Not needed for durability or visibility; acknowledged writes have both.
   */
  async flush(): Promise<void> {
    this.#parts.core.checkOpen()
    await this.#drainHandles()
    const online = this.#askAll((shard) => shard.request({ type: 'flushOnline' }))
    await Promise.all([this.#parts.publisher.flush(), online])
  }

  async stats(): Promise<StoreStatistics> {
    const { core, manifest, catalog, options, publisher } = this.#parts
    core.checkOpen()
    const shards = await this.#askAll((shard) => shard.request({ type: 'statistics' }))
    return summarise({
      core,
      manifest,
      groups: catalog.all,
      shards,
      budgetBytes: options.memoryBytes,
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
    await this.#drainHandles()
    core.markClosed()
    if (isFlushing) await attempt(() => publisher.flush())
    await attempt(() => publisher.close())
    await attempt(() => this.#askAll((shard) => shard.request({ type: 'close' })))
    await Promise.all([...core.shards, encoder].map((client) => attempt(() => client.close())))
    manifest.close()
    lock.release()
    if (failures.length > 0) throw failures[0]
  }

  async #drainHandles(): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.close()))
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

  #modelOf(number: number, definition: FeatureGroupDefinition): FeatureGroupModel {
    const { online = true, offline = true, description = '' } = definition
    const { directory, fileSystem, core, options } = this.#parts
    let createdAtMs = core.clock.nowMs()
    let offlineDirectory = ''
    if (offline) {
      const place = (): string =>
        offlineDataDirectory({
          root: offlineRoot(directory),
          ...options.location,
          featureGroup: definition.name,
          createdSeconds: Math.floor(createdAtMs / 1000),
        })
      // The directory is named by the second; a group re-created within one must not meet the old files.
      while (fileSystem.exists(resolve(place(), '..'))) createdAtMs += 1000
      offlineDirectory = relative(directory, place())
    }
    return {
      number,
      name: definition.name,
      recordIdentifier: definition.recordIdentifier,
      eventTime: definition.eventTime,
      features: Object.entries(definition.features).map(([name, type]) => ({ name, type })),
      online,
      offline,
      description,
      createdAtMs,
      status: 'created',
      offlineDirectory,
    }
  }

  #description(group: FeatureGroupModel): FeatureGroupDescription {
    return {
      name: group.name,
      recordIdentifier: group.recordIdentifier,
      eventTime: group.eventTime,
      features: Object.fromEntries(group.features.map(({ name, type }) => [name, type])),
      online: group.online,
      offline: group.offline,
      description: group.description,
      createdAt: new Date(group.createdAtMs),
      status: group.status,
      offlineDirectory: group.offline ? join(this.#parts.directory, group.offlineDirectory) : undefined,
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
    let handle = this.#handles.get(model.number)
    if (handle === undefined) {
      const { core, publisher, catalog } = this.#parts
      const isDeleted = (): boolean =>
        !catalog.all.some((group) => group.number === model.number && group.status === 'created')
      handle = new FeatureGroup(model, core, publisher, isDeleted)
      this.#handles.set(model.number, handle)
    }
    return handle
  }

  #askAll<T>(ask: (shard: ShardClient) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#parts.core.shards.map(ask))
  }
}

async function openParts(directory: string, options: ResolvedOptions): Promise<StoreParts> {
  const fileSystem = nodeFileSystem
  const clock = systemClock
  const before = readIdentity(fileSystem, directory)
  if (before !== undefined) checkShards(before, directory, options.shards)
  fileSystem.makeDirectory(directory)
  const lock = DirectoryLock.acquire(fileSystem, directory)
  let shards: ShardClient[] = []
  let manifest: Manifest | undefined
  try {
    // Read again: another process may have made the store between the check and the lock.
    const identity =
      readIdentity(fileSystem, directory) ??
      createIdentity(fileSystem, directory, options.shards ?? defaultShards(), clock.nowMs())
    checkShards(identity, directory, options.shards)
    const budgets = divideBudgets(options, identity.shards)
    const catalog = new Catalog(fileSystem, directory)
    const opened = Manifest.open(fileSystem, manifestFile(directory))
    manifest = opened
    removeLeftoverTempFiles(fileSystem, offlineRoot(directory))
    shards = Array.from(
      { length: identity.shards },
      (_, shard) => new ShardClient(shard, (error) => core.fail(error)),
    )
    const core: StoreCore = new StoreCore(shards, new ByteGate(budgets.inFlightBytes), clock)
    const history = publishedHours(opened, identity.shards)
    const reports = await Promise.all(
      shards.map((shard) =>
        shard.request({
          type: 'open',
          config: configOf(shard.shard, directory, identity, options, budgets),
          groups: [...catalog.all],
          ...history.of(shard.shard),
        }),
      ),
    )
    const encoder = new EncoderClient(options.encoderThreads)
    const groupOf = (number: number): FeatureGroupModel | undefined =>
      catalog.all.find((group) => group.number === number)
    const files = new FilePublisher({
      directory,
      storeId: identity.storeId,
      codec: options.codec,
      shards,
      groupOf,
    })
    const lastRound = Math.max(history.roundMax, ...reports.map((report) => report.roundMax))
    const publisher = new Publisher(
      {
        shards,
        encoder,
        manifest: opened,
        files,
        clock,
        encodeBytes: budgets.encodeBytes,
        partBytes: Math.ceil(options.flushBytes / identity.shards),
      },
      lastRound,
      reports.map((report) => report.pending),
    )
    return {
      directory,
      fileSystem,
      lock,
      options,
      identity,
      catalog,
      manifest: opened,
      core,
      encoder,
      publisher,
      recovery: summaryOf(reports),
    }
  } catch (thrown) {
    await Promise.allSettled(shards.map((shard) => shard.close()))
    manifest?.close()
    lock.release()
    throw thrown
  }
}

function configOf(
  shard: number,
  directory: string,
  identity: StoreIdentity,
  options: ResolvedOptions,
  budgets: ReturnType<typeof divideBudgets>,
): ShardConfig {
  return {
    shard,
    shardCount: identity.shards,
    storeId: Uint8Array.from(Buffer.from(identity.storeId, 'hex')),
    walDirectory: walDirectory(directory, shard),
    onlineDirectory: onlineDirectory(directory, shard),
    durability: options.durability,
    syncIntervalMs: options.syncIntervalMs,
    segmentBytes: options.segmentBytes,
    logBytes: budgets.shardLogBytes,
    memoryBytes: budgets.shardMemoryBytes,
    flushAgeMs: options.flushAgeMs,
    flushRows: options.flushRows,
    flushBytes: Math.ceil(options.flushBytes / identity.shards),
  }
}

function summaryOf(reports: readonly RecoveryReport[]): RecoverySummary {
  return {
    replayedRecords: reports.reduce((sum, report) => sum + report.records, 0),
    tornBytes: reports.reduce((sum, report) => sum + report.tornBytes, 0),
  }
}

function differenceOf(existing: FeatureGroupModel, wanted: FeatureGroupModel): string | undefined {
  for (const key of ['recordIdentifier', 'eventTime', 'online', 'offline'] as const) {
    if (existing[key] !== wanted[key]) return `${key} is ${existing[key]}, not ${wanted[key]}`
  }
  const show = (group: FeatureGroupModel): string =>
    group.features.map(({ name, type }) => `${name}: ${type}`).join(', ')
  return show(existing) === show(wanted)
    ? undefined
    : `its features are ${show(existing)}, not ${show(wanted)}`
}
