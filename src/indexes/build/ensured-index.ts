import type { BuildSettings } from '../decide/memory.ts'
import type { CatalogFacts } from '../look/facts.ts'

/** The result for an index on one table. */
export interface EnsuredIndex {
  readonly status: 'built' | 'kept' | 'postponed'
  readonly facts: CatalogFacts
  /** Null if it was postponed. */
  readonly name: string | null
  /** The index of the partitioned table to which it is already attached. */
  readonly parent: number | null
  /** The number of rows that the build was planned for; null if none was planned. */
  readonly rows: number | null
  /** Null if nothing was built, or if each partition had its own. */
  readonly settings: BuildSettings | null
}
