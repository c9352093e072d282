/**
 * The store's identity: the file that says "this directory is a Millrace store", which format it has and into how
 * many shards it is divided. Written once, when the store is made.
 */
import { randomBytes } from 'node:crypto'
import { MillraceError } from '../core/errors.ts'
import { replaceFileAtomically } from '../io/atomic-file.ts'
import type { FileSystem } from '../io/file-system.ts'
import { lockFile, storeFile } from '../io/paths.ts'

export const STORE_FORMAT_VERSION = 2

export interface StoreIdentity {
  readonly format: 'millrace'
  readonly version: number
  /** 32 hexadecimal digits. */
  readonly storeId: string
  readonly shards: number
  readonly createdAtMs: number
}

/**
 * Checks, before anything is written, that a directory is a store of this format or may become one.
 * @throws INCOMPATIBLE_STORE saying what was found and what to do
 */
export function readIdentity(fileSystem: FileSystem, directory: string): StoreIdentity | undefined {
  if (!fileSystem.exists(directory)) return undefined
  const path = storeFile(directory)
  if (!fileSystem.exists(path)) {
    const others = fileSystem
      .list(directory)
      .filter((name) => !lockFile(directory).endsWith(name) && !name.startsWith('.'))
    if (others.length === 0) return undefined
    throw incompatible(
      directory,
      `${directory} is not a Millrace store: it has no millrace.json, but other files (${others.slice(0, 3).join(', ')}); choose an empty or new directory`,
    )
  }
  let parsed: Partial<StoreIdentity> | null
  try {
    parsed = JSON.parse(Buffer.from(fileSystem.readFile(path)).toString()) as Partial<StoreIdentity> | null
  } catch (cause) {
    throw incompatible(directory, `${path} is damaged: it is not valid JSON`, cause)
  }
  const { format, version, storeId, shards = 0 } = parsed ?? {}
  if (
    format !== 'millrace' ||
    typeof version !== 'number' ||
    !/^[0-9a-f]{32}$/.test(storeId ?? '') ||
    !Number.isInteger(shards) ||
    shards < 1
  ) {
    throw incompatible(directory, `${path} is damaged, or not of a Millrace store`)
  }
  if (version !== STORE_FORMAT_VERSION) {
    throw incompatible(
      directory,
      `${directory} has store format ${version}; this version of Millrace reads format ${STORE_FORMAT_VERSION}: ` +
        (version > STORE_FORMAT_VERSION
          ? 'open it with a newer Millrace'
          : 'open it with the Millrace that made it'),
    )
  }
  return parsed as StoreIdentity
}

export function createIdentity(
  fileSystem: FileSystem,
  directory: string,
  shards: number,
  nowMs: number,
): StoreIdentity {
  const identity: StoreIdentity = {
    format: 'millrace',
    version: STORE_FORMAT_VERSION,
    storeId: randomBytes(16).toString('hex'),
    shards,
    createdAtMs: nowMs,
  }
  replaceFileAtomically(
    fileSystem,
    storeFile(directory),
    Buffer.from(`${JSON.stringify(identity, undefined, 2)}\n`),
  )
  return identity
}

/** @throws INCOMPATIBLE_STORE if the store has another number of shards than asked for */
export function checkShards(identity: StoreIdentity, directory: string, asked: number | undefined): void {
  if (asked === undefined || asked === identity.shards) return
  throw incompatible(
    directory,
    `${directory} has ${identity.shards} shards and was to be opened with ${asked}: open it with shards: ${identity.shards}, ` +
      'or without the option; to change the number, ingest its data into a new store',
  )
}

function incompatible(directory: string, message: string, cause?: unknown): MillraceError {
  return new MillraceError('INCOMPATIBLE_STORE', message, { cause, place: { file: directory } })
}
