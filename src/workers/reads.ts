/** Reads of records by id: the current versions, packed into one reply. */
import { KEY_HEADER_BYTES, REPLY_HEADER_BYTES } from '../codec/key-request.ts'
import { isTombstone } from '../codec/version.ts'
import type { OnlineSide } from './online-side.ts'
import type { ReadRequest } from './protocol.ts'

/** Replies are put together here and copied out: fresh memory for each would have to be cleared first. */
let scratch = Buffer.alloc(64 * 1024)
const SCRATCH_BYTES_MAX = 4 * 1024 * 1024

export function readRecords(online: OnlineSide, request: ReadRequest, nowUs: number): ArrayBuffer {
  const keys = Buffer.from(request.keys)
  let reply = scratch
  let end = 0
  for (let i = 0, at = 0; i < request.count; i++) {
    const bytes = keys.readUInt32LE(at + 8)
    const id = {
      hashHigh: keys.readUInt32LE(at),
      hashLow: keys.readUInt32LE(at + 4),
      source: keys,
      start: at + KEY_HEADER_BYTES,
      bytes,
    }
    const version = online.lookup(request.featureGroup, id, nowUs)
    const value = version === undefined || isTombstone(version) ? undefined : version
    at += KEY_HEADER_BYTES + bytes
    const length = value === undefined ? 0 : value.end - value.start
    const next = end + REPLY_HEADER_BYTES + length
    if (next > reply.length) {
      const grown = Buffer.alloc(Math.max(reply.length * 2, next))
      grown.set(reply)
      reply = grown
      if (grown.length <= SCRATCH_BYTES_MAX) scratch = grown
    }
    reply.writeUInt32LE(length, end)
    if (value !== undefined) copyBytes(value.bytes, value.start, value.end, reply, end + REPLY_HEADER_BYTES)
    end = next
  }
  return (reply.buffer as ArrayBuffer).slice(reply.byteOffset, reply.byteOffset + end)
}

/** Up to here a loop is quicker than making the view that a native copy needs. */
const LOOP_BYTES_MAX = 256

function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > LOOP_BYTES_MAX) target.set(source.subarray(start, end), at)
  else for (let i = start, to = at; i < end; i++, to++) target[to] = source[i]!
}
