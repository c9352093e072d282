/**
 * The seven operations on records, shaped as those of Amazon SageMaker Feature Store: inputs and outputs have the members
 * of its wire, and errors its codes (sections (a), (b) and (d) of the specification). No HTTP here.
 * Owns: nothing but the way from an input to the engine; the store is its caller's.
 */
import { invalid } from '../core/errors.ts'
import { apiLimits, extendedApiLimits } from '../core/limits.ts'
import type { GroupSession } from '../engine/group-session.ts'
import type { Millrace } from '../engine/millrace.ts'
import { batchGetRecord } from './batch-get.ts'
import { batchWriteRecord } from './batch-write.ts'
import {
  type BatchGetRecordOutput,
  type BatchWriteRecordOutput,
  DATA_PLANE_INPUTS,
  type DataPlaneInput,
  type DataPlaneOperation,
  EXTENDED_DATA_PLANE_INPUTS,
  type GetRecordOutput,
  type ListRecordsOutput,
} from './data-plane-shapes.ts'
import { expiresAtOf, featureValuesOf, selectFeatures } from './feature-values.ts'
import { GroupDirectory, isGroupMissing } from './group-directory.ts'
import { readIdOffence } from './record-check.ts'
import type { WriteRequest } from './record-writer.ts'
import { ServiceError, type ServiceErrorCode } from './service-error.ts'
import { checkInput } from './shapes.ts'

/** R-321, OQ-21 */
const LIST_PAGE_DEFAULT = 100

export class DataPlane {
  readonly #store: Millrace
  readonly #groups: GroupDirectory
  readonly #inputs: typeof DATA_PLANE_INPUTS
  readonly #batchGetIdsMax: number

  constructor(store: Millrace) {
    this.#store = store
    this.#groups = new GroupDirectory(store)
    const { hasExtensions } = store.core
    this.#inputs = hasExtensions ? EXTENDED_DATA_PLANE_INPUTS : DATA_PLANE_INPUTS
    this.#batchGetIdsMax = (hasExtensions ? extendedApiLimits : apiLimits).batchGetIdsMax
  }

