/**
 * The offline side of a shard: rows that wait for their file, open by hour or sealed by round.
 * Owns: the hour buffers, the sealed rounds, the published LSN. Does not own: files and the manifest (engine).
 * Invariants: the rows of a sealed hour never change; `publishedLsn` is just below the first row whose file is
 * not in the manifest (I12).
 */
import { ColumnBuilder } from '../codec/columns.ts'
import type { RowView } from '../codec/row.ts'
import { ScratchMemory } from '../codec/scratch-memory.ts'
import type { Seal, SealedHour } from '../codec/seal.ts'
import type { Clock } from '../core/clock.ts'
import { assert } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { RecordSchema } from '../core/model.ts'
import { type HourBuffer, HourBuffers } from '../stores/hour-buffers.ts'
import type { RowChunks } from '../stores/row-chunks.ts'
import type { ColumnsReply, FileHour, PartSummary, PendingSeal, ShardConfig } from './protocol.ts'

const MS_PER_HOUR = 3_600_000
/** Rows of the hour that just ended may still be on their way. */
const HOUR_GRACE_MS = 10_000
/** Memory that is kept for building columns. */
const SCRATCH_BYTES_MAX = 32 * 1024 * 1024

interface SealedRound {
  readonly writeTimeUs: number
  readonly buffers: HourBuffer[]
}

/** How long work is shared with other work. */
export interface Pacing {
  /** For how long to work before a pause. */
  turnMsMax(): number
  pause(): Promise<void>
}

export interface DueInputs {
  readonly nowMs: number
  readonly monotonicMs: number
  /** Whether rows must go because memory, or the log, is nearly full. */
  readonly isMemoryTight: boolean
  /** Rows logged before this LSN hold back the log. */
  readonly heldLsn: number
}

export class OfflineSide {
  readonly buffers: HourBuffers
  readonly #chunks: RowChunks
  readonly #config: ShardConfig
  readonly #sealed = new Map<number, SealedRound>()
  readonly #memory: ScratchMemory
  #columnBytes = 0
  /** Time spent turning rows into columns, milliseconds. */
  columnsMs = 0
  readonly #clock: Clock

  constructor(chunks: RowChunks, config: ShardConfig, clock: Clock) {
    this.#chunks = chunks
    this.#clock = clock
    this.#memory = new ScratchMemory(Math.min(SCRATCH_BYTES_MAX, config.memoryBytes / 16))
    this.#config = config
    this.buffers = new HourBuffers(chunks)
  }

  /** Bytes held beyond the rows themselves: lists of places and columns being built. */
  get indexBytes(): number {
    return this.buffers.indexBytes + this.#columnBytes
  }

  /** The highest LSN such that every offline row up to it is published, given the last LSN of the log. */
  publishedLsn(lastLsn: number): number {
    let first = this.buffers.firstLsn ?? Number.POSITIVE_INFINITY
    for (const { buffers } of this.#sealed.values()) {
      for (const buffer of buffers) first = Math.min(first, buffer.firstLsn)
    }
    return first === Number.POSITIVE_INFINITY ? lastLsn : first - 1
  }

  /**
   * Every row of the feature group with an invocation time up to here is published.
   * @param lastUs - rows logged from now on have later invocation times than this
   */
  watermarkUs(featureGroup: number, lastUs: number): number {
    let us = lastUs
    const see = (buffer: HourBuffer): void => {
      if (buffer.featureGroup === featureGroup) us = Math.min(us, buffer.firstInvocationUs - 1)
    }
    for (const buffer of this.buffers.open()) see(buffer)
    for (const { buffers } of this.#sealed.values()) buffers.forEach(see)
    return us
  }

  /** Hours with a row at or below `upToLsn`. */
  openHours(featureGroup: number | undefined, upToLsn = Number.POSITIVE_INFINITY): SealedHour[] {
    const hours: SealedHour[] = []
    for (const buffer of this.buffers.open()) {
      if (featureGroup !== undefined && buffer.featureGroup !== featureGroup) continue
      if (buffer.firstLsn > upToLsn) continue
      hours.push({ featureGroup: buffer.featureGroup, eventHour: buffer.eventHour })
    }
    return hours
  }

  /** The hours whose rows should become files now. */
  dueHours(inputs: DueInputs): SealedHour[] {
    const due = new Set<HourBuffer>()
    for (const buffer of this.buffers.open()) {
      if (this.#isDue(buffer, inputs)) due.add(buffer)
    }
    if (inputs.isMemoryTight) {
      // Hours that took no rows for longest are most likely complete: half of the bytes, those first.
      const byLastRow = [...this.buffers.open()].sort((a, b) => a.lastLsn - b.lastLsn)
      let bytes = 0
      for (const buffer of byLastRow) {
        due.add(buffer)
        bytes += buffer.bytes
        if (bytes * 2 >= this.buffers.rowBytes) break
      }
    }
    return [...due].map(({ featureGroup, eventHour }) => ({ featureGroup, eventHour }))
  }

  hasDueHours(inputs: DueInputs): boolean {
    if (inputs.isMemoryTight) return this.buffers.openCount > 0
    for (const buffer of this.buffers.open()) if (this.#isDue(buffer, inputs)) return true
    return false
  }

  /** Fixes the rows of a round; the seal is already in the log. */
  seal(seal: Seal): PartSummary[] {
    const round = this.#sealed.get(seal.round) ?? { writeTimeUs: seal.writeTimeUs, buffers: [] }
    const parts: PartSummary[] = []
    for (const { featureGroup, eventHour } of seal.hours) {
      const buffer = this.buffers.seal(featureGroup, eventHour, seal.partBytes)
      if (buffer === undefined) continue
      round.buffers.push(buffer)
      parts.push(summary(buffer))
    }
    if (round.buffers.length > 0) this.#sealed.set(seal.round, round)
    return parts
  }

  pending(): PendingSeal[] {
    return [...this.#sealed].map(([round, { writeTimeUs, buffers }]) => ({
      round,
      writeTimeUs,
      parts: buffers.map(summary),
    }))
  }

  /**
   * Turns sealed rows into columns.
   * @param pacing - so that the shard serves its messages in between
   */
  async columns(
    round: number,
    hours: readonly FileHour[],
    schemaOf: (featureGroup: number) => RecordSchema,
    pacing: Pacing,
  ): Promise<ColumnsReply> {
    const parts: ColumnsReply['parts'][number][] = []
    for (const { featureGroup, eventHour, writeTimeUs } of hours) {
      const buffer = this.#sealed
        .get(round)
        ?.buffers.find((b) => b.featureGroup === featureGroup && b.eventHour === eventHour)
      if (buffer === undefined) continue
      const { ipc, dictionaryColumns } = await this.#build(
        buffer,
        schemaOf(featureGroup),
        writeTimeUs,
        pacing,
      )
      parts.push({ featureGroup, eventHour, ipc, dictionaryColumns })
    }
    return { parts }
  }

