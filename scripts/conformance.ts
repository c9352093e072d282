/**
 * Makes docs/CONFORMANCE.md: for each rule of the specification, its status and the tests that cite it.
 * A test cites a rule by naming its number in a title (`it('... (R-422)')`, a row of an `it.each` table counts too);
 * sections without numbered rules (d and f) are cited as `f.4`. Why a rule is different, or not tested, stands in
 * conformance-reasons.json.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * `tested`: by the tests named. `different`: on purpose, for the reason given. `server`: of the wire, to be proven with
 * the server. `service`: a fact or a liberty of the real service, with nothing to prove here. `open`: a gap, stated.
 * `missing`: neither a test nor a reason.
 */
export type Status = 'tested' | 'different' | 'server' | 'service' | 'open' | 'missing'

export interface Rule {
  /** `R-112`, or `f.4` for a section without numbered rules. */
  readonly id: string
  /** `b.4`; of `f.4` itself. */
  readonly section: string
  readonly text: string
}

export interface Reason {
  readonly rules: readonly string[]
  readonly status: Exclude<Status, 'tested' | 'missing'>
  readonly reason: string
}

export interface Verdict extends Rule {
  readonly status: Status
  readonly reason: string | undefined
  /** Paths below test/, without `.test.ts`. */
  readonly tests: readonly string[]
}

export interface Conformance {
  /** Section numbers with their titles, in order. */
  readonly sections: ReadonlyMap<string, string>
  readonly verdicts: readonly Verdict[]
  /** What cites or explains rules that the specification does not have, in words. */
  readonly mistakes: readonly string[]
}

const ROOT = join(import.meta.dirname, '..')
const TEXT_CHARACTERS_MAX = 110

/** The sections whose rules are the sections themselves: their rules are tables without numbers. */
const isSectionRule = (section: string): boolean => /^[df]\.\d$/.test(section)

export function readSpecification(text: string): { sections: Map<string, string>; rules: Rule[] } {
  const sections = new Map<string, string>()
  const rules: Rule[] = []
  let section = ''
  for (const line of text.split('\n')) {
    const heading = /^### ([a-i]\.\d+) (.+)$/.exec(line)
    if (heading !== null) {
      section = heading[1]!
      const title = plain(heading[2]!)
      sections.set(section, title)
      if (isSectionRule(section)) rules.push({ id: section, section, text: title })
    }
    const rule = /^- \*\*(R-\d{3})\*\* (.+)$/.exec(line)
    if (rule !== null) rules.push({ id: rule[1]!, section, text: shortened(plain(rule[2]!)) })
  }
  return { sections, rules }
}

/** Without evidence tags and what a table would take for its own. */
const plain = (text: string): string =>
  text
    .replace(/`\[\w+\]`/g, '')
    .replace(/\*\*/g, '')
    .replace(/\|/g, '\\|')
    .replace(/\s+/g, ' ')
    .trim()

function shortened(text: string): string {
  const sentence = /^.*?[.;](?= )/.exec(text)?.[0] ?? text
  if (sentence.length <= TEXT_CHARACTERS_MAX) return sentence.replace(/[.;]$/, '')
  const cut = sentence.slice(0, sentence.lastIndexOf(' ', TEXT_CHARACTERS_MAX))
  // A cut must not leave a code span open.
  return `${(cut.split('`').length - 1) % 2 === 0 ? cut : cut.slice(0, cut.lastIndexOf('`')).trimEnd()} ...`
}

