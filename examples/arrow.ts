/** Arrow in: columns are read where they lie. Strings never become JavaScript strings on the way. */
import { tableFromArrays } from 'apache-arrow'
import { Millrace } from '../src/index.ts'

const store = await Millrace.open('./millrace-data')
const prices = await store.ensureFeatureGroup({
  name: 'prices',
  recordIdentifier: 'symbol',
  eventTime: 'at',
  features: { symbol: 'String', at: 'Fractional', price: 'Fractional' },
})
const count = 10_000
const table = tableFromArrays({
  symbol: Array.from({ length: count }, (_, i) => `S${i % 500}`),
  at: Float64Array.from({ length: count }, (_, i) => 1_770_000_000 + i),
  price: Float64Array.from({ length: count }, (_, i) => 100 + (i % 13)),
})
const batches = table.select(['symbol', 'at', 'price'])
const report = await prices.ingest(batches)
console.log(report.accepted, report.errors.length, await prices.get('S42'))
await store.close()
