/**
 * Goal: what `npm pack` makes is a whole package: installed into an empty project it runs, worker threads included, and
 * type-checks.
 * Method: pack, install from the registry, and use it there as a user would, in child processes.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const NPM_TIMEOUT_MS = 300_000

interface PackageJson {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>
}

const readJson = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T
const packageJson = readJson<PackageJson>(join(root, 'package.json'))

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program with the Node of this test first on its path, and without npm's settings for this project. */
function runIn(cwd: string, file: string, args: readonly string[]): Promise<Result> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  env['PATH'] = `${dirname(process.execPath)}${delimiter}${env['PATH'] ?? ''}`
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr })
    })
  })
}

/** A new project that has nothing but the package. */
let project = ''
let packed: readonly string[] = []

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'millrace-package-'))
  const pack = await runIn(root, 'npm', ['pack', '--json', '--pack-destination', project])
  expect(pack, pack.stderr).toMatchObject({ code: 0 })
  // The scripts that make the package may print before the list of what is in it.
  const [made] = JSON.parse(pack.stdout.slice(pack.stdout.search(/^\[/m))) as [
    { filename: string; files: { path: string }[] },
  ]
  packed = made.files.map(({ path }) => path)
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n')
  const install = await runIn(project, 'npm', ['install', '--no-audit', '--no-fund', `./${made.filename}`])
  expect(install, install.stderr).toMatchObject({ code: 0 })
}, NPM_TIMEOUT_MS)

afterAll(() => rmSync(project, { recursive: true, force: true }))

const SCRIPT = `
import { Millrace, MillraceError } from 'millrace'
import { FeatureStore, ServiceError } from 'millrace/aws'

const store = await Millrace.open('./data', { shards: 2 })
const trips = await store.createFeatureGroup({
  name: 'trips', recordIdentifier: 'id', eventTime: 'at', features: { id: 'String', at: 'String', n: 'Integral' },
})
const rows = Array.from({ length: 10_000 }, (_, n) => ({ id: 't' + (n % 5000), at: new Date(1.7e12 + n * 1000), n }))
const { accepted } = await trips.ingest(rows)
await store.flush()
const { offline } = (await store.stats()).featureGroups[0]
const record = await trips.get('t4999')
const { data, control } = new FeatureStore(store)
const [value] = (await data.getRecord({
  FeatureGroupName: 'trips', RecordIdentifierValueAsString: 't4999', FeatureNames: ['n'],
})).Record
const { FeatureGroupStatus } = await control.describeFeatureGroup({ FeatureGroupName: 'trips' })
const refusal = await data.getRecord({ FeatureGroupName: 'none', RecordIdentifierValueAsString: 'a' }).catch((e) => e)
const aws = [value.ValueAsString, FeatureGroupStatus, refusal instanceof ServiceError && refusal.statusCode]
await store.close()

const again = await Millrace.open('./data')
const replayed = again.recovery.replayedRecords
const kept = await again.featureGroup('trips').get('t4999')
let code = ''
try {
  await again.featureGroup('trips').put({ id: 't1' })
} catch (error) {
  code = error instanceof MillraceError ? error.code : String(error)
}
await again.close()
console.log(JSON.stringify({ accepted, rows: offline.rows, n: record.n, kept: kept.n, replayed, code, aws }))
`

const HISTORY = `
import { Millrace } from 'millrace'

const store = await Millrace.open('./history', { shards: 1 })
const trips = await store.createFeatureGroup({
  name: 'trips', recordIdentifier: 'id', eventTime: 'at', features: { id: 'String', at: 'String' },
})
try {
  for await (const row of trips.history()) console.log(row)
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }))
}
await store.close()
`

const CONSUMER = `
import { Millrace, MillraceError, type FeatureGroupDefinition, type IngestReport, type MillraceOptions } from 'millrace'
import { FeatureStore, type FeatureValue } from 'millrace/aws'

const options: MillraceOptions = { durability: 'interval', parquet: { codec: 'snappy' } }
const definition = {
  name: 'trips', recordIdentifier: 'id', eventTime: 'at', features: { id: 'String', at: 'String', n: 'Integral' },
} as const satisfies FeatureGroupDefinition

export async function use(): Promise<bigint | number | undefined> {
  await using store = await Millrace.open('./data', options)
  const trips = await store.createFeatureGroup(definition)
  await trips.put({ id: 'a', at: new Date(), n: 1 })
  // @ts-expect-error a feature that does not exist
  await trips.put({ id: 'a', at: new Date(), m: 1 })
  // @ts-expect-error a value of another type
  await trips.put({ id: 'a', at: new Date(), n: 'one' })
  const report: IngestReport = await trips.ingest([{ id: 'b', at: '2026-03-01T12:00:00Z' }])
  if (report.errors.some((error) => error.code === 'INVALID_ARGUMENT')) throw new MillraceError('INTERNAL', 'no')
  const { data } = new FeatureStore(store)
  const Record: readonly FeatureValue[] = [{ FeatureName: 'id', ValueAsString: 'a' }]
  await data.putRecord({ FeatureGroupName: 'trips', Record, TargetStores: ['OnlineStore'] })
  // @ts-expect-error a store that there is not
  await data.putRecord({ FeatureGroupName: 'trips', Record, TargetStores: ['online'] })
  return (await trips.get('a'))?.n
}
`

