/**
 * Arrow IPC to Parquet. The only file that knows parquet-wasm.
 *
 * Settings, measured with 13 columns (three strings of which one repeats, four doubles, three integers, the service
 * columns) on one core at 2.5 GHz, Node 24: 700 rows (88 KiB of Arrow) / 400,000 rows (48 MiB of Arrow).
 *
 *   zstd, as below            0.65 ms, 23 kB / 280 ms, 10.5 MiB; WASM memory 120 MiB
 *   snappy                    0.35 ms, 35 kB / 170 ms, 17.3 MiB
 *   lz4 | gzip | none         0.33 | 1.5 | 0.23 ms / 206 | 920 | 220 ms, 17.3 | 11.2 | 44.6 MiB
 *   statistics none | page    0.64 | 0.75 ms / 260 | 285 ms: a page index is dead weight, rows of an hour are not sorted
 *   row groups of 64 Ki, 128 Ki, 1 Mi rows; pages of 256 KiB, 1 MiB, 4 MiB; write batches of 256, 1024, 8192 rows:
 *                             no difference beyond the noise of 5 %
 *   writer version 2          0.65 ms, 22 kB / 225 ms, 9.7 MiB; snappy 160 ms, 12.8 MiB
 *
 * Version 2 is the faster one, but its pages and delta encodings are not read everywhere yet, and encoding is a small
 * part of what a record costs; files that every reader takes are worth more, so version 1 it is.
 */
import { createRequire } from 'node:module'
import type * as ParquetWasm from 'parquet-wasm'
import { MillraceError } from '../core/errors.ts'

export type ParquetCodec = 'zstd' | 'snappy' | 'lz4' | 'gzip' | 'none'

export interface ParquetOptions {
  readonly codec: ParquetCodec
  /** Names of columns whose values repeat. Names are taken whole, a dot in one does not make a path. */
  readonly dictionaryColumns: readonly string[]
  /** Key-value metadata of the footer. The same rows make the same bytes with one key; several come in any order. */
  readonly metadata: Readonly<Record<string, string>>
}

/** In the form that readers know: they tell writers with known bugs by it. */
export const CREATED_BY = 'millrace version 0.1.0'

/** Readers divide their work by row groups; this is about what DuckDB writes itself. */
const ROW_GROUP_ROWS_MAX = 128 * 1024
/**
 * Encoded bytes, for wide rows. The encoder looks at it between record batches only, with the average row of the
 * group so far: a single record batch is divided by rows alone.
 */
const ROW_GROUP_BYTES_MAX = 32 * 1024 * 1024

const COMPRESSIONS = {
  zstd: 'ZSTD',
  snappy: 'SNAPPY',
  // Plain LZ4 is the deprecated Hadoop framing.
  lz4: 'LZ4_RAW',
  gzip: 'GZIP',
  none: 'UNCOMPRESSED',
} as const satisfies Record<ParquetCodec, keyof typeof ParquetWasm.Compression>

let wasm = loadModule()

/**
 * Makes one Parquet file of all rows of an Arrow IPC stream. Columns keep their order, names, types and nullability.
 * @param ipc - one complete stream; not retained. Memory of about three times its size is taken and kept.
 * @returns the file's bytes, outside of the WASM memory
 * @throws INTERNAL if the stream is not valid, or if the encoder gave up, out of memory for example. The next call
 *   works as if nothing had happened.
 */
export function encodeParquet(ipc: Uint8Array, options: ParquetOptions): Uint8Array {
  try {
    return wasm.writeParquet(wasm.Table.fromIPCStream(ipc), writerProperties(options))
  } catch (error) {
    // A panic ends in the `unreachable` instruction and leaves the module's memory in whatever state it was.
    const isPanic = error instanceof Error && error.name === 'RuntimeError'
    if (isPanic) replaceModule()
    const what = isPanic ? 'the Parquet encoder failed and was restarted' : 'the Parquet encoder refused'
    throw MillraceError.from(error, 'INTERNAL', `${what} (${ipc.length} bytes of Arrow)`)
  }
}

/** Bytes of WASM memory of this thread. It only ever grows, so this is its peak since the module was loaded. */
export const parquetMemoryBytes = (): number => wasm.wasmMemory().buffer.byteLength

/**
 * One object per file: `writeParquet` consumes it, and a second use does not fail but writes with default settings.
 */
function writerProperties(options: ParquetOptions): ParquetWasm.WriterProperties {
  let builder = new wasm.WriterPropertiesBuilder()
    .setCreatedBy(CREATED_BY)
    .setKeyValueMetadata(new Map(Object.entries(options.metadata)))
    .setCompression(wasm.Compression[COMPRESSIONS[options.codec]])
    .setWriterVersion(wasm.WriterVersion.V1)
    .setStatisticsEnabled(wasm.EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROW_GROUP_ROWS_MAX)
    .setMaxRowGroupBytes(ROW_GROUP_BYTES_MAX)
    // On by default, where it costs columns that do not repeat several times their encoding.
    .setDictionaryEnabled(false)
  for (const column of options.dictionaryColumns) builder = builder.setColumnDictionaryEnabled(column, true)
  return builder.build()
}

/** The node build makes its instance while it is loaded, so a new instance is a new loading (8 ms). */
function replaceModule(): void {
  const { cache, resolve } = createRequire(import.meta.url)
  delete cache[resolve('parquet-wasm')]
  wasm = loadModule()
}

function loadModule(): typeof ParquetWasm {
  // A new `require` each time: it keeps what was loaded by it alive, and with a replaced module all of its memory.
  return createRequire(import.meta.url)('parquet-wasm')
}
