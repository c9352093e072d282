/** Joined streams hold the rows of their parts, in their order; the oracle is Arrow's own reader. */
import { tableFromIPC } from 'apache-arrow'
import { describe, expect, it } from 'vitest'
import { ipcRowCount, joinIpcStreams } from '../../src/codec/ipc.ts'
import { columnStream, type Row, rowStream, someRows, utf8Column } from './arrow-streams.ts'

function readBack(stream: Uint8Array): Row[] {
  return tableFromIPC(stream)
    .toArray()
    .map((row): Row => {
      const { id, name, fare, riders, write_time, is_deleted } = row.toJSON()
      return { id, name, fare, riders, writtenMs: Number(write_time), isDeleted: is_deleted }
    })
}

describe('joining streams', () => {
  it.each([1, 7, 8, 9, 63, 64, 65])('keeps every value of 1 to 4 parts of %i rows', (count) => {
    for (let partCount = 1; partCount <= 4; partCount++) {
      const parts = Array.from({ length: partCount }, (_, i) => someRows(count, i * count))
      const joined = joinIpcStreams(parts.map(rowStream))
      expect(readBack(joined)).toEqual(parts.flat())
      expect(ipcRowCount(joined)).toBe(count * partCount)
    }
  })

  it('keeps the order of parts of different lengths, empty ones among them', () => {
    const parts = [someRows(65), [], someRows(1, 65), someRows(9, 66)]
    expect(readBack(joinIpcStreams(parts.map(rowStream)))).toEqual(someRows(75))
  })

  it('joins what was joined before', () => {
    const [a, b, c] = [someRows(3), someRows(4, 3), someRows(5, 7)].map(rowStream)
    expect(joinIpcStreams([joinIpcStreams([a!, b!]), c!])).toEqual(joinIpcStreams([a!, b!, c!]))
  })

  it('reads parts that are views into larger buffers', () => {
    const stream = rowStream(someRows(5))
    const buffer = new Uint8Array(stream.length + 24).fill(0xff)
    buffer.set(stream, 8)
    const view = buffer.subarray(8, 8 + stream.length)
    expect(readBack(joinIpcStreams([view, view]))).toEqual([...someRows(5), ...someRows(5)])
  })

  it('refuses a part with another schema', () => {
    const rows = rowStream(someRows(1))
    const otherName = columnStream({ x: [utf8Column(['a']), true] })
    const sameLength = columnStream({ y: [utf8Column(['a']), true] })
    const otherNullability = columnStream({ x: [utf8Column(['a']), false] })
    expect(() => joinIpcStreams([rows, otherName])).toThrow('stream 1 has the schema of the first')
    expect(() => joinIpcStreams([otherName, otherName, sameLength])).toThrow('stream 2 has the schema')
    expect(() => joinIpcStreams([otherName, otherNullability])).toThrow('stream 1 has the schema')
  })

  it('refuses to join nothing', () => {
    expect(() => joinIpcStreams([])).toThrow('at least one stream')
  })
})

describe('a stream', () => {
  it('is refused if it is cut anywhere', () => {
    const stream = rowStream(someRows(9))
    for (let length = 0; length < stream.length; length++) {
      expect(() => ipcRowCount(stream.subarray(0, length)), `cut to ${length} bytes`).toThrow()
    }
  })

  it('is refused if something follows its end', () => {
    const stream = rowStream(someRows(1))
    expect(() => ipcRowCount(Buffer.concat([stream, stream]))).toThrow('nothing follows the end')
    expect(() => ipcRowCount(Buffer.concat([stream, new Uint8Array(8)]))).toThrow('nothing follows the end')
  })

  it('is refused without its schema, or with two', () => {
    const stream = rowStream(someRows(1))
    const schemaEnd = 8 + new DataView(stream.buffer).getUint32(4, true)
    expect(() => ipcRowCount(stream.subarray(schemaEnd))).toThrow('starts with its schema')
    const twice = Buffer.concat([stream.subarray(0, schemaEnd), stream])
    expect(() => ipcRowCount(twice)).toThrow('one schema')
  })
})
