/**
 * Bulk ingestion: rows of any length of input, packed into large batches, with backpressure, per-row errors and,
 * for a named source, exactly-once resumption.
 * Owns: the batches of one call and what of them is on its way.
 * Invariant: the calling thread holds at most `windowBytes` of this call's rows in flight.
 */
import { BatchBuilder } from '../codec/batch-builder.ts'
import { OPERATION_PUT } from '../codec/row.ts'
import type { TargetStore, TimeToLive } from '../core/definition.ts'
import { type ErrorCode, invalid, MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { hashHigh, hashLow } from '../core/record-hash.ts'
import { ByteGate } from './byte-gate.ts'
import type { Operation } from './record-packer.ts'
import type { StoreCore } from './store-core.ts'

export interface IngestOptions {
  /**
   * Makes the ingestion resumable: rows are numbered from 0 in the order they come, each shard logs how far the
   * source has come together with its rows, and rows that are durable already are skipped. The same id must
   * always mean the same rows in the same order.
   */
  readonly source?: {
    readonly id: string
    /** Number of the first row given; at most `ingestPosition(id)`. Default 0. */
    readonly firstRow?: number
  }
  readonly stores?: readonly TargetStore[]
  /** How long after their event time the records stay online. Default: the group's. */
  readonly ttl?: TimeToLive
  /** Ends the ingestion between two batches; what was accepted stays. */
  readonly signal?: AbortSignal
  /** Called now and then, and at the end. */
  readonly onProgress?: (progress: IngestProgress) => void
  /** Rejected rows whose errors are reported; beyond that they are only counted. Default 1000. */
  readonly errorsMax?: number
}

export interface IngestProgress {
  /** Rows taken from the input, skipped ones included. */
  readonly rows: number
  /** Rows that are durable and visible. */
  readonly accepted: number
  readonly rejected: number
  /** Packed bytes of the accepted rows. */
  readonly bytes: number
}

export interface RowError {
  /** Position in the input, from 0 (from `source.firstRow`). */
  readonly row: number
  readonly code: ErrorCode
  readonly message: string
  readonly feature: string | undefined
}

export interface IngestReport extends IngestProgress {
  /** Rows of the source that were durable before. */
  readonly skipped: number
  readonly errors: readonly RowError[]
  readonly isAborted: boolean
}

export interface IngestTarget {
  readonly core: StoreCore
  readonly featureGroup: number
  readonly targets: number
  /** Of rows in this ingestion; 0 for none. */
  readonly ttlSeconds: number
  /** @throws if the store was closed, or the feature group deleted, meanwhile */
  readonly checkOpen: () => void
}

/** Packs one row, or says that it is not wanted, or throws why it is refused. @returns its shard */
export type PackRow = (
  operation: Operation,
  batches: readonly BatchBuilder[],
  isWanted: ((shard: number) => boolean) | undefined,
) => number

const WINDOW_BYTES_PER_SHARD = 4 * 1024 * 1024
/** Batches sent before other work of the calling thread gets a turn; one while a read waits for its reply. */
const BATCHES_PER_TURN = 4

export class Ingestion {
  readonly #target: IngestTarget
  readonly #options: IngestOptions
  readonly #batches: readonly BatchBuilder[]
  readonly #window: ByteGate
  readonly #errors: RowError[] = []
  readonly #source: { low: number; high: number } | undefined
  /** Per shard: rows of the source below this are durable there. */
  #positions: number[] = []
  /** Per shard: where its last batch ended. */
  readonly #sentUpTo: number[]
  #isWanted: ((shard: number) => boolean) | undefined
  #row: number
  readonly #firstRow: number
  #accepted = 0
  #rejected = 0
  #skipped = 0
  #bytes = 0
  #batchesSent = 0
  #failure: MillraceError | undefined
  readonly #operation

  constructor(target: IngestTarget, options: IngestOptions) {
    this.#target = target
    this.#options = options
    const { targets, ttlSeconds } = target
    this.#operation = { operation: OPERATION_PUT, targets, ttlSeconds, invocationUs: 0 }
    const { shards } = target.core
    this.#batches = shards.map(() => new BatchBuilder(target.core.nextBuffer))
    this.#window = new ByteGate(Math.min(WINDOW_BYTES_PER_SHARD * shards.length, target.core.gate.limit))
    this.#firstRow = options.source?.firstRow ?? 0
    this.#row = this.#firstRow
    this.#sentUpTo = shards.map(() => 0)
    if (options.source !== undefined) this.#source = sourceHash(target.featureGroup, options.source.id)
  }

  /** Asks the shards how far the source has come. */
  async start(): Promise<void> {
    this.#target.core.invocationUs()
    if (this.#source === undefined) return
    if (!Number.isSafeInteger(this.#firstRow) || this.#firstRow < 0) {
      throw invalid(`source.firstRow: expected a whole number from 0, found ${this.#firstRow}`)
    }
    this.#positions = await sourcePositions(this.#target.core, this.#source)
    this.#positions.forEach((position, shard) => {
      this.#sentUpTo[shard] = position
    })
    const least = Math.min(...this.#positions)
    if (this.#firstRow > least) {
      throw invalid(
        `source "${this.#options.source?.id}": rows ${least} to ${this.#firstRow - 1} are missing: start at row ${least} or before`,
      )
    }
    if (Math.max(...this.#positions) > this.#firstRow) {
      this.#isWanted = (shard) => this.#row >= this.#positions[shard]!
    }
  }

  get shardCount(): number {
    return this.#batches.length
  }

  get isAborted(): boolean {
    return this.#options.signal?.aborted ?? false
  }

  /**
   * Packs the next row.
   * @returns the shard whose batch is now full, or -1
   */
  add(pack: PackRow): number {
    let full = -1
    try {
      const records = this.#recordCount()
      this.#operation.invocationUs = this.#target.core.followingUs()
      const shard = pack(this.#operation, this.#batches, this.#isWanted)
      if (this.#isWanted !== undefined && this.#recordCount() === records) this.#skipped++
      if (this.#batches[shard]!.bytes >= limits.batchBytes) full = shard
    } catch (thrown) {
      this.#reject(thrown)
    }
    this.#row++
    return full
  }

  /** Sends a full batch, waiting for room. @throws what an earlier batch was refused with */
  async send(shard: number): Promise<void> {
    const batch = this.#batches[shard]!.finish({
      featureGroup: this.#target.featureGroup,
      sourceLow: this.#source?.low ?? 0,
      sourceHigh: this.#source?.high ?? 0,
      sourceFrom: this.#sentUpTo[shard]!,
      sourceUpTo: Math.max(this.#row, this.#sentUpTo[shard]!),
    })
    this.#sentUpTo[shard] = Math.max(this.#row, this.#sentUpTo[shard]!)
    const { core } = this.#target
    await this.#window.acquire(batch.bytes)
    await core.gate.acquire(batch.bytes)
    try {
      this.#target.checkOpen()
    } catch (thrown) {
      core.gate.release(batch.bytes)
      this.#window.release(batch.bytes)
      throw thrown
    }
    void core.send(shard, batch).then(
      () => {
        this.#accepted += batch.recordCount
        this.#bytes += batch.bytes
        this.#window.release(batch.bytes)
      },
      (thrown: unknown) => {
        this.#failure ??= MillraceError.from(thrown)
        this.#window.release(batch.bytes)
      },
    )
    if (this.#failure !== undefined) throw this.#failure
    if (++this.#batchesSent % (core.readsInFlight > 0 ? 1 : BATCHES_PER_TURN) === 0) {
      await new Promise((resolve) => setImmediate(resolve))
      core.invocationUs()
      this.#options.onProgress?.(this.progress)
    }
  }

  /** Sends what is left and waits until everything is durable. */
  async finish(): Promise<IngestReport> {
    for (let shard = 0; shard < this.#batches.length; shard++) {
      const hasRows = this.#batches[shard]!.recordCount > 0
      const hasMoved = this.#source !== undefined && this.#row > this.#sentUpTo[shard]!
      if (hasRows || hasMoved) await this.send(shard)
    }
    // The window is free again when everything sent has its outcome.
    await this.#window.acquire(this.#window.limit)
    this.#window.release(this.#window.limit)
    if (this.#failure !== undefined) throw this.#failure
    this.#options.onProgress?.(this.progress)
    return { ...this.progress, skipped: this.#skipped, errors: this.#errors, isAborted: this.isAborted }
  }

  /** Waits for what is on its way. */
  async settle(): Promise<void> {
    await this.#window.acquire(this.#window.limit)
    this.#window.release(this.#window.limit)
  }

  get progress(): IngestProgress {
    return {
      rows: this.#row - this.#firstRow,
      accepted: this.#accepted,
      rejected: this.#rejected,
      bytes: this.#bytes,
    }
  }

  #recordCount(): number {
    if (this.#isWanted === undefined) return 0
    return this.#batches.reduce((sum, batch) => sum + batch.recordCount, 0)
  }

  #reject(thrown: unknown): void {
    const error = MillraceError.from(thrown)
    if (error.kind !== 'invalid') throw error
    this.#rejected++
    this.#target.core.recordsRejected++
    if (this.#errors.length >= (this.#options.errorsMax ?? limits.ingestErrorsKept)) return
    this.#errors.push({
      row: this.#row,
      code: error.code,
      message: error.message,
      feature: error.place.feature,
    })
  }
}

/**
 * A source's name on disk: 64 bits, never all zero. The feature group is part of it: a file may be ingested into
 * several groups, and again into one that was made anew.
 */
export function sourceHash(featureGroup: number, id: string): { low: number; high: number } {
  const bytes = Buffer.from(`${featureGroup}:${id}`)
  return { low: hashLow(bytes, 0, bytes.length) || 1, high: hashHigh(bytes, 0, bytes.length) }
}

export function sourcePositions(core: StoreCore, source: { low: number; high: number }): Promise<number[]> {
  return Promise.all(core.shards.map((shard) => shard.request({ type: 'position', ...source })))
}
