import { isSearched, shown, type Rule } from '../rule.ts'

/** Dropping a column deletes its values, even if a column of the same name follows at once. */
export const replacedColumn: Rule = ({ statement: { changes }, tables, migration }) =>
  changes.flatMap((change) => {
    if (change.kind !== 'column' || !change.isNew || !isSearched(change.column.type)) return []
    const { table, column } = change
    // PostgreSQL drops first, whatever the order in one ALTER TABLE.
    const isDroppedHere =
      changes.some((each) => each.kind === 'drop column' && each.column === column.name) &&
      tables.hasLosableVectors(migration, table, column.name)
    if (!isDroppedHere && !tables.hasDroppedVectors(migration, table, column.name)) return []
    return [
      {
        message: `${shown(table)}.${column.name} is dropped and added again: its embeddings are lost, and searches find nothing until all are computed again`,
        next: 'Give the new column another name: changeModel adds and backfills it, moves the searches to it, and then drops the old one.',
      },
    ]
  })
