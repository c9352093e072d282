/** Goal: the guide's examples do what it says. Method: run them, twice where they are meant to be run again. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from './fixtures/temporary-directory.ts'

function run(name: string, directory: string): string {
  const program = join(import.meta.dirname, '..', 'examples', name)
  return execFileSync(process.execPath, [program], { cwd: directory, encoding: 'utf8' })
}

describe('examples', () => {
  it('resume.ts takes every row once, and none when it runs again', () => {
    const directory = temporaryDirectory()
    expect(run('resume.ts', directory)).toBe('started at row 0, accepted 50000, rejected 0\n')
    expect(run('resume.ts', directory)).toBe('started at row 50000, accepted 0, rejected 0\n')
  })

  it('feature-store.ts writes with the shapes of the API, updates, and sees the record expire', () => {
    const lines = run('feature-store.ts', temporaryDirectory()).split('\n')
    expect(JSON.parse(lines[0]!)).toMatchObject({
      Record: [{}, {}, { ValueAsString: '12.50' }, { ValueAsString: '2' }],
      ExpiresAt: '2026-03-01T14:00:00Z',
    })
    expect(lines.slice(1)).toEqual([
      '{} 1 expired',
      'ValidationError',
      'r-1 2026-03-01T12:00:00Z undefined false',
      'r-1 2026-03-01T12:00:00Z 2 false',
      'r-1 2026-03-01T14:00:00Z undefined true',
      '',
    ])
  })

  it('arrow.ts ingests an Arrow table', () => {
    const output = run('arrow.ts', temporaryDirectory())
    expect(output).toBe("10000 0 { symbol: 'S42', at: 1770009542, price: 100 }\n")
  })

  it('offline.ts finds every write and the marker of the delete', () => {
    const output = run('offline.ts', temporaryDirectory())
    expect(output.match(/│ 't\d'/g)).toHaveLength(4)
    expect(output).toContain('[{"tripId":"t1","fare":14}]')
  })

  it('training-set.ts joins labels with what was known at their time, and tells the history', () => {
    expect(run('training-set.ts', temporaryDirectory())).toBe(
      [
        'd1 true 4.5 10',
        'd2 false null null',
        'd2 true 3.9 40',
        'd1 true 4.7 12',
        'd2 false null null',
        'writes d1 2026-03-01T00:00:00Z false',
        'writes d1 2026-03-02T00:00:00Z false',
        'writes d2 2026-03-01T12:00:00Z false',
        'writes d2 2026-03-03T00:00:00Z true',
        'latest d1 2026-03-02T00:00:00Z false',
        'as of March 1st d1 4.5',
        'as of March 1st d2 3.9',
        '',
      ].join('\n'),
    )
  })

  it('rebuild-online.ts brings online what was only offline', () => {
    const output = run('rebuild-online.ts', temporaryDirectory())
    expect(output).toBe('undefined\n100 100 true\n{ meter: 42, at: 1770009942, kwh: 1242.75 }\n')
  })
})
