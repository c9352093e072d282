/** The real command line as a child process, as a user's shell starts it, without a terminal. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, expect } from 'vitest'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const running = new Set<ChildProcess>()

afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})

export class RunningCommand {
  readonly child: ChildProcess
  readonly ended: Promise<Outcome>
  #stdout = ''
  #stderr = ''

  constructor(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const { MILLRACE_DATA: _, ...env } = process.env
    this.child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.child)
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.#stdout += chunk.toString()
    })
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString()
    })
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', (code, signal) => {
        running.delete(this.child)
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
  }

  /** Resolves at the first progress line that shows some rows, but not all. */
  async inTheMiddle(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const line = /^(\d+)%, ([\d,]+)\/([\d,]+) rows/m.exec(this.#stderr)
        if (line === null || line[2] === '0') return
        if (line[2] === line[3]) reject(new Error(`too fast to be interrupted: ${line[0]}`))
        else resolve()
      }
      this.child.stderr?.on('data', look)
      void this.ended.then((outcome) => reject(new Error(`ended early: ${JSON.stringify(outcome)}`)))
    })
  }
}

export const millrace = (...args: string[]): Promise<Outcome> => new RunningCommand(args).ended

/** A failure that the user can put right: one line, and no trace of the sources. */
export function expectOneClearLine({ code, stdout, stderr }: Outcome, ...parts: (string | RegExp)[]): void {
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^millrace: [^\n]+\n$/)
  expect(stderr).not.toContain('unexpected')
  for (const part of parts) expect(stderr).toMatch(part)
}
