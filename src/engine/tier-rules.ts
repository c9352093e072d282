/** What the kinds of online store allow (b.12 of the specification), and what the `extensions` switch adds to that. */
import type { FeatureGroupModel } from '../core/model.ts'

/** Whether records of a group may be updated in part. */
export const allowsUpdates = (group: FeatureGroupModel, hasExtensions: boolean): boolean =>
  group.online && (hasExtensions || group.tier !== 'Standard')
