import type { VectorIndex } from '../indexes/vector-index.ts'
import type { CatalogFacts } from './facts.ts'

/** Whether the database has a valid index that serves the searches an index was declared for. */
export function isValidIndex({ indexes }: Pick<CatalogFacts, 'indexes'>, wanted: VectorIndex): boolean {
  const { column, method, storage } = wanted
  return indexes.some(
    (each) =>
      each.column === column.name &&
      each.method === method &&
      each.class === storage.operatorClass.name &&
      each.type === storage.type,
  )
}
