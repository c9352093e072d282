/** The command line: its commands, options and exit codes. What the commands do is in files of their own. */
import { Command, CommanderError, Option } from 'commander'
import type { TargetStore } from '../core/definition.ts'
import { packageJson } from '../core/package-json.ts'
import type { MillraceOptions } from '../index.ts'
import { backfill, EXIT_ROWS_REJECTED } from './backfill.ts'
import { demo } from './demo.ts'
import { describeFailure } from './failure.ts'
import type { InputFormat } from './file-format.ts'
import { inspect } from './inspect.ts'
import { Interrupted } from './interrupt.ts'
import { parseBytes, parseCount, parseNames, parseRename } from './option-values.ts'
import { notice } from './output.ts'
import { type RebuildArguments, rebuildOnline } from './rebuild-online.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2
const EXIT_INTERRUPTED = 130

const EXIT_CODES = `
Exit codes:
  0    done
  ${EXIT_FAILURE}    failed; one line says what was expected, what was found and where
  ${EXIT_USAGE}    the command line is wrong
  ${EXIT_ROWS_REJECTED}    backfill: some rows were rejected, all others are in
  ${EXIT_INTERRUPTED}  interrupted by Ctrl-C or SIGTERM; the same command goes on where it stopped`

/** @returns the exit code */
export async function run(argv: readonly string[]): Promise<number> {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe)
  const program = newProgram()
  let exitCode = 0
  addCommands(program, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(argv)
    return exitCode
  } catch (thrown) {
    // commander has said already what was wrong, or shown the help that was asked for.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : EXIT_USAGE
    if (thrown instanceof Interrupted) {
      notice(`millrace: ${thrown.message}`)
      return EXIT_INTERRUPTED
    }
    notice(describeFailure(thrown, { isVerbose: program.opts<{ verbose?: boolean }>().verbose === true }))
    return EXIT_FAILURE
  }
}

/** Whoever read the output has seen enough; that is no reason to leave the work unfinished. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

function newProgram(): Command {
  return new Command('millrace')
    .description(packageJson.description)
    .version(packageJson.version)
    .option('--verbose', 'show everything known about a failure')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(--help shows how it is used)')
    .exitOverride()
}

function addCommands(program: Command, exitWith: (code: number) => void): void {
  program
    .command('demo')
    .description('bring three million flights into a store, read them back and compare')
    .addOption(
      new Option('--data <directory>', 'data directory').env('MILLRACE_DATA').default('./millrace-data'),
    )
    .option(
      '--file <path>',
      'another Parquet file with the columns date, delay, distance, origin, destination',
    )
    .action(async (options: { data: string; file?: string }) => exitWith(await demo(options)))

  program
    .command('backfill')
    .description('bring a Parquet, CSV or JSON lines file into a feature group; started again, it goes on')
    .argument('<file>', '.parquet, .csv, .tsv, .jsonl or .ndjson; text also with .gz')
    .requiredOption('--data <directory>', 'data directory; made if it does not exist')
    .requiredOption('--feature-group <name>', 'made from the types of the file if it does not exist')
    .requiredOption(
      '--record-id <columns>',
      'one column, or several as A,B, which are joined into one more feature',
      parseNames,
    )
    .requiredOption('--event-time <column>', 'a timestamp, a date, ISO 8601 text or Unix seconds')
    .option('--id-name <feature>', 'name of a joined record id (default: the column names, joined with _)')
    .option('--id-separator <text>', 'between the parts of a joined record id (default: "-")')
    .addOption(
      new Option('--format <format>', 'if the name does not tell').choices(['parquet', 'csv', 'jsonl']),
    )
    .addOption(
      new Option('--rename <column=feature>', 'feature name of a column; may be repeated')
        .argParser(parseRename)
        .default(new Map(), 'none'),
    )
    .addOption(new Option('--online-only', 'write to the online store only').conflicts('offlineOnly'))
    .addOption(new Option('--offline-only', 'write to the offline store only'))
    .option('--shards <count>', 'of a new store (default: one per core, at most 8)', parseCount)
    .option('--memory <bytes>', 'memory budget, such as 512MB (default: 1GiB)', parseBytes)
    .addOption(
      new Option('--codec <codec>', 'compression of Parquet files (default: zstd)').choices([
        'zstd',
        'snappy',
        'lz4',
        'gzip',
        'none',
      ]),
    )
    .addOption(new Option('--durability <mode>', '(default: strict)').choices(['strict', 'interval']))
    .option('--errors <count>', 'rejected rows told one by one', parseCount, 10)
    .addHelpText('after', EXIT_CODES)
    .action(async (file: string, options: BackfillArguments) => exitWith(await runBackfill(file, options)))

  program
    .command('inspect')
    .description('show the feature groups of a store, and what is in it')
    .argument('<directory>', 'data directory')
    .action(async (directory: string) => exitWith(await inspect(directory)))

  program
    .command('rebuild-online')
    .description('write the latest record of every id in the offline files into the online store')
    .argument('<directory>', 'data directory')
    .argument('<feature-group>')
    .option('--verify', 'compare both stores afterwards, record by record')
    .option('--memory <bytes>', 'what finding the latest records may take (default: 512MiB)', parseBytes)
    .action(async (directory: string, featureGroup: string, options: RebuildArguments) =>
      exitWith(await rebuildOnline(directory, featureGroup, options)),
    )
}

interface BackfillArguments {
  readonly data: string
  readonly featureGroup: string
  readonly recordId: readonly string[]
  readonly eventTime: string
  readonly idName?: string
  readonly idSeparator?: string
  readonly format?: InputFormat
  readonly rename: ReadonlyMap<string, string>
  readonly onlineOnly?: true
  readonly offlineOnly?: true
  readonly shards?: number
  readonly memory?: number
  readonly codec?: NonNullable<NonNullable<MillraceOptions['parquet']>['codec']>
  readonly durability?: NonNullable<MillraceOptions['durability']>
  readonly errors: number
}

function runBackfill(file: string, given: BackfillArguments): Promise<number> {
  const { idName, idSeparator, format, shards, memory, codec, durability } = given
  const only: TargetStore | undefined = given.onlineOnly
    ? 'online'
    : given.offlineOnly
      ? 'offline'
      : undefined
  return backfill(file, {
    data: given.data,
    featureGroup: given.featureGroup,
    recordIdColumns: given.recordId,
    eventTimeColumn: given.eventTime,
    renames: given.rename,
    errorsMax: given.errors,
    ...(idName !== undefined && { idName }),
    ...(idSeparator !== undefined && { idSeparator }),
    ...(format !== undefined && { format }),
    ...(only !== undefined && { only }),
    store: {
      ...(shards !== undefined && { shards }),
      ...(memory !== undefined && { memoryBytes: memory }),
      ...(codec !== undefined && { parquet: { codec } }),
      ...(durability !== undefined && { durability }),
    },
  })
}
