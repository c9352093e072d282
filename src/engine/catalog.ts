/**
 * The catalog of feature groups: one JSON file, replaced as a whole.
 * Owns: the models of all feature groups, the next group number.
 * Invariant: what `all` and `find` tell is on disk; a number is never given twice.
 */
import { MillraceError } from '../core/errors.ts'
import type { FeatureGroupModel } from '../core/model.ts'
import { replaceFileAtomically } from '../io/atomic-file.ts'
import type { FileSystem } from '../io/file-system.ts'
import { catalogFile } from '../io/paths.ts'

/** 2: collections, tiers, times to live and settings. */
const VERSION = 2

interface CatalogFile {
  readonly version: typeof VERSION
  readonly nextNumber: number
  readonly groups: readonly FeatureGroupModel[]
}

export class Catalog {
  readonly #fileSystem: FileSystem
  readonly #path: string
  #groups: readonly FeatureGroupModel[] = []
  #nextNumber = 1

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem
    this.#path = catalogFile(directory)
    if (!fileSystem.exists(this.#path)) return
    try {
      const file = JSON.parse(Buffer.from(fileSystem.readFile(this.#path)).toString()) as CatalogFile
      if (file.version !== VERSION || !Array.isArray(file.groups) || !Number.isSafeInteger(file.nextNumber)) {
        throw new Error(`expected layout ${VERSION}, found ${file.version}`)
      }
      this.#groups = file.groups
      this.#nextNumber = file.nextNumber
    } catch (cause) {
      throw new MillraceError('CATALOG_CORRUPT', `the catalog ${this.#path} cannot be read: ${cause}`, {
        cause,
        place: { file: this.#path },
      })
    }
  }

  /** All groups, also those being deleted, in the order they were created. */
  get all(): readonly FeatureGroupModel[] {
    return this.#groups
  }

  /** Group names are unique ignoring case. */
  find(name: string): FeatureGroupModel | undefined {
    const folded = name.toLowerCase()
    return this.#groups.find((group) => group.name.toLowerCase() === folded)
  }

  add(make: (number: number) => FeatureGroupModel): FeatureGroupModel {
    const group = make(this.#nextNumber)
    this.#save([...this.#groups, group], this.#nextNumber + 1)
    return group
  }

  replace(group: FeatureGroupModel): void {
    this.#save(
      this.#groups.map((other) => (other.number === group.number ? group : other)),
      this.#nextNumber,
    )
  }

  remove(number: number): void {
    this.#save(
      this.#groups.filter((group) => group.number !== number),
      this.#nextNumber,
    )
  }

  #save(groups: readonly FeatureGroupModel[], nextNumber: number): void {
    const file: CatalogFile = { version: VERSION, nextNumber, groups }
    replaceFileAtomically(
      this.#fileSystem,
      this.#path,
      Buffer.from(`${JSON.stringify(file, undefined, 1)}\n`),
    )
    this.#groups = groups
    this.#nextNumber = nextNumber
  }
}
