/**
 * Entry of an encoder thread: piscina runs it with an EncodeRequest (the parts' buffers transferred) and gets an
 * EncodeReply. It assumes of its pool:
 *
 *   concurrentTasksPerWorker: 1   a task is synchronous from start to end
 *   idleTimeout: Infinity         loading the encoder costs more than keeping it, and its memory is reused
 *   atomics: 'disabled'           as for shards; a parked event loop would also not see the pool closing
 *   niceIncrement: above 0        writes and reads come first; Parquet is only late
 *   recordTiming: false
 *   closeTimeout                  longer than the longest task; a thread that is terminated leaves a hidden file behind
 *
 * and that no `signal` is passed with a task, which would terminate the thread. The thread keeps nothing between
 * tasks that matters: if it dies, its task may be run again on another.
 */
import { nodeFileSystem } from '../io/file-system.ts'
import { type EncodeReply, type EncodeRequest, Encoder } from './encoder.ts'

const encoder = new Encoder(nodeFileSystem)

export default (request: EncodeRequest): EncodeReply => encoder.encode(request)
