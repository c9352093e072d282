/**
 * The control plane of the AWS API over a store: operations take and give exactly the members of the wire, and throw
 * ServiceErrors. Changes are durable and in force when an operation resolves, so a client that polls sees the end at
 * its first look.
 * Owns: nothing; the store's registry of groups is its state.
 */
import type { FeatureGroupModel } from '../core/model.ts'
import { groupArn } from '../engine/group-model.ts'
import { withFeatureChange, withoutTags, withTags } from '../engine/group-settings.ts'
import type { Millrace } from '../engine/millrace.ts'
import { nameOf } from './arn.ts'
import {
  CONTROL_PLANE_INPUTS,
  type ControlPlaneInput,
  type ControlPlaneOperation,
  type WirePair,
} from './control-plane-shapes.ts'
import { changeOfInput, pairsOf, planOfInput, wirePairsOf } from './group-input.ts'
import { type ListFeatureGroupsOutput, listGroups } from './group-list.ts'
import {
  type DescribeFeatureGroupOutput,
  type DescribeFeatureMetadataOutput,
  describeOutput,
  type FeatureGroupSummary,
  featureMetadata,
  type GroupState,
} from './group-output.ts'
import { invalidToken } from './paging.ts'
import { type Searchable, type SearchOutput, searchIn } from './search.ts'
import { ServiceError } from './service-error.ts'
import { checkInput } from './shapes.ts'

export type { DescribeFeatureGroupOutput, DescribeFeatureMetadataOutput, FeatureGroupSummary, SearchOutput }

export class ControlPlane {
  readonly #store: Millrace

  constructor(store: Millrace) {
    this.#store = store
  }

