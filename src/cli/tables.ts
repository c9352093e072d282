/** Plain-text tables and numbers for people. Numbers look the same everywhere: no locale of the machine is consulted. */

/** `1,234,567` */
export function formatCount(count: number | bigint): string {
  const text = typeof count === 'bigint' ? count.toString() : Math.round(count).toString()
  return text.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `12.3 MB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  // 999.96 would be shown as 1000.0, hence the margin.
  while (Math.abs(value) >= (unit === 0 ? 1000 : 999.95) && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `0.3 ms`, `12 ms`, `1.2 s`, `2 min 03 s`, `1 h 02 min` */
export function formatDuration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`
  const wholeMinutes = Math.round(seconds / 60)
  return `${formatCount(Math.floor(wholeMinutes / 60))} h ${twoDigits(wholeMinutes % 60)} min`
}

const twoDigits = (value: number): string => String(value).padStart(2, '0')

export interface TableColumn {
  readonly title: string
  /** Default left; numbers belong right. */
  readonly align?: 'left' | 'right'
}

/** Lines of equal columns, two spaces apart, below a head and a rule; no line ends in spaces. */
export function renderTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[index] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => pad(cells[index] ?? '', widths[index]!, column.align ?? 'left'))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [line(columns.map((column) => column.title)), rule, ...rows.map(line)].join('\n')
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + spaces : spaces + text
}

/** Characters as a reader counts them; wide ones count as one. */
const displayWidth = (text: string): number => [...text].length
