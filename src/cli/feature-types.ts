/**
 * Which features the columns of a file become. For every feature there are two SQL expressions: one that selects its
 * values for reading, and one that gives the text under which the offline store should show them, for checking.
 */
import type { FeatureType } from '../core/definition.ts'
import { invalid, MillraceError, quote } from '../core/errors.ts'
import { STRING_EVENT_TIME_FORMAT } from '../core/event-time.ts'
import { limits } from '../core/limits.ts'
import type { SqlColumn } from '../query/duckdb.ts'
import { sqlEventTimeText, sqlName, sqlText } from '../query/sql.ts'
import type { Reading } from '../query/value-readers.ts'

export interface PlannedFeature {
  readonly name: string
  readonly type: FeatureType
  readonly reading: Reading
  /** The values, laid out as `reading` says. */
  readonly selectSql: string
  /** The values as VARCHAR, equal to `CAST(feature AS VARCHAR)` in the offline store. */
  readonly textSql: string
}

export interface IngestPlan {
  readonly recordIdentifier: string
  readonly eventTime: string
  readonly features: readonly PlannedFeature[]
}

export interface PlanOptions {
  /** One or more columns; several are joined into an additional String feature. */
  readonly recordIdColumns: readonly string[]
  readonly eventTimeColumn: string
  /** Name of the feature that several id columns are joined into. Default: the columns joined with `_`. */
  readonly idName?: string
  /** Between the parts of a joined id. Default `-`. Parts that contain it make ids that may be equal by accident. */
  readonly idSeparator?: string
  /** Column name to feature name. */
  readonly renames?: ReadonlyMap<string, string>
}

/** R-042, R-046 */
const FEATURE_NAME = /^[a-zA-Z0-9]([-_]*[a-zA-Z0-9]){0,63}$/
const RESERVED_NAMES = new Set(['is_deleted', 'write_time', 'api_invocation_time'])

/**
 * @param file - name of the file, for messages
 * @throws MillraceError INVALID_ARGUMENT for an option that does not fit the file, INVALID_INPUT_FILE for a column that
 * cannot be a feature; both name the column
 */
export function planFeatures(columns: readonly SqlColumn[], options: PlanOptions, file: string): IngestPlan {
  const { recordIdColumns, eventTimeColumn } = options
  const renames = options.renames ?? new Map<string, string>()
  if (recordIdColumns.length === 0) throw invalid('expected at least one record id column')
  if (new Set(recordIdColumns).size < recordIdColumns.length) {
    throw invalid(`a record id column is named twice: ${recordIdColumns.map(quote).join(', ')}`)
  }
  for (const name of [...recordIdColumns, eventTimeColumn, ...renames.keys()]) {
    if (!columns.some((column) => column.name === name)) {
      const found = columns.map((column) => quote(column.name)).join(', ')
      throw invalid(`no column ${quote(name)} in ${file}; its columns are ${found}`, { file })
    }
  }

  const nameOf = (column: SqlColumn): string => renames.get(column.name) ?? column.name
  checkNames(columns, nameOf, file)
  const features = columns.map((column): PlannedFeature => {
    const name = nameOf(column)
    const representation =
      column.name === eventTimeColumn ? eventTimeOf(column, file) : representationOf(column, file)
    return { name, ...representation }
  })
  const featureOf = (columnName: string): PlannedFeature =>
    features[columns.findIndex((column) => column.name === columnName)]!

  let identifier = featureOf(recordIdColumns[0]!)
  if (recordIdColumns.length > 1) {
    const name = options.idName ?? recordIdColumns.map((column) => featureOf(column).name).join('_')
    if (!isFeatureName(name)) {
      throw invalid(
        `${quote(name)} cannot be the name of the joined record id: ${NAME_RULE}; choose one with --id-name`,
      )
    }
    identifier = joinedId(name, recordIdColumns.map(featureOf), options.idSeparator ?? '-')
    features.push(identifier)
  } else if (options.idName !== undefined) {
    throw invalid('--id-name is for a record id of several columns; rename a single one with --rename')
  }
  checkSet(features, file)
  return { recordIdentifier: identifier.name, eventTime: featureOf(eventTimeColumn).name, features }
}

/** The `features` of the feature group's definition. */
export const featureTypesOf = (plan: IngestPlan): Record<string, FeatureType> =>
  Object.fromEntries(plan.features.map((feature) => [feature.name, feature.type]))

const NAME_RULE = `a feature name has 1 to ${limits.nameLengthMax} letters, digits, - and _, the first and last of them a letter or digit, and is none of ${[...RESERVED_NAMES].join(', ')}`

const isFeatureName = (name: string): boolean =>
  name.length <= limits.nameLengthMax && FEATURE_NAME.test(name) && !RESERVED_NAMES.has(name.toLowerCase())

/** All wrong names at once, so that they can be put right at once. */
function checkNames(
  columns: readonly SqlColumn[],
  nameOf: (column: SqlColumn) => string,
  file: string,
): void {
  const wrong = columns.filter((column) => !isFeatureName(nameOf(column)))
  const [first] = wrong
  if (first === undefined) return
  const names = wrong.map((column) => quote(nameOf(column))).join(', ')
  const renames = wrong.map((column) => `--rename ${quote(`${column.name}=${suggestName(nameOf(column))}`)}`)
  throw new MillraceError(
    'INVALID_INPUT_FILE',
    `columns of ${file} cannot become features under the names ${names}: ${NAME_RULE}; ` +
      `rename them, for example with ${renames.join(' ')}`,
    { place: { file, feature: nameOf(first) } },
  )
}

