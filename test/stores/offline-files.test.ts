/**
 * A file becomes visible whole or not at all, and its name is durable before anybody may rely on it.
 * Method: real directories behind a FileSystem that records, and fails, every call in turn.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { nodeFileSystem } from '../../src/io/file-system.ts'
import { hourDirectory, parquetFileName, temporaryFile } from '../../src/io/paths.ts'
import {
  DirectorySyncs,
  type FileIdentity,
  fileSuffix,
  publishParquet,
  removeLeftoverTempFiles,
} from '../../src/stores/offline-files.ts'
import { failOnce, faultyFileSystem } from '../fixtures/faulty-file-system.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-offline-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const fileName = parquetFileName(1_772_321_415, 'k3V9xQ0aT7bM2nZd')
const bytes = Buffer.from('PAR1 old PAR1')
const newBytes = Buffer.from('PAR1 new, and longer PAR1')

describe('publishing a file', () => {
  it('makes it visible under its name, after its bytes are durable', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    publishParquet(fileSystem, { directory: root, fileName, bytes })
    expect(readdirSync(root)).toEqual([fileName])
    expect(readFileSync(join(root, fileName))).toEqual(bytes)
    const operations = fileSystem.calls.map((call) => call.operation)
    expect(operations.filter((name) => name !== 'exists')).toEqual(['open', 'writeAt', 'dataSync', 'rename'])
  })

  it('replaces the same file from before a crash, and whatever was left half made', () => {
    publishParquet(nodeFileSystem, { directory: root, fileName, bytes })
    writeFileSync(temporaryFile(join(root, fileName)), 'PAR1 ha')
    publishParquet(nodeFileSystem, { directory: root, fileName, bytes: newBytes })
    expect(readdirSync(root)).toEqual([fileName])
    expect(readFileSync(join(root, fileName))).toEqual(newBytes)
  })

  it('leaves nothing, or the file from before, when any call fails; and can be repeated', () => {
    for (const before of [undefined, bytes]) {
      for (let nth = 0; ; nth++) {
        const directory = join(root, `${before === undefined ? 'new' : 'again'}-${nth}`)
        mkdirSync(directory)
        if (before !== undefined) writeFileSync(join(directory, fileName), before)
        const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
        failOnce(fileSystem, { nth, fault: { code: 'ENOSPC', writtenBytes: 5 } })
        try {
          publishParquet(fileSystem, { directory, fileName, bytes: newBytes })
          break
        } catch (error) {
          expect((error as MillraceError).code).toBe('DISK_FULL')
        }
        expect(readdirSync(directory)).toEqual(before === undefined ? [] : [fileName])
        if (before !== undefined) expect(readFileSync(join(directory, fileName))).toEqual(before)
        publishParquet(fileSystem, { directory, fileName, bytes: newBytes })
        expect(readFileSync(join(directory, fileName))).toEqual(newBytes)
      }
    }
  })

  it('never shows a half file to a reader who globs, wherever the process dies (R-457)', () => {
    const stop = new Error('the process died here')
    for (let nth = 0; ; nth++) {
      const directory = join(root, String(nth))
      mkdirSync(directory)
      const fileSystem = faultyFileSystem(nodeFileSystem, { syncs: false })
      let calls = 0
      fileSystem.fault = () => {
        // From here on nothing happens any more, not even clearing up.
        if (calls++ >= nth) throw stop
        return undefined
      }
      let died = false
      try {
        publishParquet(fileSystem, { directory, fileName, bytes })
      } catch (error) {
        expect(error).toBe(stop)
        died = true
      }
      const visible = readdirSync(directory).filter(
        (name) => name.endsWith('.parquet') && !name.startsWith('.'),
      )
      if (visible.length > 0) expect(readFileSync(join(directory, fileName))).toEqual(bytes)
      for (const name of readdirSync(directory)) {
        if (name !== fileName) expect(name).toMatch(/^\..*(?<!\.parquet)$/)
      }
      removeLeftoverTempFiles(nodeFileSystem, directory)
      expect(readdirSync(directory)).toEqual(visible)
      if (!died) break
    }
  })
})

describe('directory syncs', () => {
  const hour = (n: number): string => hourDirectory(join(root, 'data'), 492_288 + n)
  const syncedBy = (run: () => void, fileSystem: ReturnType<typeof faultyFileSystem>): string[] => {
    fileSystem.calls.length = 0
    run()
    return fileSystem.calls.filter((call) => call.operation === 'syncDirectory').map((call) => call.path)
  }

  it('make a new directory, all its parents up to the root, and the names in it durable', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const syncs = new DirectorySyncs(fileSystem)
    syncs.create(root, hour(0))
    expect(existsSync(hour(0))).toBe(true)
    syncs.add(hour(0))
    const synced = syncedBy(() => syncs.flush(), fileSystem)
    const chain = [hour(0)]
    while (chain.at(-1) !== root) chain.push(dirname(chain.at(-1)!))
    expect(synced.toSorted()).toEqual(chain.toSorted())
  })

  it('sync each directory once per batch, and durable parents never again', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const syncs = new DirectorySyncs(fileSystem)
    const publish = (n: number): void => {
      syncs.create(root, hour(n))
      syncs.add(hour(n))
    }
    publish(0)
    publish(0)
    publish(1)
    expect(syncedBy(() => syncs.flush(), fileSystem).length).toBe(7)
    publish(0)
    publish(1)
    expect(syncedBy(() => syncs.flush(), fileSystem)).toEqual([hour(0), hour(1)])
    publish(2)
    expect(syncedBy(() => syncs.flush(), fileSystem)).toEqual([dirname(hour(2)), hour(2)])
    expect(syncedBy(() => syncs.flush(), fileSystem)).toEqual([])
  })

  it('do not take a directory for durable because another thread created it', () => {
    mkdirSync(hour(0), { recursive: true })
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const syncs = new DirectorySyncs(fileSystem)
    syncs.create(root, hour(0))
    expect(syncedBy(() => syncs.flush(), fileSystem)).toContain(root)
  })

  it('do not take a directory for durable that could not be created', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const syncs = new DirectorySyncs(fileSystem)
    failOnce(fileSystem, { operation: 'makeDirectory', nth: 0, fault: { code: 'ENOSPC' } })
    expect(() => syncs.create(root, hour(0))).toThrow(MillraceError)
    syncs.flush()
    mkdirSync(hour(0), { recursive: true })
    syncs.create(root, hour(0))
    expect(syncedBy(() => syncs.flush(), fileSystem)).toContain(root)
  })

  it('never succeed again after one failed', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    const syncs = new DirectorySyncs(fileSystem)
    syncs.create(root, hour(0))
    failOnce(fileSystem, { operation: 'syncDirectory', nth: 0, fault: { code: 'EIO' } })
    for (let i = 0; i < 2; i++) {
      expect(() => syncs.flush()).toThrow(expect.objectContaining({ code: 'LOG_POISONED' }))
    }
  })

  it('refuse a directory that does not lie below the root', () => {
    const syncs = new DirectorySyncs(nodeFileSystem)
    expect(() => syncs.create(hour(0), hour(1))).toThrow('below the root')
  })
})

describe('removing leftovers', () => {
  it('takes our hidden files wherever they lie, and nothing else', () => {
    const directory = hourDirectory(join(root, 'lake', 'data'), 492_288)
    mkdirSync(directory, { recursive: true })
    const leftover = temporaryFile(join(directory, fileName))
    const kept = [
      join(directory, fileName),
      join(directory, `.${fileName}.crc`),
      join(directory, '.hidden.tmp'),
      join(directory, '.part-0001.parquet.tmp'),
      join(directory, `${fileName}.tmp`),
      join(root, 'lake', 'README'),
    ]
    for (const path of [leftover, ...kept]) writeFileSync(path, 'x')
    const atRoot = temporaryFile(join(root, fileName))
    writeFileSync(atRoot, 'x')
    expect(removeLeftoverTempFiles(nodeFileSystem, root)).toBe(2)
    expect(existsSync(leftover)).toBe(false)
    expect(existsSync(atRoot)).toBe(false)
    for (const path of kept) expect(existsSync(path), path).toBe(true)
  })

  it('does nothing where there is no offline store yet', () => {
    expect(removeLeftoverTempFiles(nodeFileSystem, join(root, 'offline'))).toBe(0)
  })

  it('comes to an end in a circle of links', () => {
    symlinkSync(root, join(root, 'again'))
    writeFileSync(temporaryFile(join(root, fileName)), 'x')
    expect(removeLeftoverTempFiles(nodeFileSystem, root)).toBe(1)
  })
})

describe('a file suffix', () => {
  const identity: FileIdentity = {
    storeId: '0123456789abcdef0123456789abcdef',
    featureGroup: 3,
    createdSeconds: 1_768_469_400,
    eventHour: 492_288,
    round: 12,
  }

  it('is always this one for this file', () => {
    expect(fileSuffix(identity)).toBe('uThyYJnsg7t61sAg')
  })

  it('is 16 alphanumerics, and another one when anything differs', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string(), fc.nat(), fc.nat(), fc.integer(), fc.nat()), {
          selector: (parts) => parts.join(),
          minLength: 2,
          maxLength: 20,
        }),
        (identities) => {
          const suffixes = identities.map(([storeId, featureGroup, createdSeconds, eventHour, round]) =>
            fileSuffix({ storeId, featureGroup, createdSeconds, eventHour, round }),
          )
          for (const suffix of suffixes) expect(suffix).toMatch(/^[0-9A-Za-z]{16}$/)
          expect(new Set(suffixes).size).toBe(identities.length)
        },
      ),
    )
    // Digits that move from one number to its neighbour.
    expect(fileSuffix({ ...identity, featureGroup: 1, createdSeconds: 23 })).not.toBe(
      fileSuffix({ ...identity, featureGroup: 12, createdSeconds: 3 }),
    )
  })
})
