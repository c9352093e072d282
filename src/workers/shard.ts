/**
 * One shard: its log, its half-dozen structures, and the order in which a write passes through them.
 * Owns: the commit loop, when the memtable is frozen, when the log is trimmed, the poison.
 * Does not own: what the structures do (log, online-side, offline-side), when files are made (the engine).
 * Invariants: a write is acknowledged after its frame is durable (as the durability mode says) and applied (I1,
 * I7); after a failed sync nothing is acknowledged; the log is only trimmed below both durable stores (I12).
 */

import { FrameKind } from '../codec/frame.ts'
import { encodeCheckpoint, encodeSeal, type Seal, type SealedHour } from '../codec/seal.ts'
import { MillraceError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { lsnAfter } from '../core/lsn.ts'
import { Budgets } from './budgets.ts'
import { pendingWrite } from './commit-queue.ts'
import { type CommitParts, Committer } from './committer.ts'
import type { Expirer } from './expirer.ts'
import type {
  ColumnsReply,
  FileHour,
  PartSummary,
  Pressure,
  ShardConfig,
  ShardReplies,
  ShardRequestOf,
  ShardStatistics,
  TimedStage,
} from './protocol.ts'
import type { ReadLane } from './read-lane.ts'
import { shardStatistics } from './shard-statistics.ts'

export interface ShardParts extends CommitParts {
  readonly config: ShardConfig
  readonly expirer: Expirer
  readonly reads: ReadLane
}

const ZERO_FILL_BYTES = 1024 * 1024

export class Shard {
  readonly #parts: ShardParts
  readonly #budgets: Budgets
  readonly #committer: Committer
  readonly #timings: Record<TimedStage, number> = { log: 0, apply: 0, merge: 0, columns: 0 }
  readonly #flushWaiters: { lsn: number; resolve: () => void; reject: (error: unknown) => void }[] = []
  #pressureWaiter: ((pressure: Pressure) => void) | undefined
  #isTurnScheduled = false
  #lastReadMs = Number.NEGATIVE_INFINITY
  /** Whether records may have expired that were not looked at yet. */
  #isExpiring = false
  /** Records that left the online store because their time to live had passed. */
  #expired = 0
  #failure: MillraceError | undefined
  #isClosing = false
  #isQuiet = false
  #trimmedLsn = 0

  constructor(parts: ShardParts) {
    this.#parts = parts
    this.#budgets = new Budgets(parts)
    this.#committer = new Committer(
      parts,
      (stage, action) => this.#timed(stage, action),
      (error) => this.#fail(error),
    )
  }

  /**
   * Queues a batch for the next commit.
   * @returns undefined once it is durable and visible, or why it was refused
   */
  async write(
    buffer: ArrayBuffer,
    bytes: number,
    isConditional: boolean,
  ): Promise<MillraceError | undefined> {
    if (this.#failure !== undefined) return this.#failure
    const outcome = this.#committer.queue.push(buffer, bytes, isConditional)
    this.#scheduleTurn()
    return outcome
  }

  /** Fixes what goes into a round's files: logged, then closed. Rows logged later belong to the next round. */
  seal(seal: Seal): PartSummary[] {
    this.#throwIfFailed()
    const { offline, log } = this.#parts
    const open = new Set(offline.openHours(undefined).map((h) => `${h.featureGroup}:${h.eventHour}`))
    const hours = seal.hours.filter((h) => open.has(`${h.featureGroup}:${h.eventHour}`))
    if (hours.length === 0) return []
    const own = { ...seal, hours }
    this.#guard(() => {
      log.append(FrameKind.seal, 0, [encodeSeal(own)])
      log.sync()
    })
    return offline.seal(own)
  }

  columns(round: number, hours: readonly FileHour[]): Promise<ColumnsReply> {
    const { schemas, offline } = this.#parts
    return offline.columns(round, hours, (featureGroup) => schemas.get(featureGroup)!, {
      turnMsMax: () => this.#turnMsMax(),
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    })
  }

  published(round: number, hours: readonly SealedHour[]): void {
    this.#parts.offline.published(round, hours)
    this.#trim()
    this.#scheduleTurn()
  }

  /** Resolves once everything logged so far is merged and durable in the online partition. */
  async flushOnline(): Promise<void> {
    this.#throwIfFailed()
    const lsn = this.#parts.log.nextLsn - 1
    if (this.#parts.online.mergedLsn >= lsn) return
    await new Promise<void>((resolve, reject) => {
      this.#flushWaiters.push({ lsn, resolve, reject })
      this.#scheduleTurn()
    })
  }

  /** Somebody reads: turns stay short for a while, so that reads do not wait for long ones. */
  noteRead(): void {
    this.#lastReadMs = this.#parts.clock.monotonicMs()
  }

  get #isReading(): boolean {
    return this.#parts.clock.monotonicMs() - this.#lastReadMs < limits.readingMs
  }

  #turnMsMax(): number {
    return this.#isReading ? limits.turnMsReading : limits.turnMs
  }

  /** Resolves when the shard wants a flush round. */
  pressure(): Promise<Pressure> {
    return new Promise((resolve) => {
      this.#pressureWaiter = resolve
      if (this.#isClosing) this.#signal('closing')
      else this.watch()
    })
  }

  hours(request: ShardRequestOf<'hours'>): ShardReplies['hours'] {
    const { offline, log } = this.#parts
    const hours =
      request.wanted === 'all'
        ? offline.openHours(request.featureGroup, request.upToLsn)
        : offline.dueHours(this.#budgets.dueInputs())
    return { hours, lastLsn: log.nextLsn - 1 }
  }

  watermarkUs({ featureGroup, upToUs }: ShardRequestOf<'watermark'>): number {
    this.#throwIfFailed()
    return this.#parts.offline.watermarkUs(featureGroup, this.#parts.stamps.observe(upToUs))
  }

  /** From now on nothing is taken out by itself: what has expired waits for the next opening. */
  quiesce(): void {
    this.#isQuiet = true
    this.#isExpiring = false
  }

  /** Looks at ages and budgets; called on a timer, because an idle store must flush too. */
  watch(): void {
    if (this.#failure !== undefined) return
    try {
      const { config, online, clock, offline } = this.#parts
      const since = online.activeSinceMs
      if (since !== undefined && clock.monotonicMs() - since >= config.flushAgeMs) this.#freeze()
      if (offline.hasDueHours(this.#budgets.dueInputs())) this.#signal('due')
      this.#isExpiring = !this.#isQuiet
      this.#scheduleTurn()
      this.#guard(() => this.#parts.log.prepareNextSegment(ZERO_FILL_BYTES))
    } catch (thrown) {
      this.#survive(thrown)
    }
  }

  /** Takes out everything merged that has expired by now. @returns the number of records */
  async expire(): Promise<number> {
    const before = this.#expired
    this.#isExpiring = true
    while (this.#isExpiring) {
      this.#throwIfFailed()
      if (!this.#budgets.isFull()) this.#expire()
      else this.#scheduleTurn()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return this.#expired - before
  }

  /** Under `interval` durability: makes what was acknowledged durable. */
  syncLog(): void {
    if (this.#failure === undefined) this.#guard(() => this.#timed('log', () => this.#parts.log.sync()))
  }

  /** Merges everything and leaves a log that needs no replay. The offline side must be published by then. */
  async close(): Promise<void> {
    this.#isClosing = true
    this.#signal('closing')
    this.#throwIfFailed()
    await this.flushOnline()
    const { log, online, offline, sources } = this.#parts
    const lastLsn = log.nextLsn - 1
    const checkpoint = { publishedLsn: offline.publishedLsn(lastLsn), sources: sources.all() }
    log.append(FrameKind.checkpoint, 0, [encodeCheckpoint(checkpoint)])
    log.sync()
    log.trim(lsnAfter(Math.min(online.mergedLsn, checkpoint.publishedLsn), 1))
    log.close()
    await online.partition.close()
  }

  statistics(): ShardStatistics {
    return shardStatistics(this.#parts, this.#committer.queue.bytes, this.#expired, this.#timings)
  }

  /** One turn of the loop: a commit if writes wait and there is room, then some of the merge. */
  #turn(): void {
    this.#isTurnScheduled = false
    if (this.#failure !== undefined) return
    try {
      this.#work()
    } catch (thrown) {
      this.#survive(thrown)
    }
  }

  #work(): void {
    const { online, clock, reads } = this.#parts
    const isFull = this.#budgets.isFull()
    let committed = 0
    if (!this.#committer.queue.isEmpty && !isFull)
      committed = this.#committer.commit(this.#isReading ? limits.commitBytesReading : limits.commitBytesMax)
    if (this.#isExpiring && !isFull) committed += this.#expire()
    reads.serve()
    this.#freezeIfDue(isFull)
    this.#askForFlush()
    // The merge keeps pace with the writes, so that it ends before the active memtable is full.
    let slices = this.#budgets.mergeSlicesAfter(committed)
    const untilMs = clock.monotonicMs() + this.#turnMsMax()
    let wantsStep = online.isMerging
    while (wantsStep && slices-- > 0 && clock.monotonicMs() < untilMs) {
      wantsStep = this.#mergeStep()
      reads.serve()
    }
    const wantsCommit = !this.#committer.queue.isEmpty || this.#isExpiring
    if (wantsStep || (wantsCommit && !this.#budgets.isFull())) this.#scheduleTurn()
  }

  /** Takes out some of what has expired. @returns the number of records */
  #expire(): number {
    const { expirer, clock } = this.#parts
    const { batches, hasMore } = expirer.step(clock.nowMs())
    this.#isExpiring = hasMore
    const writes = batches.map((batch) => pendingWrite(batch))
    const expected = writes.reduce((sum, write) => sum + write.header.recordCount, 0)
    const committed = this.#committer.write(writes)
    if (committed < expected) expirer.retry()
    this.#expired += committed
    return committed
  }

  /** Cheap enough for every turn; ages are looked at on the timer. */
  #askForFlush(): void {
    if (this.#pressureWaiter === undefined) return
    const { offline, config } = this.#parts
    const { largest } = offline.buffers
    const isLarge =
      largest !== undefined && (largest.bytes >= config.flushBytes || largest.rows >= config.flushRows)
    if (isLarge || this.#budgets.isLogLong()) this.#signal('due')
    else if (this.#budgets.isMemoryTight() && offline.buffers.openCount > 0) this.#signal('memory')
  }

  #freezeIfDue(isFull: boolean): void {
    if (
      this.#budgets.isMemtableLarge() ||
      isFull ||
      this.#budgets.isLogHeldByMemtable() ||
      this.#flushWaiters.length > 0
    )
      this.#freeze()
  }

  #freeze(): void {
    const { online, log } = this.#parts
    if (online.isMerging) return
    // What the partition makes durable must be durable in the log first.
    this.#guard(() => log.sync())
    if (this.#failure === undefined) online.freeze()
  }

  /** @returns whether the merge wants another step */
  #mergeStep(): boolean {
    const { online } = this.#parts
    try {
      return this.#timed('merge', () =>
        online.step(
          this.#sliceRecords(),
          () => this.#onMerged(),
          (thrown) =>
            this.#fail(MillraceError.from(thrown, 'STORE_FAILED', 'a merge into the online store failed')),
        ),
      )
    } catch (thrown) {
      this.#fail(MillraceError.from(thrown, 'STORE_FAILED', 'a merge into the online store failed'))
      return false
    }
  }

  #sliceRecords(): number {
    if (this.#isReading) return limits.mergeSliceRecordsReading
    if (this.#flushWaiters.length > 0) return limits.mergeSliceRecordsFlush
    return this.#budgets.isFull() ? limits.mergeSliceRecordsFull : limits.mergeSliceRecords
  }

  #onMerged(): void {
    const { online } = this.#parts
    for (const waiter of this.#flushWaiters.splice(0)) {
      if (waiter.lsn <= online.mergedLsn) waiter.resolve()
      else this.#flushWaiters.push(waiter)
    }
    this.#trim()
    this.#scheduleTurn()
  }

  /** Lets the log go where both stores no longer need it; source positions move to a checkpoint first. */
  #trim(): void {
    const { online, offline, log, sources, config } = this.#parts
    const lastLsn = log.nextLsn - 1
    const publishedLsn = offline.publishedLsn(lastLsn)
    const lsn = Math.min(online.mergedLsn, publishedLsn)
    if (lsn <= this.#trimmedLsn || log.bytes < config.segmentBytes) return
    this.#guard(() => {
      log.append(FrameKind.checkpoint, 0, [encodeCheckpoint({ publishedLsn, sources: sources.all() })])
      log.sync()
      log.trim(lsnAfter(lsn, 1))
      this.#trimmedLsn = lsn
    })
  }

  #signal(pressure: Pressure): void {
    const waiter = this.#pressureWaiter
    this.#pressureWaiter = undefined
    waiter?.(pressure)
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled || this.#failure !== undefined) return
    this.#isTurnScheduled = true
    setImmediate(() => this.#turn())
  }

  /** Runs an action of the log; if it fails for any reason but a full disk, the shard fails with it. */
  #guard(action: () => void): void {
    try {
      action()
    } catch (thrown) {
      const error = MillraceError.from(thrown)
      if (error.code !== 'DISK_FULL') this.#fail(error)
      throw error
    }
  }

  /** A full disk is waited out; the shard tries again on its next turn. Anything else ends it. */
  #survive(thrown: unknown): void {
    const error = MillraceError.from(thrown)
    if (error.code !== 'DISK_FULL') this.#fail(error)
  }

  #fail(error: MillraceError): void {
    this.#failure ??= error
    this.#committer.queue.refuseAll(error)
    for (const waiter of this.#flushWaiters.splice(0)) waiter.reject(error)
    this.#signal('closing')
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #timed<T>(stage: TimedStage, action: () => T): T {
    const started = this.#parts.clock.monotonicMs()
    try {
      return action()
    } finally {
      this.#timings[stage] += this.#parts.clock.monotonicMs() - started
    }
  }
}
