/**
 * The Publisher makes offline files: it decides when a flush round starts, which hours go into it, and brings
 * their rows from all shards into one file per feature group and hour.
 * Owns: the order of rounds, the manifest's growth, rounds that could not be finished yet.
 * Does not own: the rows (shards), encoding (encoder threads).
 * Invariants: one round at a time, each finished before the next begins, so that a published hour has no older
 * row left (I8); a file is named in the manifest before the shards let go of its rows (I12).
 *
 * A round: ask the shards which hours (`hours`), fix their rows in every log (`seal`), then per portion: fetch
 * columns, encode, append to the manifest, tell the shards. A crash at any point repeats the round from the seals
 * in the logs, with the same file names and the same rows.
 */
import type { Seal, SealedHour } from '../codec/seal.ts'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { OfflineFile } from '../query/offline-source.ts'
import type { Manifest } from '../stores/manifest.ts'
import type { PartSummary, PendingSeal, ShardRequestOf } from '../workers/protocol.ts'
import type { EncoderClient } from './encoder-client.ts'
import { type FileJob, type FilePublisher, groupIntoFiles, portions } from './file-jobs.ts'
import type { ShardClient } from './shard-client.ts'

export interface PublisherParts {
  readonly shards: readonly ShardClient[]
  readonly encoder: EncoderClient
  readonly manifest: Manifest
  readonly files: FilePublisher
  readonly clock: Clock
  /** Packed bytes of the rows that are turned into columns and encoded at one time. */
  readonly encodeBytes: number
  /** Packed bytes that one shard gives to one file. */
  readonly partBytes: number
}

interface Round {
  readonly round: number
  jobs: FileJob[]
}

const RETRY_MS = 2000

export class Publisher {
  readonly #parts: PublisherParts
  #lastRound: number
  /** Files of a later round have a later write time. */
  #lastWriteTimeUs: number
  /** Sealed, but some of their files are not made yet. */
  #unfinished: Round[] = []
  #tail: Promise<unknown> = Promise.resolve()
  #isClosing = false
  /** Why the last attempt failed; undefined while all is well. */
  failure: MillraceError | undefined

  constructor(
    parts: PublisherParts,
    last: { readonly round: number; readonly writeTimeUs: number },
    pending: readonly (readonly PendingSeal[])[],
  ) {
    this.#parts = parts
    this.#lastRound = last.round
    this.#unfinished = roundsOf(pending)
    this.#lastWriteTimeUs = Math.max(last.writeTimeUs, latestWriteTimeUs(this.#unfinished))
  }

