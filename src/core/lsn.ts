/**
 * A log sequence number counts the operations of one shard, from 1. A commit of n operations takes n of them.
 * Numbers up to 2^53 are exact: at a million operations a second that lasts 285 years.
 */
export type Lsn = number & { readonly lsn: unique symbol }

export const LSN_FIRST = 1 as Lsn

export const lsnAfter = (lsn: number, operations: number): Lsn => (lsn + operations) as Lsn
