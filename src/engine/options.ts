/** Options of a store: defaults, checks, and how the memory and log budgets are divided. */
import { availableParallelism, totalmem } from 'node:os'
import { ManualClock } from '../core/clock.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Durability } from '../workers/protocol.ts'

export type ParquetCodecName = 'zstd' | 'snappy' | 'lz4' | 'gzip' | 'none'

export interface MillraceOptions {
  /**
   * Number of shards, each with a thread, a log and an online partition of its own. Default: one per core, at
   * most 8. Recorded in the store: opening it with another number is refused.
   */
  readonly shards?: number
  /**
   * `strict` (default): a write is acknowledged after `fdatasync`; it survives a process crash and a power loss.
   * `interval`: acknowledged after the write, synced every `syncIntervalMs`; survives a process crash, and may
   * lose the last interval on power loss.
   */
  readonly durability?: Durability
  /** For `interval` durability. Default 50. */
  readonly syncIntervalMs?: number
  /**
   * Bound on rows, memtables, hour buffers and batches on their way, in bytes, over all shards. Past it writes
   * wait. Default 1 GiB, or a quarter of the machine's memory if that is less. At least 32 MiB.
   */
  readonly memoryBytes?: number
  /** When rows become Parquet files, besides `flush()` and `close()`: whichever comes first. */
  readonly flush?: {
    /** After the oldest row of an hour has waited this long. Default 5 minutes, at most 15. */
    readonly ageMs?: number
    /** Rows of one hour in one shard. Default 1,000,000. */
    readonly rows?: number
    /** Packed bytes of one hour over all shards. Default 48 MiB. */
    readonly bytes?: number
  }
  readonly parquet?: {
    /** Default `zstd`. */
    readonly codec?: ParquetCodecName
    /** Threads that encode Parquet and wait for its syncs. Default 2: one encodes while the other waits. */
    readonly threads?: number
  }
  readonly log?: {
    /** Default 64 MiB. */
    readonly segmentBytes?: number
    /** Bound on the logs of all shards. Default 1 GiB; at least four segments a shard. */
    readonly bytes?: number
  }
  /**
   * False (default): what AWS refuses is refused here. True: collection features and an offline store on every tier,
   * updates in part on every tier, larger batches.
   */
  readonly extensions?: boolean
  /** Whether a record that expires leaves a marker in the offline store. Default true. */
  readonly expiryMarkers?: boolean
  /** Time for tests: a clock that only moves when it is told to. Default: the system's. */
  readonly clock?: ManualClock
  /** Where offline files go, below `DIR/offline/`, and what ARNs say. The defaults suit a store of your own. */
  readonly location?: {
    readonly bucket?: string
    readonly prefix?: string
    /** Twelve digits. */
    readonly accountId?: string
    readonly region?: string
    /** Default `aws`. */
    readonly partition?: string
  }
}

/** See `MillraceOptions.location`. */
export interface StoreLocation {
  readonly bucket: string
  readonly prefix: string
  readonly accountId: string
  readonly region: string
  readonly partition: string
}

export interface ResolvedOptions {
  readonly shards: number | undefined
  readonly durability: Durability
  readonly syncIntervalMs: number
  readonly memoryBytes: number
  readonly flushAgeMs: number
  readonly flushRows: number
  readonly flushBytes: number
  readonly codec: ParquetCodecName
  readonly encoderThreads: number
  readonly segmentBytes: number
  readonly logBytes: number
  readonly hasExtensions: boolean
  readonly hasExpiryMarkers: boolean
  readonly clock: ManualClock | undefined
  readonly location: StoreLocation
}

const CODECS: readonly ParquetCodecName[] = ['zstd', 'snappy', 'lz4', 'gzip', 'none']
const OPTION_NAMES = [
  'shards',
  'durability',
  'syncIntervalMs',
  'memoryBytes',
  'flush',
  'parquet',
  'log',
  'extensions',
  'expiryMarkers',
  'clock',
  'location',
]
/** The options that are objects themselves. */
const NESTED_NAMES = {
  flush: ['ageMs', 'rows', 'bytes'],
  parquet: ['codec', 'threads'],
  log: ['segmentBytes', 'bytes'],
  location: ['bucket', 'prefix', 'accountId', 'region', 'partition'],
} as const

export const defaultShards = (): number => Math.max(1, Math.min(8, availableParallelism()))

