/** Search over feature groups and features. */
import type { ControlPlaneInput, WirePair } from './control-plane-shapes.ts'
import type { DescribeFeatureGroupOutput, DescribeFeatureMetadataOutput } from './group-output.ts'
import { pageOf } from './paging.ts'
import {
  checkName,
  compileExpression,
  type SearchableMembers,
  type SearchDocument,
  sortKeyOf,
} from './search-expression.ts'

export type FeatureGroupRecord = DescribeFeatureGroupOutput & { readonly Tags: readonly WirePair[] }

export interface SearchOutput {
  readonly Results: readonly (
    | { readonly FeatureGroup: FeatureGroupRecord }
    | { readonly FeatureMetadata: DescribeFeatureMetadataOutput }
  )[]
  readonly NextToken?: string
  readonly TotalHits: { readonly Value: number; readonly Relation: 'EqualTo' }
}

/** One thing to be found. */
export interface Searchable {
  readonly result: SearchOutput['Results'][number]
  /** Unique among the things searched. */
  readonly name: string
  /** Keys and values of parameters, of the feature or of all features of the group. */
  readonly allParameters: readonly string[]
}

const COMMON_MEMBERS = [
  'FeatureGroupArn',
  'FeatureGroupName',
  'CreationTime',
  'LastModifiedTime',
  'Description',
]
const MEMBERS: Record<'FeatureGroup' | 'FeatureMetadata', SearchableMembers> = {
  FeatureGroup: [
    ...COMMON_MEMBERS,
    'RecordIdentifierFeatureName',
    'EventTimeFeatureName',
    'FeatureDefinitions',
    'OnlineStoreConfig',
    'OfflineStoreConfig',
    'ThroughputConfig',
    'RoleArn',
    'FeatureGroupStatus',
    'OfflineStoreStatus',
    'LastUpdateStatus',
    'FailureReason',
    'OnlineStoreTotalSizeBytes',
    'Tags',
    'AllParameters',
  ],
  FeatureMetadata: [...COMMON_MEMBERS, 'FeatureName', 'FeatureType', 'Parameters', 'AllParameters'],
}

const PAGE_SIZE = 10

/** @throws ServiceError ValidationException */
export function searchIn(things: readonly Searchable[], input: ControlPlaneInput<'Search'>): SearchOutput {
  const { Resource, SearchExpression, SortBy = 'LastModifiedTime', SortOrder = 'Descending' } = input
  const members = MEMBERS[Resource]
  checkName(SortBy, 'SortBy', members)
  const isWanted = compileExpression(SearchExpression, members)
  const hits = things
    .map((thing) => ({ thing, document: documentOf(thing) }))
    .filter(({ document }) => isWanted(document))
  const page = pageOf(
    hits,
    ({ thing, document }) => ({ key: sortKeyOf(document, SortBy), name: thing.name }),
    {
      order: SortOrder,
      size: input.MaxResults ?? PAGE_SIZE,
      token: input.NextToken,
      query: [Resource, SearchExpression, SortBy, SortOrder],
    },
  )
  return {
    Results: page.items.map(({ thing }) => thing.result),
    ...(page.nextToken === undefined ? {} : { NextToken: page.nextToken }),
    TotalHits: { Value: hits.length, Relation: 'EqualTo' },
  }
}

function documentOf({ result, allParameters }: Searchable): SearchDocument {
  const found = 'FeatureGroup' in result ? result.FeatureGroup : result.FeatureMetadata
  return { ...found, AllParameters: allParameters }
}
