/**
 * Goal: the rules of the house that a compiler does not know (directions of imports, where clocks and files are
 * touched, sizes) hold in every source file.
 * Method: read the sources as text. The checker itself is held against snippets that break each rule.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'

const LINES_MAX = 400

/** Folders from the bottom up; each may import itself and those of lower levels. `index` is src/index.ts. */
const LEVELS = [
  ['core'],
  ['io', 'codec', 'ttl'],
  ['wal', 'stores', 'query'],
  ['workers'],
  ['engine'],
  ['aws'],
  ['server'],
  ['index'],
  ['cli'],
]
const levelOf = (folder: string): number => LEVELS.findIndex((level) => level.includes(folder))

const FORBIDDEN: readonly (readonly [pattern: RegExp, instead: string, allowed: RegExp])[] = [
  [/\bDate\.now\b|\bnew Date\(\s*\)/g, 'Clock.nowMs', /^core\/clock\.ts$/],
  [/\bperformance\.now\b|\bhrtime\b/g, 'Clock.monotonicMs', /^core\/clock\.ts$/],
  [/\bMath\.random\b/g, 'a value as parameter', /^core\/clock\.ts$/],
  [
    /\bset(?:Timeout|Interval)\b|node:timers(?:\/promises)?/g,
    'a method that the engine, a worker or the command line calls when it is time',
    /^(core\/clock\.ts$|engine\/|cli\/|workers\/)/,
  ],
]

const folderOf = (file: string): string => (file === 'index.ts' ? 'index' : (file.split('/')[0] ?? ''))

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

/** Comments become blanks, so that a rule may be talked about and everything else stays in its place. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, blank).replace(/(?<=^|[^:'"`])\/\/[^\n]*/gm, blank)