/** What a TypeScript source is made of, as far as strings are concerned. Slashes that divide do not look like regular expressions. */
const TOKENS =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|(?<=[(,=:[!&|?{};]\s*)\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g

/** The rules named in the strings of a test file; comments do not count. */
export function citationsOf(source: string): Set<string> {
  const cited = new Set<string>()
  for (const [token] of source.matchAll(TOKENS)) {
    if (!/^['"`]/.test(token)) continue
    for (const [id] of token.matchAll(/\bR-\d{3}\b|(?<![\w./])[df]\.\d(?![\w./])/g)) cited.add(id)
  }
  return cited
}

export function conformanceOf(
  specification: string,
  tests: ReadonlyMap<string, string>,
  reasons: readonly Reason[],
): Conformance {
  const { sections, rules } = readSpecification(specification)
  const known = new Set(rules.map((rule) => rule.id))
  const mistakes: string[] = []
  const testsOf = new Map<string, string[]>()
  for (const [name, source] of tests) {
    for (const id of citationsOf(source)) {
      if (!known.has(id)) mistakes.push(`${name} cites ${id}, which the specification does not have`)
      testsOf.set(id, [...(testsOf.get(id) ?? []), name])
    }
  }
  const reasonOf = new Map<string, Reason>()
  for (const reason of reasons) {
    for (const id of reason.rules) {
      if (!known.has(id)) mistakes.push(`a reason names ${id}, which the specification does not have`)
      if (reasonOf.has(id)) mistakes.push(`${id} has two reasons`)
      if (reason.status === 'open' && testsOf.has(id)) {
        mistakes.push(
          `${id} is said to be open, but ${testsOf.get(id)?.join(', ')} cites it: take it out of the reasons`,
        )
      }
      reasonOf.set(id, reason)
    }
  }
  const verdicts = rules.map((rule): Verdict => {
    const cited = testsOf.get(rule.id) ?? []
    const reason = reasonOf.get(rule.id)
    return { ...rule, status: statusOf(rule, cited, reason), reason: reason?.reason, tests: cited }
  })
  return { sections, verdicts, mistakes }
}

function statusOf(rule: Rule, tests: readonly string[], reason: Reason | undefined): Status {
  if (reason?.status === 'different') return 'different'
  if (tests.length > 0) return 'tested'
  if (reason !== undefined) return reason.status
  return rule.section === 'b.1' ? 'server' : 'missing'
}

export function render({ sections, verdicts }: Conformance): string {
  const count = (status: Status): number => verdicts.filter((verdict) => verdict.status === status).length
  const lines = [
    '# Conformance',
    '',
    'Which rule of the [specification](SPECIFICATION.md) is proven by which tests. Generated by `npm run conformance` from',
    'the titles of the tests and from `scripts/conformance-reasons.json`; a test fails when this file is not up to date.',
    '',
    '| status | rules | meaning |',
    '|---|---|---|',
    `| tested | ${count('tested')} | the tests named cite the rule |`,
    `| different | ${count('different')} | deliberately not as in the real service, for the reason given |`,
    `| server | ${count('server')} | concerns the wire; proven with the server |`,
    `| service | ${count('service')} | a fact or a liberty of the real service; nothing to prove here |`,
    `| open | ${count('open')} | not proven yet, as stated |`,
  ]
  for (const [section, title] of sections) {
    const rows = verdicts.filter((verdict) => verdict.section === section)
    if (rows.length === 0) continue
    lines.push('', `## ${section} ${title}`, '', '| rule | | status | tests; reason |', '|---|---|---|---|')
    for (const { id, text, status, tests, reason } of rows) {
      const links = tests.map((name) => `[${name}](../test/${name}.test.ts)`).join(', ')
      const proof = [links, reason ?? ''].filter((part) => part !== '').join('; ')
      lines.push(`| ${id} | ${text} | ${status} | ${proof} |`)
    }
  }
  return `${lines.join('\n')}\n`
}

/** Of this project, as its files are now. */
export function projectConformance(): Conformance {
  const root = join(ROOT, 'test')
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && name !== 'conformance.test.ts')
    .sort()
  const tests = new Map(
    names.map((name) => [name.slice(0, -'.test.ts'.length), readFileSync(join(root, name), 'utf8')]),
  )
  const reasons = JSON.parse(
    readFileSync(join(import.meta.dirname, 'conformance-reasons.json'), 'utf8'),
  ) as Reason[]
  return conformanceOf(readFileSync(join(ROOT, 'docs', 'SPECIFICATION.md'), 'utf8'), tests, reasons)
}

export const CONFORMANCE_FILE = join(ROOT, 'docs', 'CONFORMANCE.md')

if (process.argv[1] === import.meta.filename) {
  const conformance = projectConformance()
  writeFileSync(CONFORMANCE_FILE, render(conformance))
  const missing = conformance.verdicts.filter((verdict) => verdict.status === 'missing').map(({ id }) => id)
  for (const mistake of conformance.mistakes) console.error(mistake)
  if (missing.length > 0) console.error(`neither a test nor a reason: ${missing.join(', ')}`)
  process.exitCode = conformance.mistakes.length + missing.length > 0 ? 1 : 0
}
