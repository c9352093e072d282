/**
 * Invocation times in the order of the log: they never fall, and no two rows of one record id have the same, so that
 * "the latest" is well defined for every reader of the offline store.
 * Owns: the last time given to a row of this shard.
 *
 * Callers stamp their rows when they are packed, in rising order, and the rows of one call may share a stamp if they
 * are of different ids. Batches of several callers overlap; what comes late to the log is stamped anew.
 */
import { BATCH_HEADER_BYTES, setLastInvocation } from '../codec/batch.ts'
import { ROW_INVOCATION_US, viewRows } from '../codec/row.ts'
import type { PendingWrite } from './commit-queue.ts'

export class Stamps {
  lastUs = 0

  /** Rows of the log, or of files, have stamps up to here; or a watermark does. Those to come have later ones. @returns the last */
  observe(us: number): number {
    if (us > this.lastUs) this.lastUs = us
    return this.lastUs
  }

  /** A stamp for a row that the shard makes itself. */
  next(nowUs: number): number {
    this.lastUs = Math.max(this.lastUs + 1, nowUs)
    return this.lastUs
  }

  /** Makes the stamps of a batch follow those of the batches before it. To be called in the order of the log. */
  order(write: PendingWrite): void {
    const { header } = write
    if (header.recordCount === 0) return
    const view = viewRows(write.buffer, 0, write.bytes)
    const { u32, f64 } = view
    if (f64[(BATCH_HEADER_BYTES + ROW_INVOCATION_US) >>> 3]! > this.lastUs) {
      this.lastUs = header.lastInvocationUs
      return
    }
    let row = BATCH_HEADER_BYTES
    for (let i = 0; i < header.recordCount; i++) {
      const at = (row + ROW_INVOCATION_US) >>> 3
      if (f64[at]! <= this.lastUs) f64[at] = this.lastUs + 1
      this.lastUs = f64[at]!
      row += u32[row >>> 2]!
    }
    setLastInvocation(view, this.lastUs)
  }
}