const TSCONFIG = {
  compilerOptions: {
    target: 'ES2024',
    lib: ['ES2024', 'ESNext.Disposable', 'DOM'],
    module: 'NodeNext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: [],
    // The declarations of the package are what is checked here; those of its dependencies are not ours.
    skipLibCheck: true,
  },
  files: ['consumer.ts'],
}

describe('in an empty project, the package', () => {
  it('brings the built library and command, and neither sources nor tests', () => {
    expect(packed).toEqual(
      expect.arrayContaining(['README.md', 'LICENSE', 'package.json', 'dist/index.js', 'dist/index.d.ts']),
    )
    expect(packed).toEqual(
      expect.arrayContaining([
        'dist/cli/main.js',
        'dist/aws/feature-store.js',
        'dist/aws/feature-store.d.ts',
        'dist/workers/shard-worker.js',
        'dist/workers/encoder-worker.js',
      ]),
    )
    const others = packed.filter(
      (path) => !/^(dist\/.+\.(js|d\.ts)|README\.md|LICENSE|package\.json)$/.test(path),
    )
    expect(others).toEqual([])
  })

  it('ingests, reads back, flushes, closes and opens again', async () => {
    writeFileSync(join(project, 'script.js'), SCRIPT)
    const result = await runIn(project, process.execPath, ['script.js'])
    expect(result, result.stderr).toMatchObject({ code: 0 })
    expect(JSON.parse(result.stdout)).toEqual({
      accepted: 10_000,
      rows: 10_000,
      n: 9999,
      kept: 9999,
      replayed: 0,
      code: 'INVALID_ARGUMENT',
      aws: ['9999', 'Created', 404],
    })
  })

  it('has types that hold, and that refuse what is wrong', async () => {
    writeFileSync(join(project, 'consumer.ts'), CONSUMER)
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG))
    const tsc = join(root, 'node_modules', '.bin', 'tsc')
    const result = await runIn(project, tsc, ['-p', 'tsconfig.json'])
    expect(result).toEqual({ code: 0, stdout: '', stderr: '' })
    // An optional package must not be needed to compile: no declaration that users come to may mention it.
    const { stdout } = await runIn(project, tsc, ['-p', 'tsconfig.json', '--listFiles'])
    const declarations = stdout.split('\n').filter((path) => path.includes('node_modules/millrace/'))
    expect(declarations.length).toBeGreaterThan(0)
    expect(declarations.filter((path) => readFileSync(path, 'utf8').includes('@duckdb/'))).toEqual([])
  })

  it('says which optional package reading the history lacks', async () => {
    writeFileSync(join(project, 'history.js'), HISTORY)
    const result = await runIn(project, process.execPath, ['history.js'])
    expect(result, result.stderr).toMatchObject({ code: 0 })
    const duckDb = `@duckdb/node-api@${packageJson.peerDependencies['@duckdb/node-api']}`
    expect(JSON.parse(result.stdout)).toEqual({
      code: 'DEPENDENCY_MISSING',
      message: expect.stringContaining(`run: npm install ${duckDb}`),
    })
  })

  it('has a command', async () => {
    const help = await runIn(project, 'npx', ['--no-install', 'millrace', '--help'])
    expect(help, help.stderr).toMatchObject({ code: 0 })
    expect(help.stdout).toContain('Usage: millrace')
    const version = await runIn(project, 'npx', ['--no-install', 'millrace', '--version'])
    expect(version.stdout).toBe(`${packageJson.version}\n`)
  })

  it('says which optional packages a command lacks', async () => {
    writeFileSync(join(project, 'a.csv'), 'id,at\na,2026-03-01T12:00:00Z\n')
    const backfill = await runIn(project, 'npx', [
      ...['--no-install', 'millrace', 'backfill', 'a.csv', '--data', 'other'],
      ...['--feature-group', 'a', '--record-id', 'id', '--event-time', 'at'],
    ])
    const duckDb = `@duckdb/node-api@${packageJson.peerDependencies['@duckdb/node-api']}`
    expect(backfill).toMatchObject({ code: 1, stdout: '' })
    expect(backfill.stderr).toMatch(/^millrace: [^\n]+$/m)
    expect(backfill.stderr).toContain(`npm install ${duckDb}`)
    const demo = await runIn(project, 'npx', ['--no-install', 'millrace', 'demo'])
    expect(demo).toMatchObject({ code: 1, stdout: '' })
    expect(demo.stderr).toMatch(/^millrace: [^\n]+vega-datasets[^\n]+$/m)
    expect(backfill.stderr + demo.stderr).not.toContain('    at ')
  })
})

describe('package.json', () => {
  it('names exact versions only', () => {
    const { dependencies, devDependencies, peerDependencies } = packageJson
    for (const versions of [dependencies, devDependencies, peerDependencies]) {
      for (const version of Object.values(versions)) expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/)
    }
  })

  it('asks for DuckDB only of those who use it, in the version that is tested', () => {
    const { peerDependencies, peerDependenciesMeta, devDependencies } = packageJson
    expect(peerDependencies['@duckdb/node-api']).toBe(devDependencies['@duckdb/node-api'])
    expect(peerDependenciesMeta['@duckdb/node-api']).toEqual({ optional: true })
  })

  it('has a lockfile of its own versions', () => {
    const lock = readJson<{ packages: { '': Omit<PackageJson, 'version'> } }>(join(root, 'package-lock.json'))
    const { dependencies, devDependencies, peerDependencies, engines } = packageJson
    expect(lock.packages['']).toMatchObject({ dependencies, devDependencies, peerDependencies, engines })
  })
})
