/** Fresh directories with small files in them, removed after each test. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { openDuckDb } from '../../src/query/duckdb.ts'
import { sqlText } from '../../src/query/sql.ts'

const directories: string[] = []

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  directories.push(directory)
  return directory
}

/** @returns the path of a new file */
export function temporaryFile(name: string, content: string | Uint8Array): string {
  const path = join(temporaryDirectory(), name)
  writeFileSync(path, content)
  return path
}

/** Writes the result of a query as Parquet. @returns its path */
export async function temporaryParquet(query: string, name = 'input.parquet', options = ''): Promise<string> {
  const path = join(temporaryDirectory(), name)
  const duckDb = await openDuckDb()
  await duckDb.connection.run(`COPY (${query}) TO ${sqlText(path)} (FORMAT parquet${options})`)
  duckDb.close()
  return path
}
