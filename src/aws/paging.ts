/**
 * Pages of sorted things. A token holds where the last page ended, so nothing is kept between two calls, and what comes
 * or goes meanwhile neither repeats nor hides the rest.
 */
import { crc32 } from 'node:zlib'
import { ServiceError } from './service-error.ts'

/** What things are sorted by. Those without a value count as the empty text. */
export type SortKey = string | number

export interface PageRequest {
  readonly order: 'Ascending' | 'Descending'
  readonly size: number
  readonly token: string | undefined
  /** What the things were selected and sorted by: a token is only good for the same. */
  readonly query: unknown
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Absent on the last page. */
  readonly nextToken?: string
}

interface Position {
  readonly key: SortKey
  readonly name: string
}

const TEXT_KEY_LENGTH_MAX = 512

/**
 * @param positionOf - the key, and a name that is unique: it orders equal keys, always ascending
 * @throws ServiceError ValidationException for a token that is not one of this query
 */
export function pageOf<T>(
  things: readonly T[],
  positionOf: (thing: T) => Position,
  request: PageRequest,
): Page<T> {
  const sign = request.order === 'Ascending' ? 1 : -1
  const compare = (a: Position, b: Position): number =>
    sign * compareKeys(a.key, b.key) || compareTexts(a.name, b.name)
  const digest = crc32(JSON.stringify(request.query) ?? '')
  const after = readToken(request.token, digest)
  const sorted = things
    .map((thing) => ({ thing, position: cut(positionOf(thing)) }))
    .filter(({ position }) => after === undefined || compare(position, after) > 0)
    .sort((a, b) => compare(a.position, b.position))
  const page = sorted.slice(0, request.size)
  const items = page.map(({ thing }) => thing)
  const last = page.at(-1)
  return last === undefined || page.length === sorted.length
    ? { items }
    : { items, nextToken: writeToken(last.position, digest) }
}

const cut = ({ key, name }: Position): Position => ({
  key: typeof key === 'string' ? key.slice(0, TEXT_KEY_LENGTH_MAX) : key,
  name,
})

function compareKeys(a: SortKey, b: SortKey): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return compareTexts(String(a), String(b))
}

const compareTexts = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** An empty token is as good as none: the model allows it. */
function readToken(token: string | undefined, digest: number): Position | undefined {
  if (token === undefined || token === '') return undefined
  const bytes = Buffer.from(token, 'base64url')
  if (
    bytes.length > 8 &&
    bytes.readUInt32LE(0) === crc32(bytes.subarray(4)) &&
    bytes.readUInt32LE(4) === digest
  ) {
    const [key, name] = JSON.parse(bytes.toString('utf8', 8)) as [SortKey, string]
    return { key, name }
  }
  throw invalidToken()
}

export const invalidToken = (): ServiceError =>
  new ServiceError(
    'control',
    'ValidationException',
    'NextToken: not a token that an earlier page of this query gave.',
  )

function writeToken({ key, name }: Position, digest: number): string {
  const content = Buffer.from(JSON.stringify([key, name]))
  const token = Buffer.alloc(8 + content.length)
  token.writeUInt32LE(digest, 4)
  token.set(content, 8)
  token.writeUInt32LE(crc32(token.subarray(4)), 0)
  return token.toString('base64url')
}
