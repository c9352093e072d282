/** BatchWriteRecord: every entry is a put of its own with an outcome of its own. */
import { MillraceError } from '../core/errors.ts'
import type { StoreCore } from '../engine/store-core.ts'
import type { BatchWriteRecordEntry, BatchWriteRecordOutput, DataPlaneInput } from './data-plane-shapes.ts'
import { type GroupDirectory, isGroupMissing } from './group-directory.ts'
import { RecordWriter } from './record-writer.ts'
import { isTransient, ServiceError } from './service-error.ts'

type Input = DataPlaneInput<'BatchWriteRecord'>

/**
 * @param input - checked
 * @param sent - the entries as the caller wrote them, which are what errors echo
 * @throws ServiceError ResourceNotFound if no entry names a group there is; ServiceUnavailable if nothing was
 *   written for causes that pass, so that clients send the call again
 */
export async function batchWriteRecord(
  groups: GroupDirectory,
  core: StoreCore,
  input: Input,
  sent: readonly BatchWriteRecordEntry[],
): Promise<BatchWriteRecordOutput> {
  const writers = input.Entries.map(({ FeatureGroupName }) => writerOf(groups, FeatureGroupName))
  if (writers.every(isGroupMissing)) throw ServiceError.from('data', writers[0])
  for (const writer of new Set(writers)) {
    // Before the first row is packed: all rows of the call have one time.
    if (writer instanceof RecordWriter && writer.mustWait) await writer.room()
  }
  const outcomes = await Promise.allSettled(startWrites(core, input, writers))
  const failures = outcomes.map((outcome) =>
    outcome.status === 'rejected' ? { cause: outcome.reason } : undefined,
  )
  const transient = failures.find((failure) => failure !== undefined && isTransient(failure.cause))
  if (transient !== undefined && failures.every((failure) => failure !== undefined)) {
    throw unavailable(transient.cause)
  }
  const Errors: BatchWriteRecordOutput['Errors'][number][] = []
  const UnprocessedEntries: BatchWriteRecordEntry[] = []
  for (const [i, failure] of failures.entries()) {
    if (failure === undefined) continue
    const Entry = sent[i]!
    if (isTransient(failure.cause)) UnprocessedEntries.push(Entry)
    else {
      const { code, message } = ServiceError.from('data', failure.cause)
      Errors.push({ Entry, ErrorCode: code, ErrorMessage: message })
    }
  }
  return { Errors, UnprocessedEntries }
}

function writerOf(groups: GroupDirectory, nameOrArn: string): RecordWriter | MillraceError {
  try {
    return groups.writer(nameOrArn)
  } catch (thrown) {
    if (thrown instanceof MillraceError && isGroupMissing(thrown)) return thrown
    throw thrown
  }
}

/** Packs all entries in one go, in the order of the list, so that puts of one record keep it. */
function startWrites(
  core: StoreCore,
  input: Input,
  writers: readonly (RecordWriter | MillraceError)[],
): Promise<void>[] {
  let invocationUs = core.invocationUs()
  const records = new Set<string>()
  return input.Entries.map((entry, i) => {
    const writer = writers[i]!
    if (writer instanceof MillraceError) return Promise.reject(writer)
    // One time for the call, except that rows of one record need an order.
    const { number, schema } = writer.session
    const id = entry.Record.find((value) => value.FeatureName === schema.identifier.name)?.ValueAsString
    const record = `${number} ${id}`
    if (records.has(record)) invocationUs = core.followingUs()
    records.add(record)
    return writer.put(entry.Record, {
      targetStores: entry.TargetStores,
      ttl: entry.TtlDuration,
      callTtl: input.TtlDuration,
      invocationUs,
    })
  })
}

const unavailable = (cause: unknown): ServiceError =>
  new ServiceError(
    'data',
    'ServiceUnavailable',
    'Nothing could be written now; send the request again later.',
    {
      cause,
    },
  )
