/** One offline file of a round, from the shards' parts to the request for the encoder and the manifest entry. */
import { join, relative } from 'node:path'
import type { ManifestEntry } from '../codec/manifest-entry.ts'
import { assert } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { hourDirectory } from '../io/paths.ts'
import { fileSuffix } from '../stores/offline-files.ts'
import type { EncodedFile, EncodeRequest, FileToEncode } from '../workers/encoder.ts'
import type { ColumnsReply, PartSummary } from '../workers/protocol.ts'
import type { ParquetCodecName } from './options.ts'
import type { ShardClient } from './shard-client.ts'

export interface FileJob {
  readonly featureGroup: number
  readonly eventHour: number
  readonly bytes: number
  readonly rows: number
  readonly latestSeconds: number
  /** Of all its rows: that of the round, or the last invocation time if that is later. */
  readonly writeTimeUs: number
  readonly parts: readonly (PartSummary & { readonly shard: number })[]
}

/** @param parts - per shard, in the order of the shards, which is the order of the rows in the file */
export function groupIntoFiles(parts: readonly (readonly PartSummary[])[], writeTimeUs: number): FileJob[] {
  const files = new Map<string, (PartSummary & { shard: number })[]>()
  parts.forEach((summaries, shard) => {
    for (const summary of summaries) {
      const key = `${summary.featureGroup}:${summary.eventHour}`
      const list = files.get(key) ?? []
      list.push({ ...summary, shard })
      files.set(key, list)
    }
  })
  return [...files.values()]
    .map((list) => ({
      featureGroup: list[0]!.featureGroup,
      eventHour: list[0]!.eventHour,
      bytes: list.reduce((sum, part) => sum + part.bytes, 0),
      rows: list.reduce((sum, part) => sum + part.rows, 0),
      latestSeconds: Math.max(...list.map((part) => part.latestSeconds)),
      writeTimeUs: Math.max(writeTimeUs, ...list.map((part) => part.lastInvocationUs)),
      parts: list,
    }))
    .sort((a, b) => a.featureGroup - b.featureGroup || a.eventHour - b.eventHour)
}

const PORTION_FILES_MAX = 128

/** Cuts a round into portions that are encoded together: up to `bytes`, at least one file. */
export function* portions(jobs: readonly FileJob[], bytes: number): Generator<FileJob[]> {
  let portion: FileJob[] = []
  let held = 0
  for (const job of jobs) {
    if (portion.length > 0 && (held + job.bytes > bytes || portion.length >= PORTION_FILES_MAX)) {
      yield portion
      portion = []
      held = 0
    }
    portion.push(job)
    held += job.bytes
  }
  if (portion.length > 0) yield portion
}

export interface FilePublisherParts {
  /** The data directory, absolute. */
  readonly directory: string
  readonly storeId: string
  readonly codec: ParquetCodecName
  readonly shards: readonly ShardClient[]
  readonly groupOf: (featureGroup: number) => FeatureGroupModel | undefined
}

interface RoundInfo {
  readonly round: number
}

export class FilePublisher {
  readonly #parts: FilePublisherParts

  constructor(parts: FilePublisherParts) {
    this.#parts = parts
  }

  /** Brings the rows of some files, as columns, from the shards that have them. */
  async fetch(round: RoundInfo, portion: readonly FileJob[]): Promise<EncodeRequest> {
    const replies = await Promise.all(
      this.#parts.shards.map((shard) => {
        const own = portion.filter((job) => job.parts.some((part) => part.shard === shard.shard))
        const hours = own.map(({ featureGroup, eventHour, writeTimeUs }) => ({
          featureGroup,
          eventHour,
          writeTimeUs,
        }))
        if (hours.length === 0) return { parts: [] } satisfies ColumnsReply
        return shard.request({ type: 'columns', round: round.round, hours })
      }),
    )
    const columns = replies.map(
      (reply) => new Map(reply.parts.map((part) => [`${part.featureGroup}:${part.eventHour}`, part])),
    )
    return {
      root: this.#parts.directory,
      codec: this.#parts.codec,
      files: portion.map((job) => this.#fileToEncode(round, job, columns)),
    }
  }

  entries(round: RoundInfo, portion: readonly FileJob[], encoded: readonly EncodedFile[]): ManifestEntry[] {
    return portion.map((job, i) => {
      const file = encoded[i]!
      assert(file.rows === job.rows, 'a file has the rows of its parts')
      const group = this.#groupOf(job.featureGroup)
      const path = join(this.#hourDirectory(group, job.eventHour), file.fileName)
      return {
        featureGroup: job.featureGroup,
        featureGroupName: group.name,
        round: round.round,
        eventHour: job.eventHour,
        path: relative(this.#parts.directory, path),
        rows: file.rows,
        bytes: file.bytes,
        sha256: file.sha256,
        latestEventSeconds: job.latestSeconds,
        writeTimeUs: job.writeTimeUs,
        parts: job.parts.map(({ shard, rows, firstLsn, lastLsn }) => ({ shard, rows, firstLsn, lastLsn })),
      }
    })
  }

  #fileToEncode(
    round: RoundInfo,
    job: FileJob,
    columns: readonly ReadonlyMap<string, ColumnsReply['parts'][number]>[],
  ): FileToEncode {
    const group = this.#groupOf(job.featureGroup)
    const parts = job.parts.map((part) => {
      const found = columns[part.shard]?.get(`${job.featureGroup}:${job.eventHour}`)
      assert(found !== undefined, 'a sealed part is still there')
      return found
    })
    // Dictionaries only where every shard saw repetition: they cost where values do not repeat.
    const dictionaryColumns = parts[0]!.dictionaryColumns.filter((name) =>
      parts.every((part) => part.dictionaryColumns.includes(name)),
    )
    return {
      directory: this.#hourDirectory(group, job.eventHour),
      latestEventSeconds: job.latestSeconds,
      suffix: fileSuffix({
        storeId: this.#parts.storeId,
        featureGroup: group.number,
        createdSeconds: Math.floor(group.createdAtMs / 1000),
        eventHour: job.eventHour,
        round: round.round,
      }),
      parts: parts.map((part) => part.ipc),
      dictionaryColumns,
      // One key: several are written in any order, and the same rows should make the same bytes.
      metadata: {
        millrace: JSON.stringify({
          store: this.#parts.storeId,
          featureGroup: group.name,
          round: round.round,
          parts: job.parts.map(({ shard, rows, firstLsn, lastLsn }) => ({ shard, rows, firstLsn, lastLsn })),
        }),
      },
    }
  }

  /** The absolute path of a published file. */
  pathOf(entry: ManifestEntry): string {
    return join(this.#parts.directory, entry.path)
  }

  #hourDirectory(group: FeatureGroupModel, eventHour: number): string {
    return hourDirectory(join(this.#parts.directory, group.offlineDirectory), eventHour)
  }

  #groupOf(featureGroup: number): FeatureGroupModel {
    const group = this.#parts.groupOf(featureGroup)
    assert(group !== undefined, 'rows are only published for feature groups of the catalog')
    return group
  }
}
