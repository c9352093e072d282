/** One owner per directory: against live processes, killed ones, restarted machines, and racing ones. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { DirectoryLock } from '../../src/io/directory-lock.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { faultyFileSystem } from '../fixtures/faulty-file-system.ts'

let directory: string
const children: ChildProcess[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child)
  rmSync(directory, { recursive: true, force: true })
})

const acquire = (): DirectoryLock => DirectoryLock.acquire(nodeFileSystem, directory)
const lockPath = (): string => join(directory, 'LOCK')

function refusal(): string {
  try {
    acquire()
  } catch (error) {
    expect(error).toMatchObject({ code: 'STORE_LOCKED' })
    return (error as MillraceError).message
  }
  throw new Error('expected a refusal')
}

interface Owner {
  pid: number
  startTime: string | null
  bootId: string | null
  host: string
}

function writeLock(changes: Partial<Owner>): void {
  const lock = acquire()
  const content = JSON.parse(readFileSync(lockPath(), 'utf8')) as Owner
  lock.release()
  writeFileSync(lockPath(), JSON.stringify({ ...content, ...changes }))
}

const CHILD = `
  import { DirectoryLock } from ${JSON.stringify(new URL('../../src/io/directory-lock.ts', import.meta.url).href)}
  import { nodeFileSystem } from ${JSON.stringify(new URL('../../src/io/file-system.ts', import.meta.url).href)}
  process.stdin.once('data', () => {
    try {
      DirectoryLock.acquire(nodeFileSystem, process.argv[1])
      console.log('owner')
    } catch (error) {
      console.log(error.code)
    }
    setInterval(() => {}, 1000)
  })
  console.log('ready')
`

/** A process that tries to take the lock when told to. */
async function startChild(): Promise<{ child: ChildProcess; take(): Promise<string> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => (await lines.next()).value as string
  expect(await next()).toBe('ready')
  return {
    child,
    take: () => {
      child.stdin!.write('go\n')
      return next()
    },
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

describe('the directory lock', () => {
  it('is free again after its release, and leaves nothing behind', () => {
    for (let round = 0; round < 3; round++) {
      const lock = acquire()
      expect(readdirSync(directory)).toEqual(['LOCK'])
      lock.release()
      lock.release()
      expect(readdirSync(directory)).toEqual([])
    }
  })

  it('refuses a second opening in the same process, saying so', () => {
    const lock = acquire()
    expect(refusal()).toContain('this process has')
    lock.release()
    acquire().release()
  })

  it('refuses while another process lives, naming it, and is taken over when that one was killed', async () => {
    const { child, take } = await startChild()
    expect(await take()).toBe('owner')
    expect(refusal()).toContain(`process ${child.pid} has ${directory} open; close it`)
    await kill(child)
    acquire().release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('goes to exactly one of several processes that race for a stale lock', async () => {
    const racers = await Promise.all([startChild(), startChild(), startChild(), startChild()])
    writeLock({ bootId: 'an earlier boot' })
    const outcomes = await Promise.all(racers.map((racer) => racer.take()))
    expect(outcomes.sort()).toEqual(['STORE_LOCKED', 'STORE_LOCKED', 'STORE_LOCKED', 'owner'])
    expect(readdirSync(directory)).toEqual(['LOCK'])
  })

  it('is not taken from one who took over between the judging and the claim', () => {
    writeLock({ bootId: 'an earlier boot' })
    const fileSystem = faultyFileSystem(nodeFileSystem)
    let winner: DirectoryLock | undefined
    fileSystem.fault = ({ operation, path }) => {
      if (operation === 'link' && path.includes('claim')) winner ??= acquire()
      return undefined
    }
    expect(() => DirectoryLock.acquire(fileSystem, directory)).toThrow('this process has')
    expect(readdirSync(directory)).toEqual(['LOCK'])
    winner!.release()
    expect(readdirSync(directory)).toEqual([])
  })

  it('cannot be taken by another while a stale one is being moved away', () => {
    writeLock({ bootId: 'an earlier boot' })
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const refusals: string[] = []
    fileSystem.fault = ({ operation }) => {
      if (operation === 'rename') refusals.push(refusal())
      return undefined
    }
    DirectoryLock.acquire(fileSystem, directory).release()
    expect(refusals).toHaveLength(1)
    expect(readdirSync(directory)).toEqual([])
  })

  it('is stale if its process id now belongs to a process that started at another time', () => {
    writeLock({ startTime: '1' })
    acquire().release()
  })

  it('is stale if its process is gone', () => {
    writeLock({ pid: 0x3fff_fffe })
    acquire().release()
  })

  it('is stale after a reboot, even if the process id is alive again', () => {
    writeLock({ bootId: 'an earlier boot' })
    acquire().release()
  })

  it('stays locked for a live process id where the system tells no start time', () => {
    writeLock({ startTime: null, pid: process.ppid })
    expect(refusal()).toContain(`process ${process.ppid} has`)
  })

  it('refuses a lock of another host, and says how to remove it', () => {
    writeLock({ host: `not-${hostname()}`, bootId: 'another machine' })
    expect(refusal()).toMatch(/on host "not-.*if that machine is gone, remove .*LOCK/)
  })

  it('refuses a lock file it cannot read, and says how to remove it', () => {
    for (const content of ['', '{', '[]', '{"pid":-1,"host":"h"}']) {
      writeFileSync(lockPath(), content)
      expect(refusal()).toMatch(/not a lock file.*remove .*LOCK/)
    }
  })

  it('is taken over by one that resumes where another takeover was killed', () => {
    writeLock({ bootId: 'an earlier boot' })
    const stale = readFileSync(lockPath())
    for (let nth = 0; ; nth++) {
      writeFileSync(lockPath(), stale)
      const fileSystem = faultyFileSystem(nodeFileSystem)
      // From this call on nothing works any more, as for a killed process.
      fileSystem.fault = (_call, index) => (index >= nth ? { code: 'EIO' } : undefined)
      try {
        DirectoryLock.acquire(fileSystem, directory).release()
      } catch (error) {
        expect(error).toBeInstanceOf(MillraceError)
      }
      if (fileSystem.calls.length <= nth) break
      makeStale()
      acquire().release()
    }
  })

  /** Whatever the killed takeover had linked is from a process that no longer lives. */
  function makeStale(): void {
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.tmp')) continue
      const owner = JSON.parse(readFileSync(join(directory, name), 'utf8')) as Owner
      rmSync(join(directory, name))
      writeFileSync(join(directory, name), JSON.stringify({ ...owner, bootId: 'an earlier boot' }))
    }
  }

  it('leaves alone a lock that another process took after a removal by hand', () => {
    const lock = acquire()
    writeFileSync(lockPath(), '{"pid":1,"host":"h"}')
    lock.release()
    expect(readFileSync(lockPath(), 'utf8')).toBe('{"pid":1,"host":"h"}')
  })
})
