import { shown, shownIndex, type Rule } from '../rule.ts'

/** An index on vectors takes minutes to hours to build, and without CONCURRENTLY nobody can write to the table meanwhile. */
export const blockingIndex: Rule = ({ statement, tables, migration }) => {
  const { index } = statement
  // `on only` builds nothing where it is allowed for: the partitions get theirs one by one.
  if (index === null || index.isConcurrent || index.isOnly) return []
  if (tables.isMadeIn(migration, index.table) || !tables.mayHaveRows(migration, index.table)) return []
  return [
    {
      message: `${shownIndex(statement)} is built without CONCURRENTLY: nobody can write to ${shown(index.table)} until it is done`,
      next: 'Build it with CREATE INDEX CONCURRENTLY in a migration of its own that exports config = { transaction: false }, or with CreateVectorIndex.',
    },
  ]
}
