/** The writes of one commit as one frame of the log. */
import { FrameKind } from '../codec/frame.ts'
import { encodeCheckpoint } from '../codec/seal.ts'
import type { WriteAheadLog } from '../wal/log.ts'
import type { PendingWrite } from './commit-queue.ts'
import type { OfflineSide } from './offline-side.ts'
import type { Sources } from './sources.ts'

export interface AppendInputs {
  readonly log: WriteAheadLog
  readonly sources: Sources
  readonly offline: OfflineSide
}

/**
 * @param records - rows of all the writes
 * @returns the LSN of the first record
 */
export function appendWrites(
  { log, sources, offline }: AppendInputs,
  writes: readonly PendingWrite[],
  records: number,
): number {
  if (records > 0) {
    const payload = writes.map((write) => new Uint8Array(write.buffer, 0, write.bytes))
    return log.append(FrameKind.batches, records, payload)
  }
  // Batches without rows only tell how far their sources have come.
  const positions = new Map(sources.all().map((source) => [`${source.low}:${source.high}`, source]))
  for (const { header } of writes) {
    const { sourceLow: low, sourceHigh: high, sourceUpTo: position } = header
    positions.set(`${low}:${high}`, { low, high, position })
  }
  const publishedLsn = offline.publishedLsn(log.nextLsn - 1)
  const checkpoint = { publishedLsn, sources: [...positions.values()] }
  return log.append(FrameKind.checkpoint, 0, [encodeCheckpoint(checkpoint)])
}
