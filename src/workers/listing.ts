/**
 * Pages of record ids in key order: three sorted sources (active memtable, frozen memtable, partition) merged,
 * with the newest version of each record deciding whether it is listed (R-320..R-334).
 */
import { isLongKey, KEY_ID, LONG_ID_BYTES, writeOnlineKey } from '../codec/online-key.ts'
import { ROW_HASH_HIGH, ROW_HASH_LOW, ROW_ID, rowIdBytes } from '../codec/row.ts'
import { isTombstone } from '../codec/version.ts'
import type { Memtable } from '../stores/memtable.ts'
import type { OnlineSide } from './online-side.ts'
import type { ListPage } from './protocol.ts'

interface Candidate {
  readonly key: Buffer
  readonly id: Buffer
}

export interface ListRequest {
  readonly featureGroup: number
  /** Key of the last record of the page before. */
  readonly after: Uint8Array | undefined
  readonly limit: number
  readonly includeTombstones: boolean
}

export function listPage(online: OnlineSide, request: ListRequest, nowUs: number): ListPage {
  const after = request.after === undefined ? undefined : Buffer.from(request.after)
  const sources = [online.active, online.frozen].flatMap((memtable) =>
    memtable === undefined ? [] : [memtableCandidates(memtable, request.featureGroup, after)],
  )
  sources.push(storedCandidates(online, request.featureGroup, after, request.limit))
  const ids: string[] = []
  let last: Buffer | undefined
  for (const { key, id } of mergeSorted(sources)) {
    const place = {
      hashHigh: key.readUInt32BE(4),
      hashLow: key.readUInt32BE(8),
      source: id,
      start: 0,
      bytes: id.length,
    }
    const value = online.lookup(request.featureGroup, place, nowUs)
    if (value === undefined || (!request.includeTombstones && isTombstone(value))) continue
    // Only now, when a record that is listed follows, there is a next page.
    if (ids.length === request.limit) return { ids, next: last }
    ids.push(id.toString('utf8'))
    last = key
  }
  return { ids, next: undefined }
}

/** Each key once, in order. */
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
    heads.forEach((head, i) => {
      if (head.done !== true && head.value.key.equals(least.key)) heads[i] = sources[i]!.next()
    })
    yield least
  }
}

function* storedCandidates(
  online: OnlineSide,
  featureGroup: number,
  after: Buffer | undefined,
  limit: number,
): Generator<Candidate> {
  let from = after
  for (;;) {
    // In portions that are read at once: the lookups in between use the same read buffer.
    const portion = [...online.partition.list(featureGroup, from, limit)]
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
      const start = row + ROW_ID
      return { key: Buffer.from(scratch.subarray(0, length)), id: chunk.u8.subarray(start, start + idBytes) }
    })
    // A long id's key orders by its digest, which the run's order does not know.
    if (candidates.some(({ key }) => isLongKey(key))) candidates.sort((a, b) => Buffer.compare(a.key, b.key))
    for (const candidate of candidates) {
      if (after === undefined || Buffer.compare(candidate.key, after) > 0) yield candidate
    }
  }
}
