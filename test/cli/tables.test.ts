/** Goal: numbers and tables of the reports read the same on every machine. Method: fixed numbers, at the borders. */
import { describe, expect, it } from 'vitest'
import { formatBytes, formatCount, formatDuration, renderTable } from '../../src/cli/tables.ts'

describe('numbers', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1000, '1,000'],
    [1_234_567, '1,234,567'],
    [-1234, '-1,234'],
    [1234.5, '1,235'],
    [2n ** 64n, '18,446,744,073,709,551,616'],
  ])('counts %s as %s', (count, expected) => {
    expect(formatCount(count)).toBe(expected)
  })

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [12_345_678, '12.3 MB'],
    [999_949_999, '999.9 MB'],
    [999_960_000, '1.0 GB'],
    [1.5e12, '1.5 TB'],
    [5e18, '5000.0 PB'],
  ])('shows %d bytes as %s', (bytes, expected) => {
    expect(formatBytes(bytes)).toBe(expected)
  })

  it.each([
    [0, '0.0 ms'],
    [0.34, '0.3 ms'],
    [9.94, '9.9 ms'],
    [9.96, '10 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [1234, '1.2 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 00 s'],
    [123_000, '2 min 03 s'],
    [3_599_400, '59 min 59 s'],
    [3_599_600, '1 h 00 min'],
    [3_720_000, '1 h 02 min'],
    [3_600_000_000, '1,000 h 00 min'],
  ])('shows %d ms as %s', (ms, expected) => {
    expect(formatDuration(ms)).toBe(expected)
  })
})

describe('tables', () => {
  it('aligns columns under a head and a rule', () => {
    const columns = [{ title: 'month' }, { title: 'rows', align: 'right' as const }, { title: 'note' }]
    const rows = [
      ['2001-01', '508,239', ''],
      ['2001-07', '6', 'größte Strecke'],
    ]
    expect(renderTable(columns, rows)).toBe(
      [
        'month       rows  note',
        '-------  -------  --------------',
        '2001-01  508,239',
        '2001-07        6  größte Strecke',
      ].join('\n'),
    )
  })

  it('shows the head alone if there are no rows', () => {
    expect(renderTable([{ title: 'a' }, { title: 'bc' }], [])).toBe('a  bc\n-  --')
  })
})
