/** An ingestion that can be killed at any moment and started again: no row is lost, none comes twice. */
import { Millrace } from '../src/index.ts'

const store = await Millrace.open('./millrace-data')
const readings = await store.ensureFeatureGroup({
  name: 'readings',
  recordIdentifier: 'sensor',
  eventTime: 'at',
  features: { sensor: 'String', at: 'String', celsius: 'Fractional' },
})

/** Stands for a file or a topic: the same id must always mean the same rows in the same order. */
function* rows(from: number) {
  for (let row = from; row < 50_000; row++) {
    const at = new Date(Date.UTC(2026, 0, 1) + row * 1000)
    yield { sensor: `s${row % 100}`, at, celsius: 20 + (row % 7) }
  }
}

const id = 'readings-2026-01.csv'
const firstRow = await readings.ingestPosition(id)
const controller = new AbortController()
process.once('SIGINT', () => controller.abort())
const report = await readings.ingest(rows(firstRow), { source: { id, firstRow }, signal: controller.signal })
console.log(`started at row ${firstRow}, accepted ${report.accepted}, rejected ${report.rejected}`)

// Without the flush, rows that wait for their file stay in the log, and the next opening goes on with them.
await store.close({ flush: !report.isAborted })
