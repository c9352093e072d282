/**
 * Piscina entry of a shard thread. Its pool has exactly one thread (the shard owns it), `atomics: 'disabled'` (the
 * default would stop timers and merges between tasks) and takes many tasks at once (requests interleave).
 */
import { systemClock } from '../core/clock.ts'
import { movedReply } from './moved-reply.ts'
import type { ColumnsReply, ShardRequest } from './protocol.ts'
import { ShardHost } from './shard-host.ts'

const host = new ShardHost(systemClock)

export default async function handle(request: ShardRequest): Promise<unknown> {
  const reply = await host.handle(request)
  if (!reply.ok) return reply
  if (request.type === 'write' || request.type === 'conditional') {
    const buffers = reply.value as ArrayBuffer[]
    return buffers.length === 0 ? reply : movedReply(reply, buffers)
  }
  if (request.type === 'columns') {
    return movedReply(
      reply,
      (reply.value as ColumnsReply).parts.map((part) => part.ipc.buffer),
    )
  }
  return reply
}
