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
      message: `${shownIndex(statement)} is built while ${shown(index.table)} is empty: it has nothing to train on, and almost no recall for later rows`,
      next: 'Build it once the rows exist, or use hnsw, which needs none.',
    },
  ]
}
