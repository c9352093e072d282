/**
 * Goal: a full disk refuses writes with a reason, keeps nobody from reading, and loses nothing that was accepted.
 * Method: a real store on a tmpfs of a few megabytes, mounted in a namespace of its own; skipped where the system
 * does not let us make one.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { FullDiskOutcome } from '../fixtures/full-disk-driver.ts'
import { temporaryDirectory } from '../fixtures/temporary-directory.ts'

const DRIVER = fileURLToPath(new URL('../fixtures/full-disk-driver.ts', import.meta.url))

/** Runs a shell script with a small file system mounted on `$1`. */
function onSmallDisk(mebibytes: number, script: string, ...parameters: string[]): string {
  const mount = `mount -t tmpfs -o size=${mebibytes}m tmpfs "$1"`
  // Killed rather than waited for: a hanging store would hang the test run.
  const shell = ['-rm', 'sh', '-c', `${mount} && ${script}`, 'sh', temporaryDirectory(), ...parameters]
  return execFileSync('unshare', shell, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 180_000,
  })
}

function canMount(): boolean {
  try {
    onSmallDisk(1, 'true')
    return true
  } catch {
    return false
  }
}

const fillDisk = (mebibytes: number, filledBy: 'log' | 'online'): FullDiskOutcome =>
  JSON.parse(
    onSmallDisk(mebibytes, 'exec "$2" "$3" "$1" "$4"', process.execPath, DRIVER, filledBy)
      .trim()
      .split('\n')
      .at(-1)!,
  )

it.skipIf(!canMount())(
  'refuses writes while the log has no space, and takes them again when there is some',
  () => {
    const outcome = fillDisk(22, 'log')
    expect(outcome.refused.code).toBe('DISK_FULL')
    expect(outcome.refused.message).toMatch(/no space left to write .*free some space/)
    expect(outcome).toMatchObject({
      isReadable: true,
      isBack: true,
      missingOnline: 0,
      missingOffline: 0,
      doubled: 0,
    })
    expect(outcome.acknowledged).toBeGreaterThan(100)
  },
)

it.skipIf(!canMount())('loses nothing when the online store has no space; reopening finds everything', () => {
  const outcome = fillDisk(44, 'online')
  expect(outcome.refused.message).toMatch(/no space left|No space left|Input\/output error/)
  expect(outcome).toMatchObject({ isReadable: true, missingOnline: 0, missingOffline: 0, doubled: 0 })
  expect(outcome.acknowledged).toBeGreaterThan(100)
})
