/** ListFeatureGroups and Search: filters, order, pages. */
import { beforeAll, describe, expect, it } from 'vitest'
import type { ControlPlaneInput } from '../../src/aws/control-plane-shapes.ts'
import { ARN, RIDES, sharedPlane } from './control-plane-fixture.ts'

type ListInput = ControlPlaneInput<'ListFeatureGroups'>
type SearchInput = Omit<ControlPlaneInput<'Search'>, 'Resource'>
type Filter = NonNullable<NonNullable<SearchInput['SearchExpression']>['Filters']>[number]

const OFFLINE = { OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://lake' } } } as const
/** In the order they are made. */
const NAMES = ['alpha-rides', 'Beta-rides', 'gamma', 'delta-RIDES', 'epsilon'] as const

async function fill(test: ReturnType<typeof sharedPlane>): Promise<void> {
  for (const [i, name] of NAMES.entries()) {
    // Creation times differ by a millisecond at least.
    await new Promise((resolve) => setTimeout(resolve, 3))
    await test.make(name, {
      ...(i % 2 === 0 ? OFFLINE : {}),
      Tags: [
        { Key: 'team', Value: i < 2 ? 'ml' : 'data' },
        { Key: `only.${i}`, Value: String(i * 10) },
      ],
      ...(i === 0 ? { Description: 'The first one' } : {}),
    })
  }
}

describe('ListFeatureGroups', () => {
  const test = sharedPlane()
  beforeAll(() => fill(test))
  const names = async (input: ListInput = {}): Promise<string[]> =>
    (await test.plane.listFeatureGroups(input)).FeatureGroupSummaries.map((each) => each.FeatureGroupName)

  it('gives summaries (R-552)', async () => {
    const { FeatureGroupSummaries: summaries } = await test.plane.listFeatureGroups({ NameContains: 'alpha' })
    expect(summaries).toEqual([
      {
        FeatureGroupName: 'alpha-rides',
        FeatureGroupArn: `${ARN}alpha-rides`,
        CreationTime: expect.any(Number),
        FeatureGroupStatus: 'Created',
        OfflineStoreStatus: { Status: 'Active' },
      },
    ])
    const [online] = (await test.plane.listFeatureGroups({ NameContains: 'beta' })).FeatureGroupSummaries
    expect(online).not.toHaveProperty('OfflineStoreStatus')
  })

  it('begins with the newest (R-551, OQ-31)', async () => {
    expect(await names()).toEqual([...NAMES].reverse())
  })

  it('gives 10 by default (R-551, OQ-31)', async () => {
    const more = Array.from({ length: 6 }, (_, i) => `more-${i}`)
    for (const name of more) await test.make(name)
    const page = await test.plane.listFeatureGroups()
    expect(page.FeatureGroupSummaries.length).toBe(10)
    expect(page.NextToken).toBeDefined()
    for (const name of more) await test.plane.deleteFeatureGroup({ FeatureGroupName: name })
    expect(await test.plane.listFeatureGroups()).not.toHaveProperty('NextToken')
  })

  it('filters by name without case, by both statuses, and by all at once (R-550)', async () => {
    expect((await names({ NameContains: 'rides' })).sort()).toEqual([
      'Beta-rides',
      'alpha-rides',
      'delta-RIDES',
    ])
    expect((await names({ OfflineStoreStatusEquals: 'Active' })).sort()).toEqual([
      'alpha-rides',
      'epsilon',
      'gamma',
    ])
    expect((await names({ OfflineStoreStatusEquals: 'Disabled' })).sort()).toEqual([
      'Beta-rides',
      'delta-RIDES',
    ])
    expect(await names({ FeatureGroupStatusEquals: 'Deleting' })).toEqual([])
    expect(
      await names({
        NameContains: 'RIDES',
        OfflineStoreStatusEquals: 'Active',
        FeatureGroupStatusEquals: 'Created',
      }),
    ).toEqual(['alpha-rides'])
  })

  it('filters by creation time, exclusively (R-550)', async () => {
    const { CreationTime } = await test.plane.describeFeatureGroup({ FeatureGroupName: 'gamma' })
    const Ascending = { SortOrder: 'Ascending' } as const
    expect(await names({ ...Ascending, CreationTimeAfter: CreationTime })).toEqual(['delta-RIDES', 'epsilon'])
    expect(await names({ ...Ascending, CreationTimeBefore: CreationTime })).toEqual([
      'alpha-rides',
      'Beta-rides',
    ])
    expect(
      await names({ CreationTimeAfter: CreationTime - 0.001, CreationTimeBefore: CreationTime + 0.001 }),
    ).toEqual(['gamma'])
  })

  it.each<readonly [NonNullable<ListInput['SortBy']>, readonly string[]]>([
    ['Name', ['alpha-rides', 'Beta-rides', 'delta-RIDES', 'epsilon', 'gamma']],
    ['OfflineStoreStatus', ['alpha-rides', 'epsilon', 'gamma', 'Beta-rides', 'delta-RIDES']],
    ['FeatureGroupStatus', ['Beta-rides', 'alpha-rides', 'delta-RIDES', 'epsilon', 'gamma']],
    ['CreationTime', NAMES],
  ])('sorts by %s, ties by name (R-551)', async (SortBy, expected) => {
    expect(await names({ SortBy, SortOrder: 'Ascending' })).toEqual(expected)
  })

  it('orders ties by name upwards, in both orders (R-551)', async () => {
    for (const SortOrder of ['Ascending', 'Descending'] as const) {
      expect(await names({ SortBy: 'FeatureGroupStatus', SortOrder })).toEqual([...NAMES].sort())
    }
  })

  it.each(['Name', 'FeatureGroupStatus', 'OfflineStoreStatus', 'CreationTime'] as const)(
    'pages by %s in both orders: no group twice, none missed',
    async (SortBy) => {
      for (const SortOrder of ['Ascending', 'Descending'] as const) {
        for (const MaxResults of [1, 2, 5]) {
          const found: string[] = []
          let token: string | undefined
          do {
            const input = {
              SortBy,
              SortOrder,
              MaxResults,
              ...(token === undefined ? {} : { NextToken: token }),
            }
            const page = await test.plane.listFeatureGroups(input)
            found.push(...page.FeatureGroupSummaries.map((each) => each.FeatureGroupName))
            token = page.NextToken
          } while (token !== undefined)
          expect(found).toEqual(await names({ SortBy, SortOrder }))
        }
      }
    },
  )

  it('goes on where it was when the last one seen is gone', async () => {
    await test.make('aaa')
    const input = { SortBy: 'Name', SortOrder: 'Ascending', MaxResults: 1 } as const
    const { NextToken } = await test.plane.listFeatureGroups(input)
    await test.plane.deleteFeatureGroup({ FeatureGroupName: 'aaa' })
    expect(await names({ ...input, NextToken: NextToken! })).toEqual(['alpha-rides'])
  })

  it('refuses tokens of other queries, and altered ones', async () => {
    const input = { SortBy: 'Name', MaxResults: 1 } as const
    const { NextToken } = await test.plane.listFeatureGroups(input)
    for (const wrong of [
      { ...input, NextToken: `${NextToken}x` },
      { ...input, NextToken: 'x' },
      { ...input, SortOrder: 'Ascending' as const, NextToken: NextToken! },
      { ...input, NameContains: 'a', NextToken: NextToken! },
    ]) {
      await expect(test.plane.listFeatureGroups(wrong)).rejects.toMatchObject({
        code: 'ValidationException',
        message: expect.stringContaining('NextToken'),
      })
    }
  })

  it.each([{ MaxResults: 0 }, { MaxResults: 101 }, { NameContains: '' }, { SortBy: 'Size' }])(
    'refuses %j (R-030)',
    async (input) => {
      await expect(test.plane.listFeatureGroups(input as ListInput)).rejects.toMatchObject({
        code: 'ValidationException',
      })
    },
  )
})

describe('Search', () => {
  const test = sharedPlane()
  beforeAll(async () => {
    await fill(test)
    await test.plane.updateFeatureGroup({
      FeatureGroupName: 'gamma',
      FeatureAdditions: [{ FeatureName: 'tip', FeatureType: 'Fractional' }],
    })
    await test.plane.updateFeatureMetadata({
      FeatureGroupName: 'epsilon',
      FeatureName: 'stops',
      Description: 'How many',
      ParameterAdditions: [{ Key: 'pii', Value: 'no' }],
    })
  })
  const groups = async (input: SearchInput = {}): Promise<string[]> =>
    (await test.plane.search({ Resource: 'FeatureGroup', ...input })).Results.map((result) =>
      'FeatureGroup' in result ? result.FeatureGroup.FeatureGroupName : 'not a group',
    )
  const having = async (...Filters: Filter[]): Promise<string[]> =>
    (await groups({ SearchExpression: { Filters } })).sort()

  it('finds groups as they are described, with their tags (R-562, R-566)', async () => {
    const found = await test.plane.search({
      Resource: 'FeatureGroup',
      SearchExpression: { Filters: [{ Name: 'FeatureGroupName', Operator: 'Contains', Value: 'ALPHA' }] },
    })
    const described = await test.plane.describeFeatureGroup({ FeatureGroupName: 'alpha-rides' })
    const { Tags } = await test.plane.listTags({ ResourceArn: `${ARN}alpha-rides` })
    expect(found).toEqual({
      Results: [{ FeatureGroup: { ...described, Tags } }],
      TotalHits: { Value: 1, Relation: 'EqualTo' },
    })
  })

  it('begins with what was changed last (R-563)', async () => {
    expect(await groups()).toEqual(['gamma', 'epsilon', 'delta-RIDES', 'Beta-rides', 'alpha-rides'])
    expect(await groups({ SortBy: 'Tags.team', SortOrder: 'Ascending' })).toEqual([
      'delta-RIDES',
      'epsilon',
      'gamma',
      'Beta-rides',
      'alpha-rides',
    ])
  })

  it.each<readonly [Filter, readonly string[]]>([
    [{ Name: 'FeatureGroupName', Value: 'gamma' }, ['gamma']],
    [{ Name: 'FeatureGroupName', Operator: 'Equals', Value: 'GAMMA' }, []],
    [{ Name: 'Tags.team', Operator: 'NotEquals', Value: 'data' }, ['Beta-rides', 'alpha-rides']],
    [{ Name: 'FeatureGroupName', Operator: 'In', Value: 'gamma, epsilon,none' }, ['epsilon', 'gamma']],
    [{ Name: 'FeatureGroupName', Operator: 'GreaterThan', Value: 'delta-RIDES' }, ['epsilon', 'gamma']],
    [{ Name: 'Description', Operator: 'Exists' }, ['alpha-rides']],
    [{ Name: 'Description', Operator: 'Contains', Value: 'tHE fIRST' }, ['alpha-rides']],
    [{ Name: 'OfflineStoreStatus.Status', Operator: 'NotExists' }, ['Beta-rides', 'delta-RIDES']],
    [{ Name: 'OfflineStoreStatus.Status', Value: 'Active' }, ['alpha-rides', 'epsilon', 'gamma']],
    [{ Name: 'LastUpdateStatus.Status', Value: 'Successful' }, ['gamma']],
    [{ Name: 'Tags.only.3', Operator: 'LessThanOrEqualTo', Value: '30' }, ['delta-RIDES']],
    [{ Name: 'FeatureDefinitions.FeatureName', Value: 'tip' }, ['gamma']],
    [{ Name: 'OnlineStoreConfig.EnableOnlineStore', Value: 'true' }, [...NAMES].sort()],
    [{ Name: 'OnlineStoreTotalSizeBytes', Operator: 'GreaterThanOrEqualTo', Value: '1' }, []],
    [{ Name: 'OnlineStoreTotalSizeBytes', Operator: 'LessThan', Value: '1' }, [...NAMES].sort()],
    [{ Name: 'AllParameters', Operator: 'Contains', Value: 'pi' }, ['epsilon']],
  ])('filters by nested names with every operator (R-564, R-565), %#', async (filter, expected) => {
    expect(await having(filter)).toEqual(expected)
  })

  it('filters by time, given as text (R-564)', async () => {
    const { CreationTime } = await test.plane.describeFeatureGroup({ FeatureGroupName: 'gamma' })
    const Value = new Date(Math.round(CreationTime * 1000)).toISOString().slice(0, -1)
    const by = (Operator: NonNullable<Filter['Operator']>): Promise<string[]> =>
      having({ Name: 'CreationTime', Operator, Value })
    expect(await by('GreaterThan')).toEqual(['delta-RIDES', 'epsilon'])
    expect(await by('LessThan')).toEqual(['Beta-rides', 'alpha-rides'])
    expect(await by('Equals')).toEqual(['gamma'])
    expect(
      await having({ Name: 'CreationTime', Operator: 'GreaterThan', Value: '2020-01-01T00:00:00' }),
    ).toHaveLength(5)
  })

  it('combines filters, nested filters and expressions by And or Or (R-563)', async () => {
    const alpha: Filter = { Name: 'FeatureGroupName', Value: 'alpha-rides' }
    const gamma: Filter = { Name: 'FeatureGroupName', Value: 'gamma' }
    expect(await having(alpha, gamma)).toEqual([])
    const or = { Filters: [alpha, gamma], Operator: 'Or' } as const
    expect((await groups({ SearchExpression: or })).sort()).toEqual(['alpha-rides', 'gamma'])
    const ml = { Filters: [{ Name: 'Tags.team', Value: 'ml' }] }
    expect(await groups({ SearchExpression: { SubExpressions: [or, ml] } })).toEqual(['alpha-rides'])
    const nested = (type: string) => ({
      NestedFilters: [
        {
          NestedPropertyName: 'FeatureDefinitions',
          Filters: [
            { Name: 'FeatureDefinitions.FeatureName', Value: 'tip' },
            { Name: 'FeatureDefinitions.FeatureType', Value: type },
          ],
        },
      ],
    })
    expect(await groups({ SearchExpression: nested('Fractional') })).toEqual(['gamma'])
    expect(await groups({ SearchExpression: nested('String') })).toEqual([])
  })

  it('finds features with what is told about them (R-562, R-565)', async () => {
    const found = await test.plane.search({
      Resource: 'FeatureMetadata',
      SearchExpression: { Filters: [{ Name: 'Parameters.pii', Value: 'no' }] },
    })
    const described = await test.plane.describeFeatureMetadata({
      FeatureGroupName: 'epsilon',
      FeatureName: 'stops',
    })
    expect(found.Results).toEqual([{ FeatureMetadata: described }])
    const all = await test.plane.search({ Resource: 'FeatureMetadata', MaxResults: 100 })
    expect(all.TotalHits).toEqual({
      Value: RIDES.FeatureDefinitions.length * NAMES.length + 1,
      Relation: 'EqualTo',
    })
  })

  it('pages, and counts all hits on every page (R-566)', async () => {
    const found: string[] = []
    let token: string | undefined
    do {
      const input = {
        MaxResults: 2,
        SortBy: 'OfflineStoreStatus.Status',
        ...(token === undefined ? {} : { NextToken: token }),
      }
      const page = await test.plane.search({ Resource: 'FeatureGroup', ...input })
      expect(page.TotalHits.Value).toBe(5)
      found.push(
        ...page.Results.map((result) =>
          'FeatureGroup' in result ? result.FeatureGroup.FeatureGroupName : '',
        ),
      )
      token = page.NextToken
    } while (token !== undefined)
    expect(found).toEqual(await groups({ SortBy: 'OfflineStoreStatus.Status' }))
    expect(found).toHaveLength(5)
  })

  it('takes 50 conditions in all, and 20 filters per list (R-563)', async () => {
    const filters = (count: number): Filter[] =>
      Array.from({ length: count }, () => ({ Name: 'FeatureGroupName', Operator: 'Exists' }))
    const expression = (last: number) => ({
      SubExpressions: [{ Filters: filters(20) }, { Filters: filters(20) }, { Filters: filters(last) }],
    })
    expect(await groups({ SearchExpression: expression(10) })).toHaveLength(5)
    await expect(groups({ SearchExpression: expression(11) })).rejects.toThrow(
      'at most 50 conditions in all, found 51',
    )
    await expect(groups({ SearchExpression: { Filters: filters(21) } })).rejects.toThrow('1 to 20 elements')
  })

  it.each<readonly [Filter, RegExp]>([
    [{ Name: 'Size', Value: '1' }, /Filters: expected FeatureGroupArn, .*found "Size"/],
    [{ Name: 'Description', Operator: 'Exists', Value: 'x' }, /Exists takes no Value/],
    [{ Name: 'Description', Operator: 'Contains' }, /Contains needs a Value/],
    [
      { Name: 'CreationTime', Operator: 'GreaterThan', Value: 'yesterday' },
      /expected a time as YYYY-mm-ddTHH:MM:SS/,
    ],
    [
      { Name: 'CreationTime', Operator: 'Contains', Value: '2026-01-01T00:00:00' },
      /Contains is for texts only/,
    ],
    [{ Name: 'OnlineStoreTotalSizeBytes', Value: 'big' }, /expected a number, found "big"/],
  ])('refuses a filter that makes no sense (R-564), %#', async (filter, message) => {
    await expect(having(filter)).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message),
    })
  })

  it('searches nothing but feature groups and features (R-562)', async () => {
    await expect(
      test.plane.search({ Resource: 'TrainingJob' } as unknown as ControlPlaneInput<'Search'>),
    ).rejects.toMatchObject({ code: 'ValidationException' })
    await expect(groups({ SortBy: 'Size' })).rejects.toMatchObject({ code: 'ValidationException' })
  })
})
