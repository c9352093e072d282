/**
 * Feature groups as requests name them: by name, ignoring case, or by ARN (R-040, R-043..R-045).
 * Owns: the writer of each group in use.
 */
import { MillraceError } from '../core/errors.ts'
import type { GroupSession } from '../engine/group-session.ts'
import type { Millrace } from '../engine/millrace.ts'
import { nameOf } from './arn.ts'
import { RecordWriter } from './record-writer.ts'

export class GroupDirectory {
  readonly #store: Millrace
  readonly #writers = new WeakMap<GroupSession, RecordWriter>()

  constructor(store: Millrace) {
    this.#store = store
  }

  /** @throws FEATURE_GROUP_NOT_FOUND, also while the group is being deleted */
  session(nameOrArn: string): GroupSession {
    const { groups, location } = this.#store
    const name = nameOf(nameOrArn, location)
    const group = name === undefined ? undefined : groups.peek(name)
    if (group?.status === 'created') return groups.sessionOf(group)
    const state = group === undefined ? '' : ': its status is Deleting'
    throw new MillraceError('FEATURE_GROUP_NOT_FOUND', `Feature group ${nameOrArn} was not found${state}.`, {
      place: { featureGroup: nameOrArn },
    })
  }

  /** @throws FEATURE_GROUP_NOT_FOUND */
  writer(nameOrArn: string): RecordWriter {
    const session = this.session(nameOrArn)
    let writer = this.#writers.get(session)
    if (writer === undefined) {
      writer = new RecordWriter(session)
      this.#writers.set(session, writer)
    }
    return writer
  }
}

export const isGroupMissing = (thrown: unknown): boolean =>
  thrown instanceof MillraceError && thrown.code === 'FEATURE_GROUP_NOT_FOUND'
