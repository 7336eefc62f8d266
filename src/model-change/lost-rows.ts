import { identifier } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { keyAsJson, keyColumns } from '../embeddings/key-sql.ts'
import type { ChangeState } from './change-state.ts'

const MOST_ROWS = 1000

/**
 * Returns the keys of rows that have a vector of the old model and none of the new one: a search would lose them. Of rows
 * that were found before, it returns those that still have none. Others can have been added a moment ago.
 */
export function lostRows(
  session: Session,
  { inStep, source }: Pick<ChangeState, 'inStep' | 'source'>,
  before: readonly string[] | null = null,
): Promise<readonly string[]> {
  if (inStep === null) return Promise.resolve([])
  const { from, alias, column, key } = inStep.target
  const name = `${keyAsJson(keyColumns(key, alias))}::pg_catalog.text`
  return session.askAsCaller<readonly string[]>(
    `select coalesce(pg_catalog.json_agg(key), '[]') as state from (
      select ${name} as key from ${from} as ${alias}
      where ${alias}.${identifier(column.name)} is null and ${alias}.${identifier(source.column.name)} is not null
        ${before === null ? '' : `and ${name} operator(pg_catalog.=) any ($1::pg_catalog.text[])`} limit ${MOST_ROWS}
    ) as lost`,
    before === null ? [] : [before],
  )
}
