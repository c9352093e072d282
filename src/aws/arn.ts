/** Feature groups by name or ARN. */
import type { StoreLocation } from '../engine/options.ts'

const ARN = /^arn:aws[a-z-]*:sagemaker:([a-z0-9-]*):([0-9]{12}):feature-group\/(.*)$/s

/** @returns the name; undefined for an ARN of another account or region, where nothing is to be found */
export function nameOf(nameOrArn: string, { region, accountId }: StoreLocation): string | undefined {
  if (!nameOrArn.startsWith('arn:')) return nameOrArn
  const match = ARN.exec(nameOrArn)
  return match?.[1] === region && match[2] === accountId ? match[3] : undefined
}
