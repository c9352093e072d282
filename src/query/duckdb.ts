/**
 * DuckDB reads offline files and, for the command line, files of users. It is an optional dependency of the package:
 * it is loaded when something needs it, and its absence is an error that says what to install.
 *
 * Owns: one in-memory database and its connections. Invariants: it never reaches for the network (extensions are not
 * installed on demand), spills to disk only where the caller allows it, and its times are UTC. No type of the package
 * appears in what the library exports, or its users could not compile without it.
 */
import { createRequire } from 'node:module'
import type { DuckDBConnection, Json } from '@duckdb/node-api'
import type * as Bindings from '@duckdb/node-bindings'
import { MillraceError } from '../core/errors.ts'
import { packageJson } from '../core/package-json.ts'

type NodeApi = typeof import('@duckdb/node-api')

export interface DuckDb {
  readonly connection: DuckDBConnection
  /** Another connection, for a result that is read slowly: a query ends the unfinished one before it. */
  connect(): Promise<DuckDBConnection>
  /** The loaded package. */
  readonly nodeApi: NodeApi
  /** The C interface below the connection, for reading whole vectors. */
  readonly bindings: typeof Bindings
  close(): void
}

export interface DuckDbOptions {
  /** Default 2: reading feeds the engine, it must not take its cores. */
  readonly threads?: number
  /** Default 512 MiB. */
  readonly memoryBytes?: number
  /** Where what does not fit in memory may go; default nowhere, and then a query that needs more fails. */
  readonly temporaryDirectory?: string
  /** How the package is loaded. */
  readonly load?: () => Promise<NodeApi>
}

/** @throws MillraceError DEPENDENCY_MISSING if DuckDB is not installed or has no build for this machine */
export async function openDuckDb(options: DuckDbOptions = {}): Promise<DuckDb> {
  const load = options.load ?? (() => import('@duckdb/node-api'))
  let nodeApi: NodeApi
  try {
    nodeApi = await load()
  } catch (cause) {
    throw new MillraceError(
      'DEPENDENCY_MISSING',
      'reading files needs DuckDB, which could not be loaded; run: ' +
        // Without its version npm would take the newest, and refuse it for not being the one of our peers.
        `npm install @duckdb/node-api@${packageJson.peerDependencies['@duckdb/node-api']}`,
      { cause },
    )
  }
  // The C interface is a dependency of the package above, not of ours, so it is resolved from there.
  const requireHere = createRequire(import.meta.url)
  const bindings: typeof Bindings = createRequire(requireHere.resolve('@duckdb/node-api'))(
    '@duckdb/node-bindings',
  )
  const instance = await nodeApi.DuckDBInstance.create(':memory:', {
    threads: String(options.threads ?? 2),
    memory_limit: `${Math.round((options.memoryBytes ?? 512 * 1024 * 1024) / 1024)}KiB`,
    temp_directory: options.temporaryDirectory ?? '',
    preserve_insertion_order: 'true',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run("SET GLOBAL TimeZone = 'UTC'")
  return {
    connection,
    connect: () => instance.connect(),
    nodeApi,
    bindings,
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

/**
 * All rows of a small result. 64-bit and wider integers come as text.
 * @typeParam Row - what the query selects, which the caller knows and nobody checks
 */
export async function queryRows<Row extends Record<string, Json>>(
  connection: DuckDBConnection,
  sql: string,
): Promise<Row[]> {
  const reader = await connection.runAndReadAll(sql)
  return reader.getRowObjectsJson() as Row[]
}

export interface SqlColumn {
  readonly name: string
  /** As DuckDB spells it, such as `BIGINT`, `DECIMAL(18,3)` or `STRUCT(a BIGINT)`. */
  readonly type: string
}

/** The columns of an SQL table and their types. */
export async function describeRelation(connection: DuckDBConnection, relation: string): Promise<SqlColumn[]> {
  const sql = `DESCRIBE SELECT * FROM ${relation}`
  const rows = await queryRows<{ column_name: string; column_type: string }>(connection, sql)
  return rows.map((row) => ({ name: row.column_name, type: row.column_type }))
}

/** What DuckDB says was wrong, without its advice on options that a user of ours cannot set. */
export function duckDbMessage(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const end = text.search(/\n\s*\n|\nPossible |\nThe search space |\nTry |\n Try |\nLINE 1:/)
  return (end === -1 ? text : text.slice(0, end)).trim().replace(/\s*\n\s*/g, '; ')
}
