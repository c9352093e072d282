/**
 * Offline files as they come into being: made under a hidden name, durable, then visible, then their directories
 * durable; only after that may the manifest name them.
 */
import { hash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { assert, MillraceError } from '../core/errors.ts'
import { removeQuietly, writeSyncedFile } from '../io/atomic-file.ts'
import { type FileSystem, systemErrorCode } from '../io/file-system.ts'
import { temporaryFile } from '../io/paths.ts'

export interface ParquetFile {
  /** An existing directory. */
  readonly directory: string
  readonly fileName: string
  readonly bytes: Uint8Array
}

/**
 * Makes a file visible with all of its bytes durable, replacing one of the same name: its name says which rows it
 * has, so that is the same file from before a crash. The name is durable once the directory is synced.
 * @throws DISK_FULL or IO_FAILED; nothing became visible then, and the same file may be published again
 */
export function publishParquet(fileSystem: FileSystem, { directory, fileName, bytes }: ParquetFile): void {
  const path = join(directory, fileName)
  const temporary = temporaryFile(path)
  if (fileSystem.exists(temporary)) fileSystem.unlink(temporary) // left by a crash
  try {
    writeSyncedFile(fileSystem, temporary, bytes)
    fileSystem.rename(temporary, path)
  } catch (error) {
    removeQuietly(fileSystem, temporary)
    throw error
  }
}

/** Directories remembered as durable; beyond this many, all are looked at again. */
const DURABLE_MAX = 10_000

/**
 * DirectorySyncs make the names of a batch of files durable with one sync per directory.
 * Owns: which directories have to be synced, and which are known to be durable.
 * Does not own: the files, and the directories above the root.
 * Invariants: after `flush`, every directory given to `create` and every name given to `add` before is durable; after
 * a failed sync nothing is any more, because the system reports a failure only once.
 */
export class DirectorySyncs {
  readonly #fileSystem: FileSystem
  readonly #durable = new Set<string>()
  readonly #pending = new Set<string>()
  /** Directories that are durable when all pending ones are synced. */
  readonly #unproven = new Set<string>()
  #failure: unknown

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem
  }

  /** Creates a directory below `root`, which exists durably, and whatever is missing between the two. */
  create(root: string, directory: string): void {
    this.#fileSystem.makeDirectory(directory)
    // IMPORTANT: that one exists does not make it durable. Another thread may have created it a moment ago, and be
    // about to sync its parent; so each is synced here too, the first time it is used.
    for (let at = directory; at !== root && !this.#durable.has(at); at = dirname(at)) {
      assert(at !== dirname(at), 'a directory of offline files lies below the root')
      this.#pending.add(dirname(at))
      this.#unproven.add(at)
    }
  }

  /** A name in this directory changed. */
  add(directory: string): void {
    this.#pending.add(directory)
  }

  /** @throws LOG_POISONED if a sync failed, now or earlier */
  flush(): void {
    if (this.#failure === undefined) {
      try {
        for (const directory of this.#pending) this.#fileSystem.syncDirectory(directory)
      } catch (cause) {
        this.#failure = cause
      }
    }
    if (this.#failure !== undefined) {
      const message = 'a directory of offline files could not be synced; reopen the store'
      throw new MillraceError('LOG_POISONED', message, { cause: this.#failure })
    }
    if (this.#durable.size > DURABLE_MAX) this.#durable.clear()
    for (const directory of this.#unproven) this.#durable.add(directory)
    this.#unproven.clear()
    this.#pending.clear()
  }
}

/** Only what `publishParquet` makes: other programs may have hidden files in an offline store too. */
const TEMPORARY_PARQUET = /^\.\d{8}T\d{6}Z_[0-9A-Za-z]{16}\.parquet\.tmp$/

/** Errors that say a name is not a directory to look into: a file, one gone, a circle of links, a private one. */
const NOT_FOR_US = new Set(['ENOTDIR', 'ENOENT', 'ELOOP', 'EACCES', 'EPERM'])

/**
 * Removes what a crash left of files that were never published, from a directory and all below.
 * @returns the number of files removed
 */
export function removeLeftoverTempFiles(fileSystem: FileSystem, root: string): number {
  let removed = 0
  const directories = [root]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    for (const name of listIfDirectory(fileSystem, directory)) {
      if (TEMPORARY_PARQUET.test(name)) {
        fileSystem.unlink(join(directory, name))
        removed++
      } else if (!name.startsWith('.') && !name.endsWith('.parquet')) {
        directories.push(join(directory, name))
      }
    }
  }
  return removed
}

function listIfDirectory(fileSystem: FileSystem, path: string): string[] {
  try {
    return fileSystem.list(path)
  } catch (error) {
    if (NOT_FOR_US.has(systemErrorCode(error) ?? '')) return []
    throw error
  }
}

export interface FileIdentity {
  readonly storeId: string
  /** The feature group's number. */
  readonly featureGroup: number
  /** Creation time of the feature group, whole seconds since 1970. */
  readonly createdSeconds: number
  readonly eventHour: number
  readonly round: number
}

const ALPHANUMERICS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SUFFIX_LENGTH = 16

/**
 * The 16 alphanumerics of a file name. They follow from what decides the file's rows, so that making a file
 * again after a crash replaces it. 95 bits of a SHA-256: no two files of a store, or of a lake, get the same.
 */
export function fileSuffix(identity: FileIdentity): string {
  const { storeId, featureGroup, createdSeconds, eventHour, round } = identity
  const text = JSON.stringify([storeId, featureGroup, createdSeconds, eventHour, round])
  let rest = BigInt(`0x${hash('sha256', text, 'hex')}`)
  let suffix = ''
  for (let i = 0; i < SUFFIX_LENGTH; i++) {
    suffix += ALPHANUMERICS[Number(rest % 62n)]
    rest /= 62n
  }
  return suffix
}
