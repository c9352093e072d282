/**
 * Feature groups as requests name them: by name, ignoring case, or by ARN (R-040, R-043..R-045).
 * Owns: the writer of each group in use.
 */
import { MillraceError, quote } from '../core/errors.ts'
import type { GroupSession } from '../engine/group-session.ts'
import type { Millrace } from '../engine/millrace.ts'
import { RecordWriter } from './record-writer.ts'

/** Partition, region, account and name; the shapes have checked the rest. */
const ARN = /^arn:aws[a-z-]*:sagemaker:([a-z0-9-]*):([0-9]{12}):feature-group\/(.*)$/

export class GroupDirectory {
  readonly #store: Millrace
  readonly #writers = new WeakMap<GroupSession, RecordWriter>()

  constructor(store: Millrace) {
    this.#store = store
  }

  /** @throws FEATURE_GROUP_NOT_FOUND, also while the group is being deleted */
  session(nameOrArn: string): GroupSession {
    const name = this.#nameOf(nameOrArn)
    if (name === undefined) throw notFound(nameOrArn)
    try {
      return this.#store.session(name)
    } catch (thrown) {
      if (!isGroupMissing(thrown)) throw thrown
      const group = this.#store.list().find((each) => each.name.toLowerCase() === name.toLowerCase())
      throw notFound(nameOrArn, group?.status)
    }
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

  /** An ARN of another account or region names nothing here. */
  #nameOf(nameOrArn: string): string | undefined {
    const match = ARN.exec(nameOrArn)
    if (match === null) return nameOrArn
    const [, region, accountId, name] = match
    const { location } = this.#store
    return region === location.region && accountId === location.accountId ? name : undefined
  }
}

export const isGroupMissing = (thrown: unknown): boolean =>
  thrown instanceof MillraceError && thrown.code === 'FEATURE_GROUP_NOT_FOUND'

const STATUS_NAMES: Readonly<Record<string, string>> = { deleting: 'Deleting' }

function notFound(nameOrArn: string, status = ''): MillraceError {
  const state = STATUS_NAMES[status] === undefined ? '' : `: its status is ${STATUS_NAMES[status]}`
  return new MillraceError(
    'FEATURE_GROUP_NOT_FOUND',
    `Feature group ${quote(nameOrArn)} was not found${state}.`,
    { place: { featureGroup: nameOrArn } },
  )
}
