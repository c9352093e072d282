/** The LMDB environment of an online partition: how it is opened, and the partition's own record in it. */
import { type Database, open, type RootDatabase } from 'lmdb'
import { MillraceError } from '../core/errors.ts'

export interface OnlineCounts {
  records: number
  tombstones: number
  /** Bytes of values of live records. */
  bytes: number
  /** Versions that have an expiry. */
  expiring: number
}

export interface PartitionState {
  mergedLsn: number
  counts: [number, OnlineCounts][]
}

const STATE_KEY = Buffer.from('\0\0\0\0partition')

/** @throws ONLINE_STORE_CORRUPT */
export function openEnvironment(directory: string): RootDatabase<Buffer, Buffer> {
  try {
    return open<Buffer, Buffer>({
      path: directory,
      encoding: 'binary',
      keyEncoding: 'binary',
      // Address space, not memory: growing the map later would stall readers.
      mapSize: 256 * 1024 ** 3,
      maxDbs: 1,
      // Random reads of a store larger than memory would drag in whole read-ahead windows.
      noReadAhead: true,
      // Commits are flushed in the background and a crash falls back to the last flushed snapshot; the log
      // behind `mergedLsn` covers the rest. `safeRestore` makes that so even without a reboot.
      overlappingSync: true,
      safeRestore: true,
      permissionsMode: 0o600,
    } as Parameters<typeof open<Buffer, Buffer>>[0] & { permissionsMode: number })
  } catch (cause) {
    throw new MillraceError(
      'ONLINE_STORE_CORRUPT',
      `the online partition ${directory} cannot be opened: ${cause instanceof Error ? cause.message : cause}`,
      { cause, place: { file: directory } },
    )
  }
}

/** @throws ONLINE_STORE_CORRUPT */
export function readState(database: Database<Buffer, Buffer>, directory: string): PartitionState {
  const bytes = database.getBinary(STATE_KEY)
  if (bytes === undefined) return { mergedLsn: 0, counts: [] }
  try {
    return JSON.parse(bytes.toString()) as PartitionState
  } catch (cause) {
    throw new MillraceError(
      'ONLINE_STORE_CORRUPT',
      `the online partition ${directory} has a damaged state record`,
      { cause, place: { file: directory } },
    )
  }
}

/** To be called inside a transaction, so that the state is that of the records. */
export function writeState(database: Database<Buffer, Buffer>, state: PartitionState): void {
  void database.put(STATE_KEY, Buffer.from(JSON.stringify(state)))
}
