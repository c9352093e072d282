/** What a store is made of and what is in it. */
import { MillraceError } from '../core/errors.ts'
import { typeText } from '../core/model.ts'
import { readIdentity } from '../engine/store-identity.ts'
import type { FeatureGroupDescription, Millrace, StoreStatistics } from '../index.ts'
import { nodeFileSystem } from '../io/file-system.ts'
import { print, printSection } from './output.ts'
import { formatBytes, formatCount, renderTable, type TableColumn } from './tables.ts'
import { withStore } from './with-store.ts'

/** Opens the store, which replays its log, and leaves everything as it is. */
export async function inspect(directory: string): Promise<number> {
  checkStoreExists(directory)
  return withStore(
    directory,
    {},
    async ({ store }) => {
      printStore(store, await store.stats())
      return 0
    },
    { isFlushing: false },
  )
}

/** Opening would make a new store; a command that only uses one refuses instead. */
export function checkStoreExists(directory: string): void {
  if (readIdentity(nodeFileSystem, directory) !== undefined) return
  throw new MillraceError('INCOMPATIBLE_STORE', `${directory}: expected a Millrace store, found none`, {
    place: { file: directory },
  })
}

const text = (title: string): TableColumn => ({ title })
const number = (title: string): TableColumn => ({ title, align: 'right' })

function printStore(store: Millrace, statistics: StoreStatistics): void {
  print(`${store.directory}: ${store.shards} shards, log ${formatBytes(statistics.log.bytes)}`)
  printSection('Shards', renderShards(statistics))
  const groups = store.list()
  printSection('Feature groups', groups.length === 0 ? 'none yet' : renderGroups(groups, statistics))
  for (const group of groups) {
    printSection(
      `Features of ${group.name}`,
      `${renderFeatures(group)}\n${group.offlineDirectory ?? 'no offline store'}`,
    )
  }
}

function renderShards({ shards }: StoreStatistics): string {
  const columns = [
    number('shard'),
    number('operations'),
    number('online lag'),
    number('offline lag'),
    number('memtable'),
    number('unpublished rows'),
    number('log'),
  ]
  return renderTable(
    columns,
    shards.map((shard, index) => [
      String(index),
      formatCount(shard.lastLsn),
      formatCount(shard.lastLsn - shard.onlineLsn),
      formatCount(shard.lastLsn - shard.offlineLsn),
      formatCount(shard.memtableRecords),
      formatCount(shard.unpublishedRows),
      formatBytes(shard.logBytes),
    ]),
  )
}

function renderGroups(groups: readonly FeatureGroupDescription[], statistics: StoreStatistics): string {
  const columns = [
    text('name'),
    text('created'),
    number('online records'),
    number('deleted'),
    number('online bytes'),
    number('offline rows'),
    number('files'),
    number('offline bytes'),
  ]
  const rows = groups.map((group) => {
    const totals = statistics.featureGroups.find((each) => each.name === group.name)
    const online = totals?.online ?? { records: 0, softDeleted: 0, bytes: 0 }
    const offline = totals?.offline ?? { rows: 0, files: 0, bytes: 0 }
    return [
      group.name,
      group.createdAt.toISOString(),
      formatCount(online.records),
      formatCount(online.softDeleted),
      formatBytes(online.bytes),
      formatCount(offline.rows),
      formatCount(offline.files),
      formatBytes(offline.bytes),
    ]
  })
  return renderTable(columns, rows)
}

function renderFeatures(group: FeatureGroupDescription): string {
  const roles = new Map([
    [group.eventTime, 'event time'],
    [group.recordIdentifier, 'record identifier'],
  ])
  const rows = Object.entries(group.features).map(([name, type]) => [
    name,
    typeText(type),
    roles.get(name) ?? '',
  ])
  return renderTable([text('feature'), text('type'), text('role')], rows)
}
