/**
 * Whether a document (what an operation describes, as a plain object) satisfies a search expression.
 * A name leads through objects by dots and through lists to each of their elements; a filter holds if it holds for one
 * of the values found. Texts are compared exactly, except by `Contains`, which ignores case.
 */

import { quote } from '../core/errors.ts'
import { type Instant, parseStringEventTime } from '../core/event-time.ts'
import type { SearchExpression, SearchFilter, WirePair } from './control-plane-shapes.ts'
import { ServiceError } from './service-error.ts'

export type SearchDocument = Readonly<Record<string, unknown>>

/** Members by which documents may be filtered and sorted. */
export type SearchableMembers = readonly string[]

const CONDITIONS_MAX = 50
const TIMES = new Set(['CreationTime', 'LastModifiedTime'])
/** Lists of pairs, whose keys are names of their own: `Tags.<key>`. */
const PAIR_LISTS = ['Tags', 'Parameters']

type Operator = NonNullable<SearchFilter['Operator']>
type Predicate = (document: SearchDocument) => boolean

/**
 * @returns whether a document is wanted; without an expression every one is
 * @throws ServiceError ValidationException for names that do not exist, values that do not fit, too many conditions
 */
export function compileExpression(
  expression: SearchExpression | undefined,
  members: SearchableMembers,
): Predicate {
  if (expression === undefined) return () => true
  const conditions = conditionCount(expression)
  if (conditions > CONDITIONS_MAX) {
    throw refused(
      `SearchExpression: expected at most ${CONDITIONS_MAX} conditions in all, found ${conditions}.`,
    )
  }
  return compile(expression, members)
}

/** The value a document is sorted by: the first one under the name. */
export function sortKeyOf(document: SearchDocument, name: string): string | number {
  const value = valuesOf(document, name)[0]
  return typeof value === 'number' || typeof value === 'string'
    ? value
    : value === undefined
      ? ''
      : String(value)
}

/** @throws ServiceError ValidationException */
export function checkName(name: string, where: string, members: SearchableMembers): void {
  if (members.includes(name.split('.')[0]!)) return
  throw refused(
    `${where}: expected ${members.join(', ')}, or a name below one of them, found ${quote(name)}.`,
  )
}

const conditionCount = ({
  Filters = [],
  NestedFilters = [],
  SubExpressions = [],
}: SearchExpression): number =>
  Filters.length +
  NestedFilters.reduce((sum, nested) => sum + nested.Filters.length, 0) +
  SubExpressions.reduce((sum, expression) => sum + conditionCount(expression), 0)

function compile(expression: SearchExpression, members: SearchableMembers): Predicate {
  const { Filters = [], NestedFilters = [], SubExpressions = [], Operator: operator = 'And' } = expression
  const predicates = [
    ...Filters.map((filter) => compileFilter(filter, members)),
    ...NestedFilters.map((nested) => compileNested(nested, members)),
    ...SubExpressions.map((each) => compile(each, members)),
  ]
  if (predicates.length === 0) return () => true
  return operator === 'And'
    ? (document) => predicates.every((holds) => holds(document))
    : (document) => predicates.some((holds) => holds(document))
}

/** All of its filters must hold for one and the same element of a list. */
function compileNested(
  { NestedPropertyName: property, Filters }: NonNullable<SearchExpression['NestedFilters']>[number],
  members: SearchableMembers,
): Predicate {
  checkName(property, 'NestedPropertyName', members)
  const prefix = `${property}.`
  const predicates = Filters.map((filter) => {
    if (!filter.Name.startsWith(prefix)) {
      throw refused(
        `Filters: expected a name that starts with ${quote(prefix)}, found ${quote(filter.Name)}.`,
      )
    }
    const Name = filter.Name.slice(prefix.length)
    return compileFilter({ ...filter, Name }, [Name.split('.')[0]!])
  })
  return (document) =>
    valuesOf(document, property).some(
      (element) => isObject(element) && predicates.every((holds) => holds(element)),
    )
}

