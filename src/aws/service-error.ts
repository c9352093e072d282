/**
 * The errors of the AWS API: a code and an HTTP status (section (d) of the specification). The two planes have codes of
 * their own for the same things; a client's typed exceptions depend on them.
 */
import { type ErrorKind, MillraceError } from '../core/errors.ts'

export type Plane = 'data' | 'control'

/** Every code with its HTTP status per plane (d.2, d.3). */
const STATUS_CODES = {
  ValidationError: { data: 400, control: 400 },
  ValidationException: { data: 400, control: 400 },
  SerializationException: { data: 400, control: 400 },
  UnknownOperationException: { data: 404, control: 400 },
  AccessForbidden: { data: 403, control: 400 },
  AccessDeniedException: { data: 403, control: 400 },
  ResourceNotFound: { data: 404, control: 400 },
  ResourceInUse: { data: 400, control: 400 },
  ResourceLimitExceeded: { data: 400, control: 400 },
  ConflictException: { data: 409, control: 400 },
  ThrottlingException: { data: 400, control: 400 },
  InternalFailure: { data: 500, control: 500 },
  ServiceUnavailable: { data: 503, control: 503 },
} as const satisfies Record<string, Record<Plane, number>>

export type ServiceErrorCode = keyof typeof STATUS_CODES

/** Characters of a message (d.1). */
const MESSAGE_LENGTH_MAX: Record<Plane, number> = { data: 2048, control: 1024 }

export class ServiceError extends Error {
  readonly plane: Plane
  readonly code: ServiceErrorCode
  /** Of the HTTP response. */
  readonly statusCode: number

  constructor(plane: Plane, code: ServiceErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(
      cutTo(MESSAGE_LENGTH_MAX[plane], message),
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    // What clients of the AWS SDK look at is the name.
    this.name = code
    this.plane = plane
    this.code = code
    this.statusCode = STATUS_CODES[code][plane]
  }

  /**
   * Anything thrown, as an error of a plane: itself, or by what a MillraceError's kind says the caller can do. What is
   * not the caller's doing is told in neutral words; its cause is for the log (d.2).
   */
  static from(plane: Plane, thrown: unknown): ServiceError {
    if (thrown instanceof ServiceError) return thrown
    const error = MillraceError.from(thrown)
    const code = codeOf(plane, error)
    const message = code === 'InternalFailure' ? 'The service met an internal failure.' : error.message
    return new ServiceError(plane, code, message, { cause: error })
  }
}

/** Whether the same request may succeed later: overload, a disk that is full, a store that is being closed. */
export function isTransient(thrown: unknown): boolean {
  return thrown instanceof MillraceError && (thrown.isRetryable || thrown.kind === 'closed')
}

/** The code for input that breaks a rule (d.1: the planes must not be mixed up). */
export const VALIDATION_CODES = {
  data: 'ValidationError',
  control: 'ValidationException',
} as const satisfies Record<Plane, ServiceErrorCode>

const CODES_BY_KIND: Record<Plane, Record<ErrorKind, ServiceErrorCode>> = {
  data: {
    invalid: 'ValidationError',
    missing: 'ResourceNotFound',
    conflict: 'ConflictException',
    throttled: 'ServiceUnavailable',
    unavailable: 'ServiceUnavailable',
    closed: 'ServiceUnavailable',
    corrupt: 'InternalFailure',
    internal: 'InternalFailure',
  },
  control: {
    invalid: 'ValidationException',
    missing: 'ResourceNotFound',
    conflict: 'ValidationException',
    throttled: 'ThrottlingException',
    unavailable: 'InternalFailure',
    closed: 'InternalFailure',
    corrupt: 'InternalFailure',
    internal: 'InternalFailure',
  },
}

function codeOf(plane: Plane, error: MillraceError): ServiceErrorCode {
  if (error.code === 'DISK_FULL') return 'InternalFailure'
  if (error.code === 'FEATURE_GROUP_EXISTS' && plane === 'control') return 'ResourceInUse'
  return CODES_BY_KIND[plane][error.kind]
}

const cutTo = (length: number, text: string): string =>
  text.length <= length ? text : `${text.slice(0, length - 3)}...`
