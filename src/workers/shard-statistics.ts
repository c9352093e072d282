/** What a shard tells about itself. */
import type { RowChunks } from '../stores/row-chunks.ts'
import type { WriteAheadLog } from '../wal/log.ts'
import type { OfflineSide } from './offline-side.ts'
import type { OnlineSide } from './online-side.ts'
import type { ShardStatistics, TimedStage } from './protocol.ts'

interface StatisticsInputs {
  readonly log: WriteAheadLog
  readonly online: OnlineSide
  readonly offline: OfflineSide
  readonly chunks: RowChunks
}

export function shardStatistics(
  { log, online, offline, chunks }: StatisticsInputs,
  queueBytes: number,
  expired: number,
  timings: Readonly<Record<TimedStage, number>>,
): ShardStatistics {
  const lastLsn = log.nextLsn - 1
  return {
    lastLsn,
    mergedLsn: online.mergedLsn,
    publishedLsn: offline.publishedLsn(lastLsn),
    queueBytes,
    chunkBytes: chunks.bytes,
    memtableBytes: online.memtableBytes,
    memtableRecords: online.memtableRecords,
    hourBufferBytes: offline.buffers.rowBytes,
    unpublishedRows: offline.buffers.rows,
    openHours: offline.buffers.openCount,
    logBytes: log.bytes,
    expired,
    online: [...online.partition.counts].map(([featureGroup, counts]) => ({ featureGroup, ...counts })),
    timings: { ...timings, columns: offline.columnsMs },
  }
}
