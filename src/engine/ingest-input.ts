/** The forms of input that `ingest` takes, brought to one loop. */
import { invalid } from '../core/errors.ts'
import type { RecordSchema } from '../core/model.ts'
import { type ArrowInput, feedArrow, isArrowBatch, isArrowTable } from './arrow-input.ts'
import type { Ingestion, PackRow } from './ingest.ts'
import type { RecordPacker } from './record-packer.ts'
import { describe } from './value-checks.ts'

/** Rows one by one or in arrays; arrays are faster, above all from an async iterable. */
export type RowInput<R> =
  | Iterable<R | readonly R[]>
  | AsyncIterable<R | readonly R[] | ArrowInput>
  | Iterable<ArrowInput>
  | ArrowInput

export async function feedRows(
  input: RowInput<unknown>,
  ingestion: Ingestion,
  packer: RecordPacker,
  schema: RecordSchema,
): Promise<void> {
  if (isArrowTable(input) || isArrowBatch(input)) return feedArrow(input, ingestion, schema)
  if (typeof input !== 'object' || input === null) {
    throw invalid(`rows: expected an iterable, an async iterable or an Arrow table, found ${describe(input)}`)
  }
  const feed = new RowFeed(ingestion, packer, schema)
  if (Symbol.asyncIterator in input) {
    for await (const item of input) if (!(await feed.take(item))) return
  } else if (Symbol.iterator in input) {
    for (const item of input) {
      // Only what has to wait is awaited: a promise per row would cost more than the row.
      const outcome = feed.take(item)
      if (outcome !== true && !(await outcome)) return
    }
  } else
    throw invalid(`rows: expected an iterable, an async iterable or an Arrow table, found ${describe(input)}`)
}

class RowFeed {
  readonly #ingestion: Ingestion
  readonly #packer: RecordPacker
  readonly #schema: RecordSchema
  #row: unknown
  readonly #pack: PackRow = (operation, batches, isWanted) =>
    this.#packer.pack(this.#row, operation, batches, isWanted)

  constructor(ingestion: Ingestion, packer: RecordPacker, schema: RecordSchema) {
    this.#ingestion = ingestion
    this.#packer = packer
    this.#schema = schema
  }

  /** @returns false (or a promise of it) when the ingestion was aborted */
  take(item: unknown): boolean | Promise<boolean> {
    if (Array.isArray(item)) return this.#takeAll(item)
    if (isArrowTable(item) || isArrowBatch(item)) {
      return feedArrow(item, this.#ingestion, this.#schema).then(() => !this.#ingestion.isAborted)
    }
    const full = this.#add(item)
    if (full < 0) return true
    return this.#ingestion.send(full).then(() => !this.#ingestion.isAborted)
  }

  async #takeAll(rows: readonly unknown[]): Promise<boolean> {
    for (const row of rows) {
      const full = this.#add(row)
      if (full < 0) continue
      await this.#ingestion.send(full)
      if (this.#ingestion.isAborted) return false
    }
    return true
  }

  #add(row: unknown): number {
    this.#row = row
    return this.#ingestion.add(this.#pack)
  }
}
