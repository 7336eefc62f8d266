import type { Rule } from '../rule.ts'

/** Knex sends a query when it is awaited. Without that the migration succeeds, and the query is never sent. */
export const notAwaited: Rule = ({ statement }) => {
  if (!statement.isUnawaited) return []
  return [
    {
      message: 'this query is not awaited: it is never sent, or the migration ends before it does',
      next: 'Write await in front of it, or return it. In a loop use for … of, because forEach does not wait.',
    },
  ]
}
