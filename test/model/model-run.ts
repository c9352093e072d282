/** The models of all feature groups of a store, and what they say about each operation and its result. */
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { Operation, Reading, Result } from '../fixtures/store-operations.ts'
import { GroupModel, type Outcome } from './group-model.ts'
import { MODEL_GROUPS, START_MS } from './model-groups.ts'

export class ModelRun {
  readonly groups: ReadonlyMap<string, GroupModel>
  readonly #count: (branch: string) => void
  nowMs = START_MS
  /**
   * The latest that the clock has shown. A write is made at its invocation time, and these never fall: what has
   * expired once stays expired, although the clock is set back.
   */
  highestMs = START_MS

  constructor(count: (branch: string) => void) {
    this.#count = count
    this.groups = new Map(
      MODEL_GROUPS.map(({ definition }) => [definition.name, new GroupModel(definition, START_MS, count)]),
    )
  }

  /**
   * Takes an operation, and holds its result against what the rules say.
   * @throws an AssertionError
   */
  check(operation: Operation, result: Result): void {
    switch (operation.type) {
      case 'put':
        outcomeIs(result, this.#group(operation).put(operation.record, operation.options))
        break
      case 'puts':
        this.#checkPuts(operation, result)
        break
      case 'ingest':
        this.#checkIngest(operation, result)
        break
      case 'update': {
        const { id, changes, options } = operation
        outcomeIs(result, this.#group(operation).update(id, changes, options))
        break
      }
      case 'delete': {
        const { id, eventTime, options } = operation
        outcomeIs(result, this.#group(operation).delete(id, eventTime, { mode: 'soft', ...options }))
        break
      }
      case 'get':
        this.#checkGet(operation, result)
        break
      case 'read':
        this.#checkRead(operation, result)
        break
      case 'clock':
        this.#checkClock(operation, result)
        break
      case 'change':
        outcomeIs(result, this.#group(operation).change(operation.change))
        break
      case 'expire':
        this.#checkSweep(result)
        break
      case 'flush':
        outcomeIs(result, 'accepted')
        break
      case 'reopen':
        this.#checkReopening(operation, result)
        break
    }
  }

  #checkReopening({ isFlushing }: Operation & { type: 'reopen' }, result: Result): void {
    const replayed = answerOf(result)
    // What expires may be swept between the flush and the close, and is replayed then.
    const isSwept = ![...this.groups.values()].some((group) => group.hasUnswept)
    if (isFlushing && isSwept) expect(replayed, 'records replayed after a flush').toBe(0)
    this.#count(`reopened ${isFlushing ? 'after a flush' : 'without a flush'}`)
  }

  #group({ group }: { readonly group: string }): GroupModel {
    return this.groups.get(group)!
  }

  #checkPuts(operation: Operation & { type: 'puts' }, result: Result): void {
    const outcomes = operation.rows.map((row) => this.#group(operation).put(row, operation.options))
    expect((answerOf(result) as Result[]).map(({ outcome }) => outcome)).toEqual(outcomes)
    this.#count('puts at once')
  }

  /** What is wrong with the options is wrong with the call; nothing is wrong with the rows. */
  #checkIngest(operation: Operation & { type: 'ingest' }, result: Result): void {
    const outcomes = operation.rows.map((row) => this.#group(operation).put(row, operation.options))
    const rows = outcomes.length
    outcomeIs(result, outcomes[0] ?? 'accepted')
    if (result.outcome === 'accepted') expect(result.value).toEqual({ accepted: rows, rejected: 0, rows })
    this.#count('rows ingested')
  }

  #checkGet(operation: Operation & { type: 'get' }, result: Result): void {
    const group = this.#group(operation)
    if (!group.hasOnline) {
      outcomeIs(result, 'INVALID_ARGUMENT')
      return
    }
    isSame(`record of ${operation.id}`, recordText(answerOf(result)), recordText(group.get(operation.id)))
  }

  #checkRead(operation: Operation & { type: 'read' }, result: Result): void {
    const group = this.#group(operation)
    const { ids, pageSize, includeSoftDeleted } = operation
    if (!group.hasOnline) {
      outcomeIs(result, 'INVALID_ARGUMENT')
      return
    }
    const { records, pages } = answerOf(result) as Reading
    ids.forEach((id, i) => {
      isSame(`record of ${id}`, recordText(records[i]), recordText(group.get(id)))
    })
    const listed = pages.flat()
    expect(new Set(listed).size, 'no id is listed twice').toBe(listed.length)
    expect(listed.sort()).toEqual(group.ids(includeSoftDeleted).sort())
    // A page is short only if it is the last one, and none but the first is empty.
    for (const page of pages.slice(0, -1)) expect(page.length).toBe(pageSize)
    if (pages.length > 1) expect(pages.at(-1)!.length).toBeGreaterThan(0)
    this.#count(pages.length > 1 ? 'listing of several pages' : 'listing of one page')
  }

  #checkClock(operation: Operation & { type: 'clock' }, result: Result): void {
    const { nowMs, isSweeping, row } = operation
    const groups = [...this.groups.values()]
    const isBack = nowMs < this.nowMs
    this.#count(isBack ? 'clock back' : 'clock forward')
    if (isBack) for (const group of groups) group.sweep()
    this.nowMs = nowMs
    if (nowMs > this.highestMs) {
      this.highestMs = nowMs
      for (const group of groups) group.setNow(nowMs)
    }
    if (!isBack) this.#group(operation).put(row, {})
    if (isSweeping) this.#checkSweep(result)
    else outcomeIs(result, 'accepted')
  }

  #checkSweep(result: Result): void {
    const most = [...this.groups.values()].reduce((sum, group) => sum + group.sweep(), 0)
    // The store sweeps by itself too.
    expect(answerOf(result), 'records swept').toBeLessThanOrEqual(most)
  }
}

const outcomeOf = (result: Result): string =>
  result.outcome === 'accepted' ? 'accepted' : `${result.outcome}: ${result.message}`

function outcomeIs(result: Result, expected: Outcome): void {
  if (result.outcome !== expected) expect(outcomeOf(result)).toBe(expected)
}

function answerOf(result: Result): unknown {
  if (result.outcome !== 'accepted') expect(outcomeOf(result)).toBe('accepted')
  return 'value' in result ? result.value : undefined
}

/** Unlike an assertion of the test runner it tells the whole texts. */
function isSame(what: string, found: string, expected: string): void {
  if (found !== expected) throw new Error(`${what}: expected ${expected}, found ${found}`)
}

/** With the order of the features, which is the definition's. */
const recordText = (record: unknown): string =>
  fc.stringify(record === undefined ? undefined : Object.entries(record as object))
