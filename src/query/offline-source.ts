/** What a query needs to know of a feature group's offline store. The engine provides it. */
import type { FeatureGroupModel } from '../core/model.ts'

/** A published file. */
export interface OfflineFile {
  /** Absolute. */
  readonly path: string
  /** The hour of the event times of its rows: whole hours since 1970, UTC. */
  readonly eventHour: number
}

export interface OfflineSource {
  readonly group: FeatureGroupModel
  /** The files that the manifest names now, in the order in which they were named. */
  files(): Iterable<OfflineFile>
  /** Publishes every row acknowledged before. */
  flush(): Promise<void>
}
