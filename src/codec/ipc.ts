/*
 * Arrow IPC streams as bytes. A stream is a sequence of messages, each 8-byte aligned:
 *
 *   0  u32  0xffffffff       continuation marker
 *   4  u32  metadataBytes    0 in the end-of-stream marker, which then ends here; else a multiple of 8
 *   8       metadata         a Message flatbuffer: what the message is and how long its body is
 *           body             the columns' buffers; a schema message has none
 *
 * The first message is the schema, the others are record batches. Nothing in a message says where in the stream it
 * stands, so streams of one schema are joined by copying bytes: no column is decoded, and the result is what one
 * writer would have written for the batches of all of them.
 */
import { assert } from '../core/errors.ts'

const CONTINUATION = 0xffff_ffff
const PREFIX_BYTES = 8

/** The union tags of a Message's header (Message.fbs). */
const HEADER_SCHEMA = 1
const HEADER_RECORD_BATCH = 3

/** Field numbers in Message.fbs. */
const MESSAGE_HEADER_TYPE = 1
const MESSAGE_HEADER = 2
const MESSAGE_BODY_BYTES = 3
const RECORD_BATCH_ROWS = 0

type Message =
  | { readonly kind: 'schema'; readonly end: number }
  | { readonly kind: 'batch'; readonly end: number; readonly rows: number }
  | { readonly kind: 'end'; readonly end: number }

interface StreamLayout {
  /** Where the schema message ends and the first record batch starts. */
  readonly schemaEnd: number
  /** Where the last record batch ends and the end-of-stream marker starts. */
  readonly batchesEnd: number
  readonly rows: number
}

/**
 * One stream with the record batches of all parts, in their order.
 * @param parts - 1 or more complete streams with byte-identical schema messages; not retained, but a single part is
 *   returned as it is
 * @param allocate - gives the memory for the result; the default is fresh memory
 * @throws INTERNAL if a part is not a complete stream of record batches, or its schema differs from the first's
 */
export function joinIpcStreams(
  parts: readonly Uint8Array[],
  allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): Uint8Array {
  const [first] = parts
  assert(first !== undefined, 'there is at least one stream to join')
  const layouts = parts.map(layoutOf)
  if (parts.length === 1) return first

  const schema = first.subarray(0, layouts[0]!.schemaEnd)
  let bytes = schema.length + PREFIX_BYTES
  parts.forEach((part, i) => {
    const { schemaEnd, batchesEnd } = layouts[i]!
    assert(isSame(schema, part.subarray(0, schemaEnd)), `stream ${i} has the schema of the first`)
    bytes += batchesEnd - schemaEnd
  })

  const joined = allocate(bytes)
  joined.set(schema)
  let at = schema.length
  parts.forEach((part, i) => {
    const { schemaEnd, batchesEnd } = layouts[i]!
    joined.set(part.subarray(schemaEnd, batchesEnd), at)
    at += batchesEnd - schemaEnd
  })
  joined.set(first.subarray(layouts[0]!.batchesEnd), at)
  return joined
}

/**
 * Number of rows in all record batches of a stream.
 * @throws INTERNAL if it is not a complete stream of record batches
 */
export const ipcRowCount = (stream: Uint8Array): number => layoutOf(stream).rows

function layoutOf(stream: Uint8Array): StreamLayout {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength)
  const schema = readMessage(view, 0)
  assert(schema.kind === 'schema', 'an Arrow stream starts with its schema')
  let at = schema.end
  let rows = 0
  let message = readMessage(view, at)
  while (message.kind === 'batch') {
    rows += message.rows
    at = message.end
    message = readMessage(view, at)
  }
  assert(message.kind === 'end', 'an Arrow stream has one schema')
  assert(message.end === stream.length, 'nothing follows the end of an Arrow stream')
  return { schemaEnd: schema.end, batchesEnd: at, rows }
}

function readMessage(view: DataView, at: number): Message {
  const metadata = at + PREFIX_BYTES
  assert(metadata <= view.byteLength, 'an Arrow stream is complete')
  assert(view.getUint32(at, true) === CONTINUATION, 'an Arrow message starts with its marker')
  const metadataBytes = view.getUint32(at + 4, true)
  if (metadataBytes === 0) return { kind: 'end', end: metadata }
  assert(metadata + metadataBytes <= view.byteLength, 'an Arrow stream is complete')

  const table = metadata + view.getUint32(metadata, true)
  const typeAt = fieldAt(view, table, MESSAGE_HEADER_TYPE)
  const type = typeAt === undefined ? 0 : view.getUint8(typeAt)
  const end = metadata + metadataBytes + readInt64(view, fieldAt(view, table, MESSAGE_BODY_BYTES))
  assert(end <= view.byteLength, 'an Arrow stream is complete')
  if (type === HEADER_SCHEMA) return { kind: 'schema', end }

  // Dictionary batches would be renumbered by joining; the shards send none.
  assert(type === HEADER_RECORD_BATCH, 'an Arrow stream has only record batches')
  const headerAt = fieldAt(view, table, MESSAGE_HEADER)
  assert(headerAt !== undefined, 'an Arrow message has a header')
  const batch = headerAt + view.getUint32(headerAt, true)
  return { kind: 'batch', end, rows: readInt64(view, fieldAt(view, batch, RECORD_BATCH_ROWS)) }
}

/** Where a field of a flatbuffer table lies; undefined if it is left out because it has its default. */
function fieldAt(view: DataView, table: number, field: number): number | undefined {
  const vtable = table - view.getInt32(table, true)
  const entry = 4 + field * 2
  if (entry >= view.getUint16(vtable, true)) return undefined
  const offset = view.getUint16(vtable + entry, true)
  return offset === 0 ? undefined : table + offset
}

function readInt64(view: DataView, at: number | undefined): number {
  if (at === undefined) return 0
  const value = Number(view.getBigInt64(at, true))
  assert(Number.isSafeInteger(value) && value >= 0, 'a length in an Arrow message is a whole number')
  return value
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
