/**
 * The work of an encoder thread: the parts of each file become one Parquet file, durable under its final name.
 * Owns: what this thread knows of durable directories. Does not own: the manifest, which the engine appends to only
 * after the answer; names and rows, which the seal decided. Invariants: an answer without an error means that every
 * file of the request is durable; a request may be repeated, its files then replace themselves.
 */
import { hash } from 'node:crypto'
import { ipcRowCount, joinIpcStreams } from '../codec/ipc.ts'
import { encodeParquet, type ParquetCodec, parquetMemoryBytes } from '../codec/parquet.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { type ErrorData, MillraceError } from '../core/errors.ts'
import type { FileSystem } from '../io/file-system.ts'
import { parquetFileName } from '../io/paths.ts'
import { DirectorySyncs, publishParquet } from '../stores/offline-files.ts'

export interface FileToEncode {
  /** Absolute; created if it is missing. */
  readonly directory: string
  readonly latestEventSeconds: number
  /** 16 alphanumerics, see `fileSuffix`. */
  readonly suffix: string
  /** Arrow IPC streams of one schema; their order is the order of the rows. */
  readonly parts: readonly Uint8Array[]
  readonly dictionaryColumns: readonly string[]
  /** Key-value metadata of the file's footer. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface EncodeRequest {
  /** The data directory: absolute, durable, and above the directories of all files. */
  readonly root: string
  readonly files: readonly FileToEncode[]
  readonly codec: ParquetCodec
}

export interface EncodedFile {
  readonly fileName: string
  readonly rows: number
  readonly bytes: number
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string
}

export type EncodeReply =
  | {
      readonly ok: true
      /** In the order of the request. */
      readonly files: readonly EncodedFile[]
      /** WASM memory of this thread; it only grows. */
      readonly wasmMemoryBytes: number
      /** Time this request took, milliseconds. */
      readonly encodeMs: number
    }
  /** Some files of the request may be visible; none of them is to be named in the manifest. */
  | { readonly ok: false; readonly error: ErrorData }

export class Encoder {
  readonly #fileSystem: FileSystem
  readonly #clock: Clock
  readonly #directories: DirectorySyncs
  #joined = new Uint8Array(0)

  constructor(fileSystem: FileSystem, clock: Clock = systemClock) {
    this.#fileSystem = fileSystem
    this.#clock = clock
    this.#directories = new DirectorySyncs(fileSystem)
  }

  /** Never throws: errors cross threads as data. */
  encode(request: EncodeRequest): EncodeReply {
    const started = this.#clock.monotonicMs()
    try {
      const files = request.files.map((file) => this.#encodeFile(file, request))
      this.#directories.flush()
      const encodeMs = this.#clock.monotonicMs() - started
      return { ok: true, files, wasmMemoryBytes: parquetMemoryBytes(), encodeMs }
    } catch (error) {
      return { ok: false, error: MillraceError.from(error).toData() }
    }
  }

  /** The same memory for every file: touching fresh pages would cost more than filling them. */
  #joinedMemory(bytes: number): Uint8Array {
    if (this.#joined.length < bytes) this.#joined = new Uint8Array(bytes + (bytes >>> 2))
    return this.#joined.subarray(0, bytes)
  }

  #encodeFile(file: FileToEncode, { root, codec }: EncodeRequest): EncodedFile {
    const { directory, dictionaryColumns, metadata } = file
    const fileName = parquetFileName(file.latestEventSeconds, file.suffix)
    const ipc = joinIpcStreams(file.parts, (size) => this.#joinedMemory(size))
    const bytes = encodeParquet(ipc, { codec, dictionaryColumns, metadata })
    this.#directories.create(root, directory)
    publishParquet(this.#fileSystem, { directory, fileName, bytes })
    this.#directories.add(directory)
    return { fileName, rows: ipcRowCount(ipc), bytes: bytes.length, sha256: hash('sha256', bytes, 'hex') }
  }
}
