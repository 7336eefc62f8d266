import type { Answered } from '../../database/observe.ts'
import type { QueryResult } from '../../database/knex-inside.ts'

/** The statements that control savepoints, which take no locks. */
export const SAVEPOINT = /^\s*(savepoint|release|rollback)\b/i
const JSON_TYPES: ReadonlySet<number> = new Set([114, 3802])

/**
 * Returns a statement without this library's own queries (one row with one json column called state) and without
 * savepoints.
 */
export function withoutOurs(sql: string, answered: Answered): { sql: string; rows: number | null } | null {
  if (SAVEPOINT.test(sql)) return null
  const answers = Array.isArray(answered) ? (answered as readonly QueryResult[]) : [answered as QueryResult]
  const parts = sql.split(';\n')
  // The library joins the statements of a round trip in this way. A migration's own statement may have more parts than
  // answers.
  const isApart = parts.length === answers.length
  const kept = answers.map((answer, index) => !isQuestion(isApart ? (parts[index] ?? '') : sql, answer))
  if (!kept.includes(true)) return null
  const counts = answers.filter((_, index) => kept[index]).flatMap(({ rowCount }) => rowCount ?? [])
  return {
    sql: isApart ? parts.filter((_, index) => kept[index]).join(';\n') : sql,
    rows: counts.length === 0 ? null : counts.reduce((sum, count) => sum + count, 0),
  }
}

function isQuestion(sql: string, { rows, fields = [] }: QueryResult): boolean {
  const [field] = fields
  if (rows.length !== 1 || fields.length !== 1 || field === undefined) return false
  return field.name === 'state' && JSON_TYPES.has(field.dataTypeID) && /\bas state\b/.test(sql)
}
