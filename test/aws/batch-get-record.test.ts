/** BatchGetRecord: every id is found, in error, to be asked again, or nowhere; in the order of the request. */
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { DataPlane } from '../../src/aws/data-plane.ts'
import type { BatchGetRecordIdentifier, BatchGetRecordOutput } from '../../src/aws/data-plane-shapes.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { apiRecord, refused } from '../fixtures/api.ts'
import { openStore, sharedStore } from '../fixtures/open-store.ts'

const AT = '2026-03-01T12:00:00Z'
const LATER = '2026-03-01T12:00:01Z'
const ARN = 'arn:aws:sagemaker:local:000000000000:feature-group/a'
const FEATURES = { id: 'String', at: 'String', note: 'String' } as const
const BASE = { recordIdentifier: 'id', eventTime: 'at', features: FEATURES } as const

const store = sharedStore()
let plane: DataPlane

beforeAll(async () => {
  plane = new DataPlane(store.current)
  for (const name of ['a', 'b']) {
    await store.current.createFeatureGroup({ ...BASE, name, offline: false })
    for (const id of ['1', '2', '3', 'soft']) {
      const Record = apiRecord(id === '3' ? { id, at: AT } : { id, at: AT, note: name + id })
      await plane.putRecord({ FeatureGroupName: name, Record })
    }
    await plane.deleteRecord({
      FeatureGroupName: name,
      RecordIdentifierValueAsString: 'soft',
      EventTime: LATER,
    })
  }
  await store.current.createFeatureGroup({ ...BASE, name: 'offline', online: false })
})

const of = (FeatureGroupName: string, ids: readonly string[], ...FeatureNames: string[]) => ({
  FeatureGroupName,
  RecordIdentifiersValueAsString: ids,
  ...(FeatureNames.length === 0 ? {} : { FeatureNames }),
})
const get = (...Identifiers: BatchGetRecordIdentifier[]) => plane.batchGetRecord({ Identifiers })

/** Where each id is, shortly. */
const summary = ({ Records, Errors, UnprocessedIdentifiers }: BatchGetRecordOutput): unknown => ({
  found: Records.map((each) => `${each.FeatureGroupName} ${each.RecordIdentifierValueAsString}`),
  errors: Errors.map(
    (each) => `${each.FeatureGroupName} ${each.RecordIdentifierValueAsString} ${each.ErrorCode}`,
  ),
  unprocessed: UnprocessedIdentifiers,
})

describe('a batch of reads', () => {
  it('has the found ones of all groups, in the order of the request; others are nowhere (R-192, R-193)', async () => {
    const output = await get(of('b', ['2', 'none', '1']), of('a', ['soft', '1']), of('b', ['3']))
    expect(output).toEqual({
      Records: [
        ['b', '2'],
        ['b', '1'],
        ['a', '1'],
        ['b', '3'],
      ].map(([name, id]) => ({
        FeatureGroupName: name,
        RecordIdentifierValueAsString: id,
        Record: apiRecord(id === '3' ? { id, at: AT } : { id: id!, at: AT, note: `${name}${id}` }),
      })),
      Errors: [],
      UnprocessedIdentifiers: [],
    })
  })

  it('has all three lists, also empty (R-026)', async () => {
    expect(await get(of('a', ['none']))).toEqual({ Records: [], Errors: [], UnprocessedIdentifiers: [] })
  })

  it('echoes the name that was sent, also an ARN (R-194)', async () => {
    expect(summary(await get(of('A', ['1']), of(ARN, ['2'])))).toMatchObject({ found: ['A 1', `${ARN} 2`] })
  })

  it('has the same request once, and another choice of features apart (R-200)', async () => {
    const output = await get(
      of('a', ['1', '2', '1']),
      of('a', ['2']),
      of('a', ['1'], 'note', 'id'),
      of('a', ['1'], 'id', 'note', 'id'),
      of('a', ['1'], 'id'),
    )
    expect(summary(output)).toMatchObject({ found: ['a 1', 'a 2', 'a 1', 'a 1'] })
    expect(output.Records.slice(2).map((each) => each.Record)).toEqual([
      apiRecord({ id: '1', note: 'a1' }),
      apiRecord({ id: '1' }),
    ])
  })

  it('has a record with an empty list if none of the features has a value (R-202)', async () => {
    const { Records } = await get(of('a', ['3', 'none'], 'note'))
    expect(Records).toEqual([{ FeatureGroupName: 'a', RecordIdentifierValueAsString: '3', Record: [] }])
  })

  it('tells expiries of all records, or of none (R-201)', async () => {
    const Record = apiRecord({ id: 'ttl', at: AT })
    await plane.putRecord({ FeatureGroupName: 'a', Record, TtlDuration: { Unit: 'Weeks', Value: 2000 } })
    const Identifiers = [of('a', ['ttl', '1'])]
    const { Records } = await plane.batchGetRecord({ Identifiers, ExpirationTimeResponse: 'Enabled' })
    expect(Records.map((each) => each.ExpiresAt)).toEqual(['2064-06-29T12:00:00Z', undefined])
    expect(Records[1]).not.toHaveProperty('ExpiresAt')
    expect((await get(of('a', ['ttl']))).Records[0]).not.toHaveProperty('ExpiresAt')
  })
})

