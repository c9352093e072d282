/** Goal: what the README shows of the library is what runs. Method: run the example, and find it in the README. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const example = join(root, 'examples', 'quick-start.ts')
let directory = ''

afterEach(() => rmSync(directory, { recursive: true, force: true }))

it('the quick start runs, and runs again on the store it made', () => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-example-'))
  const run = (): string => execFileSync(process.execPath, [example], { cwd: directory, encoding: 'utf8' })
  const first = run()
  expect(first).toMatch(/^1 \[\n/)
  expect(first).toContain('expected a record identifier, found an empty string')
  expect(first).toContain("{ tripId: 't1', at: '2026-03-01T12:00:00Z', fare: 12.5, riders: 2 }")
  expect(run()).toBe(first)
})

it('the quick start of the README is the one that runs', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const code = readFileSync(example, 'utf8').replace("'../src/index.ts'", "'millrace'")
  expect(readme).toContain(`\`\`\`ts\n${code}\`\`\``)
})
