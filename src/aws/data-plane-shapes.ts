/** The input of every operation of the data plane (a.1 and a.2 of the specification), and the types that follow. */
import { type ApiLimits, apiLimits, extendedApiLimits, limits } from '../core/limits.ts'
import { durationUnit, featureGroupNameOrArn, featureName, targetStores } from './common-shapes.ts'
import { boolean, integer, list, nullable, oneOf, type ShapeValue, structure, text } from './shapes.ts'

/** Characters here; that it has at most so many bytes is a rule of records. */
const valueAsString = text({ max: limits.recordBytesMax })

const featureValue = structure(
  { FeatureName: featureName },
  {
    ValueAsString: valueAsString,
    ValueAsStringList: list(valueAsString, { min: 0, max: limits.recordBytesMax }),
  },
)
const record = list(featureValue, { min: 1 })
/** In a batch what is wrong inside a record is an error of its entry, not of the call. */
const batchFeatureValue = structure(
  { FeatureName: text() },
  { ValueAsString: text(), ValueAsStringList: list(nullable(text())) },
)
const ttlDuration = structure({ Unit: durationUnit, Value: integer({ min: 1 }) }, {})
const groupName = featureGroupNameOrArn(150)
const featureNames = list(featureName, { min: 1 })
const expirationTimeResponse = oneOf('Enabled', 'Disabled')

const inputShapes = (most: ApiLimits) =>
  ({
    PutRecord: structure(
      { FeatureGroupName: groupName, Record: record },
      { TargetStores: targetStores, TtlDuration: ttlDuration },
    ),
    GetRecord: structure(
      { FeatureGroupName: groupName, RecordIdentifierValueAsString: valueAsString },
      { FeatureNames: featureNames, ExpirationTimeResponse: expirationTimeResponse },
    ),
    DeleteRecord: structure(
      { FeatureGroupName: groupName, RecordIdentifierValueAsString: valueAsString, EventTime: valueAsString },
      { TargetStores: targetStores, DeletionMode: oneOf('SoftDelete', 'HardDelete') },
    ),
    BatchGetRecord: structure(
      {
        Identifiers: list(
          structure(
            {
              FeatureGroupName: groupName,
              RecordIdentifiersValueAsString: list(valueAsString, { min: 1, max: most.batchGetIdsMax }),
            },
            { FeatureNames: featureNames },
          ),
          { min: 1, max: most.batchGetIdsMax },
        ),
      },
      { ExpirationTimeResponse: expirationTimeResponse },
    ),
    BatchWriteRecord: structure(
      {
        Entries: list(
          structure(
            { FeatureGroupName: groupName, Record: list(batchFeatureValue, { min: 1 }) },
            { TargetStores: targetStores, TtlDuration: ttlDuration },
          ),
          { min: 1, max: most.batchWriteEntriesMax },
        ),
      },
      { TtlDuration: ttlDuration },
    ),
    ListRecords: structure(
      { FeatureGroupName: groupName },
      {
        MaxResults: integer({ min: 1, max: most.listPageMax }),
        NextToken: text({ min: 1, max: 8192 }),
        IncludeSoftDeletedRecords: boolean,
      },
    ),
    UpdateRecord: structure(
      {
        FeatureGroupName: groupName,
        RecordIdentifierValueAsString: valueAsString,
        Features: list(featureValue, { min: 1, max: most.updateFeaturesMax }),
      },
      { TargetStores: targetStores, TtlDuration: ttlDuration },
    ),
  }) as const

export const DATA_PLANE_INPUTS = inputShapes(apiLimits)
/** With the `extensions` switch. */
export const EXTENDED_DATA_PLANE_INPUTS = inputShapes(extendedApiLimits)

export type DataPlaneOperation = keyof typeof DATA_PLANE_INPUTS
export type DataPlaneInput<O extends DataPlaneOperation> = ShapeValue<(typeof DATA_PLANE_INPUTS)[O]>

export type FeatureValue = ShapeValue<typeof featureValue>
/** A value to be written, as a record in a batch may bring it. */
export type WrittenValue = ShapeValue<typeof batchFeatureValue>
export type TtlDuration = ShapeValue<typeof ttlDuration>
export type BatchGetRecordIdentifier = DataPlaneInput<'BatchGetRecord'>['Identifiers'][number]
export type BatchWriteRecordEntry = DataPlaneInput<'BatchWriteRecord'>['Entries'][number]

export interface GetRecordOutput {
  /** Absent if there is no record. */
  readonly Record?: readonly FeatureValue[]
  readonly ExpiresAt?: string
}

export interface BatchGetRecordOutput {
  readonly Records: readonly {
    readonly FeatureGroupName: string
    readonly RecordIdentifierValueAsString: string
    readonly Record: readonly FeatureValue[]
    readonly ExpiresAt?: string
  }[]
  readonly Errors: readonly {
    readonly FeatureGroupName: string
    readonly RecordIdentifierValueAsString: string
    readonly ErrorCode: string
    readonly ErrorMessage: string
  }[]
  readonly UnprocessedIdentifiers: readonly BatchGetRecordIdentifier[]
}

export interface BatchWriteRecordOutput {
  readonly Errors: readonly {
    /** As it was sent. */
    readonly Entry: BatchWriteRecordEntry
    readonly ErrorCode: string
    readonly ErrorMessage: string
  }[]
  readonly UnprocessedEntries: readonly BatchWriteRecordEntry[]
}

export interface ListRecordsOutput {
  readonly RecordIdentifiers: readonly string[]
  readonly NextToken?: string
}
