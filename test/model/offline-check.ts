/** Holds the Parquet files of a store, as DuckDB reads them, against the models. */
import { expect } from 'vitest'
import { hourOfFile, parquetFiles, queryOffline } from '../fixtures/offline-rows.ts'
import { type GroupModel, rowText } from './group-model.ts'
import { type Instant, instantOf } from './instants.ts'

interface FileRow {
  readonly text: string
  readonly id: string
  readonly instant: Instant
  readonly isDeleted: boolean
  readonly file: string
  readonly invocationUs: bigint
  readonly writeUs: bigint
}

export interface OfflineCheck {
  readonly directory: string
  /** The latest that the clock has shown. */
  readonly highestMs: number
  /** Called with the name of each thing that is found right. */
  readonly count?: (what: string) => void
}

/** Call after everything expired was swept and everything was flushed. */
export async function checkOffline(
  groups: ReadonlyMap<string, GroupModel>,
  { directory, highestMs, count = () => {} }: OfflineCheck,
): Promise<void> {
  const rows = await fileRows(groups, directory)
  for (const [name, group] of groups) {
    const byId = Map.groupBy(rows.get(name) ?? [], ({ id }) => id)
    for (const id of new Set([...byId.keys(), ...group.histories.keys()])) {
      checkId({ highestMs, group, id, rows: byId.get(id) ?? [], count, where: `group ${name}, id ${id}` })
    }
  }
  const byFile = Map.groupBy([...rows.values()].flat(), ({ file }) => file)
  for (const [file, rowsOfFile] of byFile) {
    expect(new Set(rowsOfFile.map(({ writeUs }) => writeUs)).size, `write times in ${file} (R-455)`).toBe(1)
    count('file checked')
  }
}

interface IdCheck {
  readonly highestMs: number
  readonly group: GroupModel
  readonly id: string
  readonly rows: readonly FileRow[]
  readonly count: (branch: string) => void
  readonly where: string
}

function checkId({ highestMs, group, id, rows, count, where }: IdCheck): void {
  const ordered = rows.toSorted((a, b) => (a.invocationUs < b.invocationUs ? -1 : 1))
  const history = group.histories.get(id)
  expect(history, `${where}: rows of an id that was never written`).toBeDefined()
  const expected = history!.match(ordered.map(({ text }) => text))
  if (typeof expected === 'string') {
    throw new Error(`${where}: the rows are not those accepted, in that order: ${expected}`)
  }
  const ceilingUs = BigInt(highestMs) * 1000n + 1_000_000n
  ordered.forEach(({ invocationUs, writeUs, text }, i) => {
    const row = `${where}, row ${i} ${text.slice(0, 200)}`
    const before = ordered[i - 1]
    // Strictly, so that the order of acceptance can be told from the files.
    if (before !== undefined)
      expect(invocationUs > before.invocationUs, `${row}: stamped after the one before`).toBe(true)
    expect(invocationUs >= BigInt(expected[i]!.nowMs) * 1000n, `${row}: stamped when it came`).toBe(true)
    expect(invocationUs <= ceilingUs, `${row}: stamped by the clock`).toBe(true)
    expect(writeUs >= invocationUs, `${row}: written after it came (R-455)`).toBe(true)
  })
  if (group.hasOnline) checkSnapshot({ highestMs, group, id, rows: ordered, count, where })
}

/** Per id the row with the greatest event time, of these the one stamped last; nothing if it is a marker. */
function checkSnapshot({ group, id, rows, count, where }: IdCheck): void {
  const { recordIdentifier, eventTime } = group.definition
  if (group.disagreeing.has(id) || recordIdentifier === eventTime) {
    count('snapshot not comparable')
    return
  }
  const latest = rows.reduce<FileRow | undefined>(
    (best, row) => (best === undefined || row.instant >= best.instant ? row : best),
    undefined,
  )
  const isDeleted = latest?.isDeleted ?? true
  const online = group.onlineRowText(id)
  expect(isDeleted ? undefined : latest?.text, `${where}: the latest snapshot (R-475)`).toBe(online)
  count(isDeleted ? 'snapshot equals online: no record' : 'snapshot equals online: a record')
}

/** By feature group. The names of event-time and id columns tell groups' types apart, so one query reads all. */
async function fileRows(
  groups: ReadonlyMap<string, GroupModel>,
  directory: string,
): Promise<Map<string, FileRow[]>> {
  const byGroup = new Map<string, FileRow[]>()
  if (parquetFiles(directory).length === 0) return byGroup
  const rows = await queryOffline(
    directory,
    'select *, epoch_us(api_invocation_time) as invocation_us, epoch_us(write_time) as write_us from {offline}',
  )
  for (const row of rows) {
    const file = String(row['filename'])
    const name = /offline-store\/(.+)-\d+\/data\//.exec(file)![1]!
    const { definition } = groups.get(name)!
    const values = Object.keys(definition.features).map((feature) => row[feature])
    const fileRow = {
      text: rowText(hourOfFile(file), values, row['is_deleted']),
      id: String(row[definition.recordIdentifier]),
      instant: instantOf(row[definition.eventTime] as string | number),
      isDeleted: row['is_deleted'] === true,
      file,
      invocationUs: BigInt(String(row['invocation_us'])),
      writeUs: BigInt(String(row['write_us'])),
    }
    const group = byGroup.get(name)
    if (group === undefined) byGroup.set(name, [fileRow])
    else group.push(fileRow)
  }
  return byGroup
}
