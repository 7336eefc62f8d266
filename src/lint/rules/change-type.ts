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
        message: `ALTER TYPE of ${shown(table)}.${column.name} ${whatHappens(before, column.type, isComputed)}`,
        next: 'Give the new type a column of its own: changeModel adds and backfills it, moves the searches to it, and then drops the old one.',
      },
    ]
  })

function whatHappens(before: ColumnType | null, after: ColumnType | null, isComputed: boolean): string {
  const [from, to] = [before?.dimensions ?? null, after?.dimensions ?? null]
  // A bit string is padded or cut off.
  const isOther = from !== null && to !== null && from !== to && after?.type !== 'bit' && before?.type !== 'bit'
  return isOther && !isComputed
    ? `fails if the table has rows: a value of ${from} dimensions does not fit into ${to}`
    : 'rewrites the table and its indexes, and blocks even reads until it is done'
}

// Without a length, every value fits unchanged, so nothing is rewritten.
function isWider(before: ColumnType | null, after: ColumnType | null): boolean {
  if (before === null || after === null || before.type !== after.type) return false
  return after.dimensions === null || after.dimensions === before.dimensions
}
