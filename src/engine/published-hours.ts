/** What the manifest tells each shard at opening: how far its rows of every hour are published. */
import type { Manifest } from '../stores/manifest.ts'
import type { PublishedHours } from '../workers/protocol.ts'

export interface PublishedHistory {
  readonly roundMax: number
  readonly writeTimeUsMax: number
  of(shard: number): { published: PublishedHours; publishedLsn: number; lastInvocationUs: number }
}

export function publishedHours(manifest: Manifest, shards: number): PublishedHistory {
  const last = Array.from({ length: shards }, () => new Map<string, { lsn: number; round: number }>())
  let roundMax = 0
  let writeTimeUsMax = 0
  for (const entry of manifest.entries()) {
    roundMax = Math.max(roundMax, entry.round)
    writeTimeUsMax = Math.max(writeTimeUsMax, entry.writeTimeUs)
    const key = `${entry.featureGroup}:${entry.eventHour}`
    for (const { shard, lastLsn } of entry.parts) {
      const known = last[shard]?.get(key)
      if (known === undefined || known.lsn < lastLsn)
        last[shard]?.set(key, { lsn: lastLsn, round: entry.round })
    }
  }
  return {
    roundMax,
    writeTimeUsMax,
    of: (shard) => {
      const entries = [...last[shard]!]
      const keys = entries.map(([key]) => key.split(':').map(Number))
      return {
        published: {
          featureGroups: Uint32Array.from(keys, ([featureGroup]) => featureGroup!),
          eventHours: Int32Array.from(keys, ([, eventHour]) => eventHour!),
          lastLsns: Float64Array.from(entries, ([, { lsn }]) => lsn),
          lastRounds: Float64Array.from(entries, ([, { round }]) => round),
        },
        publishedLsn: entries.reduce((most, [, { lsn }]) => Math.max(most, lsn), 0),
        // No row has a later one than its file.
        lastInvocationUs: writeTimeUsMax,
      }
    },
  }
}
