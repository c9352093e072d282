/** Goal: what a user may write for an option, and what is refused. Method: tables of texts. */
import { describe, expect, it } from 'vitest'
import { parseBytes, parseCount, parseNames, parseRename } from '../../src/cli/option-values.ts'

describe('bytes', () => {
  it.each([
    ['33554432', 33_554_432],
    ['512MB', 512_000_000],
    ['512 mb', 512_000_000],
    ['1.5GiB', 1_610_612_736],
    ['64kib', 65_536],
    ['7B', 7],
  ])('%s', (text, bytes) => expect(parseBytes(text)).toBe(bytes))

  it.each(['', 'MB', '-1MB', '1,5GB', '3 apples', '1TBit', '0x10', '1e9'])('refuses %j', (text) => {
    expect(() => parseBytes(text)).toThrow(/^Expected bytes such as/)
  })
})

it.each(['', '-1', '1.5', 'two', '1e3', '9'.repeat(16)])('refuses %j as a count', (text) => {
  expect(() => parseCount(text)).toThrow(/whole number/)
})

it('splits names at commas, and keeps the spaces within them', () => {
  expect(parseNames('line nr, stop')).toEqual(['line nr', 'stop'])
  expect(() => parseNames('a,,b')).toThrow(/column names/)
})

describe('renames', () => {
  it('add up, and the last = separates', () => {
    expect([...parseRename('a=b=c', parseRename('x=y', new Map()))]).toEqual([
      ['x', 'y'],
      ['a=b', 'c'],
    ])
  })

  it.each(['a', '=a', 'a='])('refuses %j', (text) => {
    expect(() => parseRename(text, new Map())).toThrow(/COLUMN=FEATURE/)
  })

  it('refuses two names for one column', () => {
    expect(() => parseRename('a=c', new Map([['a', 'b']]))).toThrow(/twice/)
  })
})