  /** Finishes what a crash left, then answers the shards' calls for rounds until `close`. */
  start(): void {
    if (this.#unfinished.length > 0) this.#inOrder(() => this.#finishRounds()).catch(() => undefined)
    for (const shard of this.#parts.shards) void this.#watch(shard)
  }

  /** Publishes every row logged so far, of one feature group or of all. Resolves when the manifest has them. */
  flush(featureGroup?: number): Promise<void> {
    return this.#inOrder(async () => {
      let upToLsns: number[] | undefined
      for (;;) {
        const round = await this.#round((shard) => ({
          type: 'hours',
          wanted: 'all',
          featureGroup,
          upToLsn: upToLsns?.[shard],
        }))
        // A large hour goes into several files, of several rounds; rows logged since need not be waited for.
        upToLsns ??= round.lastLsns
        if (round.isEmpty) return
      }
    })
  }

  /** Runs an action between two rounds: no columns are built meanwhile. It must not wait for a round itself. */
  exclusive<T>(action: () => Promise<T>): Promise<T> {
    return this.#inOrder(action)
  }

  /** The published files of a feature group, in the order in which the manifest named them. */
  *filesOf(featureGroup: number): Generator<OfflineFile> {
    const { manifest, files } = this.#parts
    for (const entry of manifest.entries()) {
      if (entry.featureGroup === featureGroup) yield { path: files.pathOf(entry), eventHour: entry.eventHour }
    }
  }

  /** Starts no further rounds, and ends the one under way between two portions of files. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#tail.catch(() => undefined)
  }

  async #watch(shard: ShardClient): Promise<void> {
    try {
      for (;;) {
        const pressure = await shard.request({ type: 'pressure' })
        if (pressure === 'closing' || this.#isClosing) return
        await this.#inOrder(() => this.#round(() => ({ type: 'hours', wanted: 'due' }))).catch(() =>
          this.#pause(),
        )
      }
    } catch {
      // The shard failed; who writes to it learns why.
    }
  }

  /** A full disk is waited out; the rows stay in the log and in memory meanwhile. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS).unref()
    })
  }

  #inOrder<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(action, action)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #round(
    ask: (shard: number) => ShardRequestOf<'hours'>,
  ): Promise<{ isEmpty: boolean; lastLsns: number[] }> {
    try {
      await this.#finishRounds()
      const { shards, clock, partBytes } = this.#parts
      const replies = await Promise.all(shards.map((shard) => shard.request(ask(shard.shard))))
      const lastLsns = replies.map((reply) => reply.lastLsn)
      const hours = unionOfHours(replies.map((reply) => reply.hours))
      if (hours.length === 0) return { isEmpty: true, lastLsns }
      const writeTimeUs = Math.max(this.#lastWriteTimeUs + 1, clock.nowMs() * 1000)
      const seal: Seal = { round: ++this.#lastRound, writeTimeUs, partBytes, hours }
      // A shard that could not log the seal (a full disk) keeps its rows for a later round; the others have sealed.
      const sealed = await Promise.allSettled(shards.map((shard) => shard.request({ type: 'seal', seal })))
      const parts = sealed.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
      const round: Round = { round: seal.round, jobs: groupIntoFiles(parts, writeTimeUs) }
      this.#unfinished.push(round)
      this.#lastWriteTimeUs = Math.max(writeTimeUs, latestWriteTimeUs([round]))
      await this.#finishRounds()
      for (const outcome of sealed) if (outcome.status === 'rejected') throw outcome.reason
      this.failure = undefined
      return { isEmpty: false, lastLsns }
    } catch (thrown) {
      this.failure = MillraceError.from(thrown)
      throw this.failure
    }
  }

  /** Oldest first, so that an hour's rows are published in the order of its seals. */
  async #finishRounds(): Promise<void> {
    for (let round = this.#unfinished[0]; round !== undefined; round = this.#unfinished[0]) {
      await this.#finishRound(round)
      this.#unfinished.shift()
    }
  }

  /** While one portion is being encoded, the columns of the next are built. */
  async #finishRound(round: Round): Promise<void> {
    const running: Promise<void>[] = []
    const waiting = portions(round.jobs, this.#parts.encodeBytes)
    try {
      for (const portion of waiting) {
        if (this.#isClosing)
          throw new MillraceError('CLOSED', 'the store is closing; the log keeps the rows that wait')
        const request = await this.#parts.files.fetch(round, portion)
        if (running.length >= this.#parts.encoder.threads) await running.shift()
        running.push(this.#encode(round, portion, request))
        running.at(-1)?.catch(() => undefined)
      }
      await Promise.all(running)
    } catch (thrown) {
      await Promise.allSettled(running)
      throw thrown
    }
  }

  async #encode(
    round: Round,
    portion: readonly FileJob[],
    request: Awaited<ReturnType<FilePublisher['fetch']>>,
  ): Promise<void> {
    const { encoder, manifest, files, shards } = this.#parts
    const encoded = await encoder.encode(request)
    manifest.append(files.entries(round, portion, encoded))
    round.jobs = round.jobs.filter((job) => !portion.includes(job))
    const hours = portion.map(({ featureGroup, eventHour }) => ({ featureGroup, eventHour }))
    await Promise.all(shards.map((shard) => shard.request({ type: 'published', round: round.round, hours })))
  }
}

function unionOfHours(lists: readonly (readonly SealedHour[])[]): SealedHour[] {
  const union = new Map<string, SealedHour>()
  for (const hour of lists.flat()) union.set(`${hour.featureGroup}:${hour.eventHour}`, hour)
  return [...union.values()].sort((a, b) => a.featureGroup - b.featureGroup || a.eventHour - b.eventHour)
}

function latestWriteTimeUs(rounds: readonly Round[]): number {
  let latest = 0
  for (const { jobs } of rounds) for (const job of jobs) latest = Math.max(latest, job.writeTimeUs)
  return latest
}

/** Rounds that were sealed but not published, put together from what each shard found in its log. */
function roundsOf(pending: readonly (readonly PendingSeal[])[]): Round[] {
  const rounds = new Map<number, { writeTimeUs: number; parts: PartSummary[][] }>()
  pending.forEach((seals, shard) => {
    for (const { round, writeTimeUs, parts } of seals) {
      const entry = rounds.get(round) ?? { writeTimeUs, parts: pending.map(() => []) }
      entry.parts[shard]!.push(...parts)
      rounds.set(round, entry)
    }
  })
  return [...rounds]
    .sort(([a], [b]) => a - b)
    .map(([round, { writeTimeUs, parts }]) => ({ round, jobs: groupIntoFiles(parts, writeTimeUs) }))
}
