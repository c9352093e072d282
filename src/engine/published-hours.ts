/** What the manifest tells each shard at opening: how far its rows of every hour are published. */
import type { Manifest } from '../stores/manifest.ts'
import type { PublishedHours } from '../workers/protocol.ts'

export interface PublishedHistory {
  readonly roundMax: number
  of(shard: number): { published: PublishedHours; publishedLsn: number }
}

export function publishedHours(manifest: Manifest, shards: number): PublishedHistory {
  const lastLsns = Array.from({ length: shards }, () => new Map<string, number>())
  let roundMax = 0
  for (const entry of manifest.entries()) {
    roundMax = Math.max(roundMax, entry.round)
    const key = `${entry.featureGroup}:${entry.eventHour}`
    for (const { shard, lastLsn } of entry.parts) {
      const known = lastLsns[shard]
      if (known !== undefined && (known.get(key) ?? 0) < lastLsn) known.set(key, lastLsn)
    }
  }
  return {
    roundMax,
    of: (shard) => {
      const entries = [...lastLsns[shard]!]
      const keys = entries.map(([key]) => key.split(':').map(Number))
      return {
        published: {
          featureGroups: Uint32Array.from(keys, ([featureGroup]) => featureGroup!),
          eventHours: Int32Array.from(keys, ([, eventHour]) => eventHour!),
          lastLsns: Float64Array.from(entries, ([, lastLsn]) => lastLsn),
        },
        publishedLsn: entries.reduce((most, [, lastLsn]) => Math.max(most, lastLsn), 0),
      }
    },
  }
}