function suggestName(name: string): string {
  const legal = name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-zA-Z0-9_-]+/g, '_')
    .slice(0, limits.nameLengthMax - 2)
    .replace(/^[-_]+|[-_]+$/g, '')
  if (legal === '') return 'feature'
  return RESERVED_NAMES.has(legal.toLowerCase()) ? `${legal}_2` : legal
}

function checkSet(features: readonly PlannedFeature[], file: string): void {
  const names = new Set<string>()
  for (const { name } of features) {
    if (names.has(name)) {
      throw invalid(
        `two columns of ${file} would become the feature ${quote(name)}; rename one with --rename, ` +
          'or choose another name for a joined record id with --id-name',
        { file, feature: name },
      )
    }
    names.add(name)
  }
  if (features.length > limits.featuresMax) {
    throw new MillraceError(
      'INVALID_INPUT_FILE',
      `${file} has ${features.length} features; a feature group has at most ${limits.featuresMax}`,
      { place: { file } },
    )
  }
}

type Representation = Omit<PlannedFeature, 'name'>

const cast = (expression: string, type: string): string => `CAST(${expression} AS ${type})`

const INTEGERS = /^(TINYINT|SMALLINT|INTEGER|BIGINT|UTINYINT|USMALLINT|UINTEGER)$/
const WIDE_INTEGERS = /^(UBIGINT|HUGEINT|UHUGEINT|BIGNUM)$/
const FRACTIONS = /^(FLOAT|DOUBLE|DECIMAL\(.*\))$/
const TIMESTAMPS = /^TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?$/
/** An enumeration is listed with its values, a column without any value has the type NULL. */
const TEXTS = /^(VARCHAR|BOOLEAN|UUID|DATE|TIME|TIME_NS|TIME WITH TIME ZONE|INTERVAL|BIT|"NULL"|ENUM\(.*\))$/s

function representationOf({ name, type }: SqlColumn, file: string): Representation {
  const column = sqlName(name)
  if (INTEGERS.test(type)) {
    const selectSql = cast(column, 'BIGINT')
    return { type: 'Integral', reading: 'integer', selectSql, textSql: cast(selectSql, 'VARCHAR') }
  }
  if (WIDE_INTEGERS.test(type)) {
    // Read at full width: the engine refuses the rows whose value does not fit 64 bits, and only those.
    const selectSql = cast(column, 'VARCHAR')
    return { type: 'Integral', reading: 'integerText', selectSql, textSql: selectSql }
  }
  if (FRACTIONS.test(type)) return fractional(column)
  if (TIMESTAMPS.test(type)) return timestamp(column, type)
  if (TEXTS.test(type)) return text(cast(column, 'VARCHAR'))
  // Columns whose values have several types, or none, are read as JSON: its strings lose their quotes.
  if (type === 'JSON') return text(`${column} ->> '$'`)
  const kind = type === 'BLOB' || type === 'GEOMETRY' ? 'binary' : 'nested'
  throw new MillraceError(
    'INVALID_INPUT_FILE',
    `column ${quote(name)} of ${file} is ${kind} (${type.length > 80 ? `${type.slice(0, 77)}...` : type}); ` +
      'features are text, integers and fractions: leave the column out, or flatten it first',
    { place: { file, feature: name } },
  )
}

function eventTimeOf(column: SqlColumn, file: string): Representation {
  const name = sqlName(column.name)
  const { type } = column
  if (type === 'DATE') return timestamp(cast(name, 'TIMESTAMP'), 'TIMESTAMP')
  if (INTEGERS.test(type) || WIDE_INTEGERS.test(type) || FRACTIONS.test(type)) return fractional(name)
  if (TIMESTAMPS.test(type) || type === 'VARCHAR' || type === 'JSON') return representationOf(column, file)
  throw invalid(
    `column ${quote(column.name)} of ${file} has type ${type}; an event time is a timestamp, a date, ` +
      `text of the form ${STRING_EVENT_TIME_FORMAT}, or a number of Unix seconds`,
    { file, feature: column.name },
  )
}

function fractional(column: string): Representation {
  const selectSql = cast(column, 'DOUBLE')
  return { type: 'Fractional', reading: 'double', selectSql, textSql: cast(selectSql, 'VARCHAR') }
}

const text = (selectSql: string): Representation => ({
  type: 'String',
  reading: 'text',
  selectSql,
  textSql: selectSql,
})

/** Every kind of timestamp has the text of a String event time, whether or not it is the event time. */
function timestamp(expression: string, type: string): Representation {
  if (type === 'TIMESTAMP_NS') {
    const textSql = sqlEventTimeText(expression, 'nanoseconds')
    return { type: 'String', reading: 'timestampNanos', selectSql: expression, textSql }
  }
  // One with a time zone is an instant; DuckDB's is UTC here, so this only changes the type.
  const selectSql = cast(expression, 'TIMESTAMP')
  const textSql = sqlEventTimeText(selectSql, 'microseconds')
  return { type: 'String', reading: 'timestampMicros', selectSql, textSql }
}

/** A row in which one part has no value has no id. */
function joinedId(name: string, parts: readonly PlannedFeature[], separator: string): PlannedFeature {
  const selectSql = parts.map((part) => part.textSql).join(` || ${sqlText(separator)} || `)
  return { name, type: 'String', reading: 'text', selectSql, textSql: selectSql }
}
