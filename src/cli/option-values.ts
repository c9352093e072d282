/** The values of command-line options, from text. What is wrong with one becomes a usage error. */
import { InvalidArgumentError } from 'commander'

const BYTE_UNITS = new Map([
  ['', 1],
  ['b', 1],
  ['kb', 1000],
  ['mb', 1000 ** 2],
  ['gb', 1000 ** 3],
  ['kib', 1024],
  ['mib', 1024 ** 2],
  ['gib', 1024 ** 3],
])

/** `512MB`, `1.5 GiB`, `33554432` */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim())
  const unit = BYTE_UNITS.get(match?.[2]?.toLowerCase() ?? '')
  if (match === null || unit === undefined) {
    throw new InvalidArgumentError('Expected bytes such as 512MB, 1.5GiB or 33554432.')
  }
  return Math.round(Number(match[1]) * unit)
}

export function parseCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.')
  return Number(text)
}

/** `a,b` */
export function parseNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.includes('')) throw new InvalidArgumentError('Expected column names, separated by commas.')
  return names
}

/** `old=new`; may be repeated. */
export function parseRename(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const at = text.lastIndexOf('=')
  if (at <= 0 || at === text.length - 1) throw new InvalidArgumentError('Expected COLUMN=FEATURE.')
  const column = text.slice(0, at)
  if (before.has(column)) throw new InvalidArgumentError(`Column ${column} is renamed twice.`)
  return new Map([...before, [column, text.slice(at + 1)]])
}
