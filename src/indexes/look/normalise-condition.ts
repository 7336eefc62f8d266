import type { Session } from '../../database/session.ts'
import { qualified } from '../../core/sql.ts'
import type { TableFacts } from './facts.ts'
import { onlyValue } from '../../database/explain.ts'

const CLONE = 'knex_pgvector_clone'

/**
 * Returns the condition of a partial index as the server prints it, with every COLLATE, to compare it with existing
 * indexes. To find out, it creates an index on a temporary table of the same columns, and rolls that back at once. Null
 * without the privilege to do that.
 */
export async function normaliseCondition(
  session: Session,
  condition: string,
  table: Pick<TableFacts, 'schema' | 'name'>,
): Promise<string | null> {
  try {
    const [, , answer] = await session.inRolledBackTransaction([
      `create temporary table ${CLONE} (like ${qualified(table.schema, table.name)})`,
      `create index ${CLONE}_idx on pg_temp.${CLONE} ((1)) where ${condition}`,
      `select pg_catalog.pg_get_expr(indpred, indrelid) as state from pg_catalog.pg_index
        where indexrelid operator(pg_catalog.=) 'pg_temp.${CLONE}_idx'::pg_catalog.regclass`,
    ])
    const text = onlyValue(answer)
    return typeof text === 'string' ? text : null
  } catch {
    return null
  }
}
