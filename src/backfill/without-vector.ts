import { sqlStateOf } from '../core/errors.ts'
import { identifier } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { sqlState } from '../database/sqlstate.ts'
import type { VectorTarget } from '../embeddings/target.ts'
import { conditionSql } from '../indexes/vector-index.ts'

/** Returns how many rows have no vector, or null if counting would take the server too long. */
export async function countWithoutVector(session: Session, target: VectorTarget): Promise<number | null> {
  const { from: table, alias } = target
  return session
    .askAsCaller<number>(
      `select pg_catalog.to_json(pg_catalog.count(*)) as state from ${table} as ${alias} where ${withoutVector(target)}`,
    )
    .catch((error: unknown) => {
      if (sqlStateOf(error) === sqlState.queryCanceled) return null
      throw error
    })
}

/** Returns the condition that selects the rows to backfill. */
export function withoutVector(target: VectorTarget): string {
  const condition = conditionSql(target)
  const isEmpty = `${target.alias}.${identifier(target.column.name)} is null`
  return condition === null ? isEmpty : `${isEmpty} and ${condition}`
}
