import { shownIndex, type Rule } from '../rule.ts'

/** `if not exists` only looks at the name: what an interrupted build left behind stays, and no query uses it. */
export const invalidIndex: Rule = ({ statement, tables }) => {
  const { index } = statement
  if (index === null || !index.isConditional || !tables.hasInvalidIndex(index.table, index.name)) return []
  return [
    {
      message: `${shownIndex(statement)} exists and is invalid: IF NOT EXISTS skips it, and no query uses it`,
      next: 'Run npx knex-pgvector index repair first, drop it before this statement, or use CreateVectorIndex, which replaces it.',
    },
  ]
}