  /** @throws ServiceError ResourceInUse if the name is taken */
  createFeatureGroup(input: ControlPlaneInput<'CreateFeatureGroup'>): Promise<{ FeatureGroupArn: string }> {
    return this.#answer('CreateFeatureGroup', input, async (checked) => {
      const group = await this.#store.groups.create(planOfInput(checked))
      return this.#arnOf(group)
    })
  }

  /** also of a group that is being deleted. */
  describeFeatureGroup(
    input: ControlPlaneInput<'DescribeFeatureGroup'>,
  ): Promise<DescribeFeatureGroupOutput> {
    return this.#answer('DescribeFeatureGroup', input, async (checked) => {
      // Before the group, which must be of the same moment as what is known besides.
      const stateOf = await this.#states()
      const group = this.#find(checked.FeatureGroupName)
      // All definitions fit on the first page, so there is no token that could lead to another.
      if ((checked.NextToken ?? '') !== '') throw invalidToken()
      return describeOutput(this.#store.location, group, stateOf(group))
    })
  }

  /** */
  updateFeatureGroup(input: ControlPlaneInput<'UpdateFeatureGroup'>): Promise<{ FeatureGroupArn: string }> {
    return this.#answer('UpdateFeatureGroup', input, async (checked) => {
      const changeOf = changeOfInput(checked)
      const group = this.#findLive(checked.FeatureGroupName)
      return this.#arnOf(await this.#store.groups.update(group.name, changeOf(group)))
    })
  }

  /** Resolves when the group is gone. */
  deleteFeatureGroup(input: ControlPlaneInput<'DeleteFeatureGroup'>): Promise<Record<string, never>> {
    return this.#answer('DeleteFeatureGroup', input, async (checked) => {
      await this.#store.groups.delete(this.#find(checked.FeatureGroupName).name)
      return {}
    })
  }

  /** */
  listFeatureGroups(input: ControlPlaneInput<'ListFeatureGroups'> = {}): Promise<ListFeatureGroupsOutput> {
    return this.#answer('ListFeatureGroups', input, async (checked) => {
      const stateOf = await this.#states()
      return listGroups(this.#store.groups.all, this.#store.location, stateOf, checked)
    })
  }

  /** */
  updateFeatureMetadata(input: ControlPlaneInput<'UpdateFeatureMetadata'>): Promise<Record<string, never>> {
    return this.#answer('UpdateFeatureMetadata', input, (checked) => {
      const { Description, ParameterAdditions, ParameterRemovals } = checked
      const change = {
        ...(Description === undefined ? {} : { description: Description }),
        ...(ParameterAdditions === undefined ? {} : { addParameters: pairsOf(ParameterAdditions) }),
        ...(ParameterRemovals === undefined ? {} : { removeParameters: ParameterRemovals }),
      }
      this.#store.groups.changeSettings(this.#findLive(checked.FeatureGroupName).name, (group, nowMs) =>
        withFeatureChange(group, checked.FeatureName, change, nowMs),
      )
      return {}
    })
  }

  describeFeatureMetadata(
    input: ControlPlaneInput<'DescribeFeatureMetadata'>,
  ): Promise<DescribeFeatureMetadataOutput> {
    return this.#answer('DescribeFeatureMetadata', input, (checked) => {
      const group = this.#find(checked.FeatureGroupName)
      const feature = group.features.find(({ name }) => name === checked.FeatureName)
      if (feature === undefined) {
        const message = `Feature ${checked.FeatureName} of feature group ${group.name} was not found.`
        throw new ServiceError('control', 'ResourceNotFound', message)
      }
      return featureMetadata(this.#store.location, group, feature)
    })
  }

  /** */
  search(input: ControlPlaneInput<'Search'>): Promise<SearchOutput> {
    return this.#answer('Search', input, async (checked) => {
      const stateOf = await this.#states()
      const groups = this.#store.groups.all
      const things =
        checked.Resource === 'FeatureGroup'
          ? groups.map((group) => this.#searchableGroup(group, stateOf(group)))
          : groups.flatMap((group) => this.#searchableFeatures(group))
      return searchIn(things, checked)
    })
  }

  /** @returns all tags of the group */
  addTags(input: ControlPlaneInput<'AddTags'>): Promise<{ Tags: readonly WirePair[] }> {
    return this.#answer('AddTags', input, (checked) => {
      const { name } = this.#findLive(checked.ResourceArn)
      const group = this.#store.groups.changeSettings(name, ({ settings }) =>
        withTags(settings, pairsOf(checked.Tags)),
      )
      return { Tags: wirePairsOf(group.settings.tags) }
    })
  }

  /** There is one page: a page has at least 50 tags, and a group at most as many. */
  listTags(input: ControlPlaneInput<'ListTags'>): Promise<{ Tags: readonly WirePair[] }> {
    return this.#answer('ListTags', input, (checked) => {
      const group = this.#find(checked.ResourceArn)
      if ((checked.NextToken ?? '') !== '') throw invalidToken()
      return { Tags: wirePairsOf(group.settings.tags) }
    })
  }

  deleteTags(input: ControlPlaneInput<'DeleteTags'>): Promise<Record<string, never>> {
    return this.#answer('DeleteTags', input, (checked) => {
      const { name } = this.#findLive(checked.ResourceArn)
      this.#store.groups.changeSettings(name, ({ settings }) => withoutTags(settings, checked.TagKeys))
      return {}
    })
  }

  /** Checks an input, and makes every error one of this plane. */
  async #answer<O extends ControlPlaneOperation, T>(
    operation: O,
    input: ControlPlaneInput<O>,
    answer: (checked: ControlPlaneInput<O>) => T | Promise<T>,
  ): Promise<T> {
    try {
      const shape: (typeof CONTROL_PLANE_INPUTS)[O] = CONTROL_PLANE_INPUTS[operation]
      return await answer(checkInput('control', shape, input))
    } catch (thrown) {
      throw ServiceError.from('control', thrown)
    }
  }

  #arnOf(group: FeatureGroupModel): { FeatureGroupArn: string } {
    return { FeatureGroupArn: groupArn(this.#store.location, group.name) }
  }

  /** @returns also a group that is being deleted */
  #find(nameOrArn: string): FeatureGroupModel {
    const name = nameOf(nameOrArn, this.#store.location)
    const group = name === undefined ? undefined : this.#store.groups.peek(name)
    if (group !== undefined) return group
    throw new ServiceError('control', 'ResourceNotFound', `Feature group ${nameOrArn} was not found.`)
  }

  #findLive(nameOrArn: string): FeatureGroupModel {
    const group = this.#find(nameOrArn)
    if (group.status === 'created') return group
    const message = `Feature group ${group.name} was not found: it is being deleted.`
    throw new ServiceError('control', 'ResourceNotFound', message)
  }

  async #states(): Promise<(group: FeatureGroupModel) => GroupState> {
    const { groups } = this.#store
    const { featureGroups, offline } = await this.#store.stats()
    const bytes = new Map(featureGroups.map(({ name, online }) => [name, online.bytes]))
    return (group) => ({
      isUpdating: groups.isUpdating(group),
      isDeleting: groups.isDeleting(group),
      onlineBytes: bytes.get(group.name) ?? 0,
      offlineFailure: offline.failure,
    })
  }

  #searchableGroup(group: FeatureGroupModel, state: GroupState): Searchable {
    const described = describeOutput(this.#store.location, group, state)
    const { tags, features } = group.settings
    return {
      result: { FeatureGroup: { ...described, Tags: wirePairsOf(tags) } },
      name: group.name,
      allParameters: features.flatMap(({ parameters }) =>
        parameters.flatMap(({ key, value }) => [key, value]),
      ),
    }
  }

  #searchableFeatures(group: FeatureGroupModel): Searchable[] {
    return group.features.map((feature) => {
      const described = featureMetadata(this.#store.location, group, feature)
      return {
        result: { FeatureMetadata: described },
        name: `${group.name}/${feature.name}`,
        allParameters: described.Parameters.flatMap(({ Key, Value }) => [Key, Value]),
      }
    })
  }
}
