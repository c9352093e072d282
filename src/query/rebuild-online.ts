/** The online store, made again of offline files: of every id the latest version that is not a delete. */
import { invalid } from '../core/errors.ts'
import { type AgreementReport, checkAgreement, type OnlineReader } from './agreement.ts'
import type { ColumnValue } from './column-value.ts'
import { History, planHistory } from './history.ts'
import type { OfflineSource } from './offline-source.ts'
import type { QueryOptions } from './options.ts'

export interface RebuildOptions extends QueryOptions {
  /** Compare both stores afterwards. Default false. */
  readonly verify?: boolean
  /** Ends the rebuild, which then tells how far it came; what was written stays, and it may be begun again. */
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Of the verification. */
  readonly differencesMax?: number
}

export interface RebuildProgress {
  /** Records of the latest snapshot. */
  readonly records: number
  /** Of these, how many are durable in the online store, unless something later was there. */
  readonly written: number
  /** Packed bytes of those. */
  readonly bytes: number
}

export interface RebuildReport extends RebuildProgress {
  /** Records that break a rule of this version, with the reasons of the first. */
  readonly rejected: number
  readonly errors: readonly { readonly row: number; readonly message: string }[]
  readonly isAborted: boolean
  /** Undefined without `verify`, and after an abort. */
  readonly agreement: AgreementReport | undefined
}

/** How records reach the online store: the way of all others. */
export type WriteOnline = (
  records: AsyncIterable<readonly Readonly<Record<string, ColumnValue>>[]>,
  options: {
    readonly signal?: AbortSignal
    readonly onProgress: (progress: { readonly accepted: number; readonly bytes: number }) => void
  },
) => Promise<{
  readonly accepted: number
  readonly rejected: number
  readonly bytes: number
  readonly errors: RebuildReport['errors']
  readonly isAborted: boolean
}>

export async function rebuildOnline(
  source: OfflineSource,
  online: OnlineReader & { write: WriteOnline },
  options: RebuildOptions,
): Promise<RebuildReport> {
  const { group } = source
  const { signal, onProgress } = options
  if (!group.online) {
    throw invalid(`feature group "${group.name}" has no online store to rebuild`, {
      featureGroup: group.name,
    })
  }
  let progress: RebuildProgress = { records: 0, written: 0, bytes: 0 }
  try {
    const report = await writeSnapshot(source, online, options, (done) => {
      progress = done
      onProgress?.(done)
    })
    if (options.verify !== true || report.isAborted) return { ...report, agreement: undefined }
    const { onProgress: _, ...common } = options
    return { ...report, agreement: await checkAgreement(source, online, common) }
  } catch (thrown) {
    if (signal?.aborted !== true) throw thrown
    return { ...progress, rejected: 0, errors: [], isAborted: true, agreement: undefined }
  }
}

async function writeSnapshot(
  source: OfflineSource,
  online: { readonly write: WriteOnline },
  options: RebuildOptions,
  onProgress: (progress: RebuildProgress) => void,
): Promise<Omit<RebuildReport, 'agreement'>> {
  const { signal } = options
  const history = await History.open(source, planHistory(source.group, { view: 'latest' }), options)
  try {
    const records = await history.count()
    const { accepted, rejected, bytes, errors, isAborted } = await online.write(history.records(), {
      ...(signal !== undefined && { signal }),
      onProgress: (done) => onProgress({ records, written: done.accepted, bytes: done.bytes }),
    })
    return { records, written: accepted, bytes, rejected, errors, isAborted }
  } finally {
    history.close()
  }
}
