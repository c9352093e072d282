/** Small files that are replaced as a whole: a reader sees the old bytes or the new ones, never a mixture. */
import { dirname } from 'node:path'
import type { FileSystem } from './file-system.ts'
import { temporaryFile } from './paths.ts'

/**
 * Replaces (or creates) a file. Durable on return. One writer at a time per path.
 * @throws DISK_FULL or IO_FAILED. The old file then stands, unless the directory's sync failed, when either may.
 */
export function replaceFileAtomically(fileSystem: FileSystem, path: string, bytes: Uint8Array): void {
  const temporary = temporaryFile(path)
  if (fileSystem.exists(temporary)) fileSystem.unlink(temporary) // left by a crash
  try {
    writeSyncedFile(fileSystem, temporary, bytes)
    fileSystem.rename(temporary, path)
  } catch (error) {
    removeQuietly(fileSystem, temporary)
    throw error
  }
  fileSystem.syncDirectory(dirname(path))
}

/** Creates a file whose bytes are durable on return; its name is not until the directory is synced. */
export function writeSyncedFile(fileSystem: FileSystem, path: string, bytes: Uint8Array): void {
  const handle = fileSystem.open(path, 'create')
  try {
    fileSystem.writeAt(handle, [bytes], 0)
    fileSystem.dataSync(handle)
  } finally {
    fileSystem.close(handle)
  }
}

/** For clearing up behind an error that is already on its way to the caller, or a file without meaning. */
export function removeQuietly(fileSystem: FileSystem, path: string): void {
  try {
    fileSystem.unlink(path)
  } catch {
    // The file may never have come into being; a hidden name left behind is removed by the next opening.
  }
}
