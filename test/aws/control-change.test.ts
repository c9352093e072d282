/** Feature groups changed, described feature by feature, tagged and deleted. */
import { describe, expect, it } from 'vitest'
import type { ControlPlaneInput } from '../../src/aws/control-plane-shapes.ts'
import { ARN, RIDES, sharedPlane, untyped } from './control-plane-fixture.ts'

type UpdateInput = Omit<ControlPlaneInput<'UpdateFeatureGroup'>, 'FeatureGroupName'>

const ADDITION = { FeatureAdditions: [{ FeatureName: 'tip', FeatureType: 'Fractional' }] } as const

describe('UpdateFeatureGroup', () => {
  const test = sharedPlane()
  const update = (name: string, changes: UpdateInput) =>
    test.plane.updateFeatureGroup({ FeatureGroupName: name, ...changes })
  const describeGroup = (name: string) => test.plane.describeFeatureGroup({ FeatureGroupName: name })

  it('adds features, by name or ARN, and shows it was done (R-531, R-532, R-536)', async () => {
    await test.make('added')
    const before = await describeGroup('added')
    expect(await update(`${ARN}added`, ADDITION)).toEqual({ FeatureGroupArn: `${ARN}added` })
    const after = await describeGroup('added')
    expect(after.FeatureDefinitions).toEqual([...RIDES.FeatureDefinitions, ...ADDITION.FeatureAdditions])
    expect(after.LastUpdateStatus).toEqual({ Status: 'Successful' })
    expect(after.LastModifiedTime).toBeGreaterThan(before.LastModifiedTime)
    expect(after.CreationTime).toBe(before.CreationTime)
  })

  it('tells the group as being updated meanwhile, and refuses a second update (R-532, OQ-42)', async () => {
    await test.make('busy')
    const updating = update('busy', ADDITION)
    const describing = describeGroup('busy')
    await expect(update('busy', { OnlineStoreConfig: { StorageType: 'Standard_V2' } })).rejects.toMatchObject(
      {
        code: 'ValidationException',
        message: expect.stringContaining('another update is in progress'),
      },
    )
    await updating
    expect(['InProgress', 'Successful']).toContain((await describing).LastUpdateStatus?.Status)
    expect((await describeGroup('busy')).LastUpdateStatus).toEqual({ Status: 'Successful' })
  })

  it.each([{}, { Unit: null, Value: null }, { Unit: undefined }])(
    'removes the ttl by %j (R-394)',
    async (nothing) => {
      const name = await test.make(`ttl-${Math.random().toString(36).slice(2)}`)
      const TtlDuration = { Unit: 'Hours', Value: 6 } as const
      await update(name, { OnlineStoreConfig: { TtlDuration } })
      expect((await describeGroup(name)).OnlineStoreConfig).toMatchObject({ TtlDuration })
      await update(name, untyped({ OnlineStoreConfig: { TtlDuration: nothing } }))
      expect((await describeGroup(name)).OnlineStoreConfig).not.toHaveProperty('TtlDuration')
    },
  )

  it('takes an empty ttl for removal only here (R-394, R-405)', async () => {
    await expect(
      test.make('created', untyped({ OnlineStoreConfig: { EnableOnlineStore: true, TtlDuration: {} } })),
    ).rejects.toMatchObject({ code: 'ValidationException' })
  })

  it('changes throughput, and keeps what it leaves out (R-516)', async () => {
    await test.make('capacity')
    const units = { ProvisionedReadCapacityUnits: 1, ProvisionedWriteCapacityUnits: 2 }
    await update('capacity', { ThroughputConfig: { ThroughputMode: 'Provisioned', ...units } })
    await update('capacity', { ThroughputConfig: { ProvisionedReadCapacityUnits: 9 } })
    expect((await describeGroup('capacity')).ThroughputConfig).toEqual({
      ThroughputMode: 'Provisioned',
      ...units,
      ProvisionedReadCapacityUnits: 9,
    })
    await update('capacity', { ThroughputConfig: { ThroughputMode: 'OnDemand' } })
    expect((await describeGroup('capacity')).ThroughputConfig).toEqual({ ThroughputMode: 'OnDemand' })
  })

  it.each<readonly [string, unknown, RegExp]>([
    ['nothing (R-530)', {}, /exactly one change.*found none/],
    ['an empty change (R-530)', { OnlineStoreConfig: {} }, /found none/],
    [
      'two kinds (R-530)',
      { ...ADDITION, OnlineStoreConfig: { StorageType: 'Standard_V2' } },
      /found FeatureAdditions and OnlineStoreConfig/,
    ],
    [
      'half a ttl (R-394)',
      { OnlineStoreConfig: { TtlDuration: { Unit: 'Days' } } },
      /expected both Unit and Value/,
    ],
    ['another tier (R-424)', { OnlineStoreConfig: { StorageType: 'InMemory' } }, /only to Standard_V2/],
    [
      'a feature that is there (R-531)',
      { FeatureAdditions: [{ FeatureName: 'CITY', FeatureType: 'String' }] },
      /differ only in case/,
    ],
    [
      'a collection (R-423)',
      { FeatureAdditions: [{ FeatureName: 'x', FeatureType: 'String', CollectionType: 'Set' }] },
      /needs an online store of tier InMemory/,
    ],
    [
      '101 additions (R-531)',
      {
        FeatureAdditions: Array.from({ length: 101 }, (_, i) => ({
          FeatureName: `f${i}`,
          FeatureType: 'String',
        })),
      },
      /FeatureAdditions: expected 1 to 100 elements, found 101/,
    ],
  ])('refuses %s', async (_, changes, message) => {
    const name = await test.make(`refusing-${Math.random().toString(36).slice(2)}`)
    const before = await describeGroup(name)
    await expect(update(name, untyped(changes))).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(message),
    })
    expect(await describeGroup(name)).toEqual(before)
  })

  it('has no online store to change where there is none (R-534)', async () => {
    await test.make('files', {
      OnlineStoreConfig: {},
      OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://lake' } },
    })
    for (const config of [{ TtlDuration: {} }, { StorageType: 'Standard_V2' }] as const) {
      await expect(update('files', { OnlineStoreConfig: config })).rejects.toMatchObject({
        code: 'ValidationException',
      })
    }
  })

  it('tells a missing group apart (R-523)', async () => {
    await expect(update('nothing', ADDITION)).rejects.toMatchObject({
      code: 'ResourceNotFound',
      statusCode: 400,
    })
  })
})

