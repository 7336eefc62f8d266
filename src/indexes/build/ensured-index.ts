import type { BuildSettings } from '../decide/memory.ts'
import type { CatalogFacts } from '../look/facts.ts'

/** What became of an index on one table. */
export interface EnsuredIndex {
  readonly status: 'built' | 'kept' | 'postponed'
  readonly facts: CatalogFacts
  /** Null where it was postponed. */
  readonly name: string | null
  /** The index of the partitioned table that it is part of already. */
  readonly parent: number | null
  /** Rows that it was planned for; null where none was planned. */
  readonly rows: number | null
  /** Null where nothing was built, or each partition had its own. */
  readonly settings: BuildSettings | null
}
