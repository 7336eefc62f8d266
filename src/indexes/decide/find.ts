import type { CatalogFacts, ExistingIndex } from '../look/facts.ts'
import { formerName, type VectorIndex } from '../vector-index.ts'
import { isEqual } from './equal.ts'

/** The index that is there: by its name, or by its definition under the name that an earlier release gave it. */
export function findIndex(index: VectorIndex, facts: CatalogFacts): ExistingIndex | undefined {
  const named = facts.indexes.find(({ name }) => name === index.name)
  if (named !== undefined) return named
  const former = formerName(index)
  return facts.indexes.find((existing) => existing.name === former && isEqual(existing, index, facts))
}
