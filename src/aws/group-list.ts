/** ListFeatureGroups: filters, order and pages. */
import type { FeatureGroupModel } from '../core/model.ts'
import type { StoreLocation } from '../engine/options.ts'
import type { ControlPlaneInput } from './control-plane-shapes.ts'
import { type FeatureGroupSummary, type GroupState, summaryOutput } from './group-output.ts'
import { pageOf, type SortKey } from './paging.ts'

type ListInput = ControlPlaneInput<'ListFeatureGroups'>

export interface ListFeatureGroupsOutput {
  readonly FeatureGroupSummaries: readonly FeatureGroupSummary[]
  readonly NextToken?: string
}

const PAGE_SIZE = 10

/** A token is only good with the same of these. */
const FILTERS = [
  'NameContains',
  'FeatureGroupStatusEquals',
  'OfflineStoreStatusEquals',
  'CreationTimeAfter',
  'CreationTimeBefore',
] as const

const SORT_KEYS: Record<NonNullable<ListInput['SortBy']>, (summary: FeatureGroupSummary) => SortKey> = {
  Name: (summary) => summary.FeatureGroupName.toLowerCase(),
  FeatureGroupStatus: (summary) => summary.FeatureGroupStatus,
  OfflineStoreStatus: offlineStatusOf,
  CreationTime: (summary) => summary.CreationTime,
}

export function listGroups(
  groups: readonly FeatureGroupModel[],
  location: StoreLocation,
  stateOf: (group: FeatureGroupModel) => GroupState,
  input: ListInput,
): ListFeatureGroupsOutput {
  const { SortBy = 'CreationTime', SortOrder = 'Descending', MaxResults, NextToken } = input
  const summaries = groups
    .map((group) => summaryOutput(location, group, stateOf(group)))
    .filter((summary) => isWanted(summary, input))
  const page = pageOf(
    summaries,
    (summary) => ({ key: SORT_KEYS[SortBy](summary), name: summary.FeatureGroupName }),
    {
      order: SortOrder,
      size: MaxResults ?? PAGE_SIZE,
      token: NextToken,
      query: [SortBy, SortOrder, ...FILTERS.map((name) => input[name])],
    },
  )
  return {
    FeatureGroupSummaries: page.items,
    ...(page.nextToken === undefined ? {} : { NextToken: page.nextToken }),
  }
}

function isWanted(summary: FeatureGroupSummary, input: ListInput): boolean {
  const { NameContains, FeatureGroupStatusEquals, OfflineStoreStatusEquals } = input
  const { CreationTimeAfter, CreationTimeBefore } = input
  if (
    NameContains !== undefined &&
    !summary.FeatureGroupName.toLowerCase().includes(NameContains.toLowerCase())
  )
    return false
  if (FeatureGroupStatusEquals !== undefined && summary.FeatureGroupStatus !== FeatureGroupStatusEquals)
    return false
  if (OfflineStoreStatusEquals !== undefined && offlineStatusOf(summary) !== OfflineStoreStatusEquals)
    return false
  if (CreationTimeAfter !== undefined && summary.CreationTime <= CreationTimeAfter) return false
  return CreationTimeBefore === undefined || summary.CreationTime < CreationTimeBefore
}

/** A group without an offline store tells no status, and counts as one whose store is off. */
function offlineStatusOf({ OfflineStoreStatus: status }: FeatureGroupSummary): string {
  return status?.Status ?? 'Disabled'
}
