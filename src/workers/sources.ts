/**
 * Sources: how far each resumable input has come on this shard. A batch of a source carries the position before
 * and after it; both are logged with the rows, so after a crash the input goes on exactly where the log ends.
 * Owns: one position per source. Invariant: a batch is only taken if it starts where the last one ended, so a
 * refused batch can never be overtaken by its successor.
 */
import type { BatchHeader } from '../codec/batch.ts'
import type { SourcePosition } from '../codec/seal.ts'
import { MillraceError } from '../core/errors.ts'

export class Sources {
  #positions = new Map<string, SourcePosition>()

  position(low: number, high: number): number {
    return this.#positions.get(`${low}:${high}`)?.position ?? 0
  }

  /** @param from - the position the batch starts at, as the shard knows it (with batches of the same commit) */
  check(header: BatchHeader, from: number): MillraceError | undefined {
    if (header.sourceFrom === from) return undefined
    return new MillraceError(
      'OUT_OF_SEQUENCE',
      `rows of a source arrived out of sequence: expected position ${from}, found ${header.sourceFrom}; ` +
        'an earlier batch was refused, or two ingestions use the same source id',
    )
  }

  set(low: number, high: number, position: number): void {
    if (low === 0 && high === 0) return
    this.#positions.set(`${low}:${high}`, { low, high, position })
  }

  all(): SourcePosition[] {
    return [...this.#positions.values()]
  }
}

export const hasSource = (header: BatchHeader): boolean => header.sourceLow !== 0 || header.sourceHigh !== 0
