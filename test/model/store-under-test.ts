/** The real store of a model run: in a process of its own, with every budget so small that all machinery runs. */
import { readdirSync } from 'node:fs'
import { expect } from 'vitest'
import type { StoreStatistics } from '../../src/index.ts'
import { parseSegmentName, walDirectory } from '../../src/io/paths.ts'
import { offlineRows, temporaryFiles } from '../fixtures/offline-rows.ts'
import type { Operation, Result } from '../fixtures/store-operations.ts'
import { StoreProcess } from '../fixtures/store-process.ts'
import { type GroupModel, rowText } from './group-model.ts'
import { CRASH_START_MS } from './model-groups.ts'
import { checkOffline } from './offline-check.ts'

export const DEFINITION = {
  name: 'readings',
  recordIdentifier: 'id',
  eventTime: 'at',
  features: { id: 'String', at: 'String', n: 'Integral', x: 'Fractional', s: 'String' },
  online: { tier: 'Standard_V2' },
} as const

const OPTIONS = {
  shards: 2,
  memoryBytes: 32 * 1024 * 1024,
  flush: { ageMs: 200, rows: 150, bytes: 64 * 1024 },
  log: { segmentBytes: 64 * 1024, bytes: 512 * 1024 },
}

/** What a run went through, so that the test can tell whether anything happened at all. */
export interface Coverage {
  crashes: number
  survivors: number
  replayed: number
  mergedMs: number
  files: number
  trims: number
  expired: number
}

export class StoreUnderTest {
  readonly directory: string
  readonly coverage: Coverage
  process = new StoreProcess()
  /** The clock survives a restart, as clocks do. */
  nowMs = CRASH_START_MS

  constructor(directory: string, coverage: Coverage) {
    this.directory = directory
    this.coverage = coverage
  }

  async open(): Promise<{ replayedRecords: number }> {
    const { directory, nowMs } = this
    const opened = { directory, options: OPTIONS, definition: DEFINITION, nowMs }
    const recovery = await this.process.call('open', opened)
    this.coverage.replayed += recovery.replayedRecords
    return recovery
  }

  /** Kills the process, and starts another that has not opened the store yet. */
  async restart(): Promise<void> {
    await this.process.kill()
    this.process = new StoreProcess()
  }

  async reopen(): Promise<{ replayedRecords: number }> {
    await this.restart()
    return this.open()
  }

  /** Adds what this life of the store did to the coverage. */
  async takeStatistics(): Promise<StoreStatistics> {
    const statistics = await this.process.call('statistics', {})
    this.coverage.mergedMs += statistics.shards.reduce((sum, shard) => sum + shard.timings.merge, 0)
    this.coverage.files += statistics.offline.files
    this.coverage.trims += trimmedLogs(this.directory)
    return statistics
  }

  async perform(operation: Operation): Promise<Result> {
    return (await this.process.call('operations', { operations: [operation] }))[0]!
  }

  /** All rows in files, as the oracle writes them. Makes everything a file first. */
  async flushedRows(): Promise<string[]> {
    await this.process.call('flush', {})
    const rows = await offlineRows(this.directory)
    expect(temporaryFiles(this.directory).filter((name) => name.includes('.parquet'))).toEqual([])
    return rows.map(({ hour, id, at, n, x, s, is_deleted }) => rowText(hour, [id, at, n, x, s], is_deleted))
  }

  async checkOffline(model: GroupModel, highestMs: number): Promise<void> {
    await this.process.call('flush', {})
    await checkOffline(new Map([[DEFINITION.name, model]]), { directory: this.directory, highestMs })
  }

  async checkRecords(model: GroupModel, ids: readonly string[]): Promise<void> {
    const records = await this.process.call('getMany', { ids })
    expect(records).toEqual(ids.map((id) => model.get(id)))
  }

  async checkListing(model: GroupModel, pageSize: number, includeSoftDeleted: boolean): Promise<void> {
    const pages = await this.process.call('list', { pageSize, includeSoftDeleted })
    const ids = pages.flat()
    expect(new Set(ids).size, 'no id is listed twice').toBe(ids.length)
    expect(ids.sort()).toEqual(model.ids(includeSoftDeleted).sort())
    // A page is short only if it is the last one, and none but the first is empty.
    for (const page of pages.slice(0, -1)) expect(page.length).toBe(pageSize)
    if (pages.length > 1) expect(pages.at(-1)!.length).toBeGreaterThan(0)
  }
}

/** Logs whose first segment is gone. */
export function trimmedLogs(directory: string): number {
  const logs = [0, 1].map((shard) => readdirSync(walDirectory(directory, shard)))
  return logs.filter((names) => !names.some((name) => parseSegmentName(name)?.sequence === 1)).length
}