export function resolveOptions(options: MillraceOptions): ResolvedOptions {
  checkNames('', options, OPTION_NAMES)
  for (const [name, names] of Object.entries(NESTED_NAMES)) {
    const nested: unknown = options[name as keyof typeof NESTED_NAMES]
    if (nested === undefined) continue
    if (typeof nested !== 'object' || nested === null) {
      throw invalid(`${name}: expected an object with ${names.join(', ')}, found ${show(nested)}`)
    }
    checkNames(`${name}.`, nested, names)
  }
  const { durability = 'strict' } = options
  if (durability !== 'strict' && durability !== 'interval') {
    throw invalid(`durability: expected "strict" or "interval", found ${JSON.stringify(durability)}`)
  }
  const codec = options.parquet?.codec ?? 'zstd'
  if (!CODECS.includes(codec)) {
    throw invalid(`parquet.codec: expected one of ${CODECS.join(', ')}, found ${JSON.stringify(codec)}`)
  }
  const segmentBytes = whole('log.segmentBytes', options.log?.segmentBytes, limits.segmentBytes, {
    least: limits.segmentBytesMin,
    most: 1024 ** 3,
  })
  const memoryDefault = Math.max(
    limits.memoryBytesMin,
    Math.min(limits.memoryBytes, Math.floor(totalmem() / 4)),
  )
  const { location = {} } = options
  return {
    shards:
      options.shards === undefined ? undefined : whole('shards', options.shards, 1, { least: 1, most: 256 }),
    durability,
    syncIntervalMs: whole('syncIntervalMs', options.syncIntervalMs, 50, { least: 1, most: 60_000 }),
    memoryBytes: whole('memoryBytes', options.memoryBytes, memoryDefault, {
      least: limits.memoryBytesMin,
      most: Number.MAX_SAFE_INTEGER,
    }),
    flushAgeMs: whole('flush.ageMs', options.flush?.ageMs, limits.flushAgeMs, {
      least: 100,
      most: limits.flushAgeMsMax,
    }),
    flushRows: whole('flush.rows', options.flush?.rows, limits.fileRows, { least: 1, most: 10_000_000 }),
    flushBytes: whole('flush.bytes', options.flush?.bytes, limits.fileBytes, {
      least: 64 * 1024,
      most: 256 * 1024 ** 2,
    }),
    codec,
    encoderThreads: whole('parquet.threads', options.parquet?.threads, 2, { least: 1, most: 64 }),
    segmentBytes: segmentBytes - (segmentBytes % 8),
    logBytes: whole('log.bytes', options.log?.bytes, limits.logBytes, {
      least: segmentBytes * 4,
      most: Number.MAX_SAFE_INTEGER,
    }),
    hasExtensions: flag('extensions', options.extensions, false),
    hasExpiryMarkers: flag('expiryMarkers', options.expiryMarkers, true),
    clock: manualClock(options.clock),
    location: {
      bucket: plainName('location.bucket', location.bucket ?? 'millrace'),
      prefix: (location.prefix ?? '')
        .split('/')
        .filter((part) => part !== '')
        .map((part) => plainName('location.prefix', part))
        .join('/'),
      accountId: matching('location.accountId', location.accountId ?? '000000000000', /^\d{12}$/),
      region: matching('location.region', location.region ?? 'local', /^[a-z0-9-]+$/),
      partition: matching('location.partition', location.partition ?? 'aws', /^aws[a-z-]*$/),
    },
  }
}

function checkNames(path: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue
    const names = known.map((each) => `${path}${each}`)
    throw invalid(`unknown option "${path}${name}"; expected one of ${names.join(', ')}`)
  }
}

/** It becomes the name of a directory; readers of data lakes do not look into hidden ones. */
function plainName(option: string, value: string): string {
  if (typeof value === 'string' && /^[^./\\\0][^/\\\0]*$/.test(value)) return value
  throw invalid(
    `${option}: expected a plain name without "/" that does not start with ".", found ${show(value)}`,
  )
}

function manualClock(clock: unknown): ManualClock | undefined {
  if (clock === undefined || clock instanceof ManualClock) return clock
  throw invalid('clock: expected a ManualClock; other clocks cannot be read by the threads of a store')
}

/** It becomes a part of ARNs, and clients check those (a.2). */
function matching(option: string, value: string, pattern: RegExp): string {
  if (typeof value === 'string' && pattern.test(value)) return value
  throw invalid(`${option}: expected a text that matches ${pattern.source}, found ${show(value)}`)
}

function flag(name: string, value: unknown, byDefault: boolean): boolean {
  if (value === undefined) return byDefault
  if (typeof value === 'boolean') return value
  throw invalid(`${name}: expected true or false, found ${show(value)}`)
}

const show = (value: unknown): string => (typeof value === 'string' ? quote(value) : String(value))

function whole(
  name: string,
  value: number | undefined,
  byDefault: number,
  range: { least: number; most: number },
): number {
  if (value === undefined) return byDefault
  if (Number.isInteger(value) && value >= range.least && value <= range.most) return value
  throw invalid(`${name}: expected a whole number from ${range.least} to ${range.most}, found ${show(value)}`)
}

/** Shares of the memory budget. The rest is for columns on their way to the encoder. */
const SHARD_SHARE = 0.75
const IN_FLIGHT_SHARE = 1 / 16

export function divideBudgets(
  options: ResolvedOptions,
  shards: number,
): { shardMemoryBytes: number; shardLogBytes: number; inFlightBytes: number; encodeBytes: number } {
  const shardLogBytes = Math.floor(options.logBytes / shards)
  if (shardLogBytes < options.segmentBytes * 2) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `log.bytes: ${options.logBytes} bytes are less than two segments of ${options.segmentBytes} bytes for each of ${shards} shards`,
    )
  }
  if (options.memoryBytes < shards * limits.shardMemoryBytesMin) {
    throw new MillraceError(
      'INVALID_ARGUMENT',
      `memoryBytes: expected at least ${limits.shardMemoryBytesMin} bytes for each of ${shards} shards, found ${options.memoryBytes} in all`,
    )
  }
  return {
    shardMemoryBytes: Math.floor((options.memoryBytes * SHARD_SHARE) / shards),
    shardLogBytes,
    inFlightBytes: Math.floor(options.memoryBytes * IN_FLIGHT_SHARE),
    encodeBytes: Math.floor((options.memoryBytes * IN_FLIGHT_SHARE) / options.encoderThreads),
  }
}
