/** Which branches of the rules a test took, and how often. A test that takes none proves nothing. */

export class Coverage {
  readonly #counts = new Map<string, number>()

  readonly count = (branch: string): void => {
    this.#counts.set(branch, (this.#counts.get(branch) ?? 0) + 1)
  }

  missing(branches: readonly string[]): string[] {
    return branches.filter((branch) => !this.#counts.has(branch))
  }

  toString(): string {
    return [...this.#counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([branch, count]) => `${String(count).padStart(8)}  ${branch}`)
      .join('\n')
  }
}

const TIMED = ['newer', 'equal', 'older']
const SLOTS = [
  'absent',
  'expired',
  ...['live', 'tombstone'].flatMap((state) => TIMED.map((time) => `${state} ${time}`)),
]

/** All cells of the state tables (b.4, b.7), of updates (b.10) and of times to live (b.11), and the machinery. */
export const EXPECTED_BRANCHES: readonly string[] = [
  ...['put', 'soft delete', 'hard delete', 'update'].flatMap((what) =>
    SLOTS.map((slot) => `${what}, slot ${slot}`),
  ),
  ...['live', 'tombstone', 'absent', 'expired'].map((state) => `get, slot ${state}`),
  ...['put', 'soft delete', 'hard delete', 'update'].map((what) => `${what} offline only`),
  'refused: put',
  'refused: put past the calendar',
  'refused: delete',
  'refused: update',
  'refused: update on tier Standard',
  'refused: update with ttl, without event time',
  'refused: update of another id',
  'refused: update past the calendar',
  'update, slot live',
  'update moves the expiry',
  'put makes a record permanent again',
  'put replaces the expiry',
  'put older discards its ttl',
  'soft delete keeps the expiry of a live slot',
  'soft delete keeps the expiry of a tombstone slot',
  'born expired: record',
  'expiry swept',
  'expiry of a tombstone',
  'clock back',
  'clock forward',
  'feature added',
  'feature of later written',
  'refused: unknown feature',
  'refused: feature added twice',
  'refused: change of an online store that is not there',
  'group ttl set',
  'group ttl removed',
  'tier changed',
  'puts at once',
  'rows ingested',
  'listing of one page',
  'listing of several pages',
  'reopened after a flush',
  'reopened without a flush',
  'killed',
  'replayed records',
  'log trimmed',
  'merged',
  'file checked',
  'snapshot equals online: a record',
  'snapshot equals online: no record',
]
