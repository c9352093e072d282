/** A reply whose large buffers are moved to the other thread instead of copied. */
import { move, transferableSymbol, valueSymbol } from 'piscina'

export function movedReply(reply: unknown, buffers: readonly ArrayBuffer[]): unknown {
  return move({
    get [transferableSymbol]() {
      return buffers as unknown as object
    },
    get [valueSymbol]() {
      return reply as object
    },
  } as Parameters<typeof move>[0])
}
