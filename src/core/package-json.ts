/** The package's own package.json, two folders up from here in the sources and in the package alike. */
import { createRequire } from 'node:module'

interface PackageJson {
  readonly version: string
  readonly description: string
  readonly peerDependencies: Readonly<Record<string, string>>
}

export const packageJson: PackageJson = createRequire(import.meta.url)('../../package.json')
