/** Runs one scenario in this process and prints its result as JSON: `scenario-child.ts NAME DIRECTORY RECORDS IDS`. */
import { fillAndDie, SCENARIOS } from './scenarios.ts'

const [name = '', directory = '', records = '', ids = ''] = process.argv.slice(2)
const options = { directory, records: Number(records), ids: Number(ids) }
if (name === 'fill') await fillAndDie(options)
const scenario = SCENARIOS[name as keyof typeof SCENARIOS]
process.stdout.write(`${JSON.stringify(await scenario(options))}\n`)
