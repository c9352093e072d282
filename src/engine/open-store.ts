/**
 * Opening a store: the order in which its files are checked, locked and read, and its threads started.
 * Invariant: nothing is written to a directory before it is known to be ours, or empty.
 */

import { systemClock } from '../core/clock.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { DirectoryLock } from '../io/directory-lock.ts'
import { makeDurableDirectory } from '../io/durable-directory.ts'
import { type FileSystem, nodeFileSystem } from '../io/file-system.ts'
import { manifestFile, offlineRoot, onlineDirectory, walDirectory } from '../io/paths.ts'
import { Manifest } from '../stores/manifest.ts'
import { removeLeftoverTempFiles } from '../stores/offline-files.ts'
import type { RecoveryReport, ShardConfig } from '../workers/protocol.ts'
import { ByteGate } from './byte-gate.ts'
import { Catalog } from './catalog.ts'
import { EncoderClient } from './encoder-client.ts'
import { FilePublisher } from './file-jobs.ts'
import { defaultShards, divideBudgets, type ResolvedOptions } from './options.ts'
import { publishedHours } from './published-hours.ts'
import { Publisher } from './publisher.ts'
import { ShardClient } from './shard-client.ts'
import { StoreCore } from './store-core.ts'
import { checkShards, createIdentity, readIdentity, type StoreIdentity } from './store-identity.ts'

/** What opening had to do. */
export interface RecoverySummary {
  /** Records replayed from the logs; 0 after a clean close. */
  readonly replayedRecords: number
  /** Bytes of unfinished last writes that were cut (they were never acknowledged). */
  readonly tornBytes: number
}

/** Everything an open store owns. */
export interface StoreParts {
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

/** @throws as `Millrace.open`; nothing stays open or locked then */
export async function openStore(directory: string, options: ResolvedOptions): Promise<StoreParts> {
  const fileSystem = nodeFileSystem
  const clock = options.clock ?? systemClock
  const before = readIdentity(fileSystem, directory)
  if (before !== undefined) checkShards(before, directory, options.shards)
  else divideBudgets(options, options.shards ?? defaultShards())
  makeDurableDirectory(fileSystem, directory)
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
    const core: StoreCore = new StoreCore(
      shards,
      new ByteGate(budgets.inFlightBytes),
      clock,
      options.hasExtensions,
    )
    const history = publishedHours(opened, identity.shards)
    const reports = await Promise.all(
      shards.map((shard) =>
        shard.open({
          config: configOf(shard.shard, directory, identity, options, budgets),
          groups: [...catalog.all],
          ...history.of(shard.shard),
        }),
      ),
    )
    core.startStampsAfter(Math.max(...reports.map((report) => report.lastInvocationUs)))
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
      { round: lastRound, writeTimeUs: history.writeTimeUsMax },
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
    hasExpiryMarkers: options.hasExpiryMarkers,
    manualClock: options.clock?.shared,
  }
}

function summaryOf(reports: readonly RecoveryReport[]): RecoverySummary {
  return {
    replayedRecords: reports.reduce((sum, report) => sum + report.records, 0),
    tornBytes: reports.reduce((sum, report) => sum + report.tornBytes, 0),
  }
}
