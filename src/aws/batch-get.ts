/** BatchGetRecord: ids of several feature groups, each found, in error, to be asked again, or nowhere (b.6). */

import type { Version } from '../codec/version.ts'
import { invalid, MillraceError } from '../core/errors.ts'
import type { FeatureSchema, RecordSchema } from '../core/model.ts'
import type { GroupSession } from '../engine/group-session.ts'
import type { BatchGetRecordIdentifier, BatchGetRecordOutput, DataPlaneInput } from './data-plane-shapes.ts'
import { expiresAtOf, featureValuesOf, selectFeatures } from './feature-values.ts'
import type { GroupDirectory } from './group-directory.ts'
import { readIdOffence } from './record-check.ts'
import { isTransient, ServiceError } from './service-error.ts'

type Found = BatchGetRecordOutput['Records'][number]
type Failed = BatchGetRecordOutput['Errors'][number]

/** One (feature group, id, feature names) that is asked for, once. */
interface Wanted {
  readonly identifier: BatchGetRecordIdentifier
  readonly element: number
  readonly id: string
  readonly group: OpenGroup | undefined
  version: Version | undefined
  failure: unknown
}

interface OpenGroup {
  readonly session: GroupSession
  readonly schema: RecordSchema
  readonly features: readonly FeatureSchema[]
}

/**
 * @param input - checked
 * @param sent - the identifiers as the caller wrote them
 * @throws ServiceError ServiceUnavailable if nothing could be read for causes that pass
 */
export async function batchGetRecord(
  groups: GroupDirectory,
  input: DataPlaneInput<'BatchGetRecord'>,
  sent: readonly BatchGetRecordIdentifier[],
): Promise<BatchGetRecordOutput> {
  const wanted = input.Identifiers.flatMap((identifier, element) => wantedOf(groups, identifier, element))
  const asked = withoutDuplicates(wanted)
  await read(asked.filter((each) => each.failure === undefined))
  const transient = asked.find((each) => isTransient(each.failure))
  if (transient !== undefined && asked.every((each) => each.failure !== undefined)) {
    throw ServiceError.from('data', transient.failure)
  }
  return outputOf(asked, sent, input.ExpirationTimeResponse === 'Enabled')
}

function wantedOf(groups: GroupDirectory, identifier: BatchGetRecordIdentifier, element: number): Wanted[] {
  let group: OpenGroup | undefined
  let failure: unknown
  try {
    const session = groups.session(identifier.FeatureGroupName)
    const { schema } = session
    if (!session.model.online) throw invalid(`Feature group ${session.name} has no online store.`)
    group = { session, schema, features: selectFeatures(schema, identifier.FeatureNames) }
  } catch (thrown) {
    failure = thrown
  }
  return identifier.RecordIdentifiersValueAsString.map((id) => {
    const offence = failure === undefined ? readIdOffence(id) : undefined
    return {
      identifier,
      element,
      id,
      group,
      version: undefined,
      failure: offence === undefined ? failure : invalid(offence),
    }
  })
}

function withoutDuplicates(wanted: readonly Wanted[]): Wanted[] {
  const seen = new Set<string>()
  return wanted.filter(({ identifier, group, id }) => {
    const name = group === undefined ? identifier.FeatureGroupName.toLowerCase() : group.session.number
    const features = [...new Set(identifier.FeatureNames)].sort()
    const key = JSON.stringify([name, features, id])
    if (seen.has(key)) return false
    seen.add(key)
    return true
  })
}

/** One read per feature group; what fails fails its ids. */
async function read(wanted: readonly Wanted[]): Promise<void> {
  const byGroup = Map.groupBy(wanted, (each) => each.group!.session)
  await Promise.all(
    [...byGroup].map(async ([session, members]) => {
      try {
        const versions = await session.read(members.map((each) => each.id))
        for (const [i, member] of members.entries()) member.version = versions[i]
      } catch (thrown) {
        for (const member of members) member.failure = MillraceError.from(thrown)
      }
    }),
  )
}

function outputOf(
  asked: readonly Wanted[],
  sent: readonly BatchGetRecordIdentifier[],
  hasExpiry: boolean,
): BatchGetRecordOutput {
  const Records: Found[] = []
  const Errors: Failed[] = []
  const unprocessed = new Map<number, string[]>()
  for (const { identifier, element, id, group, version, failure } of asked) {
    const names = { FeatureGroupName: identifier.FeatureGroupName, RecordIdentifierValueAsString: id }
    if (failure !== undefined) {
      if (isTransient(failure)) {
        const ids = unprocessed.get(element)
        if (ids === undefined) unprocessed.set(element, [id])
        else ids.push(id)
      } else {
        const { code, message } = ServiceError.from('data', failure)
        Errors.push({ ...names, ErrorCode: code, ErrorMessage: message })
      }
    } else if (version !== undefined && group !== undefined) {
      const Record = featureValuesOf(group.schema, group.features, id, version)
      const ExpiresAt = hasExpiry ? expiresAtOf(version) : undefined
      Records.push({ ...names, Record, ...(ExpiresAt === undefined ? {} : { ExpiresAt }) })
    }
  }
  const UnprocessedIdentifiers = [...unprocessed].map(([element, ids]) => ({
    ...sent[element]!,
    RecordIdentifiersValueAsString: ids,
  }))
  return { Records, Errors, UnprocessedIdentifiers }
}
