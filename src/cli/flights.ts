/** The demo's data: three million flights of the npm package `vega-datasets`, a development dependency. */
import { fileURLToPath } from 'node:url'
import type { FeatureGroupDefinition } from '../core/definition.ts'
import { invalid, MillraceError } from '../core/errors.ts'
import { featureTypesOf, type IngestPlan, planFeatures } from './feature-types.ts'
import type { InputFile } from './input-file.ts'

/** @throws MillraceError DEPENDENCY_MISSING outside a clone, where development dependencies are not installed */
export function flightsFile(): string {
  try {
    const entry = import.meta.resolve('vega-datasets')
    return fileURLToPath(new URL('../data/flights-3m.parquet', entry))
  } catch (cause) {
    throw new MillraceError(
      'DEPENDENCY_MISSING',
      "the demo's data come with the npm package vega-datasets, which is not installed; run: " +
        'npm install vega-datasets, or bring in a file of your own with: millrace backfill',
      { cause },
    )
  }
}

/** @throws MillraceError INVALID_INPUT_FILE or INVALID_ARGUMENT naming the column that is not as in the flights file */
export function planFlights(file: InputFile): IngestPlan {
  if (file.format !== 'parquet') {
    throw invalid(`${file.path}: the demo expects a Parquet file, found ${file.format}`, { file: file.path })
  }
  const plan = planFeatures(
    file.columns,
    { recordIdColumns: ['origin', 'destination'], eventTimeColumn: 'date', idName: 'route' },
    file.path,
  )
  const date = plan.features.find((feature) => feature.name === plan.eventTime)
  if (date?.reading === 'timestampMicros') return plan
  const found = file.columns.find((column) => column.name === 'date')?.type
  throw invalid(`${file.path}, column "date": the demo expects a timestamp, found ${found}`, {
    file: file.path,
    feature: 'date',
  })
}

/** The description says which file the group holds, so that no other is mixed in. */
export const flightsDefinition = (file: InputFile, plan: IngestPlan): FeatureGroupDefinition => ({
  name: 'flights',
  recordIdentifier: plan.recordIdentifier,
  eventTime: plan.eventTime,
  features: featureTypesOf(plan),
  description: `the flights of the file with SHA-256 ${file.identity.digest}`,
})
