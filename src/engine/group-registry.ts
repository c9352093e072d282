/**
 * The feature groups of an open store, from their creation to the end of their deletion.
 * Owns: the catalog, the sessions, and which groups are being made, updated or deleted.
 * Does not own: what may be made (definition-rules, group-update), records.
 * Invariants: a change is durable in the catalog before a shard knows it, and every shard knows it before a row of it
 * is packed, so a crash between any two is repaired by opening, which sends the catalog's models to the shards; a
 * group's columns are never built while its schema is being changed; at most one update of a group at a time.
 */
import { invalid, MillraceError, quote } from '../core/errors.ts'
import type { FeatureGroupModel, FeatureModel, GroupSettings } from '../core/model.ts'
import { checkPlan, sparkNames } from './definition-rules.ts'
import { differenceOf, modelOf } from './group-model.ts'
import type { GroupPlan } from './group-plan.ts'
import { GroupSession } from './group-session.ts'
import { type GroupChange, updatedModel } from './group-update.ts'
import type { StoreParts } from './open-store.ts'
import type { ShardClient } from './shard-client.ts'

export class GroupRegistry {
  readonly #parts: StoreParts
  readonly #sessions = new Map<number, GroupSession>()
  /** By group number: resolves when every shard knows the new group. */
  readonly #creations = new Map<number, Promise<unknown>>()
  readonly #updates = new Map<number, Promise<unknown>>()
  readonly #deletions = new Map<number, Promise<unknown>>()

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** Also those being deleted, in the order they were made. */
  get all(): readonly FeatureGroupModel[] {
    this.#parts.core.checkOpen()
    return this.#parts.catalog.all
  }

  get sessions(): Iterable<GroupSession> {
    return this.#sessions.values()
  }

  isUpdating(group: FeatureGroupModel): boolean {
    return this.#updates.has(group.number)
  }

  /** False for a group whose deletion failed and waits to be taken up again. */
  isDeleting(group: FeatureGroupModel): boolean {
    return this.#deletions.has(group.number)
  }

  /** @returns also a group that is being deleted; undefined if there is none */
  peek(name: string): FeatureGroupModel | undefined {
    this.#parts.core.checkOpen()
    return this.#parts.catalog.find(name)
  }

  /** @throws FEATURE_GROUP_NOT_FOUND */
  find(name: string): FeatureGroupModel {
    const group = this.peek(name)
    if (group?.status === 'created') return group
    throw this.#notFound(name)
  }

