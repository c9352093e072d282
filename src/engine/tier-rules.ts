/** What the kinds of online store allow (b.12 of the specification), and what the `extensions` switch adds to that. */
import type { OnlineTier, Throughput } from '../core/definition.ts'
import { invalid, quote } from '../core/errors.ts'
import type { FeatureGroupModel, FeatureModel } from '../core/model.ts'

const TIERS = ['Standard', 'Standard_V2', 'InMemory']
const UNITS_MAX = 10_000_000
const SWITCH = 'the option `extensions: true` of the store allows it'

/** Whether records of a group may be updated in part (R-351). */
export const allowsUpdates = (group: FeatureGroupModel, hasExtensions: boolean): boolean =>
  group.online && (hasExtensions || group.tier !== 'Standard')

interface StoresOfGroup {
  readonly online: boolean
  readonly tier: OnlineTier
  readonly offline: boolean
}

/** R-422, R-423, R-517. @throws INVALID_ARGUMENT */
export function checkTier(
  group: StoresOfGroup & {
    readonly features: readonly FeatureModel[]
    readonly onlineKmsKeyId?: string | undefined
  },
  hasExtensions: boolean,
): void {
  const { online, tier, offline, features } = group
  if (!TIERS.includes(tier)) {
    throw invalid(`tier: expected one of ${TIERS.join(', ')}, found ${quote(String(tier))}`)
  }
  const isInMemory = online && tier === 'InMemory'
  if (isInMemory && group.onlineKmsKeyId !== undefined) {
    throw invalid('an online store of tier InMemory takes no key of the customer')
  }
  if (hasExtensions) return
  if (isInMemory && offline) {
    throw invalid(`an online store of tier InMemory goes without an offline store; ${SWITCH}`)
  }
  const collection = features.find((feature) => feature.collection !== undefined)
  if (collection === undefined || isInMemory) return
  throw invalid(
    `feature "${collection.name}": a ${collection.collection} needs an online store of tier InMemory, ` +
      `found ${online ? `tier ${tier}` : 'no online store'}; ${SWITCH}`,
    { feature: collection.name },
  )
}

/** The one change of tier that there is (R-424). @throws INVALID_ARGUMENT */
export function checkTierChange(from: OnlineTier, to: OnlineTier): void {
  if (from === to || (from === 'Standard' && to === 'Standard_V2')) return
  throw invalid(
    `tier: only Standard can be changed, and only to Standard_V2, found ${from} to ${quote(String(to))}`,
  )
}

/** R-425, R-516. @throws INVALID_ARGUMENT */
export function checkThroughput(
  throughput: Throughput,
  { online, tier }: Omit<StoresOfGroup, 'offline'>,
): void {
  const { mode, readUnits, writeUnits } = throughput
  if (mode !== 'OnDemand' && mode !== 'Provisioned') {
    throw invalid(`throughput: mode: expected OnDemand or Provisioned, found ${quote(String(mode))}`)
  }
  for (const [name, units] of Object.entries({ readUnits, writeUnits })) {
    if (units === undefined) continue
    if (mode === 'OnDemand')
      throw invalid(`throughput: ${name} is only for the mode Provisioned, found ${units}`)
    if (!Number.isInteger(units) || units < 0 || units > UNITS_MAX) {
      throw invalid(`throughput: ${name}: expected a whole number from 0 to ${UNITS_MAX}, found ${units}`)
    }
  }
  if (mode === 'OnDemand') return
  if (online && tier !== 'Standard') {
    throw invalid(`throughput: Provisioned is only for the tier Standard, found ${tier}`)
  }
  if (writeUnits === undefined || (online && readUnits === undefined)) {
    throw invalid(`throughput: Provisioned needs ${online ? 'readUnits and writeUnits' : 'writeUnits'}`)
  }
  if (!online && (readUnits ?? 0) > 0) {
    throw invalid(`throughput: without an online store nothing is read, found readUnits ${readUnits}`)
  }
}
