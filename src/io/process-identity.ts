/** Which process is which: a process id alone is reused after a while, and by every restart of a container. */
import { hostname } from 'node:os'
import type { FileSystem } from './file-system.ts'

export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot at which the process started; null where the system does not tell. */
  readonly startTime: string | null
  /** Differs after every boot of the machine; null where the system does not tell. */
  readonly bootId: string | null
  readonly host: string
}

export const currentProcess = (fileSystem: FileSystem): ProcessIdentity => ({
  pid: process.pid,
  startTime: startTimeOf(fileSystem, process.pid),
  bootId: textOf(fileSystem, '/proc/sys/kernel/random/boot_id')?.trim() ?? null,
  host: hostname(),
})

/** Whether a process of this host, which once had the given identity, still runs. Unsure means yes. */
export function isRunning(fileSystem: FileSystem, owner: ProcessIdentity, self: ProcessIdentity): boolean {
  if (owner.bootId !== null && self.bootId !== null && owner.bootId !== self.bootId) return false
  if (!isProcessId(owner.pid)) return false
  const startTime = startTimeOf(fileSystem, owner.pid)
  if (startTime === ENDED) return false
  return owner.startTime === null || startTime === null || owner.startTime === startTime
}

function isProcessId(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as another user.
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** Ends of life in /proc: a zombie holds nothing any more, it only waits for its parent to notice. */
const DEAD_STATES = 'ZXx'
const ENDED = 'ended'

function startTimeOf(fileSystem: FileSystem, pid: number): string | null {
  const text = textOf(fileSystem, `/proc/${pid}/stat`)
  if (text === null) return null
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  const startTime = fields[19]
  if (state === undefined || startTime === undefined) return null
  return DEAD_STATES.includes(state) ? ENDED : startTime
}

function textOf(fileSystem: FileSystem, path: string): string | null {
  try {
    return new TextDecoder().decode(fileSystem.readFile(path))
  } catch {
    return null // not Linux, or the process is gone
  }
}
