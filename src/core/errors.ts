/**
 * The one error class of the project. A code says what happened, its kind says what the caller can do about
 * it. Errors cross threads as data (`toData` / `fromData`), because structured cloning drops own properties.
 */

export type ErrorKind =
  /** The request is wrong; fix it and send it again. */
  | 'invalid'
  /** The thing named does not exist. */
  | 'missing'
  /** The record changed meanwhile; read it again and decide anew. */
  | 'conflict'
  /** Too much at once; retry later. */
  | 'throttled'
  /** The store cannot serve now; reopening or waiting may help. */
  | 'unavailable'
  /** Durable data is damaged; an operator has to decide. */
  | 'corrupt'
  /** The store, or this handle, is closed. */
  | 'closed'
  /** A bug in Millrace. */
  | 'internal'

/** Every code with its kind. Adding a code here is all it takes; nothing else lists them. */
export const ERROR_KINDS = {
  /** A record, id, value, name or option that breaks a rule. */
  INVALID_ARGUMENT: 'invalid',
  /** An input file that cannot be read as what it was said to be. */
  INVALID_INPUT_FILE: 'invalid',
  /** The feature group exists already. */
  FEATURE_GROUP_EXISTS: 'invalid',
  /** A hard delete that is not later than the stored record. */
  EVENT_TIME_NOT_LATER: 'invalid',
  FEATURE_GROUP_NOT_FOUND: 'missing',
  FEATURE_NOT_FOUND: 'missing',
  /** An update of a record that is absent, deleted or expired. */
  RECORD_NOT_FOUND: 'missing',
  /** An update with an event time older than the record's: read the record again. */
  EVENT_TIME_OLDER: 'conflict',
  /** An optional package that this command needs is not installed. */
  DEPENDENCY_MISSING: 'missing',
  /** The data directory belongs to something else, to a newer format or to another shard count. */
  INCOMPATIBLE_STORE: 'invalid',
  /** Another process, or this one, has the data directory open. */
  STORE_LOCKED: 'unavailable',
  /** Admission would pass the memory budget and the caller asked not to wait. */
  THROTTLED: 'throttled',
  /** The disk is full: nothing was written, reads go on. */
  DISK_FULL: 'unavailable',
  /** The operating system refused a file operation; its own error is the cause. */
  IO_FAILED: 'unavailable',
  /** A sync failed earlier: whether the write survives is unknown; reopen the store, recovery decides. */
  LOG_POISONED: 'unavailable',
  /** A thread of the store died; reopen the store. */
  STORE_FAILED: 'unavailable',
  /** A batch of a source that does not follow the one before it. */
  OUT_OF_SEQUENCE: 'invalid',
  LOG_CORRUPT: 'corrupt',
  MANIFEST_CORRUPT: 'corrupt',
  CATALOG_CORRUPT: 'corrupt',
  ONLINE_STORE_CORRUPT: 'corrupt',
  CLOSED: 'closed',
  INTERNAL: 'internal',
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERROR_KINDS

/** Where in the caller's input an error lies. */
export interface ErrorPlace {
  readonly featureGroup?: string
  readonly feature?: string
  /** Zero-based position of the row in the input. */
  readonly row?: number
  readonly file?: string
}

export interface ErrorData {
  readonly code: ErrorCode
  readonly message: string
  readonly place: ErrorPlace
  readonly causeText?: string
}

export class MillraceError extends Error {
  readonly code: ErrorCode
  readonly kind: ErrorKind
  readonly place: ErrorPlace

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; place?: ErrorPlace } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MillraceError'
    this.code = code
    this.kind = ERROR_KINDS[code]
    this.place = options.place ?? {}
  }

  /** Whether the same request may succeed later without a change. */
  get isRetryable(): boolean {
    return this.kind === 'throttled' || this.kind === 'unavailable'
  }

  /** Anything thrown, as a MillraceError: itself, or wrapped as the given code. */
  static from(thrown: unknown, code: ErrorCode = 'INTERNAL', context = ''): MillraceError {
    if (thrown instanceof MillraceError) return thrown
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    return new MillraceError(code, context === '' ? text : `${context}: ${text}`, { cause: thrown })
  }

  static fromData(data: ErrorData): MillraceError {
    const options: { cause?: unknown; place: ErrorPlace } = { place: data.place }
    if (data.causeText !== undefined) options.cause = data.causeText
    return new MillraceError(data.code, data.message, options)
  }

  toData(): ErrorData {
    const data = { code: this.code, message: this.message, place: this.place }
    if (this.cause === undefined) return data
    return {
      ...data,
      causeText: this.cause instanceof Error ? (this.cause.stack ?? this.cause.message) : String(this.cause),
    }
  }
}

/** Cuts user data in messages to 128 characters, quoted. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 128 ? `${text.slice(0, 125)}...` : text)
}

export function invalid(message: string, place: ErrorPlace = {}): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message, { place })
}

/** Assertions are for our own mistakes; they stay on in production. Bad input is validated, never asserted. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new MillraceError('INTERNAL', `assertion failed: ${message}`)
}

export function assertNever(value: never): never {
  throw new MillraceError('INTERNAL', `unhandled case: ${JSON.stringify(value)}`)
}
