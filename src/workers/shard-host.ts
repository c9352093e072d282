/**
 * The thread side of the protocol: opens the shard on the first request and then answers requests one by one or
 * interleaved, as they come. Operating errors are answered as data, never thrown.
 * Owns: the shard of this thread, the schemas, the timers.
 */
import { type Clock, ManualClock } from '../core/clock.ts'
import { assertNever, MillraceError } from '../core/errors.ts'
import { compileSchema, type RecordSchema } from '../core/model.ts'
import { makeDurableDirectory } from '../io/durable-directory.ts'
import { nodeFileSystem } from '../io/file-system.ts'
import { hashRangeOfShard } from '../stores/memtable-index.ts'
import { RowChunks } from '../stores/row-chunks.ts'
import { openLog } from '../wal/open-log.ts'
import { Expirer } from './expirer.ts'
import { listPage } from './listing.ts'
import { OfflineSide } from './offline-side.ts'
import { OnlineSide } from './online-side.ts'
import type { RecoveryReport, ShardReplies, ShardReply, ShardRequest, ShardRequestOf } from './protocol.ts'
import { ReadLane } from './read-lane.ts'
import { readRecords } from './reads.ts'
import { replayLog } from './recovery.ts'
import { Shard } from './shard.ts'
import { Sources } from './sources.ts'
import { Stamps } from './stamps.ts'

const WATCH_MS = 500
const REMOVE_RECORDS = 2000
const SPARE_BUFFERS_PER_REPLY = 2
/** Memtable share of the budget while the log is replayed. */
const REPLAY_SHARE = 0.35

export class ShardHost {
  #clock: Clock
  readonly #schemas = new Map<number, RecordSchema>()
  readonly #sources = new Sources()
  #chunks = new RowChunks()
  #shard: Shard | undefined
  #online: OnlineSide | undefined
  #offline: OfflineSide | undefined
  #reads: ReadLane | undefined
  #timers: NodeJS.Timeout[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async handle(request: ShardRequest): Promise<ShardReply> {
    try {
      return { ok: true, value: await this.#answer(request) }
    } catch (thrown) {
      return { ok: false, error: MillraceError.from(thrown).toData() }
    }
  }

  async #answer(request: ShardRequest): Promise<ShardReplies[ShardRequest['type']]> {
    if (request.type === 'open') return this.#open(request)
    const shard = this.#shard
    const online = this.#online
    const offline = this.#offline
    if (shard === undefined || online === undefined || offline === undefined) {
      throw new MillraceError('STORE_FAILED', 'the shard thread was restarted; reopen the store')
    }
    switch (request.type) {
      case 'write':
      case 'conditional': {
        const refusal = await shard.write(request.buffer, request.bytes, request.type === 'conditional')
        if (refusal !== undefined) throw refusal
        return this.#chunks.takeSpare(SPARE_BUFFERS_PER_REPLY)
      }
      case 'list':
        shard.noteRead()
        return listPage(online, request, this.#clock.nowMs() * 1000)
      case 'position':
        return this.#sources.position(request.low, request.high)
      case 'pressure':
        return shard.pressure()
      case 'hours':
        return shard.hours(request)
      case 'seal':
        return shard.seal(request.seal)
      case 'columns':
        return shard.columns(request.round, request.hours)
      case 'published':
        shard.published(request.round, request.hours)
        return undefined
      case 'flushOnline':
        return void (await shard.flushOnline())
      case 'expire':
        // A version in a memtable has a timer only if it was to expire soon when it was written; a merged one always.
        await shard.flushOnline()
        return shard.expire()
      case 'watermark':
        return shard.watermarkUs(request)
      case 'addGroup':
        this.#schemas.set(request.group.number, compileSchema(request.group))
        return undefined
      case 'dropGroup':
        return void (await this.#dropGroup(online, request.featureGroup))
      case 'statistics':
        return shard.statistics()
      case 'quiesce':
        shard.quiesce()
        return undefined
      case 'close':
        for (const timer of this.#timers) clearInterval(timer)
        await shard.close()
        this.#reads?.close()
        return undefined
      default:
        return assertNever(request)
    }
  }

  #open(request: ShardRequestOf<'open'>): RecoveryReport {
    const { config } = request
    if (config.manualClock !== undefined) this.#clock = new ManualClock(config.manualClock)
    for (const group of request.groups) this.#schemas.set(group.number, compileSchema(group))
    makeDurableDirectory(nodeFileSystem, config.onlineDirectory)
    const chunks = new RowChunks(config.memoryBytes / 16)
    this.#chunks = chunks
    const online = new OnlineSide(
      config.onlineDirectory,
      hashRangeOfShard(config.shard, config.shardCount),
      chunks,
    )
    const { log, report } = openLog(
      {
        fileSystem: nodeFileSystem,
        directory: config.walDirectory,
        shard: config.shard,
        shardCount: config.shardCount,
        storeId: config.storeId,
        segmentBytes: config.segmentBytes,
        durability: config.durability,
      },
      { highestLsn: Math.max(online.mergedLsn, request.publishedLsn) },
    )
    if (log.firstLsn > online.mergedLsn + 1) {
      throw new MillraceError(
        'LOG_CORRUPT',
        `the log in ${config.walDirectory} starts at LSN ${log.firstLsn}, but the online partition only reaches ${online.mergedLsn}: segments are missing`,
        { place: { file: config.walDirectory } },
      )
    }
    const offline = new OfflineSide(chunks, config, this.#clock)
    const sources = this.#sources
    const stamps = new Stamps()
    stamps.observe(request.lastInvocationUs)
    const expirer = new Expirer(
      { online, stamps, schemas: this.#schemas, hasMarkers: config.hasExpiryMarkers },
      this.#clock.nowMs(),
    )
    const recovery = replayLog({
      log,
      stores: { chunks, online, offline },
      sources,
      stamps,
      published: request.published,
      tornBytes: report.tornBytes,
      nowMs: this.#clock.monotonicMs(),
      memtableBytesMax: config.memoryBytes * REPLAY_SHARE,
      isKnownGroup: (featureGroup) => this.#schemas.has(featureGroup),
    })
    const reads = new ReadLane(request.readPort, (read) => {
      this.#shard?.noteRead()
      return readRecords(online, read, this.#clock.nowMs() * 1000)
    })
    const shard = new Shard({
      config,
      clock: this.#clock,
      log,
      chunks,
      online,
      offline,
      sources,
      stamps,
      expirer,
      reads,
      schemas: this.#schemas,
    })
    this.#shard = shard
    this.#online = online
    this.#offline = offline
    this.#reads = reads
    this.#timers = [setInterval(() => shard.watch(), WATCH_MS)]
    if (config.durability === 'interval') {
      this.#timers.push(setInterval(() => shard.syncLog(), config.syncIntervalMs))
    }
    return recovery
  }

  /** Its offline rows are published by now; what is left is the online range. */
  async #dropGroup(online: OnlineSide, featureGroup: number): Promise<void> {
    online.drop(featureGroup)
    while (online.partition.removeFeatureGroup(featureGroup, REMOVE_RECORDS)) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#schemas.delete(featureGroup)
  }
}
