/**
 * Every file and directory name of a data directory is made here, and read back here.
 *
 *   DIR/millrace.json  DIR/catalog.json  DIR/manifest.log  DIR/LOCK
 *   DIR/shards/NN/wal/<sequence>-<first LSN>.wal      both 16 hexadecimal digits
 *   DIR/shards/NN/online
 *   DIR/offline/<bucket>/<prefix>/<account>/sagemaker/<region>/offline-store/<group>-<created>/data/
 *       year=YYYY/month=MM/day=DD/hour=HH/<timestamp>_<16 alphanumerics>.parquet
 *
 * Names that start with a dot are temporary: they mean nothing after a crash, and lake readers skip them.
 */
import { basename, dirname, join } from 'node:path'
import { assert, invalid, quote } from '../core/errors.ts'
import { civilFromDay, eventTimeText } from '../core/event-time.ts'

export const storeFile = (directory: string): string => join(directory, 'millrace.json')
export const catalogFile = (directory: string): string => join(directory, 'catalog.json')
export const lockFile = (directory: string): string => join(directory, 'LOCK')
export const manifestFile = (directory: string): string => join(directory, 'manifest.log')

export function shardDirectory(directory: string, shard: number): string {
  assert(Number.isSafeInteger(shard) && shard >= 0, 'a shard is a whole number')
  return join(directory, 'shards', String(shard).padStart(2, '0'))
}
export const walDirectory = (directory: string, shard: number): string =>
  join(shardDirectory(directory, shard), 'wal')
export const onlineDirectory = (directory: string, shard: number): string =>
  join(shardDirectory(directory, shard), 'online')

/** The hidden name beside `path` under which its next content is made. */
export const temporaryFile = (path: string): string => join(dirname(path), `.${basename(path)}.tmp`)
/** The same for a name that several processes may use at once. */
export const uniqueTemporaryFile = (path: string, unique: string): string =>
  join(dirname(path), `.${basename(path)}.${unique}.tmp`)
export const isTemporaryName = (name: string): boolean => name.startsWith('.') && name.endsWith('.tmp')

/** Held by the process that removes the stale lock file whose content has this digest. */
export const lockClaimFile = (directory: string, digest: string): string =>
  join(directory, `.LOCK.claim-${digest}`)

const hex16 = (value: number): string => {
  assert(Number.isSafeInteger(value) && value >= 0, 'a number in a file name is a whole number')
  return value.toString(16).padStart(16, '0')
}

export const segmentFile = (walDirectory: string, firstLsn: number, sequence: number): string =>
  join(walDirectory, `${hex16(sequence)}-${hex16(firstLsn)}.wal`)

export interface SegmentName {
  readonly sequence: number
  readonly firstLsn: number
}

const SEGMENT_NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.wal$/

/** @returns undefined for a name `segmentFile` does not make. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const match = SEGMENT_NAME.exec(name)
  if (match === null) return undefined
  const sequence = Number.parseInt(match[1]!, 16)
  const firstLsn = Number.parseInt(match[2]!, 16)
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(firstLsn)) return undefined
  return { sequence, firstLsn }
}

/** The hidden name under which a log's next segment is made. */
export const preparedSegmentFile = (walDirectory: string): string => join(walDirectory, '.next-segment.tmp')

/** The bytes cut off a segment's torn tail. The same tail always gets the same name. */
export const tornFile = (
  segment: string,
  tail: { readonly offset: number; readonly epoch: string },
): string => `${segment}.${tail.epoch}-${tail.offset}.torn`

export const offlineRoot = (directory: string): string => join(directory, 'offline')

export interface OfflineLocation {
  readonly root: string
  readonly bucket: string
  /** May be empty, and may have several parts separated by slashes. */
  readonly prefix: string
  readonly accountId: string
  readonly region: string
  readonly featureGroup: string
  /** Creation time of the feature group, whole seconds since 1970. */
  readonly createdSeconds: number
}

/** R-460, up to and including `data`. */
export function offlineDataDirectory(location: OfflineLocation): string {
  const prefixParts = location.prefix.split('/').filter((part) => part !== '')
  const parts = [location.bucket, ...prefixParts, ...partsBelowPrefix(location)]
  for (const part of parts) checkPathPart(part)
  return join(location.root, ...parts)
}

