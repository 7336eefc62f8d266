import { PgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { identifier, literal, qualified } from '../../core/sql.ts'
import { serverMessage } from '../../database/server-message.ts'
import type { Session } from '../../database/session.ts'
import type { TableFacts } from '../look/facts.ts'
import { conditionSql } from '../vector-index.ts'
import { keptAbove } from './decide.ts'
import type { TenantRule } from './rule.ts'

/**
 * Counts the rows of tenants in one scan of the table: of those that have an index, and of as many others as may get one.
 * A tenant with too few rows to keep an index is not returned. Rows without a tenant or without a vector are not counted.
 *
 * @param indexed The tenants that have an index.
 */
export async function countTenants(
  session: Session,
  rule: TenantRule,
  { schema, name }: TableFacts,
  indexed: readonly string[],
): Promise<Map<string, number>> {
  const { index, column, atMost } = rule
  const condition = conditionSql(index)
  const tenant = identifier(column)
  const vector = identifier(index.column.name)
  const known = `array[${indexed.map(literal).join(', ')}]::pg_catalog.text[]`
  const query = `
    select coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(counted.tenant, counted.rows)), '[]') as state
    from (
      select ${tenant}::pg_catalog.text as tenant, pg_catalog.count(*) as rows
      from ${qualified(schema, name)}
      where ${tenant} is not null and ${vector} is not null${condition === null ? '' : ` and ${condition}`}
      group by ${tenant}
      having pg_catalog.count(*) operator(pg_catalog.>) ${keptAbove(rule)}
      order by ${tenant}::pg_catalog.text operator(pg_catalog.=) any (${known}) desc, pg_catalog.count(*) desc, ${tenant}
      limit ${atMost + indexed.length}
    ) as counted`
  try {
    return new Map(await session.askAsCaller<readonly (readonly [string, number])[]>(query))
  } catch (error) {
    // The condition is what fails here, and a build would fail with it too.
    if (condition === null || sqlStateOf(error) === undefined) throw error
    const details = { index: identifier(index.name), problem: serverMessage(error) }
    throw new PgvectorMigrationError('INDEX_BUILD_FAILED', details, { cause: error })
  }
}
