/**
 * Goal: a caller can always tell what to do about an error, on whichever thread it arose.
 * Method: every code of the list, through data and a real structured clone and back.
 */
import { describe, expect, it } from 'vitest'
import {
  assert,
  assertNever,
  ERROR_KINDS,
  type ErrorCode,
  type ErrorKind,
  invalid,
  MillraceError,
  quote,
} from '../../src/core/errors.ts'

const codes = Object.keys(ERROR_KINDS) as ErrorCode[]

const RETRYABLE: Record<ErrorKind, boolean> = {
  invalid: false,
  missing: false,
  conflict: false,
  throttled: true,
  unavailable: true,
  corrupt: false,
  closed: false,
  internal: false,
}

function thrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (thrown) {
    return thrown
  }
  return undefined
}

describe.each(codes)('%s', (code) => {
  const place = { featureGroup: 'trips', feature: 'fare', row: 7, file: 'trips.csv' }

  it('has the kind of the list, and is retryable exactly if the kind is', () => {
    const error = new MillraceError(code, 'what happened')
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe('MillraceError')
    expect(error.code).toBe(code)
    expect(error.kind).toBe(ERROR_KINDS[code])
    expect(error.isRetryable).toBe(RETRYABLE[error.kind])
    expect(error.place).toEqual({})
    expect('cause' in error).toBe(false)
  })

  it('crosses a thread as data and comes back the same', () => {
    const sent = new MillraceError(code, 'what happened', { place, cause: new Error('why it happened') })
    const received = MillraceError.fromData(structuredClone(sent.toData()))
    expect(received).toBeInstanceOf(MillraceError)
    expect(received.code).toBe(code)
    expect(received.kind).toBe(sent.kind)
    expect(received.message).toBe('what happened')
    expect(received.place).toEqual(place)
    expect(received.isRetryable).toBe(sent.isRetryable)
    expect(String(received.cause)).toContain('why it happened')
    // A second crossing, as from a shard through the pool to the caller, loses nothing either.
    expect(MillraceError.fromData(structuredClone(received.toData())).toData()).toEqual(received.toData())
  })

  it('has no cause after the crossing if it had none before', () => {
    const received = MillraceError.fromData(structuredClone(new MillraceError(code, 'alone').toData()))
    expect('cause' in received).toBe(false)
  })
})

describe('MillraceError.from', () => {
  it('leaves a MillraceError as it is', () => {
    const error = invalid('wrong')
    expect(MillraceError.from(error, 'INTERNAL', 'context')).toBe(error)
  })

  it('wraps anything else, keeping it as the cause', () => {
    const cause = new RangeError('too far')
    const wrapped = MillraceError.from(cause, 'LOG_CORRUPT', 'segment 3')
    expect(wrapped.code).toBe('LOG_CORRUPT')
    expect(wrapped.message).toBe('segment 3: too far')
    expect(wrapped.cause).toBe(cause)
    expect(MillraceError.from('a bare string').message).toBe('a bare string')
    expect(MillraceError.from(undefined).code).toBe('INTERNAL')
  })
})

describe('messages', () => {
  it('quotes user data, escaping what would break the line', () => {
    expect(quote('a"b\nc\u0000')).toBe('"a\\"b\\nc\\u0000"')
    expect(quote('\ud800')).toBe('"\\ud800"')
  })

  it('shows 128 characters in full and cuts longer ones', () => {
    expect(quote('x'.repeat(128))).toBe(`"${'x'.repeat(128)}"`)
    expect(quote('x'.repeat(129))).toBe(`"${'x'.repeat(125)}..."`)
  })

  it('names the place of an invalid argument', () => {
    const error = invalid('expected a number', { row: 3, feature: 'fare' })
    expect(error.code).toBe('INVALID_ARGUMENT')
    expect(error.place).toEqual({ row: 3, feature: 'fare' })
  })
})

describe('assertions', () => {
  it('pass on true and throw an internal error on false', () => {
    expect(() => assert(true, 'fine')).not.toThrow()
    const thrown = thrownBy(() => assert(false, 'lsn is next'))
    expect(thrown).toBeInstanceOf(MillraceError)
    expect(thrown).toMatchObject({ code: 'INTERNAL', message: 'assertion failed: lsn is next' })
  })

  it('name the case nobody handled', () => {
    expect(thrownBy(() => assertNever({ type: 'other' } as never))).toMatchObject({
      code: 'INTERNAL',
      message: 'unhandled case: {"type":"other"}',
    })
  })
})
