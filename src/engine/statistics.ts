/** What `stats()` tells: how much is where, and how far each store lags behind the log. */
import type { FeatureGroupModel } from '../core/model.ts'
import type { Manifest } from '../stores/manifest.ts'
import type { ShardStatistics } from '../workers/protocol.ts'
import type { StoreCore } from './store-core.ts'

export interface FeatureGroupStatistics {
  readonly name: string
  /** Of the online partitions; what is still in the memtables is not counted yet. */
  readonly online: { readonly records: number; readonly softDeleted: number; readonly bytes: number }
  readonly offline: { readonly files: number; readonly rows: number; readonly bytes: number }
}

export interface ShardSummary {
  /** Operations logged since the shard was made. */
  readonly lastLsn: number
  /** Up to here everything is durable in LMDB; the lag of the online store is `lastLsn - onlineLsn`. */
  readonly onlineLsn: number
  /** Up to here everything is in published Parquet files. */
  readonly offlineLsn: number
  readonly queueBytes: number
  readonly rowBytes: number
  readonly memtableBytes: number
  readonly memtableRecords: number
  readonly unpublishedRows: number
  readonly openHours: number
  readonly logBytes: number
  /** Records that expired since the store was opened. */
  readonly expired: number
  /** Milliseconds spent so far per stage. */
  readonly timings: ShardStatistics['timings']
}

export interface StoreStatistics {
  /** Since the store was opened. */
  readonly records: { readonly accepted: number; readonly rejected: number; readonly bytes: number }
  readonly memory: {
    /** Batches on their way to a shard. */
    readonly inFlightBytes: number
    /** Rows, memtables and hour buffers of all shards. */
    readonly shardBytes: number
    readonly budgetBytes: number
    /** Memory of the Parquet encoder's WASM module, beyond the budget; it grows with the largest file. */
    readonly encoderBytes: number
  }
  readonly log: { readonly bytes: number }
  readonly online: { readonly lagRecords: number }
  readonly offline: {
    readonly lagRecords: number
    readonly unpublishedRows: number
    readonly files: number
    readonly bytes: number
    /** Milliseconds the encoder threads spent on files. */
    readonly encodeMs: number
    /** Why the last flush failed; undefined while all is well. */
    readonly failure: string | undefined
  }
  readonly featureGroups: readonly FeatureGroupStatistics[]
  readonly shards: readonly ShardSummary[]
}

export interface StatisticsInputs {
  readonly core: StoreCore
  readonly manifest: Manifest
  readonly groups: readonly FeatureGroupModel[]
  readonly shards: readonly ShardStatistics[]
  readonly budgetBytes: number
  readonly encoder: { readonly encodeMs: number; readonly wasmMemoryBytes: number }
  readonly failure: string | undefined
}

export function summarise(inputs: StatisticsInputs): StoreStatistics {
  const { core, shards, groups, manifest } = inputs
  const sum = (pick: (shard: ShardStatistics) => number): number =>
    shards.reduce((total, shard) => total + pick(shard), 0)
  const featureGroups = groups.map((group): FeatureGroupStatistics => {
    const counts = shards.flatMap((shard) =>
      shard.online.filter((entry) => entry.featureGroup === group.number),
    )
    return {
      name: group.name,
      online: {
        records: counts.reduce((total, count) => total + count.records, 0),
        softDeleted: counts.reduce((total, count) => total + count.tombstones, 0),
        bytes: counts.reduce((total, count) => total + count.bytes, 0),
      },
      offline: { ...manifest.totals(group.number) },
    }
  })
  return {
    records: { accepted: core.recordsAccepted, rejected: core.recordsRejected, bytes: core.bytesAccepted },
    memory: {
      inFlightBytes: core.gate.held,
      shardBytes: sum((shard) => shard.chunkBytes + shard.memtableBytes),
      budgetBytes: inputs.budgetBytes,
      encoderBytes: inputs.encoder.wasmMemoryBytes,
    },
    log: { bytes: sum((shard) => shard.logBytes) },
    online: { lagRecords: sum((shard) => shard.lastLsn - shard.mergedLsn) },
    offline: {
      lagRecords: sum((shard) => shard.lastLsn - shard.publishedLsn),
      unpublishedRows: sum((shard) => shard.unpublishedRows),
      files: featureGroups.reduce((total, group) => total + group.offline.files, 0),
      bytes: featureGroups.reduce((total, group) => total + group.offline.bytes, 0),
      encodeMs: inputs.encoder.encodeMs,
      failure: inputs.failure,
    },
    featureGroups,
    shards: shards.map((shard) => ({
      lastLsn: shard.lastLsn,
      onlineLsn: shard.mergedLsn,
      offlineLsn: shard.publishedLsn,
      queueBytes: shard.queueBytes,
      rowBytes: shard.chunkBytes,
      memtableBytes: shard.memtableBytes,
      memtableRecords: shard.memtableRecords,
      unpublishedRows: shard.unpublishedRows,
      openHours: shard.openHours,
      logBytes: shard.logBytes,
      expired: shard.expired,
      timings: shard.timings,
    })),
  }
}
