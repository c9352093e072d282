/** Directories that survive a power loss with their names. */
import { dirname } from 'node:path'
import type { FileSystem } from './file-system.ts'

/** Creates what is missing of the path; each new entry is durable on return. Fine if all of it exists. */
export function makeDurableDirectory(fileSystem: FileSystem, path: string): void {
  for (const created of fileSystem.makeDirectory(path)) fileSystem.syncDirectory(dirname(created))
}
