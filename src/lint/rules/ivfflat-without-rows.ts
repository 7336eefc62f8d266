import { shown, shownIndex, type Rule } from '../rule.ts'

/**
 * An ivfflat index is trained on the rows that exist when it is built. Built on an empty table, it has almost no
 * recall.
 */
export const ivfflatWithoutRows: Rule = ({ statement, tables }) => {
  const { index } = statement
  if (index?.method !== 'ivfflat') return []
  const table = tables.find(index.table)
  if (table === undefined || table.hasRows) return []
  return [
    {
      message: `${shownIndex(statement)} is built while ${shown(index.table)} is empty: it learns nothing, and finds little when rows come`,
      next: 'Build it when the rows are there, or use hnsw, which needs none.',
    },
  ]
}
