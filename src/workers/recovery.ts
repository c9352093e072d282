/**
 * Recovery of a shard: the log laid over what the durable stores already hold. Runs the same `applyBatch` as a
 * live write, so there is one way for a record to come into the stores.
 */
import { BATCH_HEADER_BYTES, readBatchHeader } from '../codec/batch.ts'
import { FrameKind } from '../codec/frame.ts'
import { viewRows } from '../codec/row.ts'
import { decodeCheckpoint, decodeSeal } from '../codec/seal.ts'
import { assert } from '../core/errors.ts'
import { LSN_FIRST, type Lsn } from '../core/lsn.ts'
import type { WriteAheadLog } from '../wal/log.ts'
import type { ReplayedFrame } from '../wal/replay.ts'
import { type AppliedBefore, applyBatch, type Stores } from './apply.ts'
import type { PublishedHours, RecoveryReport } from './protocol.ts'
import type { Sources } from './sources.ts'
import type { Stamps } from './stamps.ts'

export interface RecoveryInputs {
  readonly log: WriteAheadLog
  readonly stores: Stores
  readonly sources: Sources
  readonly stamps: Stamps
  readonly published: PublishedHours
  readonly tornBytes: number
  readonly nowMs: number
  readonly memtableBytesMax: number
  readonly isKnownGroup: (featureGroup: number) => boolean
}

export function replayLog(inputs: RecoveryInputs): RecoveryReport {
  const { log, stores, sources } = inputs
  const before = appliedBefore(stores.online.mergedLsn, inputs.published)
  let records = 0
  let roundMax = 0
  log.replay(replayStart(log, stores.online.mergedLsn), (frame) => {
    if (frame.kind === FrameKind.batches) {
      records += replayBatches(inputs, before, frame)
      const { active } = stores.online
      if (active.chunkBytes + active.indexBytes > inputs.memtableBytesMax) stores.online.mergeForRecovery()
    } else if (frame.kind === FrameKind.seal) {
      const seal = decodeSeal(frame.payload)
      roundMax = Math.max(roundMax, seal.round)
      // The rows of a published file are not here again. What is left of a large hour, or came later, must not be
      // taken for them: it would replace their file.
      const hours = seal.hours.filter(
        ({ featureGroup, eventHour }) => seal.round > before.offlineRound(featureGroup, eventHour),
      )
      stores.offline.seal({ ...seal, hours })
    } else {
      for (const source of decodeCheckpoint(frame.payload).sources) {
        sources.set(source.low, source.high, source.position)
      }
    }
  })
  stores.online.active.lastLsn = log.nextLsn - 1
  return {
    records,
    tornBytes: inputs.tornBytes,
    roundMax,
    lastInvocationUs: inputs.stamps.lastUs,
    pending: stores.offline.pending(),
  }
}

/**
 * A log that ends with a checkpoint written when everything was merged and published (a clean close) needs no
 * rows replayed; otherwise the whole log is read, and rows the stores hold already are skipped one by one.
 */
function replayStart(log: WriteAheadLog, mergedLsn: number): Lsn {
  if (mergedLsn !== log.nextLsn - 1) return LSN_FIRST
  let publishedLsn = -1
  log.replay(log.nextLsn, (frame) => {
    if (frame.kind === FrameKind.checkpoint) publishedLsn = decodeCheckpoint(frame.payload).publishedLsn
  })
  return publishedLsn === log.nextLsn - 1 ? log.nextLsn : LSN_FIRST
}

function replayBatches(inputs: RecoveryInputs, before: AppliedBefore, frame: ReplayedFrame): number {
  const { payload } = frame
  const view = viewRows(payload.buffer as ArrayBuffer, payload.byteOffset, payload.byteLength)
  let lsn: number = frame.firstLsn
  for (let at = 0; at < payload.byteLength; ) {
    const header = readBatchHeader(view, at)
    assert(header.batchBytes >= BATCH_HEADER_BYTES, 'a batch is not empty')
    inputs.stamps.observe(header.lastInvocationUs)
    inputs.sources.set(header.sourceLow, header.sourceHigh, header.sourceUpTo)
    // Rows of a feature group that was deleted meanwhile have nowhere to go.
    if (inputs.isKnownGroup(header.featureGroup)) {
      const start = payload.byteOffset + at
      applyBatch(inputs.stores, payload.buffer as ArrayBuffer, start, header, lsn, inputs.nowMs, before)
    }
    lsn += header.recordCount
    at += header.batchBytes
  }
  assert(lsn === frame.firstLsn + frame.recordCount, 'a frame holds the records it counts')
  return frame.recordCount
}

function appliedBefore(onlineLsn: number, published: PublishedHours): AppliedBefore {
  const last = new Map<string, { lsn: number; round: number }>()
  published.featureGroups.forEach((featureGroup, i) => {
    const key = `${featureGroup}:${published.eventHours[i]}`
    last.set(key, { lsn: published.lastLsns[i]!, round: published.lastRounds[i]! })
  })
  return {
    onlineLsn,
    offlineLsn: (featureGroup, eventHour) => last.get(`${featureGroup}:${eventHour}`)?.lsn ?? 0,
    offlineRound: (featureGroup, eventHour) => last.get(`${featureGroup}:${eventHour}`)?.round ?? 0,
  }
}
