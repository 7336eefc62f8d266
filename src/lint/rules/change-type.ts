import { isSearched, shown, type Rule } from '../rule.ts'
import type { ColumnType } from '../statement.ts'

/** Changing the type rewrites every row and every index of the table, and blocks even reads in the meantime. */
export const changeType: Rule = ({ statement, tables, migration }) =>
  statement.changes.flatMap((change) => {
    if (change.kind !== 'column' || change.isNew) return []
    const { table, column, isComputed } = change
    const before = tables.typeOf(table, column.name)
    // A bit string may be anything. An index of pgvector's methods shows that it is searched as a vector.
    const isIndexedBit = (before ?? column.type)?.type === 'bit' && tables.mayBeIndexed(table, column.name)
    if (!isSearched(before) && !isSearched(column.type) && !isIndexedBit) return []
    if (!isComputed && isWider(before, column.type)) return []
    if (tables.isMadeIn(migration, table) || !tables.mayHaveRows(migration, table)) return []
    return [
      {
        message: `ALTER TYPE of ${shown(table)}.${column.name} rewrites the table and its indexes, and blocks even reads until it is done`,
        next: 'Add a column of the new type, backfill it with backfillVectors, build its index with CREATE INDEX CONCURRENTLY, and drop the old one in a later release.',
      },
    ]
  })

// Without a length, every value fits unchanged, so nothing is rewritten.
function isWider(before: ColumnType | null, after: ColumnType | null): boolean {
  if (before === null || after === null || before.type !== after.type) return false
  return after.dimensions === null || after.dimensions === before.dimensions
}
