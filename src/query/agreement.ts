/**
 * Whether the online store and the latest snapshot of the offline store hold the same records, value for value.
 *
 * Both are streamed. What has to be remembered is which ids are online, to find those that only are there: they are
 * looked at in parts by a hash of the id, and one part is in memory at a time.
 */
import type { RecordId } from '../core/definition.ts'
import { hashLow } from '../core/record-hash.ts'
import type { ColumnValue } from './column-value.ts'
import { History, planHistory } from './history.ts'
import type { OfflineSource } from './offline-source.ts'
import type { QueryOptions } from './options.ts'

/** A record as either store hands it out. */
type PlainRecord = Readonly<Record<string, ColumnValue>>

/** What of a feature group reads the online store. */
export interface OnlineReader {
  getMany(ids: readonly RecordId[]): Promise<readonly (object | undefined)[]>
  ids(options: { readonly pageSize: number }): AsyncIterable<string>
}

export interface AgreementOptions extends QueryOptions {
  /** Differences told one by one; beyond that they are counted. Default 10. */
  readonly differencesMax?: number
  /** Ids remembered at a time, about 100 bytes each; more ids take more passes over the files. Default 1,000,000. */
  readonly idsMax?: number
  readonly onProgress?: (progress: AgreementProgress) => void
}

export interface AgreementProgress {
  /** Records of the snapshot compared so far, and all of them. */
  readonly compared: number
  readonly total: number
}

export interface RecordDifference {
  readonly id: string
  /** A record that only the offline store has, one that only the online store has, or one with another value. */
  readonly kind: 'missingOnline' | 'missingOffline' | 'different'
  /** The first feature that differs, and its values; undefined where there is none. */
  readonly feature?: string
  readonly offline?: ColumnValue | undefined
  readonly online?: ColumnValue | undefined
}

export interface AgreementReport {
  readonly isAgreed: boolean
  /** Records of the latest snapshot. */
  readonly offlineRecords: number
  readonly onlineRecords: number
  readonly missingOnline: number
  readonly missingOffline: number
  readonly different: number
  /** The first of them. */
  readonly differences: readonly RecordDifference[]
}

const PAGE_SIZE = 10_000

export async function checkAgreement(
  source: OfflineSource,
  online: OnlineReader,
  options: AgreementOptions,
): Promise<AgreementReport> {
  const history = await History.open(source, planHistory(source.group, { view: 'latest' }), options)
  try {
    const comparison = new Comparison(source.group.recordIdentifier, online, options, await history.count())
    return await comparison.run(() => history.records())
  } finally {
    history.close()
  }
}

class Comparison {
  readonly #identifier: string
  readonly #online: OnlineReader
  readonly #options: AgreementOptions
  readonly #total: number
  readonly #counts = { missingOnline: 0, missingOffline: 0, different: 0 }
  readonly #differences: RecordDifference[] = []
  #compared = 0

  constructor(identifier: string, online: OnlineReader, options: AgreementOptions, total: number) {
    this.#identifier = identifier
    this.#online = online
    this.#options = options
    this.#total = total
  }

  async run(snapshot: () => AsyncIterable<readonly PlainRecord[]>): Promise<AgreementReport> {
    const { idsMax = 1_000_000 } = this.#options
    let onlineRecords = 0
    for await (const _ of this.#onlineIds()) onlineRecords++
    const parts = Math.max(1, Math.ceil(onlineRecords / idsMax))
    for (let part = 0; part < parts; part++) await this.#comparePart(snapshot, part, parts)
    const { missingOnline, missingOffline, different } = this.#counts
    return {
      isAgreed: missingOnline + missingOffline + different === 0,
      offlineRecords: this.#total,
      onlineRecords,
      ...this.#counts,
      differences: this.#differences,
    }
  }

  async #comparePart(
    snapshot: () => AsyncIterable<readonly PlainRecord[]>,
    part: number,
    parts: number,
  ): Promise<void> {
    const isOurs = (id: string): boolean => parts === 1 || partOf(id, parts) === part
    const unseen = new Set<string>()
    for await (const id of this.#onlineIds()) if (isOurs(id)) unseen.add(id)
    for await (const records of snapshot()) {
      const idOf = (record: PlainRecord): string => String(record[this.#identifier])
      const ours = records.filter((record) => isOurs(idOf(record)))
      const found = await this.#online.getMany(ours.map(idOf))
      for (const [i, record] of ours.entries()) {
        const id = idOf(record)
        unseen.delete(id)
        this.#compare(id, record, found[i] as PlainRecord | undefined)
      }
      this.#compared += ours.length
      this.#options.onProgress?.({ compared: this.#compared, total: this.#total })
      this.#options.signal?.throwIfAborted()
    }
    for (const id of unseen) this.#tell({ id, kind: 'missingOffline' })
  }

  #compare(id: string, offline: PlainRecord, online: PlainRecord | undefined): void {
    if (online === undefined) {
      this.#tell({ id, kind: 'missingOnline' })
      return
    }
    const names = new Set([...Object.keys(offline), ...Object.keys(online)])
    const feature = [...names].find((name) => !isSame(offline[name], online[name]))
    if (feature === undefined) return
    this.#tell({ id, kind: 'different', feature, offline: offline[feature], online: online[feature] })
  }

  #tell(difference: RecordDifference): void {
    this.#counts[difference.kind]++
    if (this.#differences.length < (this.#options.differencesMax ?? 10)) this.#differences.push(difference)
  }

  async *#onlineIds(): AsyncGenerator<string> {
    for await (const id of this.#online.ids({ pageSize: PAGE_SIZE })) {
      this.#options.signal?.throwIfAborted()
      yield id
    }
  }
}

function partOf(id: string, parts: number): number {
  const bytes = Buffer.from(id)
  return hashLow(bytes, 0, bytes.length) % parts
}

/** To the bit: a zero with a sign is another value. */
function isSame(a: ColumnValue | undefined, b: ColumnValue | undefined): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return Object.is(a, b)
  return a.length === b.length && a.every((item, i) => Object.is(item, b[i]))
}
