/**
 * Writes records of one feature group as the API asks for it: target stores, times to live, and what each of the
 * operations lets the shard decide.
 * Owns: the packer of the group's schema in force. Does not own: the way to the shards (GroupSession).
 * The methods check in the order of R-031: target stores, the record, the tier; the stored state comes last, in the shard.
 */
import {
  OPERATION_HARD_DELETE,
  OPERATION_PUT,
  OPERATION_SOFT_DELETE,
  OPERATION_UPDATE,
  TARGET_OFFLINE,
  TARGET_ONLINE,
} from '../codec/row.ts'
import { durationSeconds } from '../core/duration.ts'
import { invalid, MillraceError } from '../core/errors.ts'
import type { RecordSchema } from '../core/model.ts'
import type { GroupSession, PackOne } from '../engine/group-session.ts'
import type { Operation } from '../engine/record-packer.ts'
import { allowsUpdates } from '../engine/tier-rules.ts'
import type { DataPlaneInput, TtlDuration, WrittenValue } from './data-plane-shapes.ts'
import { FeatureValuePacker } from './feature-value-packer.ts'

type TargetStores = DataPlaneInput<'PutRecord'>['TargetStores']

/** What a write says besides its record. */
export interface WriteRequest {
  readonly targetStores: TargetStores | undefined
  /** Of the record itself. */
  readonly ttl: TtlDuration | undefined
  /** Of the whole call, for records without one of their own. */
  readonly callTtl?: TtlDuration | undefined
  readonly invocationUs: number
}

export class RecordWriter {
  readonly session: GroupSession
  #packer: FeatureValuePacker | undefined
  #packerSchema: RecordSchema | undefined

  constructor(session: GroupSession) {
    this.session = session
  }

  /**
   * To be awaited before anything is written where `mustWait`: clients do not retry what is refused, so a call under
   * overload is answered late instead.
   * @throws THROTTLED if too many calls wait
   */
  room(): Promise<void> {
    return this.session.puts.room()
  }

  get mustWait(): boolean {
    return !this.session.puts.hasRoom
  }

  /** Resolves when the record is durable and visible. @throws INVALID_ARGUMENT */
  put(record: readonly WrittenValue[], request: WriteRequest): Promise<void> {
    return this.session.write((batches) => {
      const targets = this.#targets(request.targetStores)
      const ttlSeconds = this.#ttlSeconds(targets, request)
      return this.#currentPacker().pack(
        record,
        operation(OPERATION_PUT, targets, ttlSeconds, request),
        batches,
      )
    }, true)
  }

  /** @throws RECORD_NOT_FOUND; EVENT_TIME_OLDER; INVALID_ARGUMENT */
  async update(id: string, features: readonly WrittenValue[], request: WriteRequest): Promise<void> {
    const { session } = this
    await session.writeConditional((batches) => {
      const { model, schema, core } = session
      if (!model.online) throw this.#noStore('online')
      const targets = this.#targets(request.targetStores)
      const { ttl } = request
      // Never the group's default: an update without a duration leaves the record's own.
      const ttlSeconds = ttl === undefined || (targets & TARGET_ONLINE) === 0 ? 0 : durationOf(ttl)
      const shard = this.#currentPacker().packUpdate(
        id,
        features,
        operation(OPERATION_UPDATE, targets, ttlSeconds, request),
        batches,
      )
      const { name } = schema.eventTime
      if (ttl !== undefined && !features.some((value) => value.FeatureName === name)) {
        throw this.#invalid(
          `TtlDuration needs an event time to be counted from: feature [${name}] is not among the features.`,
        )
      }
      if (!allowsUpdates(model, core.hasExtensions)) {
        throw this.#invalid(
          `UpdateRecord needs an online store of tier Standard_V2 or InMemory; that of feature group ${model.name} is ${model.tier}.`,
        )
      }
      return shard
    })
  }

  /** @throws INVALID_ARGUMENT; EVENT_TIME_NOT_LATER for a hard delete */
  delete(
    id: string,
    eventTime: string,
    mode: 'SoftDelete' | 'HardDelete',
    request: WriteRequest,
  ): Promise<void> {
    const kind = mode === 'SoftDelete' ? OPERATION_SOFT_DELETE : OPERATION_HARD_DELETE
    const targets = this.#targets(request.targetStores)
    const pack: PackOne = (batches) =>
      this.#currentPacker().packDelete(id, eventTime, operation(kind, targets, 0, request), batches)
    // Without the online store there is nothing a hard delete could be compared with.
    const isConditional = mode === 'HardDelete' && (targets & TARGET_ONLINE) !== 0
    return isConditional ? this.#deleteIfLater(pack, eventTime) : this.session.write(pack, true)
  }

  /** The refusal in the words of the API (OQ-02). */
  async #deleteIfLater(pack: PackOne, eventTime: string): Promise<void> {
    try {
      await this.session.writeConditional(pack)
    } catch (thrown) {
      if (!(thrown instanceof MillraceError) || thrown.code !== 'EVENT_TIME_NOT_LATER') throw thrown
      throw new MillraceError(
        thrown.code,
        `EventTime ${eventTime} must be later than that of the stored record for a HardDelete; nothing was deleted.`,
        { cause: thrown, place: thrown.place },
      )
    }
  }

  /** The group may have been updated since the last record was packed. */
  #currentPacker(): FeatureValuePacker {
    const { schema, core } = this.session
    if (this.#packer === undefined || this.#packerSchema !== schema) {
      this.#packer = new FeatureValuePacker(schema, core.shards.length)
      this.#packerSchema = schema
    }
    return this.#packer
  }

  /** */
  #targets(stores: TargetStores | undefined): number {
    const all = this.session.allTargets
    if (stores === undefined) return all
    let targets = 0
    for (const store of stores) {
      const target = store === 'OnlineStore' ? TARGET_ONLINE : TARGET_OFFLINE
      if ((all & target) === 0) throw this.#noStore(target === TARGET_ONLINE ? 'online' : 'offline')
      if ((targets & target) !== 0) throw this.#invalid(`TargetStores names ${store} twice.`)
      targets |= target
    }
    return targets
  }

  /** The record's own, else the call's, else the group's; none where nothing goes online (R-293, OQ-38). */
  #ttlSeconds(targets: number, { ttl, callTtl }: WriteRequest): number {
    const { model } = this.session
    if (ttl !== undefined && !model.online) {
      throw this.#invalid(
        `TtlDuration: feature group ${model.name} has no online store that it could apply to.`,
      )
    }
    if ((targets & TARGET_ONLINE) === 0) return 0
    const given = ttl ?? callTtl
    if (given !== undefined) return durationOf(given)
    return model.ttl === undefined ? 0 : durationSeconds(model.ttl, 'ttl')
  }

  #noStore(store: 'online' | 'offline'): MillraceError {
    return this.#invalid(`Feature group ${this.session.name} has no ${store} store.`)
  }

  #invalid(text: string): MillraceError {
    return invalid(text, { featureGroup: this.session.name })
  }
}

const durationOf = ({ Unit, Value }: TtlDuration): number =>
  durationSeconds({ unit: Unit, value: Value }, 'TtlDuration')

const operation = (
  kind: number,
  targets: number,
  ttlSeconds: number,
  { invocationUs }: WriteRequest,
): Operation => ({ operation: kind, targets, ttlSeconds, invocationUs })
