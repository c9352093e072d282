/**
 * The rule that tells a torn tail from damage, as a table: what stands behind the last good frame of a segment, and
 * what else is known, decide what recovery may do. A frame is written after the sync of what its `syncedBytes`
 * covers, so a later frame can prove that the bytes before it were once complete on disk.
 *
 *   (a) In any segment but the last, all bytes were synced before the next segment was made: damage.
 *   (b) A later frame proves that the bad bytes were synced: damage, never cut. Under strict durability every later
 *       frame does; under interval durability frames written since the last sync prove nothing, because the system
 *       may write them back in any order.
 *   (c) Something outside the log (a store, the manifest) holds a higher LSN than the log ends with: acknowledged
 *       data is missing.
 *   (d) Otherwise the bad bytes belong to a commit nobody was promised: kept aside and cut.
 */

export type SegmentPosition = 'earlier' | 'last'

/** What stands behind the last good frame. */
export type Tail =
  /** Nothing, or zeros to the end of the file. */
  | 'clean'
  /** Bytes without any whole frame of this segment from here on. */
  | 'noise'
  /** A whole later frame, but none that proves a sync of what is bad. */
  | 'unproven frame'
  /** A whole later frame that proves a sync, or one that stands in the place of another. */
  | 'proving frame'

/** Whether the highest LSN known outside the log is in the log. */
export type Evidence = 'covered' | 'beyond'

export type Verdict =
  /** Nothing is wrong. */
  | 'accept'
  /** Keep the bad bytes aside and end the log before them. */
  | 'cut'
  | 'refuse damage'
  | 'refuse missing data'

export const VERDICTS: Record<SegmentPosition, Record<Tail, Record<Evidence, Verdict>>> = {
  earlier: {
    // The evidence is weighed once, at the end of the log.
    clean: { covered: 'accept', beyond: 'accept' },
    noise: { covered: 'refuse damage', beyond: 'refuse damage' },
    'unproven frame': { covered: 'refuse damage', beyond: 'refuse damage' },
    'proving frame': { covered: 'refuse damage', beyond: 'refuse damage' },
  },
  last: {
    clean: { covered: 'accept', beyond: 'refuse missing data' },
    noise: { covered: 'cut', beyond: 'refuse missing data' },
    'unproven frame': { covered: 'cut', beyond: 'refuse missing data' },
    'proving frame': { covered: 'refuse damage', beyond: 'refuse damage' },
  },
}
