/** What a file says it is by its name, and whether the bytes at its ends agree. */
import { createHash } from 'node:crypto'
import { createGunzip, gunzipSync, constants as zlibConstants } from 'node:zlib'
import { invalid, MillraceError } from '../core/errors.ts'
import { type FileHandle, nodeFileSystem as files, systemErrorCode } from '../io/file-system.ts'

export type InputFormat = 'parquet' | 'csv' | 'jsonl'

export interface FileFacts {
  readonly format: InputFormat
  readonly bytes: number
  /** By gzip. */
  readonly isCompressed: boolean
  /** SHA-256 of all bytes, in hexadecimal. */
  readonly digest: string
}

const MIB = 1024 * 1024
const FORMAT_BY_EXTENSION: Record<string, InputFormat> = {
  parquet: 'parquet',
  csv: 'csv',
  tsv: 'csv',
  jsonl: 'jsonl',
  ndjson: 'jsonl',
}

/**
 * @param format - overrides the extension
 * @throws MillraceError INVALID_INPUT_FILE, or INVALID_ARGUMENT if neither the name nor `format` says what it is
 */
export async function inspectFile(path: string, format?: InputFormat): Promise<FileFacts> {
  const handle = openForReading(path)
  try {
    const bytes = files.size(handle)
    const head = readSlice(handle, 0, Math.min(bytes, MIB))
    if (head.length === 0) throw wrongFile(path, 'expected a file with content, found an empty one')
    const tail = readSlice(handle, Math.max(head.length, bytes - MIB), bytes)
    const expected = format ?? formatOfName(path)
    const isCompressed = expected !== 'parquet' && isGzip(head)
    if (expected === 'parquet') checkParquet(path, bytes, head, tail.length === 0 ? head : tail)
    else await checkText(path, handle, bytes, head, expected)
    return { format: expected, bytes, isCompressed, digest: digestOf(handle, bytes) }
  } finally {
    files.close(handle)
  }
}

function formatOfName(path: string): InputFormat {
  const extension = /\.([a-z]+)(?:\.gz)?$/i.exec(path)?.[1]?.toLowerCase() ?? ''
  const format = FORMAT_BY_EXTENSION[extension]
  if (format !== undefined) return format
  throw invalid(
    `cannot tell from its name what ${path} is; expected .parquet, .csv, .tsv, .jsonl or .ndjson ` +
      '(text also with .gz), or --format parquet, csv or jsonl',
    { file: path },
  )
}

function openForReading(path: string): FileHandle {
  let handle: FileHandle | undefined
  try {
    handle = files.open(path, 'read')
    // A directory opens, but does not read.
    files.readAt(handle, new Uint8Array(1), 0)
    return handle
  } catch (cause) {
    if (handle !== undefined) files.close(handle)
    const found = REASONS[systemErrorCode(cause) ?? '']
    if (found === undefined) throw cause
    throw wrongFile(path, `expected a file, found ${found}`, cause)
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'nothing of that name',
  ENOTDIR: 'nothing of that name',
  EISDIR: 'a directory',
  EACCES: 'one that may not be read',
}

/** Up to `end`, or to the end of the file if that comes first. */
function readSlice(handle: FileHandle, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start)
  return bytes.subarray(0, files.readAt(handle, bytes, start))
}

function digestOf(handle: FileHandle, bytes: number): string {
  const hash = createHash('sha256')
  for (let at = 0; at < bytes; at += MIB) hash.update(readSlice(handle, at, Math.min(bytes, at + MIB)))
  return hash.digest('hex')
}

const isGzip = (head: Buffer): boolean => head[0] === 0x1f && head[1] === 0x8b
const PARQUET_MAGIC = Buffer.from('PAR1')
const startsParquet = (head: Buffer): boolean => head.subarray(0, 4).equals(PARQUET_MAGIC)

/** The shortest Parquet file has its magic bytes twice and the length of a footer. */
const PARQUET_BYTES_MIN = 12

function checkParquet(path: string, bytes: number, head: Buffer, tail: Buffer): void {
  if (!startsParquet(head)) {
    throw wrongFile(path, `expected a Parquet file, which starts with PAR1, found ${firstBytes(head)}`)
  }
  if (bytes < PARQUET_BYTES_MIN || !tail.subarray(-4).equals(PARQUET_MAGIC)) {
    throw wrongFile(path, 'expected a Parquet file, which ends with PAR1; this one is cut off')
  }
}

async function checkText(
  path: string,
  handle: FileHandle,
  bytes: number,
  head: Buffer,
  format: InputFormat,
): Promise<void> {
  const what = `expected UTF-8 text in ${format === 'csv' ? 'CSV' : 'JSON lines'}`
  if (startsParquet(head)) throw wrongFile(path, `${what}, found a Parquet file; try --format parquet`)
  let text = head
  if (isGzip(head)) {
    await checkGzip(path, handle, bytes)
    text = gunzipSync(head, { finishFlush: zlibConstants.Z_SYNC_FLUSH })
    if (text.length === 0) throw wrongFile(path, `${what}, found nothing but compression`)
  } else if (/\.gz$/i.test(path)) {
    throw wrongFile(path, `expected gzip, as its name says, found ${firstBytes(head)}`)
  }
  const isUtf16 = (text[0] === 0xff && text[1] === 0xfe) || (text[0] === 0xfe && text[1] === 0xff)
  if (isUtf16) throw wrongFile(path, `${what}, found UTF-16; convert it first`)
  const zero = text.indexOf(0)
  if (zero !== -1) throw wrongFile(path, `${what}, found binary data (a zero byte at offset ${zero})`)
}

/** DuckDB takes the end of a cut-off stream for the end of the text and does not look at its checksum. */
async function checkGzip(path: string, handle: FileHandle, bytes: number): Promise<void> {
  const gunzip = createGunzip()
  gunzip.resume()
  const ended = new Promise<void>((resolve, reject) => {
    gunzip.once('end', resolve)
    gunzip.once('error', reject)
  })
  // The error may come before anybody awaits it.
  ended.catch(() => undefined)
  for (let at = 0; at < bytes && gunzip.errored === null; at += MIB) {
    const slice = readSlice(handle, at, Math.min(bytes, at + MIB))
    if (gunzip.write(slice)) continue
    await Promise.race([ended, new Promise((resolve) => gunzip.once('drain', resolve))]).catch(
      () => undefined,
    )
  }
  gunzip.end()
  try {
    await ended
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw wrongFile(path, `expected gzip, found a cut-off or damaged stream (${reason})`, cause)
  }
}

const firstBytes = (head: Buffer): string => {
  const hex = head.subarray(0, 4).toString('hex')
  return `the bytes ${hex.replace(/(..)(?=.)/g, '$1 ')}`
}

const wrongFile = (path: string, message: string, cause?: unknown): MillraceError =>
  new MillraceError('INVALID_INPUT_FILE', `${path}: ${message}`, { cause, place: { file: path } })
