import type { Session } from '../database/session.ts'
import type { VectorIndex } from '../indexes/vector-index.ts'
import type { Wanted } from './settings.ts'

/** pgvector's default of hnsw.ef_search: a scan without settings finds so many rows. */
const DEFAULT_EF_SEARCH = 40

// By the configuration, which a Knex instance shares with its transactions.
const shortBefore = new WeakMap<object, Set<string>>()

/**
 * Whether a search is first sent without its settings, which cost it some time: no one asked for any, no condition excludes
 * rows, and the index proposes enough by default. A policy of the table or deleted rows can still leave it short. It is then
 * sent again with its settings, and later ones have them from the start.
 */
export function isSentPlain(
  session: Session,
  index: VectorIndex,
  settings: readonly Wanted[],
  { rows, hasCondition }: { readonly rows: number; readonly hasCondition: boolean },
): boolean {
  if (hasCondition || rows > DEFAULT_EF_SEARCH || !settings.every(({ isDefault }) => isDefault === true)) return false
  return shortBefore.get(session.identity)?.has(keyOf(index)) !== true
}

/** Remembers that a search without settings was short. */
export function rememberShort(session: Session, index: VectorIndex): void {
  const before = shortBefore.get(session.identity) ?? new Set()
  shortBefore.set(session.identity, before.add(keyOf(index)))
}

function keyOf({ column, name }: VectorIndex): string {
  return JSON.stringify([column.schema, column.table, name])
}