/** The same place as R-511 names it: the URI as it was given, without slashes at its end, and what follows. */
export function offlineDataUri(
  s3Uri: string,
  location: Omit<OfflineLocation, 'root' | 'bucket' | 'prefix'>,
): string {
  return [s3Uri.replace(/\/+$/, ''), ...partsBelowPrefix(location)].join('/')
}

function partsBelowPrefix(location: Omit<OfflineLocation, 'root' | 'bucket' | 'prefix'>): string[] {
  const { accountId, region, featureGroup, createdSeconds } = location
  assert(Number.isSafeInteger(createdSeconds), 'a creation time is whole seconds')
  return [accountId, 'sagemaker', region, 'offline-store', `${featureGroup}-${createdSeconds}`, 'data']
}

/** A name on a file system has at most 255 bytes; a path of files below this one stays under 4096. */
const PATH_PART_BYTES_MAX = 255
const PREFIX_BYTES_MAX = 2048

/**
 * The bucket and prefix of an object store's URI, as names of directories: empty parts are left out, and what would
 * lead elsewhere or hide a directory is percent-encoded (a dot in front, control characters, `\\` and `%`).
 * @throws INVALID_ARGUMENT for anything but `s3://bucket/prefix`, and for names no file system takes
 */
export function locationOfUri(s3Uri: string): Pick<OfflineLocation, 'bucket' | 'prefix'> {
  const match = /^(?:s3|https):\/\/([^/]+)\/?(.*)$/s.exec(s3Uri)
  if (match === null || !s3Uri.isWellFormed()) {
    throw invalid(`expected a URI such as s3://bucket/prefix, found ${quote(s3Uri)}`)
  }
  const [bucket = '', ...prefix] = [match[1]!, ...match[2]!.split('/').filter((part) => part !== '')].map(
    safePart,
  )
  const location = { bucket, prefix: prefix.join('/') }
  const bytes = Buffer.byteLength(location.prefix)
  if (bytes > PREFIX_BYTES_MAX) {
    throw invalid(`expected a prefix of at most ${PREFIX_BYTES_MAX} bytes, found ${bytes} in ${quote(s3Uri)}`)
  }
  return location
}

function safePart(part: string): string {
  const encoded = part.replace(/^\.|[%\\\p{Cc}]/gu, percentEncoded)
  if (Buffer.byteLength(encoded) <= PATH_PART_BYTES_MAX) return encoded
  throw invalid(`expected at most ${PATH_PART_BYTES_MAX} bytes between two slashes, found ${quote(part)}`)
}

/** A character of one UTF-16 unit; also those that `encodeURIComponent` leaves as they are. */
const percentEncoded = (character: string): string =>
  [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

function checkPathPart(part: string): void {
  if (part === '' || part === '.' || part === '..' || /[/\\\0]/.test(part)) {
    throw invalid(`expected a plain name as part of an offline path, got ${quote(part)}`)
  }
}

const digits = (value: number, count: number): string => String(value).padStart(count, '0')

/** The partition of an event hour (whole hours since 1970, UTC), R-461. */
export function hourDirectory(dataDirectory: string, eventHour: number): string {
  assert(Number.isSafeInteger(eventHour), 'an event hour is a whole number')
  const day = Math.floor(eventHour / 24)
  const { year, month, dayOfMonth } = civilFromDay(day)
  return join(
    dataDirectory,
    `year=${digits(year, 4)}`,
    `month=${digits(month, 2)}`,
    `day=${digits(dayOfMonth, 2)}`,
    `hour=${digits(eventHour - day * 24, 2)}`,
  )
}

/** `latestEventSeconds`: the latest event time in the file, whole seconds since 1970. */
export function parquetFileName(latestEventSeconds: number, suffix16: string): string {
  assert(Number.isSafeInteger(latestEventSeconds), 'a file is named by whole seconds')
  assert(/^[0-9A-Za-z]{16}$/.test(suffix16), 'the suffix of a file name is 16 alphanumerics')
  return `${eventTimeText(latestEventSeconds, 0, 0).replace(/[-:]/g, '')}_${suffix16}.parquet`
}
