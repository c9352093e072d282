/** The real file system: complete writes, private modes, and errors that name their file. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MillraceError } from '../../src/core/errors.ts'
import { replaceFileAtomically } from '../../src/io/atomic-file.ts'
import { makeDurableDirectory } from '../../src/io/durable-directory.ts'
import { nodeFileSystem, systemErrorCode, writeFully } from '../../src/io/file-system.ts'
import { faultyFileSystem, type Operation } from '../fixtures/faulty-file-system.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-io-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

function errorOf(run: () => unknown): MillraceError {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError)
    return error as MillraceError
  }
  throw new Error('expected an error')
}

describe('a gathering write', () => {
  it('is complete whatever the system takes at once', () => {
    const buffers = ['abc', '', 'defgh', 'i', 'jklmnopq'].map(bytesOf)
    for (let most = 1; most <= 18; most++) {
      const file = Buffer.alloc(32)
      let calls = 0
      writeFully(
        (rest, offset) => {
          calls++
          return Buffer.concat(rest).copy(file, offset, 0, most)
        },
        buffers,
        5,
      )
      expect(file.toString('latin1', 5, 22), `${most} bytes at once`).toBe('abcdefghijklmnopq')
      expect(calls).toBe(Math.ceil(17 / most))
    }
  })

  it('stops with an error when nothing is taken', () => {
    expect(() => writeFully(() => 0, [bytesOf('a')], 0)).toThrow('no progress')
  })

  it('leaves the caller’s list of buffers alone', () => {
    const buffers = [bytesOf('abc'), bytesOf('def')]
    writeFully(() => 1, buffers, 0)
    expect(buffers).toEqual([bytesOf('abc'), bytesOf('def')])
  })
})

describe('nodeFileSystem', () => {
  it('writes at an offset, reads back, and reads short only at the end', () => {
    const handle = nodeFileSystem.open(join(directory, 'a'), 'create')
    nodeFileSystem.writeAt(handle, [bytesOf('hello '), bytesOf('world')], 3)
    nodeFileSystem.dataSync(handle)
    const target = new Uint8Array(20)
    expect(nodeFileSystem.readAt(handle, target, 3)).toBe(11)
    expect(Buffer.from(target).toString('latin1', 0, 11)).toBe('hello world')
    nodeFileSystem.truncate(handle, 8)
    expect(nodeFileSystem.size(handle)).toBe(8)
    nodeFileSystem.close(handle)
  })

  it('makes files for the owner only and never over another file', () => {
    const path = join(directory, 'a')
    nodeFileSystem.close(nodeFileSystem.open(path, 'create'))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const error = errorOf(() => nodeFileSystem.open(path, 'create'))
    expect(error.code).toBe('IO_FAILED')
    expect(error.message).toContain(path)
    expect(systemErrorCode(error)).toBe('EEXIST')
  })

  it('does not create a file it is to read or modify', () => {
    for (const mode of ['read', 'modify'] as const) {
      const error = errorOf(() => nodeFileSystem.open(join(directory, 'none'), mode))
      expect(systemErrorCode(error)).toBe('ENOENT')
    }
  })

  it('calls a full disk DISK_FULL and names the file', () => {
    const handle = nodeFileSystem.open('/dev/full', 'modify')
    const error = errorOf(() => nodeFileSystem.writeAt(handle, [bytesOf('x')], 0))
    nodeFileSystem.close(handle)
    expect([error.code, error.place.file]).toEqual(['DISK_FULL', '/dev/full'])
    expect(error.message).toContain('/dev/full')
    expect(systemErrorCode(error)).toBe('ENOSPC')
  })

  it('makes missing directories for the owner only, and is content with existing ones', () => {
    const path = join(directory, 'a', 'b', 'c')
    nodeFileSystem.makeDirectory(path)
    nodeFileSystem.makeDirectory(path)
    for (const made of [join(directory, 'a'), path]) expect(statSync(made).mode & 0o777).toBe(0o700)
    writeFileSync(join(path, 'file'), '')
    expect(systemErrorCode(errorOf(() => nodeFileSystem.makeDirectory(join(path, 'file', 'd'))))).toBe(
      'ENOTDIR',
    )
  })

  it('names the directories it made, outermost first', () => {
    const path = join(directory, 'a', 'b')
    expect(nodeFileSystem.makeDirectory(path)).toEqual([join(directory, 'a'), path])
    expect(nodeFileSystem.makeDirectory(path)).toEqual([])
  })

  it('makes each new directory durable in its parent', () => {
    const sync = vi.spyOn(nodeFileSystem, 'syncDirectory')
    makeDurableDirectory(nodeFileSystem, join(directory, 'a', 'b'))
    expect(sync.mock.calls).toEqual([[directory], [join(directory, 'a')]])
    sync.mockRestore()
  })

  it('lists names in order', () => {
    for (const name of ['b', 'a', '.c']) writeFileSync(join(directory, name), '')
    expect(nodeFileSystem.list(directory)).toEqual(['.c', 'a', 'b'])
  })
})

describe('replaceFileAtomically', () => {
  it('syncs the bytes before the name, and the name before it returns', () => {
    const fileSystem = faultyFileSystem(nodeFileSystem)
    replaceFileAtomically(fileSystem, join(directory, 'a'), bytesOf('one'))
    const order: Operation[] = ['writeAt', 'dataSync', 'rename', 'syncDirectory']
    expect(fileSystem.calls.map((call) => call.operation).filter((name) => order.includes(name))).toEqual(
      order,
    )
  })

  it('leaves the old content and no hidden file when a step fails', () => {
    const path = join(directory, 'a')
    replaceFileAtomically(nodeFileSystem, path, bytesOf('old'))
    for (const operation of ['open', 'writeAt', 'dataSync', 'rename'] as const) {
      const fileSystem = faultyFileSystem(nodeFileSystem)
      fileSystem.fault = (call) =>
        call.operation === operation ? { code: 'EIO', writtenBytes: 2 } : undefined
      expect(errorOf(() => replaceFileAtomically(fileSystem, path, bytesOf('new'))).code).toBe('IO_FAILED')
      expect(readFileSync(path, 'utf8'), operation).toBe('old')
      expect(nodeFileSystem.list(directory)).toEqual(['a'])
    }
  })

  it('is not hindered by what a crash left', () => {
    writeFileSync(join(directory, '.a.tmp'), 'half a fi')
    replaceFileAtomically(nodeFileSystem, join(directory, 'a'), bytesOf('new'))
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('new')
    expect(nodeFileSystem.list(directory)).toEqual(['a'])
  })
})
