/**
 * A command's store, from opening to closing.
 * Owns: the store and the handling of signals while it is open. Does not own: what the command does with it.
 * Invariant: the store is closed however the command ends; only a command that ended well flushes while closing.
 */
import { systemClock } from '../core/clock.ts'
import { Millrace, type MillraceOptions, type RecoverySummary } from '../index.ts'
import { Interruption } from './interrupt.ts'
import { notice } from './output.ts'
import { formatBytes, formatCount } from './tables.ts'

export interface OpenStore {
  readonly store: Millrace
  readonly interruption: Interruption
  readonly openedMs: number
}

export async function withStore<T>(
  directory: string,
  options: MillraceOptions,
  command: (open: OpenStore) => Promise<T>,
  closing: { readonly isFlushing: boolean } = { isFlushing: true },
): Promise<T> {
  const startMs = systemClock.monotonicMs()
  const store = await Millrace.open(directory, options)
  const openedMs = systemClock.monotonicMs() - startMs
  const interruption = Interruption.listen(systemClock, () => {
    notice('\nstopping as soon as nothing is half done; Ctrl-C again ends at once')
  })
  try {
    announceRecovery(store.recovery)
    const result = await command({ store, interruption, openedMs })
    await store.close({ flush: closing.isFlushing })
    return result
  } catch (thrown) {
    // What went wrong first is what the user has to know; the log has whatever was accepted.
    await store.close({ flush: false }).catch(() => undefined)
    throw thrown
  } finally {
    interruption.stopListening()
  }
}

function announceRecovery({ replayedRecords, tornBytes }: RecoverySummary): void {
  if (replayedRecords > 0) notice(`recovered ${formatCount(replayedRecords)} records from the log`)
  if (tornBytes > 0) {
    notice(`cut ${formatBytes(tornBytes)} of unfinished writes, never acknowledged, from the end of the log`)
  }
}
