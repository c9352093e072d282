/** Which Arrow columns are taken as numbers. */
import { type Data, DataType } from 'apache-arrow'

export const FRACTIONAL_TYPES = 'Float32 or Float64'
export const INTEGRAL_TYPES = 'signed integers, or unsigned ones of at most 32 bits'

export const isFractional = (data: Data): boolean => DataType.isFloat(data.type) && data.type.precision !== 0

export const isIntegral = (data: Data): boolean =>
  DataType.isInt(data.type) && (data.type.bitWidth < 64 || data.type.isSigned)

/** 64-bit integers as their halves, low ones first. */
export const wordsOf = (values: BigInt64Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
