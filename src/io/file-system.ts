/**
 * Files as the engine uses them: one small synchronous interface for everything durable that is not LMDB, so that
 * a recording or fault-injecting implementation can stand in for the real one.
 *
 * Owns nothing: handles belong to who opened them. Invariants: a new file has mode 0600 and a new directory 0700;
 * a write is complete or it throws, and after a throw nothing is retried; every error names its file, keeps the
 * system's error as its cause, and is DISK_FULL exactly where space or quota ran out.
 */
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  unlinkSync,
  writevSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { assert, MillraceError } from '../core/errors.ts'

/** `read`: existing, read only. `modify`: existing, read and write. `create`: must not exist; read and write. */
export type OpenMode = 'read' | 'modify' | 'create'

export interface FileHandle {
  readonly path: string
  readonly descriptor: number
}

export interface FileSystem {
  open(path: string, mode: OpenMode): FileHandle
  /** Writes all bytes of all buffers, one after the other, from `offset` on. After a throw any part may be written. */
  writeAt(handle: FileHandle, buffers: readonly Uint8Array[], offset: number): void
  /** Fills `target` from `offset` on. @returns bytes read; fewer than asked for only at the end of the file. */
  readAt(handle: FileHandle, target: Uint8Array, offset: number): number
  /** Returns once the bytes, and the size needed to read them back, are durable. */
  dataSync(handle: FileHandle): void
  /** Cuts, or extends with zeros that take no space on disk. */
  truncate(handle: FileHandle, bytes: number): void
  close(handle: FileHandle): void
  size(handle: FileHandle): number
  /** Replaces `to` if it exists. Durable after `syncDirectory` of the directory. */
  rename(from: string, to: string): void
  /** A second name for one file; fails with EEXIST if the name is taken. */
  link(existing: string, name: string): void
  unlink(path: string): void
  /**
   * Creates what is missing of the path; fine if all of it exists. Each new entry is durable after `syncDirectory` of
   * the directory it is in (`makeDurableDirectory` does both).
   * @returns the directories created, outermost first
   */
  makeDirectory(path: string): string[]
  /** Makes the entries of a directory durable: new names, renames, removals. */
  syncDirectory(path: string): void
  /** Names in a directory, sorted. */
  list(path: string): string[]
  exists(path: string): boolean
  readFile(path: string): Uint8Array
}

/** The system's code (ENOENT, EEXIST, ...) behind an error of a FileSystem. */
export function systemErrorCode(error: unknown): string | undefined {
  const origin = error instanceof MillraceError ? error.cause : error
  if (!(origin instanceof Error) || !('code' in origin)) return undefined
  return typeof origin.code === 'string' ? origin.code : undefined
}

/** The error a FileSystem throws when the system refused `action` on `path`. */
export function fileError(cause: unknown, action: string, path: string): MillraceError {
  const code = systemErrorCode(cause)
  const text = cause instanceof Error ? cause.message : String(cause)
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new MillraceError(
    isFull ? 'DISK_FULL' : 'IO_FAILED',
    isFull
      ? `no space left to ${action} ${path}; free some space and write again`
      : `cannot ${action} ${path}: ${text}`,
    { cause, place: { file: path } },
  )
}

function attempt<T>(action: string, path: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw fileError(cause, action, path)
  }
}

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  modify: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
}

/**
 * Repeats a gathering write until nothing is left: the system may write fewer bytes than asked for without an
 * error, and reports the reason only on the next call.
 */
export function writeFully(
  write: (buffers: readonly Uint8Array[], offset: number) => number,
  buffers: readonly Uint8Array[],
  offset: number,
): void {
  let rest = buffers.filter((buffer) => buffer.length > 0)
  let position = offset
  while (rest.length > 0) {
    let written = write(rest, position)
    if (written <= 0) throw new Error('a write made no progress')
    position += written
    let complete = 0
    while (complete < rest.length && written >= rest[complete]!.length) {
      written -= rest[complete]!.length
      complete++
    }
    if (complete > 0) rest = rest.slice(complete)
    if (written > 0) rest[0] = rest[0]!.subarray(written)
  }
}

export const nodeFileSystem: FileSystem = {
  open: (path, mode) =>
    attempt('open', path, () => ({ path, descriptor: openSync(path, OPEN_FLAGS[mode], 0o600) })),

  writeAt: (handle, buffers, offset) =>
    attempt('write', handle.path, () => {
      assert(Number.isSafeInteger(offset) && offset >= 0, 'a file offset is a whole number')
      writeFully((rest, position) => writevSync(handle.descriptor, rest, position), buffers, offset)
    }),

  readAt: (handle, target, offset) =>
    attempt('read', handle.path, () => {
      let filled = 0
      while (filled < target.length) {
        const count = readSync(handle.descriptor, target, filled, target.length - filled, offset + filled)
        if (count === 0) break
        filled += count
      }
      return filled
    }),

  dataSync: (handle) => attempt('sync', handle.path, () => fdatasyncSync(handle.descriptor)),
  truncate: (handle, bytes) => attempt('resize', handle.path, () => ftruncateSync(handle.descriptor, bytes)),
  close: (handle) => attempt('close', handle.path, () => closeSync(handle.descriptor)),
  size: (handle) => attempt('inspect', handle.path, () => fstatSync(handle.descriptor).size),
  rename: (from, to) => attempt('rename', from, () => renameSync(from, to)),
  link: (existing, name) => attempt('create', name, () => linkSync(existing, name)),
  unlink: (path) => attempt('remove', path, () => unlinkSync(path)),

  makeDirectory(path) {
    const missing: string[] = []
    for (let at = resolve(path); !existsSync(at); at = dirname(at)) missing.push(at)
    for (const directory of missing.reverse()) {
      attempt('create', directory, () => {
        try {
          mkdirSync(directory, 0o700)
        } catch (error) {
          // Another thread of ours may be creating a common parent at this moment.
          if (systemErrorCode(error) !== 'EEXIST') throw error
        }
      })
    }
    return missing
  },

  syncDirectory: (path) =>
    attempt('sync', path, () => {
      const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
      try {
        fsyncSync(descriptor)
      } finally {
        closeSync(descriptor)
      }
    }),

  list: (path) => attempt('list', path, () => readdirSync(path).sort()),
  exists: (path) => existsSync(path),
  readFile: (path) => attempt('read', path, () => readFileSync(path)),
}