describe('DeleteFeatureGroup', () => {
  const test = sharedPlane()

  it('takes a name only, in any case, and the group is gone (R-040, R-540)', async () => {
    await test.make('Gone')
    await expect(test.plane.deleteFeatureGroup({ FeatureGroupName: `${ARN}Gone` })).rejects.toMatchObject({
      code: 'ValidationException',
    })
    expect(await test.plane.deleteFeatureGroup({ FeatureGroupName: 'gone' })).toEqual({})
    const missing = { code: 'ResourceNotFound', statusCode: 400 }
    const name = { FeatureGroupName: 'Gone' }
    await expect(test.plane.deleteFeatureGroup(name)).rejects.toMatchObject(missing)
    await expect(test.plane.describeFeatureGroup(name)).rejects.toMatchObject(missing)
  })

  it('shows the group as Deleting meanwhile, and nothing may be changed (R-540)', async () => {
    await test.make('going', { OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://lake' } } })
    // Making its file takes longer than describing the group.
    await test.store.current.featureGroup('going').put({ ride_id: 'r', ts: '2026-03-01T12:00:00Z' })
    const deleting = test.plane.deleteFeatureGroup({ FeatureGroupName: 'going' })
    await Promise.resolve()
    const described = test.plane.describeFeatureGroup({ FeatureGroupName: 'going' })
    const tagging = test.plane.addTags({ ResourceArn: `${ARN}going`, Tags: [] })
    await expect(tagging).rejects.toMatchObject({ code: 'ResourceNotFound' })
    expect((await described).FeatureGroupStatus).toBe('Deleting')
    await deleting
  })

  it('makes room for a new one in a place of its own (R-543)', async () => {
    const offline = { OfflineStoreConfig: { S3StorageConfig: { S3Uri: 's3://lake/x' } } }
    const places: unknown[] = []
    for (let i = 0; i < 2; i++) {
      await test.make('again', offline)
      const group = test.store.current.featureGroup('again')
      expect(await group.get('r')).toBeUndefined()
      await group.put({ ride_id: 'r', ts: '2026-03-01T12:00:00Z' })
      const described = await test.plane.describeFeatureGroup({ FeatureGroupName: 'again' })
      places.push(described.OfflineStoreConfig?.S3StorageConfig.ResolvedOutputS3Uri)
      await test.plane.deleteFeatureGroup({ FeatureGroupName: 'again' })
    }
    expect(places[0]).not.toBe(places[1])
  })
})

describe('feature metadata', () => {
  const test = sharedPlane()
  const at = (name: string, feature = 'stops') => ({ FeatureGroupName: name, FeatureName: feature })

  it('is described, changed, and survives other updates (R-560, R-536)', async () => {
    await test.make('described')
    const group = await test.plane.describeFeatureGroup({ FeatureGroupName: 'described' })
    expect(await test.plane.describeFeatureMetadata(at(`${ARN}described`))).toEqual({
      FeatureGroupArn: `${ARN}described`,
      FeatureGroupName: 'described',
      FeatureName: 'stops',
      FeatureType: 'Integral',
      CreationTime: group.CreationTime,
      LastModifiedTime: group.CreationTime,
      Parameters: [],
    })
    expect(
      await test.plane.updateFeatureMetadata({
        ...at('described'),
        Description: 'Number of stops',
        ParameterAdditions: [
          { Key: 'owner', Value: 'ops' },
          { Key: 'unit', Value: 'stop' },
        ],
      }),
    ).toEqual({})
    await test.plane.updateFeatureGroup({ FeatureGroupName: 'described', ...ADDITION })
    await test.plane.updateFeatureMetadata({
      ...at('described'),
      ParameterAdditions: [{ Key: 'owner', Value: 'ml' }],
      ParameterRemovals: ['unit', 'absent'],
    })
    const metadata = await test.plane.describeFeatureMetadata(at('described'))
    expect(metadata).toMatchObject({
      Description: 'Number of stops',
      Parameters: [{ Key: 'owner', Value: 'ml' }],
    })
    expect(metadata.LastModifiedTime).toBeGreaterThanOrEqual(metadata.CreationTime)
    const added = await test.plane.describeFeatureMetadata(at('described', 'tip'))
    expect(added.CreationTime).toBeGreaterThan(group.CreationTime)
  })

  it('does not move the time of the group (R-536)', async () => {
    await test.make('still')
    const before = await test.plane.describeFeatureGroup({ FeatureGroupName: 'still' })
    await test.plane.updateFeatureMetadata({ ...at('still'), Description: 'x' })
    await test.plane.addTags({ ResourceArn: `${ARN}still`, Tags: [{ Key: 'k', Value: 'v' }] })
    expect(await test.plane.describeFeatureGroup({ FeatureGroupName: 'still' })).toEqual(before)
  })

  it('is of a group and a feature that exist (R-561)', async () => {
    await test.make('some')
    for (const name of [at('none'), at('some', 'none'), at('some', 'STOPS')]) {
      const missing = { code: 'ResourceNotFound', statusCode: 400 }
      await expect(test.plane.describeFeatureMetadata(name)).rejects.toMatchObject(missing)
      await expect(test.plane.updateFeatureMetadata({ ...name, Description: 'x' })).rejects.toMatchObject(
        missing,
      )
    }
  })

  it('has 25 parameters at most, per call and in all, and no key both ways (R-560)', async () => {
    await test.make('full')
    const parameters = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({ Key: `k${from + i}`, Value: 'v' }))
    await test.plane.updateFeatureMetadata({ ...at('full'), ParameterAdditions: parameters(0, 25) })
    const refused: Partial<ControlPlaneInput<'UpdateFeatureMetadata'>>[] = [
      { ParameterAdditions: parameters(100, 1) },
      { ParameterAdditions: parameters(0, 26) },
      { ParameterAdditions: parameters(0, 1), ParameterRemovals: ['k0'] },
      { Description: 'x'.repeat(256) },
      { ParameterAdditions: [{ Key: 'a\n', Value: 'v' }] },
      { ParameterAdditions: [{ Key: 'a', Value: '' }] },
    ]
    for (const changes of refused) {
      await expect(
        test.plane.updateFeatureMetadata({ ...at('full'), ...changes }),
        JSON.stringify(changes),
      ).rejects.toMatchObject({ code: 'ValidationException' })
    }
    // Replacing counts once, and removing makes room.
    await test.plane.updateFeatureMetadata({
      ...at('full'),
      ParameterAdditions: [...parameters(1, 24), ...parameters(100, 1)],
      ParameterRemovals: ['k0'],
    })
    expect((await test.plane.describeFeatureMetadata(at('full'))).Parameters.length).toBe(25)
  })

  it('may be of features with the names that objects have anyway', async () => {
    const FeatureDefinitions = [
      ...RIDES.FeatureDefinitions,
      { FeatureName: 'constructor', FeatureType: 'String' },
    ] as const
    await test.make('objects', { FeatureDefinitions })
    expect(await test.plane.describeFeatureMetadata(at('objects', 'constructor'))).toMatchObject({
      Parameters: [],
    })
  })
})

describe('tags', () => {
  const test = sharedPlane()
  const pair = (Key: string, Value: string) => ({ Key, Value })

  it('are merged by key, listed and deleted (R-567)', async () => {
    await test.make('tagged', { Tags: [pair('team', 'ml')] })
    const ResourceArn = `${ARN}Tagged`
    const added = await test.plane.addTags({ ResourceArn, Tags: [pair('env', 'dev'), pair('team', 'data')] })
    expect(added).toEqual({ Tags: [pair('team', 'data'), pair('env', 'dev')] })
    expect(await test.plane.deleteTags({ ResourceArn, TagKeys: ['env', 'absent'] })).toEqual({})
    expect(await test.plane.listTags({ ResourceArn, MaxResults: 50 })).toEqual({
      Tags: [pair('team', 'data')],
    })
    expect(test.store.current.describe('tagged').tags).toEqual({ team: 'data' })
  })

  it('are 50 at most, in all (R-567)', async () => {
    await test.make('many', { Tags: Array.from({ length: 49 }, (_, i) => pair(`k${i}`, '')) })
    const ResourceArn = `${ARN}many`
    await test.plane.addTags({ ResourceArn, Tags: [pair('last', '')] })
    await test.plane.addTags({ ResourceArn, Tags: [pair('last', 'replaced')] })
    await expect(test.plane.addTags({ ResourceArn, Tags: [pair('more', '')] })).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringContaining('at most 50 tags'),
    })
    expect((await test.plane.listTags({ ResourceArn })).Tags.length).toBe(50)
  })

  it('are listed in pages of 50 or more (R-567)', async () => {
    await test.make('listed')
    await expect(test.plane.listTags({ ResourceArn: `${ARN}listed`, MaxResults: 49 })).rejects.toMatchObject({
      code: 'ValidationException',
    })
  })

  it('are of a feature group that exists', async () => {
    for (const ResourceArn of [`${ARN}none`, 'arn:aws:sagemaker:us-west-2:123456789012:model/rides']) {
      await expect(test.plane.listTags({ ResourceArn })).rejects.toMatchObject({ code: 'ResourceNotFound' })
    }
    await expect(test.plane.listTags({ ResourceArn: 'listed' })).rejects.toMatchObject({
      code: 'ValidationException',
    })
  })
})
