/**
 * Shows how far an ingestion is: a bar that is redrawn in place on a terminal, a plain line now and then elsewhere.
 * Owns: the last line of the terminal until `finish`. Does not own: the figures, which come with every `update`.
 * Invariants: nothing is drawn more often than the interval allows, and no line is longer than the terminal is wide.
 */
import type { Clock } from '../core/clock.ts'
import { formatBytes, formatCount, formatDuration } from './tables.ts'

export interface ProgressUpdate {
  /** Rows read so far, including those an earlier run had made durable. */
  readonly rowsDone: number
  readonly rowsTotal: number
  /** Packed bytes taken by the engine in this run. */
  readonly bytes: number
  /** Rows known to survive a crash. */
  readonly rowsDurable: number
  /** Resident memory of the process. */
  readonly memoryBytes: number
}

export interface ProgressFigures extends ProgressUpdate {
  readonly rowsPerSecond: number
  readonly bytesPerSecond: number
}

/** What progress is written to; `process.stderr` is one. */
export interface ProgressOutput {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const BAR_INTERVAL_MS = 100
const LINE_INTERVAL_MS = 2000
/** Rates are those of about the last five seconds. */
const RATE_WINDOW_MS = 5000
const WIDTH_DEFAULT = 80

export class Progress {
  readonly #output: ProgressOutput
  readonly #clock: Clock
  readonly #isBar: boolean
  /** Oldest first; the first one is about a window old. */
  #samples: { atMs: number; rows: number; bytes: number }[] = []
  #drawnMs = Number.NEGATIVE_INFINITY
  #last: ProgressFigures | undefined

  /** @param options.isPlain - lines even on a terminal, as a CI system wants them */
  constructor(output: ProgressOutput, clock: Clock, options: { isPlain: boolean }) {
    this.#output = output
    this.#clock = clock
    this.#isBar = output.isTTY === true && !options.isPlain
  }

  /** Tells where the work begins, without drawing: rates are counted from here. */
  start(update: ProgressUpdate): void {
    this.#rates(this.#clock.monotonicMs(), update)
  }

  /** Cheap enough to be called for every batch. */
  update(update: ProgressUpdate): void {
    const nowMs = this.#clock.monotonicMs()
    const isDue = nowMs - this.#drawnMs >= (this.#isBar ? BAR_INTERVAL_MS : LINE_INTERVAL_MS)
    if (this.#last !== undefined && !isDue) {
      this.#last = { ...this.#last, ...update }
      return
    }
    this.#last = { ...update, ...this.#rates(nowMs, update) }
    this.#drawnMs = nowMs
    this.#draw(this.#last)
  }

  /** Draws the last figures once more and leaves the line. */
  finish(): void {
    if (this.#last === undefined) return
    this.#draw(this.#last)
    if (this.#isBar) this.#output.write('\n')
    this.#last = undefined
  }

  #rates(
    nowMs: number,
    { rowsDone, bytes }: ProgressUpdate,
  ): { rowsPerSecond: number; bytesPerSecond: number } {
    this.#samples.push({ atMs: nowMs, rows: rowsDone, bytes })
    while (this.#samples.length > 2 && nowMs - this.#samples[1]!.atMs >= RATE_WINDOW_MS) this.#samples.shift()
    const first = this.#samples[0]!
    const seconds = (nowMs - first.atMs) / 1000
    if (seconds === 0) return { rowsPerSecond: 0, bytesPerSecond: 0 }
    return {
      rowsPerSecond: (rowsDone - first.rows) / seconds,
      bytesPerSecond: (bytes - first.bytes) / seconds,
    }
  }

  #draw(figures: ProgressFigures): void {
    if (this.#isBar) {
      // The last column stays free: some terminals wrap as soon as it is written.
      const width = (this.#output.columns ?? WIDTH_DEFAULT) - 1
      this.#output.write(`\r\u001b[K${renderBar(figures, width)}`)
    } else {
      this.#output.write(`${renderLine(figures)}\n`)
    }
  }
}

/** One line of at most `width` characters: what does not fit is left out, the least important first. */
export function renderBar(figures: ProgressFigures, width: number): string {
  const texts = textsOf(figures)
  // In order of importance; the line keeps the order of a sentence.
  const chosen = new Set<keyof typeof texts>()
  let used = 0
  for (const key of ['percent', 'rows', 'rate', 'left', 'memory', 'durable', 'bytes'] as const) {
    const length = texts[key].length + (used === 0 ? 0 : 2)
    if (texts[key] === '' || used + length > width) continue
    chosen.add(key)
    used += length
  }
  const shown = (['percent', 'rows', 'rate', 'bytes', 'durable', 'memory', 'left'] as const).filter((key) =>
    chosen.has(key),
  )
  const line = shown.map((key) => texts[key]).join('  ')
  const barWidth = Math.min(30, width - line.length - 3)
  if (barWidth < 5) return line
  const filled = Math.floor(barWidth * fractionOf(figures))
  return `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}] ${line}`
}

/** One line with everything, for logs. */
export function renderLine(figures: ProgressFigures): string {
  const { percent, rows, rate, bytes, durable, memory, left } = textsOf(figures)
  return [percent.trim(), rows, rate, bytes, durable, memory, left].filter((text) => text !== '').join(', ')
}

const fractionOf = ({ rowsDone, rowsTotal }: ProgressFigures): number =>
  rowsTotal === 0 ? 1 : Math.min(1, rowsDone / rowsTotal)

function textsOf(figures: ProgressFigures) {
  const { rowsDone, rowsTotal, rowsDurable, rowsPerSecond, bytesPerSecond, memoryBytes } = figures
  const rowsLeft = rowsTotal - rowsDone
  const isRunning = rowsPerSecond > 0 && rowsLeft > 0
  return {
    // Rounded down: 100 % means all.
    percent: `${Math.floor(fractionOf(figures) * 100)}%`.padStart(4),
    rows: `${formatCount(rowsDone)}/${formatCount(rowsTotal)} rows`,
    rate: `${formatCount(rowsPerSecond)} rows/s`,
    bytes: `${formatBytes(bytesPerSecond)}/s`,
    durable: `durable ${formatCount(rowsDurable)}`,
    memory: `memory ${formatBytes(memoryBytes)}`,
    left: isRunning ? `${formatDuration((rowsLeft / rowsPerSecond) * 1000)} left` : '',
  }
}
