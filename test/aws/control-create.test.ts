/** Feature groups made and described: what comes back is what the service would echo. */
import { describe, expect, it } from 'vitest'
import type { ControlPlaneInput } from '../../src/aws/control-plane-shapes.ts'
import { offlineRows } from '../fixtures/offline-rows.ts'
import { ARN, RIDES, ROLE, sharedPlane, untyped } from './control-plane-fixture.ts'

type CreateInput = ControlPlaneInput<'CreateFeatureGroup'>

const OFFLINE = { OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://lake/fs/' } } } as const

describe('CreateFeatureGroup and DescribeFeatureGroup', () => {
  const test = sharedPlane()
  const describeGroup = (name: string) => test.plane.describeFeatureGroup({ FeatureGroupName: name })

  it('echo the example with its defaults (R-466, R-500, R-511, R-513, R-514, R-515, R-521, R-522)', async () => {
    const before = Date.now()
    const created = await test.plane.createFeatureGroup({
      ...RIDES,
      ...OFFLINE,
      OnlineStoreConfig: { EnableOnlineStore: true, StorageType: 'Standard_V2' },
      RoleArn: ROLE,
      Tags: [{ Key: 'team', Value: 'ml' }],
    })
    expect(created).toEqual({ FeatureGroupArn: `${ARN}rides` })
    const { CreationTime, ...rest } = await describeGroup('rides')
    const seconds = Math.floor(CreationTime)
    expect(CreationTime * 1000).toBeGreaterThanOrEqual(before)
    expect(Math.round(CreationTime * 1000) / 1000).toBe(CreationTime)
    expect(rest).toEqual({
      FeatureGroupArn: `${ARN}rides`,
      FeatureGroupName: 'rides',
      RecordIdentifierFeatureName: 'ride_id',
      EventTimeFeatureName: 'ts',
      FeatureDefinitions: RIDES.FeatureDefinitions,
      LastModifiedTime: CreationTime,
      OnlineStoreConfig: { EnableOnlineStore: true, StorageType: 'Standard_V2' },
      OfflineStoreConfig: {
        S3StorageConfig: {
          S3Uri: 's3://lake/fs/',
          ResolvedOutputS3Uri: `s3://lake/fs/123456789012/sagemaker/us-west-2/offline-store/rides-${seconds}/data`,
        },
        DisableGlueTableCreation: false,
        DataCatalogConfig: {
          TableName: `rides_${seconds}`,
          Catalog: 'AwsDataCatalog',
          Database: 'sagemaker_featurestore',
        },
        TableFormat: 'Glue',
      },
      ThroughputConfig: { ThroughputMode: 'OnDemand' },
      RoleArn: ROLE,
      FeatureGroupStatus: 'Created',
      OfflineStoreStatus: { Status: 'Active' },
      OnlineStoreTotalSizeBytes: 0,
    })
  })

  it('write the files where the URI says (R-460, R-511)', async () => {
    await test.make('placed', { ...OFFLINE, RoleArn: ROLE })
    const group = test.store.current.featureGroup('placed')
    await group.put({ ride_id: 'r-1', ts: '2026-03-01T12:00:00Z' })
    await group.flush()
    const { OfflineStoreConfig: config } = await describeGroup('placed')
    const below = config!.S3StorageConfig.ResolvedOutputS3Uri!.replace(
      's3://',
      `${test.store.current.directory}/offline/`,
    )
    expect((await offlineRows(below)).map((row) => row['ride_id'])).toEqual(['r-1'])
  })

  it('echo what was asked for: catalogue, format, keys, capacity, ttl (R-510, R-512, R-514, R-517)', async () => {
    const input: Partial<CreateInput> = {
      OnlineStoreConfig: {
        SecurityConfig: { KmsKeyId: 'arn:aws:kms:us-west-2:123456789012:key/1' },
        EnableOnlineStore: true,
        TtlDuration: { Unit: 'Weeks', Value: 2 },
        StorageType: 'Standard',
      },
      OfflineStoreConfig: {
        S3StorageConfig: { S3Uri: 's3://lake', KmsKeyId: 'alias/lake' },
        DisableGlueTableCreation: true,
        DataCatalogConfig: { TableName: 'T able', Catalog: 'c', Database: 'd' },
        TableFormat: 'Default',
      },
      ThroughputConfig: {
        ThroughputMode: 'Provisioned',
        ProvisionedReadCapacityUnits: 40_000,
        ProvisionedWriteCapacityUnits: 0,
      },
      Description: 'All rides',
    }
    await test.make('full', input)
    const described = await describeGroup('full')
    expect(described).toMatchObject(input)
    expect(described).not.toHaveProperty('RoleArn')
  })

  it.each([
    [{ DisableGlueTableCreation: false }, 'generated'],
    [{ DisableGlueTableCreation: true }, undefined],
    [{ DataCatalogConfig: { TableName: 't', Catalog: 'c', Database: 'd' } }, 't'],
    [
      { DisableGlueTableCreation: true, DataCatalogConfig: { TableName: 't', Catalog: 'c', Database: 'd' } },
      't',
    ],
  ])('have the catalogue names of R-512 and R-513, %#', async (config, expected) => {
    const name = await test.make(`Glue-Of_${Math.random().toString(36).slice(2)}`, {
      OfflineStoreConfig: { ...OFFLINE.OfflineStoreConfig, ...config },
    })
    const { OfflineStoreConfig: described, CreationTime } = await describeGroup(name)
    const generated = `${name.replaceAll('-', '_').toLowerCase()}_${Math.floor(CreationTime)}`
    expect(described!.DataCatalogConfig?.TableName).toBe(expected === 'generated' ? generated : expected)
  })

  it('leave out the stores that a group does not have (R-521, R-509)', async () => {
    await test.make('offline-only', { ...OFFLINE, OnlineStoreConfig: { EnableOnlineStore: false } })
    await test.make('online-only')
    const offline = await describeGroup('offline-only')
    for (const member of ['OnlineStoreConfig', 'OnlineStoreTotalSizeBytes'])
      expect(offline).not.toHaveProperty(member)
    expect(offline).toHaveProperty('OfflineStoreStatus')
    const online = await describeGroup('online-only')
    for (const member of [
      'OfflineStoreConfig',
      'OfflineStoreStatus',
      'NextToken',
      'LastUpdateStatus',
      'Description',
    ]) {
      expect(online).not.toHaveProperty(member)
    }
    expect(online.OnlineStoreConfig).toEqual({ EnableOnlineStore: true, StorageType: 'Standard' })
  })

  it('leave NextToken out, also with 2,500 definitions (R-520)', async () => {
    const FeatureDefinitions = [
      ...RIDES.FeatureDefinitions,
      ...Array.from({ length: 2495 }, (_, i) => ({ FeatureName: `${i}`, FeatureType: 'String' as const })),
    ]
    await test.make('wide', { FeatureDefinitions })
    const described = await describeGroup('wide')
    // Names that look like numbers do not move forward.
    expect(described.FeatureDefinitions).toEqual(FeatureDefinitions)
    expect(described).not.toHaveProperty('NextToken')
    await expect(
      test.plane.describeFeatureGroup({ FeatureGroupName: 'wide', NextToken: 'x' }),
    ).rejects.toMatchObject({ code: 'ValidationException' })
  })

  it('find a group by name or ARN, in any case, and keep its spelling (R-040, R-044, R-045)', async () => {
    await test.make('MixedCase')
    for (const name of ['MixedCase', 'mixedcase', `${ARN}MixedCase`, `${ARN}MIXEDCASE`]) {
      expect(await describeGroup(name)).toMatchObject({
        FeatureGroupName: 'MixedCase',
        FeatureGroupArn: `${ARN}MixedCase`,
      })
    }
    const elsewhere = [
      'arn:aws:sagemaker:us-west-2:210987654321:feature-group/MixedCase',
      'arn:aws:sagemaker:eu-west-1:123456789012:feature-group/MixedCase',
    ]
    for (const arn of elsewhere) {
      await expect(describeGroup(arn)).rejects.toMatchObject({ code: 'ResourceNotFound', statusCode: 400 })
    }
  })

  it('tell a missing group apart (R-523, R-043)', async () => {
    await expect(describeGroup('nothing')).rejects.toMatchObject({
      code: 'ResourceNotFound',
      statusCode: 400,
      message: 'Feature group nothing was not found.',
    })
  })

  it('refuse a name that is taken, whatever the definition and the case (R-507, R-045)', async () => {
    await test.make('taken')
    for (const name of ['taken', 'Taken']) {
      await expect(test.make(name)).rejects.toMatchObject({
        code: 'ResourceInUse',
        statusCode: 400,
        message: expect.stringContaining('"taken" exists already'),
      })
    }
  })

  it('ignore ResolvedOutputS3Uri in a request (R-518)', async () => {
    await test.make('resolved', {
      OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://a', ResolvedOutputS3Uri: 's3://b/data' } },
    })
    const { OfflineStoreConfig: config } = await describeGroup('resolved')
    expect(config!.S3StorageConfig.ResolvedOutputS3Uri).toMatch(/^s3:\/\/a\/123456789012\//)
  })

  it('keep collections as they were declared, in memory (R-423, R-506)', async () => {
    const FeatureDefinitions = [
      ...RIDES.FeatureDefinitions,
      { FeatureName: 'a', FeatureType: 'String', CollectionType: 'List' },
      { FeatureName: 'b', FeatureType: 'Integral', CollectionType: 'Set' },
      {
        FeatureName: 'c',
        FeatureType: 'Fractional',
        CollectionType: 'Vector',
        CollectionConfig: { VectorConfig: { Dimension: 3 } },
      },
    ] as const
    const OnlineStoreConfig = { EnableOnlineStore: true, StorageType: 'InMemory' } as const
    await test.make('collections', { FeatureDefinitions, OnlineStoreConfig })
    expect((await describeGroup('collections')).FeatureDefinitions).toEqual(FeatureDefinitions)
  })

  const ttl = { TtlDuration: { Unit: 'Hours', Value: 1 } } as const
  const vector = { FeatureName: 'v', FeatureType: 'Fractional', CollectionType: 'Vector' } as const
  it.each<readonly [string, Partial<CreateInput>, RegExp]>([
    ['no store at all (R-420)', { OnlineStoreConfig: {} }, /at least one of online and offline/],
    [
      'a ttl without an online store (R-398, R-509)',
      { ...OFFLINE, OnlineStoreConfig: ttl },
      /OnlineStoreConfig\.TtlDuration: there is no online store/,
    ],
    [
      'a tier without an online store (R-509)',
      { ...OFFLINE, OnlineStoreConfig: { EnableOnlineStore: false, StorageType: 'InMemory' } },
      /OnlineStoreConfig\.StorageType: there is no online store/,
    ],
    [
      'an unknown identifier (R-501)',
      { RecordIdentifierFeatureName: 'key' },
      /RecordIdentifierFeatureName: "key" is not one of FeatureDefinitions/,
    ],
    ['an unknown event time (R-501)', { EventTimeFeatureName: 'when' }, /EventTimeFeatureName: "when"/],
    ['an Integral event time (R-502)', { EventTimeFeatureName: 'stops' }, /of type Integral/],
    [
      'Iceberg, which is not supported',
      { OfflineStoreConfig: { ...OFFLINE.OfflineStoreConfig, TableFormat: 'Iceberg' } },
      /TableFormat: Iceberg is not supported/,
    ],
    [
      'memory with files (R-422)',
      { ...OFFLINE, OnlineStoreConfig: { EnableOnlineStore: true, StorageType: 'InMemory' } },
      /InMemory goes without an offline store; the option `extensions: true`/,
    ],
    [
      'a customer key in memory (R-422, R-517)',
      {
        OnlineStoreConfig: {
          EnableOnlineStore: true,
          StorageType: 'InMemory',
          SecurityConfig: { KmsKeyId: 'key' },
        },
      },
      /takes no key of the customer/,
    ],
    [
      'collections elsewhere (R-423)',
      { FeatureDefinitions: [...RIDES.FeatureDefinitions, { ...vector, CollectionType: 'List' }] },
      /needs an online store of tier InMemory/,
    ],
    [
      'a Vector without dimension (R-506)',
      { FeatureDefinitions: [...RIDES.FeatureDefinitions, vector] },
      /dimension: expected a whole number/,
    ],
    [
      'a repeated feature (R-505)',
      { FeatureDefinitions: [...RIDES.FeatureDefinitions, { FeatureName: 'CITY', FeatureType: 'String' }] },
      /differ only in case/,
    ],
    [
      'a reserved feature (R-046)',
      {
        FeatureDefinitions: [
          ...RIDES.FeatureDefinitions,
          { FeatureName: 'write_time', FeatureType: 'String' },
        ],
      },
      /reserved/,
    ],
    [
      'capacity on demand (R-516)',
      { ThroughputConfig: { ThroughputMode: 'OnDemand', ProvisionedReadCapacityUnits: 1 } },
      /only for the mode Provisioned/,
    ],
    [
      'provisions without capacity (R-516)',
      { ThroughputConfig: { ThroughputMode: 'Provisioned' } },
      /needs readUnits and writeUnits/,
    ],
    [
      'provisions for another tier (R-425)',
      {
        OnlineStoreConfig: { EnableOnlineStore: true, StorageType: 'Standard_V2' },
        ThroughputConfig: {
          ThroughputMode: 'Provisioned',
          ProvisionedReadCapacityUnits: 1,
          ProvisionedWriteCapacityUnits: 1,
        },
      },
      /only for the tier Standard/,
    ],
    [
      '51 tags',
      { Tags: Array.from({ length: 51 }, (_, i) => ({ Key: `${i}`, Value: '' })) },
      /Tags: expected 0 to 50 elements, found 51/,
    ],
    [
      'a tag twice',
      {
        Tags: [
          { Key: 'k', Value: '1' },
          { Key: 'k', Value: '2' },
        ],
      },
      /tag "k" is given twice/,
    ],
    [
      'a long description',
      { Description: 'x'.repeat(129) },
      /Description: expected 0 to 128 characters, found 129/,
    ],
    ['a bad role', { RoleArn: 'arn:aws:iam::12:role/FeatureStore' }, /RoleArn: expected a text that matches/],
    [
      'a bad key id (R-517)',
      { OnlineStoreConfig: { EnableOnlineStore: true, SecurityConfig: { KmsKeyId: 'a key' } } },
      /OnlineStoreConfig\.SecurityConfig\.KmsKeyId: expected a text that matches/,
    ],
    [
      'a bad URI',
      { OfflineStoreConfig: { S3StorageConfig: { S3Uri: 'ftp://lake' } } },
      /OfflineStoreConfig\.S3StorageConfig\.S3Uri: expected a text that matches/,
    ],
    [
      'a ttl of nothing (R-405)',
      { OnlineStoreConfig: { ...ttl, TtlDuration: { Unit: 'Hours', Value: 0 } } },
      /Value/,
    ],
    [
      '2501 definitions',
      { FeatureDefinitions: new Array(2501).fill(RIDES.FeatureDefinitions[0]) },
      /found 2501/,
    ],
  ])('refuse %s', async (_, changes, message) => {
    await expect(test.make('refused', changes)).rejects.toMatchObject({
      code: 'ValidationException',
      statusCode: 400,
      message: expect.stringMatching(message),
    })
    await expect(describeGroup('refused')).rejects.toMatchObject({ code: 'ResourceNotFound' })
  })

  it('refuse a wrong JSON type first (R-014, R-031)', async () => {
    await expect(
      test.plane.createFeatureGroup(
        untyped({ FeatureGroupName: '', OnlineStoreConfig: { EnableOnlineStore: 'yes' } }),
      ),
    ).rejects.toMatchObject({ code: 'SerializationException' })
  })

  it('count the bytes of live records (deliberately not R-525: packed bytes)', async () => {
    await test.make('sized')
    await test.store.current.featureGroup('sized').put({ ride_id: 'r', ts: '2026-03-01T12:00:00Z' })
    await test.store.current.flush()
    expect((await describeGroup('sized')).OnlineStoreTotalSizeBytes).toBeGreaterThan(0)
  })
})

describe('with the extensions switch', () => {
  const test = sharedPlane({ extensions: true })

  it('collections go on every tier, and memory goes with files (R-422, R-423, OQ-43)', async () => {
    const FeatureDefinitions = [
      ...RIDES.FeatureDefinitions,
      { FeatureName: 'list', FeatureType: 'String', CollectionType: 'List' },
    ] as const
    await test.make('standard', { FeatureDefinitions })
    await test.make('memory', {
      ...OFFLINE,
      OnlineStoreConfig: { EnableOnlineStore: true, StorageType: 'InMemory' },
    })
    const { OfflineStoreStatus: status } = await test.plane.describeFeatureGroup({
      FeatureGroupName: 'memory',
    })
    expect(status).toEqual({ Status: 'Active' })
  })
})
