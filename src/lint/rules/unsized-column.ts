import { isSearched, shown, shownIndex, type Problem, type Rule, type Step } from '../rule.ts'
import type { Column, MadeIndex, RelationName, Statement } from '../statement.ts'

/** pgvector indexes only values of a fixed length, which the column or a cast must declare. */
export const unsizedColumn: Rule = (step) => {
  const { index } = step.statement
  if (index !== null) return unsizedIndex(step, index)
  return newColumns(step.statement)
    .filter(({ column }) => isSearched(column.type) && column.type?.dimensions === null)
    .filter(({ table, column }) => !step.statements.some((other) => decidesLater(other, table, column.name)))
    .map(({ table, column }) => ({
      message: `the column ${shown(table)}.${column.name} is ${column.type?.type} without dimensions: it takes vectors of any length, which no search can compare, and no index can be built on it`,
      next: `Give it the length of your model's embeddings, as in ${column.type?.type}(1536).`,
    }))
}

function unsizedIndex({ statement, tables }: Step, index: MadeIndex): Problem[] {
  if (index.column === null) return []
  const type = index.cast ?? (index.isPlain ? tables.typeOf(index.table, index.column) : null)
  // The length of a sparse vector does not matter to an index, but the column must declare one anyway.
  if (type === null || type.dimensions !== null) return []
  const what = index.cast === null ? `the column ${shown(index.table)}.${index.column}` : 'the cast in it'
  return [
    {
      message: `${shownIndex(statement)}: ${what} is ${type.type === 'bit' ? 'a bit string' : type.type} without dimensions, which no index takes`,
      next: `Give it the length of your model's embeddings, as in ${type.type}(1536), or index a cast: ((${index.column}::${type.type}(1536))).`,
    },
  ]
}

function newColumns({ makes, changes }: Statement): { readonly table: RelationName; readonly column: Column }[] {
  return [
    ...makes.flatMap(({ table, columns }) => columns.map((column) => ({ table, column }))),
    ...changes.flatMap((change) =>
      change.kind === 'column' && change.isNew ? [{ table: change.table, column: change.column }] : [],
    ),
  ]
}

// An index on it is checked itself, and one on a cast is how vectors of several models share a column.
function decidesLater({ index, changes }: Statement, { name }: RelationName, column: string): boolean {
  if (index !== null && index.table.name === name && index.column === column) return true
  return changes.some((change) => {
    if (change.table.name !== name) return false
    if (change.kind === 'column') return !change.isNew && change.column.name === column
    return (change.kind === 'drop column' || change.kind === 'rename column') && change.column === column
  })
}
