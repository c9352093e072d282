/** The few pieces of SQL text that are put together of others. */

/** A string literal. */
export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** An identifier. */
export const sqlName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A pattern that matches only this file: DuckDB takes file names for glob patterns. */
export const exactPath = (path: string): string => path.replace(/[[*?]/g, '[$&]')

/** A file name as a literal that matches only that file. */
export const sqlFile = (path: string): string => sqlText(exactPath(path))

/**
 * A timestamp as the text of a String event time, with 0, 3, 6 or 9 fraction digits, whichever shows all of it.
 * @param expression - of type TIMESTAMP if the unit is microseconds, of type TIMESTAMP_NS if it is nanoseconds
 */
export function sqlEventTimeText(expression: string, unit: 'microseconds' | 'nanoseconds'): string {
  const isMicros = unit === 'microseconds'
  // Nanoseconds of a TIMESTAMP do not fit 64 bits after the year 2262, so each type counts in its own unit.
  const count = isMicros ? `epoch_us(${expression})` : `epoch_ns(${expression})`
  const perSecond = isMicros ? 1_000_000 : 1_000_000_000
  // The remainder has the sign of the count; strftime's own `%n` garbles what follows it, hence the arithmetic.
  const fraction = `((${count} % ${perSecond}) + ${perSecond}) % ${perSecond}`
  const format = (digits: number): string => {
    const seconds = `strftime(${expression}, '%Y-%m-%dT%H:%M:%S')`
    const divisor = perSecond / 10 ** digits
    return digits === 0
      ? `${seconds} || 'Z'`
      : `${seconds} || '.' || lpad(CAST((${fraction}) // ${divisor} AS VARCHAR), ${digits}, '0') || 'Z'`
  }
  const cases = [0, 3, 6]
    .filter((digits) => !isMicros || digits < 6)
    .map((digits) => `WHEN ${count} % ${perSecond / 10 ** digits} = 0 THEN ${format(digits)}`)
  return (
    `CASE WHEN NOT isfinite(${expression}) THEN CAST(${expression} AS VARCHAR) ` +
    `${cases.join(' ')} ELSE ${format(isMicros ? 6 : 9)} END`
  )
}
