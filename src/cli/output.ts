/** Where a command's text goes: results to standard output, everything about the way there to standard error. */
import { systemClock } from '../core/clock.ts'
import { Progress } from './progress.ts'

/** One or more lines of the result. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** A section of the result. */
export function printSection(title: string, body: string): void {
  print(`\n${title}\n${body.replace(/^(?=.)/gm, '  ')}`)
}

/** A line for the person who waits. */
export function notice(text: string): void {
  process.stderr.write(`${text}\n`)
}

export const newProgress = (): Progress =>
  new Progress(process.stderr, systemClock, { isPlain: 'CI' in process.env })
