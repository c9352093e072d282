/** Every code of the engine becomes one code of each plane. */
import { expect, it } from 'vitest'
import { ServiceError } from '../../src/aws/service-error.ts'
import { ERROR_KINDS, type ErrorCode, MillraceError } from '../../src/core/errors.ts'

it('cuts messages to 2048 characters in the data plane and 1024 in the control plane (d.1)', () => {
  const long = 'x'.repeat(5000)
  expect(new ServiceError('data', 'ValidationError', long).message.length).toBe(2048)
  expect(new ServiceError('control', 'ValidationException', long).message.length).toBe(1024)
  expect(new ServiceError('data', 'ValidationError', 'short').message).toBe('short')
})

it('has the statuses of the model (d.2, d.3)', () => {
  const statuses = [
    ['ValidationError', 400, 400],
    ['AccessForbidden', 403, 400],
    ['ResourceNotFound', 404, 400],
    ['ConflictException', 409, 400],
    ['InternalFailure', 500, 500],
    ['ServiceUnavailable', 503, 503],
    ['UnknownOperationException', 404, 400],
  ] as const
  for (const [code, data, control] of statuses) {
    expect(new ServiceError('data', code, '').statusCode).toBe(data)
    expect(new ServiceError('control', code, '').statusCode).toBe(control)
  }
})

it('maps every error of the engine, and tells internals to the log only', () => {
  for (const code of Object.keys(ERROR_KINDS) as ErrorCode[]) {
    const cause = new MillraceError(code, 'the secret')
    for (const plane of ['data', 'control'] as const) {
      const error = ServiceError.from(plane, cause)
      expect(error.cause).toBe(cause)
      const { kind } = cause
      if (kind === 'internal' || kind === 'corrupt' || code === 'DISK_FULL') {
        expect([error.code, error.statusCode]).toEqual(['InternalFailure', 500])
        expect(error.message).not.toContain('secret')
      } else if (error.code !== 'InternalFailure') expect(error.message).toBe('the secret')
      expect(ServiceError.from(plane, error)).toBe(error)
    }
  }
  const codes = (code: ErrorCode): string[] => [
    ServiceError.from('data', new MillraceError(code, '')).code,
    ServiceError.from('control', new MillraceError(code, '')).code,
  ]
  expect(codes('INVALID_ARGUMENT')).toEqual(['ValidationError', 'ValidationException'])
  expect(codes('FEATURE_GROUP_EXISTS')).toEqual(['ValidationError', 'ResourceInUse'])
  expect(codes('EVENT_TIME_OLDER')[0]).toBe('ConflictException')
  expect(codes('THROTTLED')).toEqual(['ServiceUnavailable', 'ThrottlingException'])
  expect(codes('CLOSED')[0]).toBe('ServiceUnavailable')
  expect(ServiceError.from('data', new TypeError('x')).code).toBe('InternalFailure')
})