  /** Lets go of rows whose files are in the manifest. */
  published(round: number, hours: readonly SealedHour[]): void {
    const sealed = this.#sealed.get(round)
    if (sealed === undefined) return
    const keys = new Set(hours.map(({ featureGroup, eventHour }) => `${featureGroup}:${eventHour}`))
    for (const buffer of sealed.buffers) {
      if (keys.has(`${buffer.featureGroup}:${buffer.eventHour}`)) this.buffers.release(buffer)
    }
    const rest = sealed.buffers.filter((b) => !keys.has(`${b.featureGroup}:${b.eventHour}`))
    if (rest.length === 0) this.#sealed.delete(round)
    else this.#sealed.set(round, { writeTimeUs: sealed.writeTimeUs, buffers: rest })
  }

  #isDue(buffer: HourBuffer, { nowMs, monotonicMs, heldLsn }: DueInputs): boolean {
    const config = this.#config
    if (buffer.rows >= config.flushRows || buffer.bytes >= config.flushBytes) return true
    if (monotonicMs - buffer.firstMs >= config.flushAgeMs || buffer.firstLsn < heldLsn) return true
    // The wall clock has left the hour that was current when the buffer was opened.
    const openedMs = nowMs - (monotonicMs - buffer.firstMs)
    const endMs = (buffer.eventHour + 1) * MS_PER_HOUR
    return openedMs < endMs && nowMs >= endMs + HOUR_GRACE_MS
  }

  async #build(
    buffer: HourBuffer,
    schema: RecordSchema,
    writeTimeUs: number,
    pacing: Pacing,
  ): Promise<{ ipc: Uint8Array<ArrayBuffer>; dictionaryColumns: string[] }> {
    const builder = new ColumnBuilder(schema, buffer.rows, writeTimeUs, this.#memory)
    const views: RowView[] = []
    const rows = new Uint32Array(Math.min(buffer.rows, limits.columnSliceRows))
    this.#columnBytes += buffer.bytes
    let turnMs = 0
    try {
      for (let from = 0; from < buffer.rows; from += rows.length) {
        const count = Math.min(rows.length, buffer.rows - from)
        for (let i = 0; i < count; i++) {
          views[i] = this.#chunks.get(buffer.chunkAt(from + i))
          rows[i] = buffer.rowAt(from + i)
        }
        const started = this.#clock.monotonicMs()
        builder.append({ views, rows, count })
        const tookMs = this.#clock.monotonicMs() - started
        this.columnsMs += tookMs
        turnMs += tookMs
        if (turnMs >= pacing.turnMsMax()) {
          await pacing.pause()
          turnMs = 0
        }
      }
      const started = this.#clock.monotonicMs()
      const part = builder.finish()
      this.columnsMs += this.#clock.monotonicMs() - started
      assert(part.rows === buffer.rows, 'a part has the rows of its buffer')
      return part
    } finally {
      this.#columnBytes -= buffer.bytes
    }
  }
}

function summary(buffer: HourBuffer): PartSummary {
  const { featureGroup, eventHour, rows, bytes, latestSeconds, firstLsn, lastLsn, lastInvocationUs } = buffer
  return { featureGroup, eventHour, rows, bytes, latestSeconds, firstLsn, lastLsn, lastInvocationUs }
}
