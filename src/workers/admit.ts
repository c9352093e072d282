/** Which of the writes of a commit may be logged: everything a write can be refused for is decided here, before. */
import { MillraceError } from '../core/errors.ts'
import type { RecordSchema } from '../core/model.ts'
import type { PendingWrite } from './commit-queue.ts'
import { settleCondition } from './conditions.ts'
import type { OnlineSide } from './online-side.ts'
import { hasSource, type Sources } from './sources.ts'
import type { Stamps } from './stamps.ts'

export interface AdmissionInputs {
  readonly sources: Sources
  readonly online: OnlineSide
  readonly stamps: Stamps
  readonly schemas: ReadonlyMap<number, RecordSchema>
}

/** Settles the writes that must not be logged, and returns the others as they are to be logged. */
export function admit(taken: readonly PendingWrite[], inputs: AdmissionInputs): PendingWrite[] {
  const { sources, online, stamps, schemas } = inputs
  const tentative = new Map<string, number>()
  const admitted: PendingWrite[] = []
  for (const write of taken) {
    const { header } = write
    const outcome = write.isConditional
      ? settleCondition(write, online, schemas.get(header.featureGroup))
      : write
    let refusal = outcome instanceof MillraceError ? outcome : undefined
    if (hasSource(header)) {
      const key = `${header.sourceLow}:${header.sourceHigh}`
      const position = tentative.get(key) ?? sources.position(header.sourceLow, header.sourceHigh)
      refusal ??= sources.check(header, position)
      if (refusal === undefined) tentative.set(key, header.sourceUpTo)
    }
    if (refusal !== undefined || outcome instanceof MillraceError) write.settle(refusal)
    else {
      stamps.order(outcome)
      admitted.push(outcome)
    }
  }
  return admitted
}
