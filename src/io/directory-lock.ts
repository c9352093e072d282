/**
 * One owner per data directory, by a lock file that names the owning process (Node has no flock).
 *
 * Owns: the lock file, and the hidden files that exist while it changes hands.
 * Does not own: the directory, which must exist.
 * Invariants: a lock file appears complete or not at all (it is made under a unique name and linked); its content is
 * unique and never changes; the lock of a live process is removed by nobody else.
 *
 * Taking over a stale lock is the hard part. Story of the race: A and B both judge the lock stale; B replaces it by
 * its own; A, still acting on what it read, moves B's new lock away, and in the gap C comes in beside B. So whoever
 * removes a stale lock must first hold a claim: a second lock file, named by a digest of the stale content. One
 * content has one claim holder at a time, and nobody without the claim touches the file, so a holder that finds the
 * judged content still in place (it looks again, holding the claim) knows what it moves. A claim left by a crash is
 * itself a stale lock, and is taken over by the same rule.
 */
import { createHash, randomUUID } from 'node:crypto'
import { MillraceError, quote } from '../core/errors.ts'
import { removeQuietly, writeSyncedFile } from './atomic-file.ts'
import { type FileSystem, systemErrorCode } from './file-system.ts'
import { lockClaimFile, lockFile, uniqueTemporaryFile } from './paths.ts'
import { currentProcess, isRunning, type ProcessIdentity } from './process-identity.ts'

/** Each round somebody else has made progress; more of them than this and something is wrong. */
const ROUNDS_MAX = 100

export class DirectoryLock {
  readonly #fileSystem: FileSystem
  readonly #path: string
  readonly #content: string
  #isReleased = false

  private constructor(fileSystem: FileSystem, path: string, content: string) {
    this.#fileSystem = fileSystem
    this.#path = path
    this.#content = content
  }

  /** @throws STORE_LOCKED while another process, or this one, holds the lock; the message says what to do. */
  static acquire(fileSystem: FileSystem, directory: string): DirectoryLock {
    const self = currentProcess(fileSystem)
    const token = randomUUID()
    const content = JSON.stringify({ ...self, token })
    const path = lockFile(directory)
    const unique = uniqueTemporaryFile(path, token)
    try {
      writeSyncedFile(fileSystem, unique, new TextEncoder().encode(content))
      new LockTaker(fileSystem, directory, self, unique).take(path)
    } finally {
      removeQuietly(fileSystem, unique)
    }
    return new DirectoryLock(fileSystem, path, content)
  }

  /** Idempotent. A lock that is no longer ours (somebody removed the file by hand) is left alone. */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    if (readIfPresent(this.#fileSystem, this.#path) === this.#content) this.#fileSystem.unlink(this.#path)
  }
}

class LockTaker {
  readonly #fileSystem: FileSystem
  readonly #directory: string
  readonly #self: ProcessIdentity
  /** Our complete lock file, waiting to be linked to the lock's name. */
  readonly #unique: string

  constructor(fileSystem: FileSystem, directory: string, self: ProcessIdentity, unique: string) {
    this.#fileSystem = fileSystem
    this.#directory = directory
    this.#self = self
    this.#unique = unique
  }

  /** Returns once `path` is a link to our file. */
  take(path: string): void {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (this.#link(path)) return
      const content = readIfPresent(this.#fileSystem, path)
      if (content === undefined) continue // released between the two calls
      this.#checkStale(path, content)
      this.#remove(path, content)
    }
    throw locked(`${this.#directory} changes hands too fast; try again`)
  }

  #link(path: string): boolean {
    try {
      this.#fileSystem.link(this.#unique, path)
      return true
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return false
      throw error
    }
  }

  /** Removes a stale lock, if it is still the one that was judged. */
  #remove(path: string, content: string): void {
    const digest = createHash('sha256').update(content).digest('hex').slice(0, 32)
    const claim = lockClaimFile(this.#directory, digest)
    this.take(claim)
    try {
      if (readIfPresent(this.#fileSystem, path) !== content) return
      const moved = uniqueTemporaryFile(path, `stale-${digest}`)
      this.#fileSystem.rename(path, moved)
      if (readIfPresent(this.#fileSystem, moved) !== content) {
        throw locked(`${path} was changed by hand while it was taken over; it is kept as ${moved}`)
      }
      this.#fileSystem.unlink(moved)
    } finally {
      this.#fileSystem.unlink(claim)
    }
  }

  #checkStale(path: string, content: string): void {
    const owner = parseOwner(content)
    const removal = `remove ${path} to open the store`
    if (owner === undefined) {
      throw locked(`${path} is not a lock file of this version; if no process uses the store, ${removal}`)
    }
    if (owner.host !== this.#self.host) {
      const where = `process ${owner.pid} on host ${quote(owner.host)} has ${this.#directory} open`
      throw locked(`${where}; if that machine is gone, ${removal}`)
    }
    if (!isRunning(this.#fileSystem, owner, this.#self)) return
    if (owner.pid === this.#self.pid) {
      throw locked(`this process has ${this.#directory} open already; close that store first`)
    }
    throw locked(`process ${owner.pid} has ${this.#directory} open; close it, or wait for it to finish`)
  }
}

const locked = (message: string): MillraceError => new MillraceError('STORE_LOCKED', message)

function readIfPresent(fileSystem: FileSystem, path: string): string | undefined {
  try {
    return new TextDecoder().decode(fileSystem.readFile(path))
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function parseOwner(content: string): ProcessIdentity | undefined {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, startTime, bootId, host } = value as Record<string, unknown>
  if (!Number.isSafeInteger(pid) || (pid as number) <= 0 || typeof host !== 'string') return undefined
  return {
    pid: pid as number,
    startTime: typeof startTime === 'string' ? startTime : null,
    bootId: typeof bootId === 'string' ? bootId : null,
    host,
  }
}
