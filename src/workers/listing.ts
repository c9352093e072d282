/**
 * Pages of record ids in key order: three sorted sources (active memtable, frozen memtable, partition) merged,
 * with the newest version of each record deciding whether it is listed (R-320..R-334).
 */
import { isLongKey, KEY_ID, LONG_ID_BYTES, writeOnlineKey } from '../codec/online-key.ts'
import { ROW_HASH_HIGH, ROW_HASH_LOW, ROW_ID, rowIdBytes } from '../codec/row.ts'
import { isExpired, isTombstone } from '../codec/version.ts'
import type { Memtable } from '../stores/memtable.ts'
import type { OnlineSide } from './online-side.ts'
import type { ListPage } from './protocol.ts'

interface Candidate {
  readonly key: Buffer
  readonly id: Buffer
  /** As stored; undefined if it is in a memtable, which decides with what lies below it. */
  readonly stored: ListedVersion | undefined
}

interface ListedVersion {
  readonly isTombstone: boolean
  readonly isExpired: boolean
}

export interface ListRequest {
  readonly featureGroup: number
  /** Key of the last record of the page before. */
  readonly after: Uint8Array | undefined
  readonly limit: number
  readonly includeTombstones: boolean
}

export function listPage(online: OnlineSide, request: ListRequest, nowUs: number): ListPage {
  const { featureGroup, limit } = request
  const after = request.after === undefined ? undefined : Buffer.from(request.after)
  const memtables = [online.active, online.frozen].filter(
    (memtable) => (memtable?.indexes.get(featureGroup)?.size ?? 0) > 0,
  ) as Memtable[]
  const { tombstones, expiring } = online.partition.countsOf(featureGroup)
  if (memtables.length === 0 && tombstones === 0 && expiring === 0) return pageOfKeys(online, request, after)
  const sources = memtables.map((memtable) => memtableCandidates(memtable, featureGroup, after))
  sources.push(storedCandidates(online, featureGroup, after, limit, nowUs))
  const ids: string[] = []
  let last: Buffer | undefined
  for (const candidate of mergeSorted(sources)) {
    if (!isListed(online, request, candidate, nowUs)) continue
    // Only now, when a record that is listed follows, there is a next page.
    if (ids.length === limit) return { ids, next: last }
    ids.push(candidate.id.toString('utf8'))
    last = candidate.key
  }
  return { ids, next: undefined }
}

/** Everything is stored, and everything stored is listed: the keys alone tell. */
function pageOfKeys(
  online: OnlineSide,
  { featureGroup, limit }: ListRequest,
  after: Buffer | undefined,
): ListPage {
  const ids: string[] = []
  let last: Buffer | undefined
  for (const key of online.partition.keys(featureGroup, after, limit + 1)) {
    if (ids.length === limit) return { ids, next: last }
    ids.push(isLongKey(key) ? online.partition.idOfKey(key) : key.toString('utf8', KEY_ID))
    last = key
  }
  return { ids, next: undefined }
}

/** */
function isListed(
  online: OnlineSide,
  { featureGroup, includeTombstones }: ListRequest,
  { key, id, stored }: Candidate,
  nowUs: number,
): boolean {
  if (stored !== undefined) return !stored.isExpired && (includeTombstones || !stored.isTombstone)
  const [hashHigh, hashLow] = [key.readUInt32BE(4), key.readUInt32BE(8)]
  const place = { hashHigh, hashLow, source: id, start: 0, bytes: id.length }
  const version = online.lookup(featureGroup, place, nowUs)
  return version !== undefined && (includeTombstones || !isTombstone(version))
}

/** Each key once, in order; of equal ones that of the first source. */
function* mergeSorted(sources: Generator<Candidate>[]): Generator<Candidate> {
  const heads = sources.map((source) => source.next())
  for (;;) {
    let least: Candidate | undefined
    for (const head of heads) {
      if (head.done !== true && (least === undefined || Buffer.compare(head.value.key, least.key) < 0)) {
        least = head.value
      }
    }
    if (least === undefined) return
    for (let i = 0; i < heads.length; i++) {
      const head = heads[i]!
      if (head.done !== true && head.value.key.equals(least.key)) heads[i] = sources[i]!.next()
    }
    yield least
  }
}

function* storedCandidates(
  online: OnlineSide,
  featureGroup: number,
  after: Buffer | undefined,
  limit: number,
  nowUs: number,
): Generator<Candidate> {
  let from = after
  for (;;) {
    // In portions that are read at once: the lookups in between use the same read buffer.
    const portion: Candidate[] = []
    for (const { key, id, version } of online.partition.list(featureGroup, from, limit)) {
      const stored = { isTombstone: isTombstone(version), isExpired: isExpired(version, nowUs) }
      portion.push({ key, id: Buffer.from(id), stored })
    }
    yield* portion
    if (portion.length < limit) return
    from = portion.at(-1)!.key
  }
}

function* memtableCandidates(
  memtable: Memtable,
  featureGroup: number,
  after: Buffer | undefined,
): Generator<Candidate> {
  const index = memtable.indexes.get(featureGroup)
  if (index === undefined) return
  const scratch = Buffer.alloc(KEY_ID + LONG_ID_BYTES)
  const run: number[] = []
  let slot = after === undefined ? 0 : index.runStart(after.readUInt32BE(4))
  for (;;) {
    slot = index.nextRun(slot, run)
    if (run.length === 0) return
    const candidates = run.map((each): Candidate => {
      const chunk = index.chunkAt(each)
      const row = index.rowAt(each)
      const idBytes = rowIdBytes(chunk, row)
      const high = chunk.u32[(row + ROW_HASH_HIGH) >>> 2]!
      const low = chunk.u32[(row + ROW_HASH_LOW) >>> 2]!
      const length = writeOnlineKey(scratch, featureGroup, high, low, chunk.u8, row + ROW_ID, idBytes)
      return { key: Buffer.from(scratch.subarray(0, length)), id: index.idAt(each), stored: undefined }
    })
    // A long id's key orders by its digest, which the run's order does not know.
    if (candidates.some(({ key }) => isLongKey(key))) candidates.sort((a, b) => Buffer.compare(a.key, b.key))
    for (const candidate of candidates) {
      if (after === undefined || Buffer.compare(candidate.key, after) > 0) yield candidate
    }
  }
}
