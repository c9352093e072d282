/** The input of every operation of the control plane (a.3 and a.4 of the specification), and the types that follow. */
import { limits } from '../core/limits.ts'
import { durationUnit, featureGroupName, featureGroupNameOrArn, featureName } from './common-shapes.ts'
import {
  boolean,
  integer,
  lazy,
  list,
  oneOf,
  type Shape,
  type ShapeValue,
  structure,
  text,
  timestamp,
  union,
} from './shapes.ts'

const nameOrArn = featureGroupNameOrArn(256)
const kmsKeyId = text({ max: 2048, pattern: /^[a-zA-Z0-9:/_-]*$/ })
const catalogName = text({ min: 1, max: 255, pattern: /^(\t|\P{Cc})*$/u })
const storageType = oneOf('Standard', 'Standard_V2', 'InMemory')
const throughputMode = oneOf('OnDemand', 'Provisioned')
const capacityUnits = integer({ min: 0, max: 10_000_000 })
const sortOrder = oneOf('Ascending', 'Descending')
const nextToken = text({ max: 8192 })
const maxResults = integer({ min: 1, max: 100 })

const featureDefinition = structure(
  { FeatureName: featureName, FeatureType: oneOf('Integral', 'Fractional', 'String') },
  {
    CollectionType: oneOf('List', 'Set', 'Vector'),
    CollectionConfig: union({
      VectorConfig: structure({ Dimension: integer({ min: 1, max: limits.vectorDimensionMax }) }, {}),
    }),
  },
)

const onlineStoreConfig = structure(
  {},
  {
    SecurityConfig: structure({}, { KmsKeyId: kmsKeyId }),
    EnableOnlineStore: boolean,
    TtlDuration: structure({ Unit: durationUnit, Value: integer({ min: 1 }) }, {}),
    StorageType: storageType,
  },
)

const offlineStoreConfig = structure(
  {
    S3StorageConfig: structure(
      { S3Uri: text({ max: 1024, pattern: /^(https|s3):\/\/([^/]+)\/?(.*)$/ }) },
      { KmsKeyId: kmsKeyId, ResolvedOutputS3Uri: text({ max: 1024 }) },
    ),
  },
  {
    DisableGlueTableCreation: boolean,
    DataCatalogConfig: structure({ TableName: catalogName, Catalog: catalogName, Database: catalogName }, {}),
    TableFormat: oneOf('Default', 'Glue', 'Iceberg'),
  },
)

const throughputMembers = {
  ProvisionedReadCapacityUnits: capacityUnits,
  ProvisionedWriteCapacityUnits: capacityUnits,
}

const tag = structure({ Key: text({ min: 1, max: 128 }), Value: text({ max: 256 }) }, {})
const tags = list(tag, { min: 0, max: limits.tagsMax })
const resourceArn = text({ max: 256, pattern: /^arn:.*$/ })

const parameterText = text({ min: 1, max: 255, pattern: /^([\p{L}\p{Z}\p{N}_.:/=+-]*)$/u })
const parameter = structure({ Key: parameterText, Value: parameterText }, {})

const searchFilter = structure(
  { Name: text({ min: 1, max: 255 }) },
  {
    Operator: oneOf(
      'Equals',
      'NotEquals',
      'GreaterThan',
      'GreaterThanOrEqualTo',
      'LessThan',
      'LessThanOrEqualTo',
      'Contains',
      'Exists',
      'NotExists',
      'In',
    ),
    Value: text({ min: 1, max: 1024 }),
  },
)
const searchFilters = list(searchFilter, { min: 1, max: 20 })
const nestedFilters = structure(
  { NestedPropertyName: text({ min: 1, max: 255 }), Filters: searchFilters },
  {},
)

export type SearchFilter = ShapeValue<typeof searchFilter>

export interface SearchExpression {
  readonly Filters?: readonly SearchFilter[]
  readonly NestedFilters?: readonly ShapeValue<typeof nestedFilters>[]
  readonly SubExpressions?: readonly SearchExpression[]
  readonly Operator?: 'And' | 'Or'
}

const searchExpression: Shape = structure(
  {},
  {
    Filters: searchFilters,
    NestedFilters: list(nestedFilters, { min: 1, max: 20 }),
    SubExpressions: list(
      lazy<SearchExpression>(() => searchExpression),
      { min: 1, max: 20 },
    ),
    Operator: oneOf('And', 'Or'),
  },
)

