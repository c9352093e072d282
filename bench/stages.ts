/** Micro-benchmarks of the stages a record passes through, each alone on one thread (tinybench). */
import { crc32 } from 'node:zlib'
import { Bench } from 'tinybench'
import { BATCH_HEADER_BYTES } from '../src/codec/batch.ts'
import { BatchBuilder } from '../src/codec/batch-builder.ts'
import { ColumnBuilder } from '../src/codec/columns.ts'
import { encodeParquet } from '../src/codec/parquet.ts'
import { type RowView, viewRows } from '../src/codec/row.ts'
import { compileSchema, NO_SETTINGS } from '../src/core/model.ts'
import { RecordPacker } from '../src/engine/record-packer.ts'
import { Memtable } from '../src/stores/memtable.ts'
import { RowChunks } from '../src/stores/row-chunks.ts'
import { definition, drawIds, randomSource, rowChunks, zipf } from './workload.ts'

const schema = compileSchema({
  ...definition,
  number: 1,
  features: Object.entries(definition.features).map(([name, type]) => ({ name, type })),
  online: true,
  offline: true,
  description: '',
  tier: 'Standard',
  createdAtMs: 0,
  updatedAtMs: 0,
  settings: NO_SETTINGS,
  status: 'created',
  offlineDirectory: '',
})
const origin = { featureGroup: 1, sourceLow: 0, sourceHigh: 0, sourceFrom: 0, sourceUpTo: 0 }
const operation = { operation: 1, targets: 3, invocationUs: 1, ttlSeconds: 0 }

export interface StageResult {
  readonly stage: string
  readonly microsPerRecord: number
}

/** @param records - records of one iteration */
export async function benchStages(records: number, timeMs: number): Promise<StageResult[]> {
  const random = randomSource(11)
  const rows = [...rowChunks(drawIds(records, zipf(1_000_000, 0.99, random)), 1_770_000_000_000, 7)].flat()
  const packer = new RecordPacker(schema, 1)
  const builder = new BatchBuilder()
  const pack = (): ArrayBuffer[] => {
    const buffers: ArrayBuffer[] = []
    for (const row of rows) {
      packer.pack(row, operation, [builder])
      if (builder.bytes >= 256 * 1024) buffers.push(builder.finish(origin).buffer)
    }
    buffers.push(builder.finish(origin).buffer)
    return buffers
  }
  const packed = pack()
  const places = rowPlaces(packed)
  const columns = (): Uint8Array => {
    const columnBuilder = new ColumnBuilder(schema, rows.length, 1)
    columnBuilder.append({
      views: places.map(({ view }) => view),
      rows: Uint32Array.from(places, ({ row }) => row),
      count: rows.length,
    })
    return columnBuilder.finish().ipc
  }
  const ipc = columns()
  const bench = new Bench({ time: timeMs, warmupTime: timeMs / 4 })
  bench.add('validate and pack', () => void pack(), { async: false })
  bench.add(
    'CRC-32 of the log',
    () => void packed.reduce((crc, buffer) => crc32(new Uint8Array(buffer), crc), 0),
    { async: false },
  )
  bench.add('memtable', () => fillMemtable(packed), { async: false })
  bench.add('columns (Arrow IPC)', () => void columns(), { async: false })
  bench.add(
    'Parquet (zstd)',
    () => void encodeParquet(ipc, { codec: 'zstd', dictionaryColumns: ['city'], metadata: {} }),
    { async: false },
  )
  bench.add(
    'Parquet (snappy)',
    () => void encodeParquet(ipc, { codec: 'snappy', dictionaryColumns: ['city'], metadata: {} }),
    { async: false },
  )
  await bench.run()
  return bench.tasks.map((task) => {
    const { result } = task
    if (!('latency' in result)) throw new Error(`the stage "${task.name}" did not run`)
    return { stage: task.name, microsPerRecord: (result.latency.p50 * 1000) / rows.length }
  })
}

function rowPlaces(buffers: readonly ArrayBuffer[]): { view: RowView; row: number }[] {
  return buffers.flatMap((buffer) => {
    const view = viewRows(buffer)
    const places: { view: RowView; row: number }[] = []
    for (let row = BATCH_HEADER_BYTES, left = view.u32[3]!; left > 0; left--) {
      places.push({ view, row })
      row += view.u32[row >>> 2]!
    }
    return places
  })
}

function fillMemtable(buffers: readonly ArrayBuffer[]): void {
  const chunks = new RowChunks()
  const memtable = new Memtable({ low: 0, span: 0x1_0000_0000 }, chunks)
  const index = memtable.indexFor(1)
  for (const buffer of buffers) {
    const { chunk } = chunks.adopt(buffer, 0, buffer.byteLength)
    for (let row = BATCH_HEADER_BYTES, left = chunk.u32[3]!; left > 0; left--) {
      memtable.upsert(index, chunk, row)
      row += chunk.u32[row >>> 2]!
    }
  }
}
