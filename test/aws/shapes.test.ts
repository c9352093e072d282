/** The checker of input shapes: what it refuses, with which code, and in which order. */
import { describe, expect, expectTypeOf, it } from 'vitest'
import { CONTROL_PLANE_INPUTS } from '../../src/aws/control-plane-shapes.ts'
import { DATA_PLANE_INPUTS, type DataPlaneInput } from '../../src/aws/data-plane-shapes.ts'
import { ServiceError } from '../../src/aws/service-error.ts'
import { checkInput } from '../../src/aws/shapes.ts'

const PUT = { FeatureGroupName: 'rides', Record: [{ FeatureName: 'id', ValueAsString: 'r-1' }] }

const put = (input: unknown): DataPlaneInput<'PutRecord'> =>
  checkInput('data', DATA_PLANE_INPUTS.PutRecord, input)

function refusal(check: () => unknown): ServiceError {
  try {
    check()
  } catch (thrown) {
    if (thrown instanceof ServiceError) return thrown
    throw thrown
  }
  throw new Error('the input was accepted')
}

describe('an input', () => {
  it('that is right comes back itself, unknown members and all (R-013)', () => {
    const input = { ...PUT, TtlDuration: { Unit: 'Days', Value: 3, More: [] }, Unheard: { of: 1 } }
    expect(put(input)).toBe(input)
    expectTypeOf(put(input).TtlDuration?.Unit).toEqualTypeOf<
      'Seconds' | 'Minutes' | 'Hours' | 'Days' | 'Weeks' | undefined
    >()
  })

  it('may have null where it may have nothing (R-013)', () => {
    const input = {
      ...PUT,
      Record: [...PUT.Record, { FeatureName: 'b', ValueAsString: null, ValueAsStringList: ['x'] }],
      TargetStores: null,
    }
    const checked = put(input)
    expect('TargetStores' in checked).toBe(false)
    expect(checked.Record).toEqual([...PUT.Record, { FeatureName: 'b', ValueAsStringList: ['x'] }])
    expect(input.Record[1]).toHaveProperty('ValueAsString', null)
  })

  it.each([
    [{ ...PUT, FeatureGroupName: 5 }, 'FeatureGroupName: expected a string, found 5.'],
    [{ ...PUT, Record: {} }, 'Record: expected a list, found an object.'],
    [{ ...PUT, Record: ['x'] }, 'Record[0]: expected an object, found the string "x".'],
    [
      { ...PUT, TtlDuration: { Unit: 'Days', Value: '3' } },
      'TtlDuration.Value: expected a whole number, found the string "3".',
    ],
    [
      { ...PUT, TtlDuration: { Unit: 'Days', Value: 1.5 } },
      'TtlDuration.Value: expected a whole number, found 1.5.',
    ],
    [[], 'The input: expected an object, found a list.'],
  ])('with a wrong JSON type is a SerializationException (R-014), %#', (input, message) => {
    expect(refusal(() => put(input))).toMatchObject({
      code: 'SerializationException',
      statusCode: 400,
      message,
    })
  })

  it.each([
    [{ Record: PUT.Record }, 'FeatureGroupName: expected a value, found none.'],
    [{ ...PUT, FeatureGroupName: null }, 'FeatureGroupName: expected a value, found none.'],
    [{ ...PUT, Record: [] }, 'Record: expected at least 1 elements, found 0.'],
    [{ ...PUT, Record: [{ ValueAsString: 'x' }] }, 'Record[0].FeatureName: expected a value, found none.'],
    [{ ...PUT, TargetStores: [] }, 'TargetStores: expected 1 to 2 elements, found 0.'],
    [
      { ...PUT, TargetStores: ['Online'] },
      'TargetStores[0]: expected one of OnlineStore, OfflineStore, found "Online".',
    ],
    [{ ...PUT, TtlDuration: { Unit: 'Days', Value: 0 } }, 'TtlDuration.Value: expected at least 1, found 0.'],
    [{ ...PUT, TtlDuration: {} }, 'TtlDuration.Unit: expected a value, found none.'],
    [
      { ...PUT, Record: [{ FeatureName: 'a', ValueAsStringList: ['x', null] }] },
      'Record[0].ValueAsStringList[1]: expected a value, found null.',
    ],
  ])('that breaks a constraint names member, constraint and value (R-030), %#', (input, message) => {
    expect(refusal(() => put(input))).toMatchObject({ code: 'ValidationError', statusCode: 400, message })
  })

  it('reports a wrong type anywhere before a broken constraint, and of those the first (R-031)', () => {
    const both = { Record: [], TargetStores: ['x'] }
    expect(refusal(() => put({ ...both, TtlDuration: 3 })).code).toBe('SerializationException')
    expect(refusal(() => put(both)).message).toContain('FeatureGroupName')
    expect(refusal(() => put({ ...both, FeatureGroupName: 'a' })).message).toContain('Record')
  })

  it.each(['a', 'a-b', 'a__b', '0', 'x'.repeat(64)])('may name a feature group %s (R-041)', (name) => {
    expect(put({ ...PUT, FeatureGroupName: name }).FeatureGroupName).toBe(name)
  })

  it.each(['-a', 'a-', 'a_', 'a b', 'a.b', '', 'x'.repeat(65), 'a\n'])(
    'may not name one %j (R-041)',
    (name) => {
      expect(refusal(() => put({ ...PUT, FeatureGroupName: name })).code).toBe('ValidationError')
    },
  )

  it.each(['a_', 'a-', '_a', 'a\n'])(
    'may not name a feature %j: patterns hold for the whole text (R-042)',
    (name) => {
      expect(
        refusal(() => put({ ...PUT, Record: [{ FeatureName: name, ValueAsString: '' }] })).message,
      ).toContain('Record[0].FeatureName: expected a text that matches')
    },
  )

  it('may address a feature group by ARN, but one to be deleted only by name (R-040)', () => {
    const arn = 'arn:aws:sagemaker:us-west-2:123456789012:feature-group/rides'
    expect(put({ ...PUT, FeatureGroupName: arn }).FeatureGroupName).toBe(arn)
    const describe = checkInput('control', CONTROL_PLANE_INPUTS.DescribeFeatureGroup, {
      FeatureGroupName: arn,
    })
    expect(describe.FeatureGroupName).toBe(arn)
    expect(
      refusal(() =>
        checkInput('control', CONTROL_PLANE_INPUTS.DeleteFeatureGroup, { FeatureGroupName: arn }),
      ),
    ).toMatchObject({ code: 'ValidationException', statusCode: 400 })
  })

  it('may have values with line breaks (OQ-28), counted in characters', () => {
    const value = '😀\n'.repeat(1000)
    expect(put({ ...PUT, Record: [{ FeatureName: 'a', ValueAsString: value }] })).toBeDefined()
  })

  it('must have exactly one member of a union', () => {
    const create = (config: unknown): unknown =>
      checkInput('control', CONTROL_PLANE_INPUTS.CreateFeatureGroup, {
        FeatureGroupName: 'g',
        RecordIdentifierFeatureName: 'id',
        EventTimeFeatureName: 'at',
        FeatureDefinitions: [{ FeatureName: 'v', FeatureType: 'Fractional', CollectionConfig: config }],
      })
    expect(create({ VectorConfig: { Dimension: 8192 } })).toBeDefined()
    expect(refusal(() => create({})).message).toBe(
      'FeatureDefinitions[0].CollectionConfig: expected exactly one of VectorConfig, found 0.',
    )
    expect(refusal(() => create({ VectorConfig: { Dimension: 8193 } })).message).toContain('1 to 8192')
  })

  it('of 26 entries or 101 identifiers is refused, 25 and 100 are not (R-270, R-190)', () => {
    const entries = (count: number): unknown =>
      checkInput('data', DATA_PLANE_INPUTS.BatchWriteRecord, {
        Entries: Array.from({ length: count }, () => PUT),
      })
    expect(entries(25)).toBeDefined()
    expect(refusal(() => entries(26)).message).toBe('Entries: expected 1 to 25 elements, found 26.')
    const ids = (count: number): unknown =>
      checkInput('data', DATA_PLANE_INPUTS.BatchGetRecord, {
        Identifiers: [{ FeatureGroupName: 'g', RecordIdentifiersValueAsString: new Array(count).fill('x') }],
      })
    expect(ids(100)).toBeDefined()
    expect(refusal(() => ids(101)).message).toBe(
      'Identifiers[0].RecordIdentifiersValueAsString: expected 1 to 100 elements, found 101.',
    )
  })

  it('of a search may nest expressions', () => {
    const expression = { SubExpressions: [{ Filters: [{ Name: 'a', Operator: 'Exists' }] }], Operator: 'Or' }
    const search = (of: unknown): unknown =>
      checkInput('control', CONTROL_PLANE_INPUTS.Search, { Resource: 'FeatureGroup', SearchExpression: of })
    expect(search(expression)).toBeDefined()
    expect(
      refusal(() => search({ SubExpressions: [{ SubExpressions: [{ Filters: [] }] }] })).message,
    ).toContain('SearchExpression.SubExpressions[0].SubExpressions[0].Filters: expected 1 to 20 elements')
  })
})