  /**
   * Writes a whole record; what it leaves out has no value afterwards. Resolves when it is durable, and
   * visible to reads unless a later event time is stored (b.4).
   * @throws ServiceError ValidationError, also if there is no such feature group; ServiceUnavailable
   */
  async putRecord(input: DataPlaneInput<'PutRecord'>): Promise<void> {
    const { FeatureGroupName, Record, TargetStores, TtlDuration } = this.#check('PutRecord', input)
    await orServiceError(async () => {
      const writer = this.#groups.writer(FeatureGroupName)
      if (writer.mustWait) await writer.room()
      await writer.put(Record, this.#request(TargetStores, TtlDuration))
    }, 'ValidationError')
  }

  /**
   * The current record of an id, all of it or some features, in the order of the definition. `Record` is absent if there
   * is none, or if it is deleted or expired, and empty if none of the features has a value.
   * @throws ServiceError ResourceNotFound if there is no such feature group; ValidationError; ServiceUnavailable
   */
  async getRecord(input: DataPlaneInput<'GetRecord'>): Promise<GetRecordOutput> {
    const {
      FeatureGroupName,
      RecordIdentifierValueAsString: id,
      FeatureNames,
      ExpirationTimeResponse,
    } = this.#check('GetRecord', input)
    return orServiceError(async () => {
      const session = this.#online(FeatureGroupName)
      const offence = readIdOffence(id)
      if (offence !== undefined) throw invalid(offence)
      const { schema } = session
      const features = selectFeatures(schema, FeatureNames)
      const [version] = await session.read([id])
      if (version === undefined) return {}
      const Record = featureValuesOf(schema, features, id, version)
      const ExpiresAt = ExpirationTimeResponse === 'Enabled' ? expiresAtOf(version) : undefined
      return ExpiresAt === undefined ? { Record } : { Record, ExpiresAt }
    })
  }

  /**
   * Deletes the record of an id as of an event time (b.7). A `SoftDelete`, the default, that is not later than the record
   * leaves it as it is; a `HardDelete` is refused then. Offline a marker is appended.
   * @throws ServiceError ValidationError, also if there is no such feature group; ServiceUnavailable
   */
  async deleteRecord(input: DataPlaneInput<'DeleteRecord'>): Promise<void> {
    const {
      FeatureGroupName,
      RecordIdentifierValueAsString,
      EventTime,
      TargetStores,
      DeletionMode = 'SoftDelete',
    } = this.#check('DeleteRecord', input)
    await orServiceError(async () => {
      const writer = this.#groups.writer(FeatureGroupName)
      if (writer.mustWait) await writer.room()
      const request = this.#request(TargetStores, undefined)
      await writer.delete(RecordIdentifierValueAsString, EventTime, DeletionMode, request)
    }, 'ValidationError')
  }

  /**
   * The current records of up to 100 ids of one or more feature groups, in the order of the request, each once
   * . Ids without a record appear nowhere.
   * @throws ServiceError ValidationError; ServiceUnavailable. What concerns some ids only is in `Errors`, and in
   *   `UnprocessedIdentifiers` if it passes
   */
  async batchGetRecord(input: DataPlaneInput<'BatchGetRecord'>): Promise<BatchGetRecordOutput> {
    const checked = this.#check('BatchGetRecord', input)
    return orServiceError(() => {
      const count = checked.Identifiers.reduce(
        (sum, each) => sum + each.RecordIdentifiersValueAsString.length,
        0,
      )
      if (count > this.#batchGetIdsMax) {
        throw invalid(
          `Identifiers: expected at most ${this.#batchGetIdsMax} record identifiers in all, found ${count}.`,
        )
      }
      return batchGetRecord(this.#groups, checked, input.Identifiers)
    })
  }

  /**
   * Writes up to 25 records of one or more feature groups, each like a put of its own, in the order of the list
   * where they are of one record. What is in neither list of the output is durable.
   * @throws ServiceError ValidationError if the call itself is wrong; ResourceNotFound if no entry names a feature group
   *   there is; ServiceUnavailable if nothing could be written now. The rest is told per entry
   */
  async batchWriteRecord(input: DataPlaneInput<'BatchWriteRecord'>): Promise<BatchWriteRecordOutput> {
    const checked = this.#check('BatchWriteRecord', input)
    return orServiceError(() => batchWriteRecord(this.#groups, this.#store.core, checked, input.Entries))
  }

  /**
   * One page of the record ids of a feature group's online store. No id comes twice, and none is missed that was there
   * throughout; `NextToken` is absent on the last page.
   * @throws ServiceError ResourceNotFound; ValidationError, also for a token of another group; ServiceUnavailable
   */
  async listRecords(input: DataPlaneInput<'ListRecords'>): Promise<ListRecordsOutput> {
    const {
      FeatureGroupName,
      MaxResults = LIST_PAGE_DEFAULT,
      NextToken,
      IncludeSoftDeletedRecords = false,
    } = this.#check('ListRecords', input)
    return orServiceError(async () => {
      const session = this.#online(FeatureGroupName)
      const { ids, nextToken } = await session.list(NextToken, MaxResults, IncludeSoftDeletedRecords)
      return nextToken === undefined
        ? { RecordIdentifiers: ids }
        : { RecordIdentifiers: ids, NextToken: nextToken }
    })
  }

  /**
   * Changes some features of the record of an id and leaves the others as they are, in one step (b.10).
   * @throws ServiceError ResourceNotFound if there is no such feature group, or no record to change; ConflictException if
   *   the event time is older than the record's; ValidationError; ServiceUnavailable
   */
  async updateRecord(input: DataPlaneInput<'UpdateRecord'>): Promise<void> {
    const { FeatureGroupName, RecordIdentifierValueAsString, Features, TargetStores, TtlDuration } =
      this.#check('UpdateRecord', input)
    await orServiceError(async () => {
      const writer = this.#groups.writer(FeatureGroupName)
      if (writer.mustWait) await writer.room()
      const request = this.#request(TargetStores, TtlDuration)
      await writer.update(RecordIdentifierValueAsString, Features, request)
    })
  }

  /** To be made when the row is packed: times of invocation rise from row to row. */
  #request(targetStores: WriteRequest['targetStores'], ttl: WriteRequest['ttl']): WriteRequest {
    return { targetStores, ttl, invocationUs: this.#store.core.invocationUs() }
  }

  /** Steps 1 and 2 of R-031. */
  #check<O extends DataPlaneOperation>(operation: O, input: unknown): DataPlaneInput<O> {
    return checkInput('data', this.#inputs[operation], input) as DataPlaneInput<O>
  }

  #online(nameOrArn: string): GroupSession {
    const session = this.#groups.session(nameOrArn)
    if (!session.model.online) throw invalid(`Feature group ${session.name} has no online store.`)
    return session
  }
}

/** @param missing - the code for a feature group that is not there: writing and deleting do not model ResourceNotFound */
async function orServiceError<T>(
  action: () => Promise<T>,
  missing: ServiceErrorCode = 'ResourceNotFound',
): Promise<T> {
  try {
    return await action()
  } catch (thrown) {
    const error = ServiceError.from('data', thrown)
    throw isGroupMissing(thrown) ? new ServiceError('data', missing, error.message, { cause: thrown }) : error
  }
}
