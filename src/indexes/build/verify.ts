import { sqlStateOf } from '../../core/errors.ts'
import { identifier, qualified, toRegclass } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { metrics } from '../../pgvector/index-methods.ts'
import { typeSql } from '../../columns/column.ts'
import { explainedPlan, indexesIn, onlyValue } from '../../database/explain.ts'
import { isValidSql } from '../look/validity.ts'
import { conditionSql, indexedExpression, type VectorIndex } from '../vector-index.ts'

/** The result of checking an index after its build. */
export interface IndexCheck {
  readonly isValid: boolean
  /**
   * Whether the planner answers a nearest-neighbour query with it, or with an index of its partitions; null if a policy
   * of the table fails in this session, so that no query can be planned.
   */
  readonly isUsed: boolean | null
}

/** The index to check. */
export interface BuiltIndex {
  readonly schema: string
  readonly table: string
  readonly name: string
  /** The extension's schema. */
  readonly extension: string
  /** Whether policies of the table apply to this role. */
  readonly hidesRows: boolean
}

/**
 * Reads whether the index is valid, and plans a query that it should serve, in one round trip.
 *
 * Sequential scans and sorts of the whole table are disabled, because the planner rightly prefers them on a small
 * table.
 */
export async function checkIndex(session: Session, index: VectorIndex, place: BuiltIndex): Promise<IndexCheck> {
  const name = qualified(place.schema, place.name)
  const isValid = `select ${isValidSql('x')} from pg_catalog.pg_index x where x.indexrelid operator(pg_catalog.=) ${toRegclass(name)}`
  try {
    const [valid, family, , , , plan] = await session.inRolledBackTransaction([
      isValid,
      `select pg_catalog.json_agg(c.relname) from pg_catalog.pg_partition_tree(${toRegclass(name)}) t
        join pg_catalog.pg_class c on c.oid operator(pg_catalog.=) t.relid`,
      'set local enable_seqscan = off',
      'set local enable_sort = off',
      'set local enable_bitmapscan = off',
      `explain (format json) ${nearestSql(index, place)}`,
    ])
    const names = namesIn(onlyValue(family))
    return {
      isValid: onlyValue(valid) === true,
      isUsed: indexesIn(explainedPlan(onlyValue(plan))).some((used) => used === place.name || names.includes(used)),
    }
  } catch (error) {
    if (!place.hidesRows || sqlStateOf(error) === undefined) throw error
    const [valid] = await session.inRolledBackTransaction([isValid])
    return { isValid: onlyValue(valid) === true, isUsed: null }
  }
}

// A subquery returns the query vector, so that the planner cannot compute the distance in advance.
function nearestSql(index: VectorIndex, { schema, table, extension }: BuiltIndex): string {
  const { storage, column } = index
  const condition = conditionSql(index)
  const type = typeSql(storage.type, column.dimensions, extension)
  const operator = `operator(${identifier(extension)}.${metrics[storage.metric].operator})`
  return `select 1 from ${qualified(schema, table)}${condition === null ? '' : ` where ${condition}`}
    order by ${indexedExpression(index, extension)} ${operator} (select null::${type}) limit 1`
}

function namesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}
