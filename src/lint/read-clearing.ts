import type { DeleteStmt, UpdateStmt } from 'libpg-query'

import { all, as, relations } from './ast.ts'
import type { Cleared } from './statement.ts'

/** Returns the columns that an UPDATE sets to null, in some of its rows or in all of them. */
export function clearedByUpdate({ relation, targetList }: UpdateStmt): Cleared[] {
  const columns = all(targetList, 'ResTarget').flatMap(({ name, val }) =>
    name !== undefined && as(val, 'A_Const')?.isnull === true ? [name] : [],
  )
  return relations(relation).flatMap((table) => columns.map((column) => ({ table, column })))
}

/** Returns the table that a DELETE empties, which it does without a condition. */
export function clearedByDelete({ relation, whereClause, usingClause }: DeleteStmt): Cleared[] {
  if (whereClause !== undefined || (usingClause ?? []).length > 0) return []
  return relations(relation).map((table) => ({ table, column: null }))
}
