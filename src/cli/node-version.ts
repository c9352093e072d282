/**
 * Whether this Node can run Millrace. This file and main.ts are read by Nodes of any age before anything else is:
 * they keep to old syntax and import nothing that does not.
 */

/** As `engines` in package.json says. */
export const NODE_VERSION_MIN = [22, 22] as const

/** @param version - as `process.versions.node` gives it */
export function isNodeSupported(version: string): boolean {
  const parts = version.split('.')
  const major = Number(parts[0])
  const minor = Number(parts[1])
  return major > NODE_VERSION_MIN[0] || (major === NODE_VERSION_MIN[0] && minor >= NODE_VERSION_MIN[1])
}

export function nodeTooOldMessage(version: string, path: string): string {
  return `millrace: expected Node.js ${NODE_VERSION_MIN.join('.')} or newer, found ${version} (${path})`
}
