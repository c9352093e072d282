/** Goal: a Node that is too old is told so, instead of a syntax error. Method: tables; the package's own statement. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isNodeSupported, NODE_VERSION_MIN, nodeTooOldMessage } from '../../src/cli/node-version.ts'

it.each([
  ['22.22.0', true],
  ['22.100.1', true],
  ['24.0.0', true],
  ['100.0.0', true],
  ['22.21.9', false],
  ['20.99.0', false],
  ['9.0.0', false],
])('%s: %s', (version, expected) => expect(isNodeSupported(version)).toBe(expected))

it('asks for what package.json says', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')
  expect((JSON.parse(text) as { engines: { node: string } }).engines.node).toBe(
    `>=${NODE_VERSION_MIN.join('.')}`,
  )
})

it('names what was expected and found', () => {
  const message = 'millrace: expected Node.js 22.22 or newer, found 20.1.0 (/usr/bin/node)'
  expect(nodeTooOldMessage('20.1.0', '/usr/bin/node')).toBe(message)
})
