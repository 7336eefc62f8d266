import { shown, shownIndex, type Rule } from '../rule.ts'

/** pgvector indexes only values of a fixed length, which the column or a cast must declare. */
export const unsizedColumn: Rule = ({ statement, tables }) => {
  const { index } = statement
  if (index === null || index.column === null) return []
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
