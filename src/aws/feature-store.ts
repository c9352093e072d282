/**
 * `millrace/aws`: a store of this process with the operations of Amazon SageMaker Feature Store, their inputs, outputs and
 * errors, without HTTP. The public surface of this folder.
 */
import type { Millrace } from '../engine/millrace.ts'
import { ControlPlane } from './control-plane.ts'
import { DataPlane } from './data-plane.ts'

export type {
  DescribeFeatureGroupOutput,
  DescribeFeatureMetadataOutput,
  FeatureGroupSummary,
  SearchOutput,
} from './control-plane.ts'
export { ControlPlane } from './control-plane.ts'
export type { ControlPlaneInput, ControlPlaneOperation } from './control-plane-shapes.ts'
export { DataPlane } from './data-plane.ts'
export type {
  BatchGetRecordIdentifier,
  BatchGetRecordOutput,
  BatchWriteRecordEntry,
  BatchWriteRecordOutput,
  DataPlaneInput,
  DataPlaneOperation,
  FeatureValue,
  GetRecordOutput,
  ListRecordsOutput,
  TtlDuration,
} from './data-plane-shapes.ts'
export { ServiceError, type ServiceErrorCode } from './service-error.ts'

/** Both planes over one store, which stays its caller's to close. */
export class FeatureStore {
  /** Feature groups: create, describe, update, delete, list, search, metadata and tags. */
  readonly control: ControlPlane
  /** Records: put, get, update, delete, list, and batches of puts and gets. */
  readonly data: DataPlane

  constructor(store: Millrace) {
    this.control = new ControlPlane(store)
    this.data = new DataPlane(store)
  }
}
