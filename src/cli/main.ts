#!/usr/bin/env node
/** The command `millrace`. Loads everything else only once it is known that this Node can read it. */
import { isNodeSupported, nodeTooOldMessage } from './node-version.ts'

if (isNodeSupported(process.versions.node)) {
  const { run } = await import('./program.ts')
  // Not left to the end of the event loop: a thread that failed must not keep the command from ending.
  process.exit(await run(process.argv))
} else {
  process.stderr.write(`${nodeTooOldMessage(process.versions.node, process.execPath)}\n`)
  process.exit(1)
}
