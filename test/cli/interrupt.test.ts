/**
 * Goal: the first Ctrl-C asks, the second ends the process, and one that arrives twice is one.
 * Method: a child process that never ends by itself gets real signals.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'

const sources = join(import.meta.dirname, '..', '..', 'src')
const PROGRAM = `
  import { Interruption } from ${JSON.stringify(join(sources, 'cli', 'interrupt.ts'))}
  import { systemClock } from ${JSON.stringify(join(sources, 'core', 'clock.ts'))}
  Interruption.listen(systemClock, () => console.log('asked'))
  setInterval(() => undefined, 1000)
  console.log('ready')
`

async function startListening() {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  while (!output.includes('ready')) await once(child.stdout, 'data')
  return { child, output: () => output }
}

it.each(['SIGINT', 'SIGTERM'] as const)('ends at the second %s, not at the first', async (signal) => {
  const { child, output } = await startListening()
  child.kill(signal)
  while (!output().includes('asked')) await once(child.stdout, 'data')
  child.kill(signal)
  await pause(600)
  expect(output()).toBe('ready\nasked\n')
  expect(child.exitCode ?? child.signalCode).toBeNull()
  child.kill(signal)
  expect(await once(child, 'exit')).toEqual([null, signal])
})
