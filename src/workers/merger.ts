/**
 * A Merger carries a frozen memtable into the online partition in key order, a slice at a time, so that commits
 * and reads never wait longer than one slice.
 * Owns: how far the merge has come. Does not own: the memtable (online-side), the partition.
 * Invariant: the merged LSN is confirmed only after the last slice.
 */
import type { Memtable } from '../stores/memtable.ts'
import type { OnlinePartition } from '../stores/online-partition.ts'

export class Merger {
  readonly memtable: Memtable
  remaining: number
  readonly #partition: OnlinePartition
  readonly #groups: number[]
  #slot = 0
  #run: number[] = []
  #slice: number[] = []

  constructor(memtable: Memtable, partition: OnlinePartition) {
    this.memtable = memtable
    this.remaining = memtable.size
    this.#partition = partition
    this.#groups = [...memtable.indexes.keys()].sort((a, b) => a - b)
  }

  /** Merges about `records` records. @returns whether there is more */
  step(records: number): boolean {
    const featureGroup = this.#groups[0]
    if (featureGroup === undefined) return false
    const index = this.memtable.indexes.get(featureGroup)
    if (index === undefined) {
      // The feature group was dropped meanwhile.
      this.#nextGroup()
      return this.#groups.length > 0
    }
    this.#slice.length = 0
    while (this.#slice.length < records) {
      this.#slot = index.nextRun(this.#slot, this.#run)
      if (this.#run.length === 0) break
      for (const slot of this.#run) this.#slice.push(slot)
    }
    if (this.#slice.length > 0) this.#partition.merge(featureGroup, index, this.#slice)
    this.remaining -= this.#slice.length
    if (this.#slot >= index.slotCount || this.#run.length === 0) this.#nextGroup()
    return this.#groups.length > 0
  }

  #nextGroup(): void {
    this.#groups.shift()
    this.#slot = 0
    this.#run.length = 0
  }
}
