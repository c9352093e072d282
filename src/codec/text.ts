/**
 * Short strings to UTF-8 and back. Crossing into native code costs more than copying a few characters, so short
 * ASCII strings are copied here; everything else goes through Buffer.
 */

const SHORT = 48

/**
 * Writes a string as UTF-8 at `offset`; the target has at least three bytes per UTF-16 unit left.
 * @returns the number of bytes, or -1 if the string is ill-formed (a lone surrogate has no UTF-8 form).
 */
export function writeUtf8(target: Buffer, offset: number, text: string): number {
  const length = text.length
  if (length <= SHORT) {
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) break
      target[offset + i] = code
    }
    if (i === length) return length
  }
  if (!text.isWellFormed()) return -1
  return target.write(text, offset, 'utf8')
}
