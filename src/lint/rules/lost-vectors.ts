import { shown, type Rule } from '../rule.ts'

/** Embeddings are expensive to compute again, and until that is done searches find nothing. */
export const lostVectors: Rule = ({ statement: { empties, clears }, tables, migration }) => {
  const removals = [
    ...empties.map((table) => ({ table, column: null, what: `TRUNCATE ${shown(table)}` })),
    ...clears.map(({ table, column }) => ({ table, column, what: described(shown(table), column) })),
  ]
  return removals
    .filter(({ table, column }) => tables.hasLosableVectors(migration, table, column))
    .map(({ what }) => ({
      message: `${what} deletes embeddings: searches miss these rows until all of them are computed again`,
      next: 'Keep them while they are in use: changeModel backfills a second column, moves the searches to it, and then drops the old one.',
    }))
}

function described(table: string, column: string | null): string {
  return column === null ? `DELETE FROM ${table} without a condition` : `UPDATE ${table} SET ${column} = NULL`
}
