/**
 * A batch holds exactly the rows that were ended, whatever was in its buffer before and whatever was cancelled in
 * between; equal rows make equal bytes. The oracle is a list of plain objects.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BATCH_BUFFER_BYTES, BATCH_HEADER_BYTES, readBatchHeader } from '../../src/codec/batch.ts'
import { BatchBuilder } from '../../src/codec/batch-builder.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import {
  ROW_BYTES,
  ROW_HASH_HIGH,
  ROW_HASH_LOW,
  ROW_ID,
  ROW_INVOCATION_US,
  ROW_OPERATION,
  ROW_TARGETS,
  rowIdBytes,
  valueStart,
  viewRows,
} from '../../src/codec/row.ts'
import { limits } from '../../src/core/limits.ts'
import { hashHigh, hashLow } from '../../src/core/record-hash.ts'
import { addRow, SCHEMA, type TestRow } from '../fixtures/packed-rows.ts'

const ORIGIN = { featureGroup: 7, sourceLow: 0, sourceHigh: 0, sourceFrom: 0, sourceUpTo: 0 }

const dirty = (): ArrayBuffer => new Uint8Array(BATCH_BUFFER_BYTES).fill(0xff).buffer

const row: fc.Arbitrary<TestRow> = fc
  .record(
    {
      id: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
      seconds: fc.integer({ min: -62_167_219_200, max: 253_402_300_799 }),
      operation: fc.constantFrom('put' as const, 'soft' as const, 'hard' as const),
      targets: fc.integer({ min: 1, max: 3 }),
      invocationUs: fc.integer({ min: 0, max: 2 ** 48 }),
      note: fc.string({ unit: 'grapheme', maxLength: 200 }),
      count: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      score: fc.double(),
    },
    { requiredKeys: ['id', 'seconds', 'operation', 'targets', 'invocationUs'] },
  )
  .map((each) => each as TestRow)

interface Decoded {
  readonly id: string
  readonly operation: number
  readonly targets: number
  readonly invocationUs: number
  readonly isHashRight: boolean
  readonly record: unknown
}

function decode(buffer: ArrayBuffer, bytes: number): Decoded[] {
  const view = viewRows(buffer, 0, bytes)
  const { recordCount, batchBytes } = readBatchHeader(view, 0)
  expect(batchBytes).toBe(bytes)
  let at = BATCH_HEADER_BYTES
  const decoded = Array.from({ length: recordCount }, () => {
    const idBytes = view.u8.subarray(at + ROW_ID, at + ROW_ID + rowIdBytes(view, at))
    const id = idBytes.toString('utf8')
    const result = {
      id,
      operation: view.u8[at + ROW_OPERATION]!,
      targets: view.u8[at + ROW_TARGETS]!,
      invocationUs: view.f64[(at + ROW_INVOCATION_US) >>> 3]!,
      isHashRight:
        view.u32[(at + ROW_HASH_HIGH) >>> 2] === hashHigh(idBytes, 0, idBytes.length) &&
        view.u32[(at + ROW_HASH_LOW) >>> 2] === hashLow(idBytes, 0, idBytes.length),
      record: decodeRecord(SCHEMA, id, view.u8, valueStart(view, at)),
    }
    at += view.u32[(at + ROW_BYTES) >>> 2]!
    return result
  })
  expect(at, 'the last row ends where the batch ends').toBe(bytes)
  return decoded
}

const OPERATIONS = { put: 1, soft: 2, hard: 3 }

function expectedOf({
  id,
  seconds,
  operation = 'put',
  targets,
  invocationUs,
  note,
  count,
  score,
}: TestRow): Decoded {
  const at = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
  const number = count !== undefined && Number.isSafeInteger(Number(count)) ? Number(count) : count
  const values = Object.entries({ note, count: number, score }).filter(([, value]) => value !== undefined)
  return {
    id,
    operation: OPERATIONS[operation],
    targets: targets!,
    invocationUs: invocationUs!,
    isHashRight: true,
    record: operation === 'put' ? { id, at, ...Object.fromEntries(values) } : undefined,
  }
}

describe('a batch', () => {
  it('holds the rows that were added, in order, to the bit', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
        const builder = new BatchBuilder(dirty)
        for (const each of rows) addRow(builder, each)
        const { buffer, bytes, recordCount } = builder.finish(ORIGIN)
        expect(recordCount).toBe(rows.length)
        expect(decode(buffer, bytes)).toEqual(rows.map(expectedOf))
      }),
    )
  })

  it('has the same bytes for the same rows, whatever its buffer held and whatever was cancelled in between', () => {
    const step = fc.record({ row, isCancelled: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clean = new BatchBuilder()
        const used = new BatchBuilder(dirty)
        for (const { row: each, isCancelled } of steps) {
          if (isCancelled) {
            beginOnly(used, each)
            used.cancelRow()
          } else {
            addRow(clean, each)
            addRow(used, each)
          }
        }
        const one = clean.finish(ORIGIN)
        const two = used.finish(ORIGIN)
        expect(two.recordCount).toBe(one.recordCount)
        expect(Buffer.from(two.buffer, 0, two.bytes).equals(Buffer.from(one.buffer, 0, one.bytes))).toBe(true)
      }),
    )
  })

  /** As `addRow`, up to the point where a value turns out wrong. */
  function beginOnly(builder: BatchBuilder, each: TestRow): void {
    const id = Buffer.from(each.id)
    const head = {
      operation: 1,
      targets: 3,
      invocationUs: 5,
      slotCount: SCHEMA.slotCount,
      flags: 0,
      ttlSeconds: 0,
    }
    builder.beginRow(head, id, id.length, 1, 2, each.seconds, 5, 9)
    const slotOf = (name: string): number => SCHEMA.byName.get(name)!.slot
    builder.setText(slotOf('note'), `cancelled ${each.note ?? ''}`)
    builder.setFractional(slotOf('score'), 0.1)
  }

  it('grows with what it is given, and starts anew in a fresh buffer', () => {
    const builder = new BatchBuilder(dirty)
    const note = 'é'.repeat(100_000)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) addRow(builder, { id: `${round}-${i}`, seconds: i, note })
      const { buffer, bytes } = builder.finish(ORIGIN)
      expect(bytes).toBeGreaterThan(600_000)
      expect(
        decode(buffer, bytes).map(({ id, record }) => [id, (record as { note: string }).note === note]),
      ).toEqual([0, 1, 2].map((i) => [`${round}-${i}`, true]))
      expect(builder.recordCount).toBe(0)
      expect(builder.bytes).toBe(BATCH_HEADER_BYTES)
    }
  })

  it('takes the largest record behind a full batch', () => {
    const builder = new BatchBuilder()
    while (builder.bytes < limits.batchBytes) addRow(builder, { id: 'a', seconds: 0, note: 'x'.repeat(1000) })
    addRow(builder, { id: 'large', seconds: 0, note: '\u0800'.repeat(Math.floor(limits.recordBytesMax / 3)) })
    const { buffer, bytes } = builder.finish(ORIGIN)
    expect(bytes).toBeLessThanOrEqual(limits.batchBytesMax)
    expect(decode(buffer, bytes).at(-1)?.id).toBe('large')
  })

  it('does not keep a large buffer for a few rows', () => {
    const builder = new BatchBuilder()
    addRow(builder, { id: 'a', seconds: 0 })
    const { buffer, bytes } = builder.finish(ORIGIN)
    expect(buffer.byteLength).toBe(bytes)
  })

  it('may be empty, to tell how far a source has come', () => {
    const origin = {
      featureGroup: 7,
      sourceLow: 1,
      sourceHigh: 0xffff_ffff,
      sourceFrom: 3,
      sourceUpTo: 2 ** 53 - 1,
    }
    const { buffer, bytes } = new BatchBuilder(dirty).finish(origin)
    expect(readBatchHeader(viewRows(buffer, 0, bytes), 0)).toEqual({
      ...origin,
      batchBytes: BATCH_HEADER_BYTES,
      recordCount: 0,
      lastInvocationUs: 0,
    })
  })

  it('that is none is recognised', () => {
    const { buffer, bytes } = new BatchBuilder().finish(ORIGIN)
    expect(() => readBatchHeader(viewRows(buffer.slice(8), 0), 0)).toThrow('a batch starts with its magic')
    const cut = new Uint8Array(buffer.slice(0, bytes))
    new Uint32Array(cut.buffer)[1] = bytes + 8
    expect(() => readBatchHeader(viewRows(cut.buffer), 0)).toThrow('a batch ends inside its buffer')
  })
})

describe('ill-formed text', () => {
  it.each(['\ud800', 'a\udc00', '\udc00\ud800', `${'x'.repeat(60)}\ud83d`])('%j is refused', (text) => {
    const builder = new BatchBuilder()
    builder.beginRow(
      { operation: 1, targets: 3, invocationUs: 0, slotCount: 3, flags: 0, ttlSeconds: 0 },
      Buffer.from('a'),
      1,
      0,
      0,
      0,
      0,
      0,
    )
    expect(builder.setText(SCHEMA.byName.get('note')!.slot, text)).toBe(-1)
    builder.cancelRow()
    expect(builder.finish(ORIGIN).recordCount).toBe(0)
  })
})
