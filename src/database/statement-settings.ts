import type { Knex } from 'knex'

/** A setting for one statement, in SQL: the literal of its name, and the expression of its value. */
export interface StatementSetting {
  readonly name: string
  readonly value: string
  /** Leave it alone if the server does not know it. */
  readonly isOptional: boolean
}

const BEFORE = 'knex_pgvector_before'
const SETTINGS = 'knex_pgvector_settings'
const RESULT = 'knex_pgvector_found'
const AFTER = 'knex_pgvector_after'

/** The condition of a scan that starts after the settings are made. */
export const SETTINGS_ARE_MADE = `${SETTINGS}.set_0 is not null`

/**
 * Returns the rows of a query as the part of another, `alias.*`, with settings for this statement alone. The scans of the
 * query need the condition SETTINGS_ARE_MADE if there are any.
 *
 * The settings end with the statement's own transaction. In a transaction of the caller the same statement puts them back.
 */
export function withSettings(
  knex: Knex,
  settings: readonly StatementSetting[],
  query: Knex.QueryBuilder,
): { readonly alias: string; readonly part: Knex.Raw } {
  if (settings.length === 0) return { alias: RESULT, part: knex.raw(`? as ${RESULT}`, [query]) }
  const set = settings.map((setting, place) => `${setSql(setting)} as set_${place}`).join(', ')
  // The query is lateral to the settings and refers to them, so they are made before its scan starts.
  if (knex.isTransaction !== true) {
    return { alias: RESULT, part: knex.raw(`(select ${set}) as ${SETTINGS}, lateral ? as ${RESULT}`, [query]) }
  }
  const before = settings.map(({ name }, place) => `${currentSql(name)} as before_${place}`).join(', ')
  const after = settings.map(({ name }, place) => restoreSql(name, `${BEFORE}.before_${place}`)).join(', ')
  // Each part needs all of the one before it, and no row is returned before the last part.
  const part = `(with ${BEFORE} as materialized (select ${before}),
    ${SETTINGS} as materialized (select ${set} from ${BEFORE}),
    ${RESULT} as materialized (select ${RESULT}.* from ${SETTINGS}, lateral ? as ${RESULT}),
    ${AFTER} as materialized (select pg_catalog.concat(${after}) as made from ${BEFORE}
      where (select pg_catalog.count(*) from ${RESULT}) is not null)
    select ${RESULT}.* from ${RESULT} where (select ${AFTER}.made from ${AFTER}) is not null) as ${RESULT}`
  return { alias: RESULT, part: knex.raw(part, [query]) }
}

function currentSql(name: string): string {
  return `pg_catalog.current_setting(${name}, true)`
}

// The result is never null.
function setSql({ name, value, isOptional }: StatementSetting): string {
  const set = `pg_catalog.set_config(${name}, ${value}, true)`
  return isOptional ? `case when ${currentSql(name)} is not null then ${set} else '' end` : set
}

function restoreSql(name: string, before: string): string {
  return `case when ${before} is not null then pg_catalog.set_config(${name}, ${before}, true) end`
}