export const CONTROL_PLANE_INPUTS = {
  CreateFeatureGroup: structure(
    {
      FeatureGroupName: featureGroupName,
      RecordIdentifierFeatureName: featureName,
      EventTimeFeatureName: featureName,
      FeatureDefinitions: list(featureDefinition, { min: 1, max: limits.featuresMax }),
    },
    {
      OnlineStoreConfig: onlineStoreConfig,
      OfflineStoreConfig: offlineStoreConfig,
      ThroughputConfig: structure({ ThroughputMode: throughputMode }, throughputMembers),
      RoleArn: text({
        min: 20,
        max: 2048,
        pattern: /^arn:aws[a-z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/,
      }),
      Description: text({ max: limits.descriptionLengthMax }),
      Tags: tags,
    },
  ),
  DescribeFeatureGroup: structure({ FeatureGroupName: nameOrArn }, { NextToken: nextToken }),
  UpdateFeatureGroup: structure(
    { FeatureGroupName: nameOrArn },
    {
      FeatureAdditions: list(featureDefinition, { min: 1, max: limits.featureAdditionsMax }),
      OnlineStoreConfig: structure(
        {},
        {
          // Without its members it removes the default.
          TtlDuration: structure({}, { Unit: durationUnit, Value: integer({ min: 1 }) }),
          StorageType: storageType,
        },
      ),
      ThroughputConfig: structure({}, { ThroughputMode: throughputMode, ...throughputMembers }),
    },
  ),
  DeleteFeatureGroup: structure({ FeatureGroupName: featureGroupName }, {}),
  ListFeatureGroups: structure(
    {},
    {
      NameContains: text({ min: 1, max: 64 }),
      FeatureGroupStatusEquals: oneOf('Creating', 'Created', 'CreateFailed', 'Deleting', 'DeleteFailed'),
      OfflineStoreStatusEquals: oneOf('Active', 'Blocked', 'Disabled'),
      CreationTimeAfter: timestamp,
      CreationTimeBefore: timestamp,
      SortOrder: sortOrder,
      SortBy: oneOf('Name', 'FeatureGroupStatus', 'OfflineStoreStatus', 'CreationTime'),
      MaxResults: maxResults,
      NextToken: nextToken,
    },
  ),
  UpdateFeatureMetadata: structure(
    { FeatureGroupName: nameOrArn, FeatureName: featureName },
    {
      Description: text({ max: limits.featureDescriptionLengthMax }),
      ParameterAdditions: list(parameter, { min: 0, max: limits.featureParametersMax }),
      ParameterRemovals: list(parameterText, { min: 0, max: limits.featureParametersMax }),
    },
  ),
  DescribeFeatureMetadata: structure({ FeatureGroupName: nameOrArn, FeatureName: featureName }, {}),
  Search: structure(
    { Resource: oneOf('FeatureGroup', 'FeatureMetadata') },
    {
      SearchExpression: lazy<SearchExpression>(() => searchExpression),
      SortBy: text({ min: 1, max: 255 }),
      SortOrder: sortOrder,
      NextToken: nextToken,
      MaxResults: maxResults,
      CrossAccountFilterOption: oneOf('SameAccount', 'CrossAccount'),
      VisibilityConditions: list(structure({}, { Key: text(), Value: text() }), { max: 5 }),
    },
  ),
  AddTags: structure({ ResourceArn: resourceArn, Tags: tags }, {}),
  ListTags: structure(
    { ResourceArn: resourceArn },
    { NextToken: nextToken, MaxResults: integer({ min: 50 }) },
  ),
  DeleteTags: structure(
    {
      ResourceArn: resourceArn,
      TagKeys: list(text({ min: 1, max: 128 }), { min: 1, max: limits.tagsMax }),
    },
    {},
  ),
} as const

export type ControlPlaneOperation = keyof typeof CONTROL_PLANE_INPUTS
export type ControlPlaneInput<O extends ControlPlaneOperation> = ShapeValue<(typeof CONTROL_PLANE_INPUTS)[O]>

export type WireFeatureDefinition = ShapeValue<typeof featureDefinition>
/** A tag or a parameter. */
export type WirePair = ShapeValue<typeof tag>
