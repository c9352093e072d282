/*
 * A row: one operation on one record, packed once on the calling thread and never re-encoded. Little endian,
 * 8-byte aligned, so that typed arrays read it in place.
 *
 *   0  u32  rowBytes, a multiple of 8          4  u16  idBytes     6  u8  operation     7  u8  targets
 *   8  u32  high half of the id's hash        12  u32  low half
 *  16  f64  invocation time, whole microseconds since 1970 (when the store received the call). Never falls from row
 *           to row of a log, and differs between rows of one id
 *  24       id, UTF-8, zero padded to 8
 *   V       value (V = 24 + idBytes rounded up to 8):
 *   V+0  f64  LSN, filled in when the row is applied; zero in the log, where the frame has it
 *   V+8  f64  event time, whole seconds       V+16  u32  nanoseconds
 *   V+20 u8   fraction digits of its text     V+21  u8   flags     V+22  u16  slotCount
 *   V+24      validity bitmap, 1 = has a value, LSB first, padded to 8
 *             slots, 8 bytes each: f64 | i64 | u32 offset from V and u32 byte length of a string or
 *             of a collection
 *             string bytes and collections (see collection.ts), zero padded to 8
 *             if FLAG_TEXTS: numbers whose text is not the shortest one, exactly as they were sent:
 *               their texts, zero padded to 8; per text u32 slot, u32 offset from V, u32 byte length, u32 zero;
 *               u32 offset from V of the first of those entries, u32 their number
 *             if FLAG_EXPIRY or FLAG_TOMBSTONE: f64 seconds and u32 nanoseconds of the expiry, u32 zero. A tombstone
 *               has the room always, because which expiry it keeps is known only when it is applied
 *
 * The value part [V, rowBytes) is, byte for byte, what the online store keeps under the record's key.
 */

export const ROW_BYTES = 0
export const ROW_ID_BYTES = 4
export const ROW_OPERATION = 6
export const ROW_TARGETS = 7
export const ROW_HASH_HIGH = 8
export const ROW_HASH_LOW = 12
export const ROW_INVOCATION_US = 16
export const ROW_ID = 24

export const VALUE_LSN = 0
export const VALUE_SECONDS = 8
export const VALUE_NANOS = 16
export const VALUE_DIGITS = 20
export const VALUE_FLAGS = 21
export const VALUE_SLOT_COUNT = 22
export const VALUE_VALIDITY = 24

export const OPERATION_PUT = 1
export const OPERATION_SOFT_DELETE = 2
export const OPERATION_HARD_DELETE = 3
/** A record whose time to live has passed leaves the online store. */
export const OPERATION_EXPIRE = 4
/** Some features of a record; never logged: the shard makes a put of the whole record of it. */
export const OPERATION_UPDATE = 5

export const TARGET_ONLINE = 1
export const TARGET_OFFLINE = 2

/** A soft-deleted record: id and event time are kept, features are not. */
export const FLAG_TOMBSTONE = 1
/** The version has an expiry. */
export const FLAG_EXPIRY = 2
/** Some numbers have a text of their own. */
export const FLAG_TEXTS = 4

/** Of an update: it leaves the event time as it is. Never logged. */
export const FLAG_NO_TIME = 8

export const EXPIRY_BYTES = 16
export const TEXTS_FOOTER_BYTES = 8
export const TEXT_ENTRY_BYTES = 16

/** Bytes at the end of a value that hold its expiry, or room for it. */
export const expiryBytes = (flags: number): number =>
  (flags & (FLAG_EXPIRY | FLAG_TOMBSTONE)) === 0 ? 0 : EXPIRY_BYTES

export const roundUp8 = (bytes: number): number => (bytes + 7) & ~7

/** Offset of the value part from the start of the row. */
export const valueOffset = (idBytes: number): number => ROW_ID + roundUp8(idBytes)

export const validityBytes = (slotCount: number): number => ((slotCount + 63) >>> 6) << 3

/** Offset of slot 0 from the start of the value. */
export const slotsOffset = (slotCount: number): number => VALUE_VALIDITY + validityBytes(slotCount)

// Rows are read and written through typed arrays, which use the machine's byte order.
if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1) {
  throw new Error('Millrace needs a little-endian machine: its files are read in place')
}

/** One buffer of rows seen as bytes, words and doubles at once. */
export interface RowView {
  readonly u8: Buffer
  readonly u32: Uint32Array
  readonly f64: Float64Array
}

export function viewRows(buffer: ArrayBuffer, byteOffset = 0, byteLength?: number): RowView {
  const bytes = byteLength ?? buffer.byteLength - byteOffset
  return {
    u8: Buffer.from(buffer, byteOffset, bytes),
    u32: new Uint32Array(buffer, byteOffset, bytes >>> 2),
    f64: new Float64Array(buffer, byteOffset, bytes >>> 3),
  }
}

/** Number of slots of the value at `value`. */
export const slotCountOf = (view: RowView, value: number): number =>
  view.u32[(value + VALUE_DIGITS) >>> 2]! >>> 16

/** Byte offset of the value of the row at `row`. */
export const valueStart = (view: RowView, row: number): number =>
  row + valueOffset(view.u32[(row + ROW_ID_BYTES) >>> 2]! & 0xffff)

export const rowIdBytes = (view: RowView, row: number): number =>
  view.u32[(row + ROW_ID_BYTES) >>> 2]! & 0xffff

export const isSlotValid = (u8: Uint8Array, value: number, slot: number): boolean =>
  (u8[value + VALUE_VALIDITY + (slot >>> 3)]! & (1 << (slot & 7))) !== 0

/** A 64-bit integer at any alignment: a number where it is exact, else a bigint. */
export function readInteger(source: Buffer, at: number): number | bigint {
  const number = source.readInt32LE(at + 4) * 0x1_0000_0000 + source.readUInt32LE(at)
  return Number.isSafeInteger(number) ? number : source.readBigInt64LE(at)
}