it('a batch of large records is answered whole (R-204)', async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `large ${i}`)
  const note = 'x'.repeat(340_000)
  await Promise.all(
    ids.map((id) => plane.putRecord({ FeatureGroupName: 'b', Record: apiRecord({ id, at: AT, note }) })),
  )
  const { Records, UnprocessedIdentifiers } = await get(of('b', ids))
  expect(UnprocessedIdentifiers).toEqual([])
  expect(Records.map(({ Record }) => Record[2]?.ValueAsString?.length)).toEqual(ids.map(() => note.length))
})

describe('what is wrong with some ids only', () => {
  it('is told once for each of them, and the others are answered (R-195, R-196, R-197)', async () => {
    const output = await get(
      of('none', ['x', 'y', 'x']),
      of('a', ['1']),
      of('offline', ['z']),
      of('a', ['1', '2'], 'nope'),
      of('b', ['', '2', 'x'.repeat(2049)]),
    )
    expect(summary(output)).toEqual({
      found: ['a 1', 'b 2'],
      errors: [
        'none x ResourceNotFound',
        'none y ResourceNotFound',
        'offline z ValidationError',
        'a 1 ValidationError',
        'a 2 ValidationError',
        'b  ValidationError',
        `b ${'x'.repeat(2049)} ValidationError`,
      ],
      unprocessed: [],
    })
    expect(output.Errors.map((each) => each.ErrorMessage)).toEqual([
      'Feature group none was not found.',
      'Feature group none was not found.',
      'Feature group offline has no online store.',
      'FeatureNames: feature [nope] is not defined in feature group a.',
      'FeatureNames: feature [nope] is not defined in feature group a.',
      'The record identifier, RecordIdentifierValueAsString, must not be empty.',
      'The record identifier, RecordIdentifierValueAsString, has 2049 bytes; at most 2048 are allowed.',
    ])
  })

  it('is an error even if it is all that was asked (R-195, OQ-14)', async () => {
    expect(summary(await get(of('none', ['x'])))).toMatchObject({ errors: ['none x ResourceNotFound'] })
  })
})

describe('what may succeed later', () => {
  it('is told apart, to be sent again as it is (R-198, R-199)', async () => {
    const read = vi.spyOn(store.current.session('b'), 'read')
    read.mockRejectedValueOnce(new MillraceError('THROTTLED', 'too much at once'))
    const output = await get(
      of('B', ['1', '2'], 'note'),
      of('a', ['1']),
      of('none', ['x']),
      of('b', ['3', '']),
    )
    expect(summary(output)).toEqual({
      found: ['a 1'],
      errors: ['none x ResourceNotFound', 'b  ValidationError'],
      unprocessed: [of('B', ['1', '2'], 'note'), of('b', ['3'])],
    })
    const again = await get(...output.UnprocessedIdentifiers)
    expect(summary(again)).toMatchObject({ found: ['B 1', 'B 2', 'b 3'], unprocessed: [] })
  })

  it('fails the whole call if there is nothing else, so that clients send it again (R-281)', async () => {
    const closed = await openStore()
    await closed.createFeatureGroup({ ...BASE, name: 'a' })
    const other = new DataPlane(closed)
    await closed.close()
    expect(await refused(other.batchGetRecord({ Identifiers: [of('a', ['1'])] }))).toMatchObject({
      code: 'ServiceUnavailable',
      status: 503,
    })
  })
})

describe('a batch of reads is refused as a whole', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => `id ${i}`)

  it('for more than 100 ids in all (R-190, R-191)', async () => {
    expect((await get(of('a', hundred))).Errors).toEqual([])
    expect(await refused(get(of('a', hundred), of('b', ['1'])))).toEqual({
      code: 'ValidationError',
      status: 400,
      message: 'Identifiers: expected at most 100 record identifiers in all, found 101.',
    })
    expect(await refused(get(of('a', [...hundred, '1'])))).toMatchObject({ code: 'ValidationError' })
    expect(await refused(get(...hundred.map((id) => of('a', [id])), of('a', ['1'])))).toMatchObject({
      code: 'ValidationError',
    })
  })

  it('for a wrong shape (R-190, R-197)', async () => {
    for (const wrong of [
      of('a', []),
      of('-', ['1']),
      of('a', ['1'], '-'),
      { ...of('a', ['1']), FeatureNames: [] },
    ]) {
      expect(await refused(get(wrong))).toMatchObject({ code: 'ValidationError', status: 400 })
    }
    expect(await refused(get())).toMatchObject({ code: 'ValidationError' })
  })

  it('but takes more with the extensions (OQ-12)', async () => {
    const extended = await openStore({ extensions: true })
    await extended.createFeatureGroup({ ...BASE, name: 'a' })
    const Identifiers = [of('a', hundred), of('a', ['1', '2'])]
    const output = await new DataPlane(extended).batchGetRecord({ Identifiers })
    expect(output).toEqual({ Records: [], Errors: [], UnprocessedIdentifiers: [] })
  })
})