function compileFilter(filter: SearchFilter, members: SearchableMembers): Predicate {
  const { Name: name, Operator: operator = 'Equals', Value: value } = filter
  checkName(name, 'Filters', members)
  const where = `Filter on ${quote(name)}`
  if (operator === 'Exists' || operator === 'NotExists') {
    if (value !== undefined) throw refused(`${where}: ${operator} takes no Value, found ${quote(value)}.`)
    return (document) => valuesOf(document, name).length > 0 === (operator === 'Exists')
  }
  if (value === undefined) throw refused(`${where}: ${operator} needs a Value.`)
  const wanted = operator === 'In' ? value.split(',').map((each) => each.trim()) : [value]
  if (TIMES.has(name)) {
    const times = wanted.map((each) => secondsOf(each, where))
    return (document) => holdsFor(valuesOf(document, name), operator, times, where)
  }
  return (document) => holdsFor(valuesOf(document, name), operator, wanted, where)
}

function holdsFor(
  values: readonly unknown[],
  operator: Operator,
  wanted: readonly (string | number)[],
  where: string,
): boolean {
  const some = (holds: (comparison: number) => boolean): boolean =>
    values.some((value) => wanted.some((each) => holds(compareTo(value, each, where))))
  switch (operator) {
    case 'Equals':
    case 'In':
      return some((comparison) => comparison === 0)
    case 'NotEquals':
      return !some((comparison) => comparison === 0)
    case 'GreaterThan':
      return some((comparison) => comparison > 0)
    case 'GreaterThanOrEqualTo':
      return some((comparison) => comparison >= 0)
    case 'LessThan':
      return some((comparison) => comparison < 0)
    case 'LessThanOrEqualTo':
      return some((comparison) => comparison <= 0)
    case 'Contains': {
      const part = String(wanted[0]).toLowerCase()
      if (typeof wanted[0] === 'number' || values.some((value) => typeof value === 'number')) {
        throw refused(`${where}: Contains is for texts only.`)
      }
      return values.some((value) => typeof value === 'string' && value.toLowerCase().includes(part))
    }
    default:
      return false
  }
}

/** @returns NaN, of which no comparison holds, for what is neither text, number nor boolean */
function compareTo(value: unknown, wanted: string | number, where: string): number {
  if (typeof value === 'boolean') return compareTo(String(value), wanted, where)
  if (typeof value === 'number') {
    const number = Number(wanted)
    if (Number.isNaN(number) || wanted === '')
      throw refused(`${where}: expected a number, found ${quote(String(wanted))}.`)
    return value - number
  }
  if (typeof value !== 'string') return Number.NaN
  const text = String(wanted)
  return value < text ? -1 : value > text ? 1 : 0
}

const TIME_FORM = 'YYYY-mm-ddTHH:MM:SS'

/** R-564; a fraction and a final Z do no harm. */
function secondsOf(text: string, where: string): number {
  const instant: Instant = { seconds: 0, nanos: 0, digits: 0 }
  if (parseStringEventTime(text.endsWith('Z') ? text : `${text}Z`, instant)) {
    return instant.seconds + instant.nanos / 1e9
  }
  throw refused(`${where}: expected a time as ${TIME_FORM}, found ${quote(text)}.`)
}

function valuesOf(document: SearchDocument, name: string): unknown[] {
  for (const list of PAIR_LISTS) {
    if (!name.startsWith(`${list}.`)) continue
    const key = name.slice(list.length + 1)
    const pairs = (document[list] ?? []) as readonly WirePair[]
    return pairs.filter((pair) => pair.Key === key).map((pair) => pair.Value)
  }
  let values: unknown[] = [document]
  for (const part of name.split('.')) {
    values = values.flatMap((value): unknown[] => {
      const found = isObject(value) && Object.hasOwn(value, part) ? value[part] : undefined
      return found === undefined ? [] : Array.isArray(found) ? found : [found]
    })
  }
  return values
}

const isObject = (value: unknown): value is SearchDocument => typeof value === 'object' && value !== null

const refused = (message: string): ServiceError => new ServiceError('control', 'ValidationException', message)