  sessionOf(group: FeatureGroupModel): GroupSession {
    const { number } = group
    const existing = this.#sessions.get(number)
    if (existing !== undefined) return existing
    const { core, publisher } = this.#parts
    const session = new GroupSession(group, core, publisher, () => !this.#isLive(number))
    this.#sessions.set(number, session)
    return session
  }

  /** @throws INVALID_ARGUMENT; FEATURE_GROUP_EXISTS, also while one of that name is being deleted */
  async create(plan: GroupPlan): Promise<FeatureGroupModel> {
    const { core, catalog } = this.#parts
    core.checkOpen()
    checkPlan(plan, core.hasExtensions)
    const existing = catalog.find(plan.name)
    if (existing !== undefined) {
      const state = existing.status === 'deleting' ? ' and is being deleted' : ''
      throw new MillraceError(
        'FEATURE_GROUP_EXISTS',
        `a feature group named "${existing.name}" exists already${state}; choose another name`,
        { place: { featureGroup: existing.name } },
      )
    }
    const group = catalog.add((number) => modelOf(this.#parts, number, plan))
    warnOfNames(group.name, group.features)
    await keep(this.#creations, group.number, this.#sendModel(group))
    return group
  }

  /** The group of a plan, made if there is none. @throws INVALID_ARGUMENT if it exists with another definition */
  async ensure(plan: GroupPlan): Promise<FeatureGroupModel> {
    const { core, catalog } = this.#parts
    core.checkOpen()
    const existing = typeof plan.name === 'string' ? catalog.find(plan.name) : undefined
    if (existing === undefined || existing.status === 'deleting') return this.create(plan)
    checkPlan({ ...plan, tier: plan.tier ?? existing.tier }, core.hasExtensions)
    const difference = differenceOf(existing, plan)
    if (difference !== undefined) {
      throw invalid(`feature group "${existing.name}" exists with another definition: ${difference}`, {
        featureGroup: existing.name,
      })
    }
    await this.#creations.get(existing.number)
    return existing
  }

  /**
   * Changes a group. When it resolves the change is durable and in force for every record packed from then on. Waits
   * for the flush round under way.
   * @throws INVALID_ARGUMENT, also while another update of the group is in progress; FEATURE_GROUP_NOT_FOUND
   */
  async update(name: string, change: GroupChange): Promise<FeatureGroupModel> {
    const { name: spelling, number } = this.find(name)
    if (this.#updates.has(number)) {
      throw invalid(`feature group "${spelling}": another update is in progress; try again when it is done`, {
        featureGroup: spelling,
      })
    }
    const { core, publisher, catalog } = this.#parts
    const context = { hasExtensions: core.hasExtensions, nowMs: core.clock.nowMs() }
    // Checked before waiting for anything, so that a wrong update is refused at once.
    updatedModel(this.find(name), change, context)
    warnOfNames(spelling, change.addFeatures ?? [])
    // One file has the columns of one schema, and its parts come from all shards: no round may be under way.
    const updating = publisher.exclusive(async () => {
      core.checkOpen()
      const current = catalog.all.find((group) => group.number === number && group.status === 'created')
      if (current === undefined) throw this.#notFound(spelling)
      const group = updatedModel(current, change, context)
      catalog.replace(group)
      await this.#sendModel(group)
      this.#sessions.get(number)?.replaceModel(group)
      return group
    })
    return keep(this.#updates, number, updating)
  }

  /** Changes what has no effect on records; not an update. @throws what `change` throws */
  changeSettings(
    name: string,
    change: (group: FeatureGroupModel, nowMs: number) => GroupSettings,
  ): FeatureGroupModel {
    const group = this.find(name)
    const changed = { ...group, settings: change(group, this.#parts.core.clock.nowMs()) }
    this.#parts.catalog.replace(changed)
    return changed
  }

  /**
   * Deletes a group: gone for reads and writes at once; resolves when its rows are published and its online range is
   * empty. A deletion that failed, on a full disk, is taken up again by the next call or by opening the store.
   * @throws FEATURE_GROUP_NOT_FOUND
   */
  async delete(name: string): Promise<void> {
    const group = this.peek(name)
    if (group === undefined) throw this.#notFound(name)
    const underWay = this.#deletions.get(group.number)
    if (underWay !== undefined) return void (await underWay)
    if (group.status === 'created') this.#parts.catalog.replace({ ...group, status: 'deleting' })
    const session = this.#sessions.get(group.number)
    this.#sessions.delete(group.number)
    await keep(this.#deletions, group.number, this.#finishDeletion(group, session))
  }

  /** Deletions that were begun before a crash. */
  async finishDeletions(): Promise<void> {
    for (const group of this.all) if (group.status === 'deleting') await this.delete(group.name)
  }

  /** Resolves when nothing is being made, updated or deleted. */
  async settle(): Promise<void> {
    await Promise.allSettled(
      [this.#creations, this.#updates, this.#deletions].flatMap((each) => [...each.values()]),
    )
  }

  async #finishDeletion(group: FeatureGroupModel, session: GroupSession | undefined): Promise<void> {
    const { publisher, catalog } = this.#parts
    await session?.close()
    if (group.offline) await publisher.flush(group.number)
    await this.#askAll((shard) => shard.request({ type: 'dropGroup', featureGroup: group.number }))
    catalog.remove(group.number)
  }

  #isLive(number: number): boolean {
    return this.#parts.catalog.all.some((group) => group.number === number && group.status === 'created')
  }

  #notFound(name: string): MillraceError {
    const known = this.#parts.catalog.all.map((each) => each.name).slice(0, 12)
    const advice = known.length === 0 ? 'the store has none yet' : `the store has ${known.join(', ')}`
    return new MillraceError(
      'FEATURE_GROUP_NOT_FOUND',
      `there is no feature group ${quote(name)}; ${advice}`,
      {
        place: { featureGroup: name },
      },
    )
  }

  async #sendModel(group: FeatureGroupModel): Promise<void> {
    await this.#askAll((shard) => shard.request({ type: 'addGroup', group }))
  }

  #askAll<T>(ask: (shard: ShardClient) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#parts.core.shards.map(ask))
  }
}

function warnOfNames(group: string, features: readonly FeatureModel[]): void {
  const names = sparkNames(features)
  if (names.length === 0) return
  process.emitWarning(
    `feature group "${group}": the Spark writer of SageMaker reserves the names of ${names.join(', ')}`,
    'MillraceWarning',
  )
}

/** Keeps a promise in a map until it is settled. */
async function keep<T>(map: Map<number, Promise<unknown>>, number: number, promise: Promise<T>): Promise<T> {
  map.set(number, promise)
  try {
    return await promise
  } finally {
    map.delete(number)
  }
}