/** `import` and `export ... from`, over several lines too, bare imports, and `import(...)`. */
const IMPORT = /(?:^\s*(?:import|export)\b[^'";]*?\bfrom|^\s*import|\b(import)\()\s*['"]([^'"]+)['"]/gm

/** The query folder may load DuckDB when it is needed; who speaks with it there or above may know its types. */
const isOptionalImport = (folder: string, { 0: text, 1: dynamic }: RegExpMatchArray): boolean =>
  dynamic === undefined
    ? /^\s*(?:import|export)\s+type\b/.test(text) && (folder === 'query' || folder === 'cli')
    : folder === 'query'

/** @param file - path below src/, with `/` */
function violationsOf(file: string, text: string): string[] {
  const found: string[] = []
  const code = withoutComments(text)
  const report = (at: number, what: string): void => {
    found.push(`src/${file}:${text.slice(0, at).split('\n').length}: ${what}`)
  }

  const folder = folderOf(file)
  if (levelOf(folder) === -1) report(0, `${folder} is not a folder of the design`)
  for (const match of code.matchAll(IMPORT)) {
    const specifier = match[2]!
    const at = match.index + match[0].length
    if (specifier.startsWith('.')) {
      if (!specifier.endsWith('.ts')) report(at, `relative import ${specifier} does not end in .ts`)
      const target = folderOf(join(file, '..', specifier).split(sep).join('/'))
      if (target !== folder && levelOf(target) >= levelOf(folder))
        report(at, `${folder} must not import ${target}`)
    } else if (/^(node:)?fs(\/promises)?$/.test(specifier) && folder !== 'io') {
      report(at, `${specifier} outside src/io; use FileSystem`)
    } else if (specifier.startsWith('@duckdb/') && !isOptionalImport(folder, match)) {
      report(at, `${specifier} is optional; import its types, or it dynamically, in src/query`)
    }
  }

  for (const [pattern, instead, allowed] of FORBIDDEN) {
    if (allowed.test(file)) continue
    for (const { 0: name, index } of code.matchAll(pattern))
      report(index, `${name} is forbidden here; use ${instead}`)
  }
  for (const match of code.matchAll(/^\s*export\s+default\b|\bas\s+default\b/gm)) {
    if (!file.endsWith('-worker.ts')) report(match.index + match[0].length, 'default export')
  }
  for (const match of text.matchAll(/\b(?:TODO|FIXME)\b/g)) report(match.index, `${match[0]} left behind`)

  const lines = text.split('\n').length - 1
  if (lines > LINES_MAX) found.push(`src/${file}:${LINES_MAX + 1}: ${lines} lines, more than ${LINES_MAX}`)
  return found
}

it('finds no violation of the house rules in src', () => {
  const source = join(import.meta.dirname, '..', 'src')
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  expect(files.length).toBeGreaterThan(0)
  const violations = files.flatMap((name) => {
    const path = join(source, name)
    return violationsOf(relative(source, path).split(sep).join('/'), readFileSync(path, 'utf8'))
  })
  expect(violations, `\n${violations.join('\n')}\n`).toEqual([])
})

describe('the checker', () => {
  it.each([
    ['an upward import', 'core/a.ts', "import { a } from '../io/b.ts'", 'core must not import io'],
    [
      'wal knowing stores',
      'wal/a.ts',
      "import type { A } from '../stores/b.ts'",
      'wal must not import stores',
    ],
    ['stores knowing wal', 'stores/a.ts', "export * from '../wal/b.ts'", 'stores must not import wal'],
    ['io knowing codec', 'io/a.ts', "import '../codec/b.ts'", 'io must not import codec'],
    [
      'the engine knowing the server',
      'engine/a.ts',
      "await import('../server/b.ts')",
      'engine must not import server',
    ],
    [
      'the index knowing the command line',
      'index.ts',
      "export { a } from './cli/b.ts'",
      'index must not import cli',
    ],
    [
      'a folder using the index',
      'engine/a.ts',
      "import { a } from '../index.ts'",
      'engine must not import index',
    ],
    ['an unknown folder', 'utils/a.ts', '', 'utils is not a folder of the design'],
    ['files outside io', 'wal/a.ts', "import { openSync } from 'node:fs'", 'node:fs outside src/io'],
    ['promised files outside io', 'cli/a.ts', "import fs from 'fs/promises'", 'fs/promises outside src/io'],
    ['a wanted DuckDB', 'query/a.ts', "import { a } from '@duckdb/node-api'", '@duckdb/node-api is optional'],
    [
      'DuckDB types where users see them',
      'engine/a.ts',
      "import type { A } from '@duckdb/node-api'",
      '@duckdb/node-api is optional',
    ],
    [
      'another place that loads DuckDB',
      'engine/a.ts',
      "await import('@duckdb/node-api')",
      '@duckdb/node-api is optional',
    ],
    ['query knowing stores', 'query/a.ts', "import '../stores/b.ts'", 'query must not import stores'],
    ['a clock read', 'cli/a.ts', 'const t = Date.now()', 'Date.now is forbidden here; use Clock.nowMs'],
    ['a hidden clock read', 'wal/a.ts', 'const t = new Date()', 'new Date() is forbidden'],
    ['a stopwatch', 'engine/a.ts', 'performance.now()', 'use Clock.monotonicMs'],
    ['randomness', 'codec/a.ts', 'Math.random()', 'Math.random is forbidden'],
    ['a timer', 'wal/a.ts', 'setTimeout(f, 5)', 'setTimeout is forbidden here; use a method'],
    [
      'an imported timer',
      'stores/a.ts',
      "import { setTimeout as s } from 'node:timers/promises'",
      'node:timers/promises is forbidden',
    ],
    ['a default export', 'core/a.ts', 'export default 1', 'default export'],
    ['a leftover', 'core/a.ts', '// FIXME later', 'FIXME left behind'],
    ['a bare import', 'core/a.ts', "import { a } from './b'", 'does not end in .ts'],
    ['a built import', 'core/a.ts', "import { a } from './b.js'", 'does not end in .ts'],
  ])('sees %s', (_, file, line, expected) => {
    const violations = violationsOf(file, `/** first\n * line */\n${line}\n`)
    expect(violations.join('\n')).toContain(expected)
    if (line !== '')
      expect(violations.every((violation) => violation.startsWith(`src/${file}:3: `))).toBe(true)
  })

  it('sees an import that spans lines, and names the line of its file', () => {
    const text = "import {\n  a,\n  b,\n} from '../stores/b.ts'\n"
    expect(violationsOf('wal/a.ts', text)).toEqual(['src/wal/a.ts:4: wal must not import stores'])
  })

  it('sees a file that has grown too long', () => {
    expect(violationsOf('core/a.ts', '\n'.repeat(LINES_MAX))).toEqual([])
    expect(violationsOf('core/a.ts', '\n'.repeat(LINES_MAX + 1))).toEqual([
      'src/core/a.ts:401: 401 lines, more than 400',
    ])
  })

  it.each([
    [
      'downward imports',
      'workers/a.ts',
      "import { a } from '../wal/b.ts'\nimport { c } from '../stores/d.ts'",
    ],
    ['rules talked about', 'wal/a.ts', '// not Date.now\n/* nor\n setTimeout */'],
    ['addresses', 'server/a.ts', "const url = 'https://example.com/setup'"],
    ['files in io, clocks in the clock', 'io/a.ts', "import { openSync } from 'node:fs'"],
    ['the clock', 'core/clock.ts', 'Date.now(); performance.now()'],
    ['timers where loops live', 'engine/a.ts', 'setInterval(f, 5)'],
    ['dates of a given instant', 'cli/a.ts', 'new Date(ms).toISOString()'],
    ['DuckDB types in the command line', 'cli/a.ts', "import type { A } from '@duckdb/node-api'"],
    ['DuckDB on demand', 'query/a.ts', "await import('@duckdb/node-api')"],
    ['entries of workers', 'workers/shard-worker.ts', 'export default handle'],
    ['other words', 'core/a.ts', 'const importance = mastodon'],
  ])('allows %s', (_, file, text) => {
    expect(violationsOf(file, text)).toEqual([])
  })
})
