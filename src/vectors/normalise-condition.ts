import type { Database } from '../queryable.ts'
import { qualified } from '../sql.ts'
import type { IndexFacts } from './index-facts.ts'
import { onlyValue, tryOut } from './scratch.ts'
import { conditionSql, type VectorIndex } from './vector-index.ts'

const CLONE = 'knex_pgvector_clone'

/**
 * The condition of a partial index as the server writes it, to compare with that of an index that is there.
 *
 * Only the server can tell that `a=1` and `(a = 1)` are one condition, so an index with it is made on a temporary table
 * of the same columns and undone at once. Null where there is nothing to compare with, or no right to do that.
 */
export async function normaliseCondition(
  db: Database,
  index: VectorIndex,
  { table, indexes, readOnly }: Pick<IndexFacts, 'table' | 'indexes' | 'readOnly'>,
): Promise<string | null> {
  const condition = conditionSql(index)
  if (condition === null || table === null || readOnly !== null) return null
  if (indexes.every((each) => each.condition === null)) return null
  try {
    const [, , answer] = await tryOut(db, [
      `create temporary table ${CLONE} (like ${qualified(table.schema, table.name)})`,
      `create index ${CLONE}_idx on pg_temp.${CLONE} ((1)) where ${condition}`,
      `select pg_get_expr(indpred, indrelid, true) as state from pg_catalog.pg_index
        where indexrelid = 'pg_temp.${CLONE}_idx'::regclass`,
    ])
    const text = onlyValue(answer)
    return typeof text === 'string' ? text : null
  } catch {
    return null
  }
}
