import { isSearched, shown, type Rule } from '../rule.ts'

/** By default `create index` creates an index that sorts vectors like text. No search by distance can use it. */
export const indexMethod: Rule = ({ statement: { otherIndex }, tables }) => {
  if (otherIndex === null || otherIndex.isUnique) return []
  const { table, name, method, columns } = otherIndex
  const column = columns.find((each) => isSearched(tables.typeOf(table, each)))
  if (column === undefined) return []
  return [
    {
      message: `the ${method} index${name === null ? '' : ` ${name}`} on ${shown(table)} is on vectors, and no search by distance uses it`,
      next: `Name the method and the class of your queries, as in: using hnsw (${column} vector_cosine_ops).`,
    },
  ]
}
