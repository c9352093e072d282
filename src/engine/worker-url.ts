/** Worker files stand beside this one as `.ts` in the sources and as `.js` in the package. */
import { extname } from 'node:path'

export function workerUrl(name: string): string {
  return new URL(`../workers/${name}${extname(import.meta.url)}`, import.meta.url).href
}
