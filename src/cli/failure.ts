/** What a person is told when a command fails: one line, and everything known about it on request. */
import { inspect } from 'node:util'
import { MillraceError } from '../core/errors.ts'

export function describeFailure(thrown: unknown, options: { isVerbose: boolean }): string {
  const isOurs = thrown instanceof MillraceError
  const message = oneLine(thrown instanceof Error ? thrown.message : String(thrown))
  // A bug, or something of the system that nobody foresaw, is not for the user to put right.
  const isExpected = isOurs && thrown.kind !== 'internal'
  const line = isExpected ? message : `unexpected error: ${message}`
  if (options.isVerbose) return `millrace: ${line}\n${inspect(thrown, { depth: 4 })}`
  return `millrace: ${line}${isExpected ? '' : ' (--verbose shows where)'}`
}

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, '; ')
