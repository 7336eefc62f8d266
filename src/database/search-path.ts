const REMEMBERED = 'knex_pgvector.search_path'
const REMEMBERED_QUOTES = 'knex_pgvector.quote_all_identifiers'
const CURSOR = 'knex_pgvector_question'

// Temporary objects come last: where the path does not name them, they hide tables and types of pg_catalog.
const PIN = `select pg_catalog.set_config('${REMEMBERED}', pg_catalog.current_setting('search_path'), true), pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)`

const UNPIN = `select pg_catalog.set_config('search_path', pg_catalog.current_setting('${REMEMBERED}'), true)`

/** Has the server print names with quotes only where they need them, whatever the role or the database has it set to. */
export const PLAIN_NAMES = 'set local quote_all_identifiers = off'

// Continues the first PIN: a statement of its own would take its time in every question.
const REMEMBER_QUOTES = `, pg_catalog.set_config('${REMEMBERED_QUOTES}', pg_catalog.current_setting('quote_all_identifiers'), true), pg_catalog.set_config('quote_all_identifiers', 'off', true)`

const PUT_BACK_QUOTES = `select pg_catalog.set_config('quote_all_identifiers', pg_catalog.current_setting('${REMEMBERED_QUOTES}'), true)`

/** What is sent in one round trip, and at which of its answers those to the queries are. */
export interface PinnedQueries {
  readonly sql: string
  readonly answers: readonly number[]
}

/**
 * Pins the search path of queries, so that no object of another role can stand in for a function, an operator, a type or
 * a catalog that they name (CVE-2018-1058).
 *
 * PostgreSQL resolves the names of a query when the cursor for it is declared, which is while the path is pg_catalog
 * alone. The query runs when the cursor is fetched from, and by then the caller's path is back: what a function looks up
 * or prints as it runs (to_regclass, current_schema, format_type, regclass::text) is what the caller means.
 *
 * Names and definitions are printed as PostgreSQL does by default, so that they can be compared.
 *
 * Everything goes in one message, which PostgreSQL runs as one transaction where none is open. Each query is declared
 * after the one before it has run, so that under READ COMMITTED it sees what that one did or waited for.
 */
export function pinned(queries: readonly string[], isInTransaction = false): PinnedQueries {
  const all = queries.map(stepsOf)
  const [first = '', ...rest] = all.flat()
  // The end of the message takes the setting back, but not in an open transaction.
  const last = isInTransaction ? [PUT_BACK_QUOTES] : []
  const sql = [`${first}${REMEMBER_QUOTES}`, ...rest, ...last].join(';\n')
  return { sql, answers: all.map((each, place) => (place + 1) * each.length - 2) }
}

function stepsOf(query: string): string[] {
  return [
    PIN,
    `declare ${CURSOR} no scroll cursor for ${query}`,
    UNPIN,
    `fetch all from ${CURSOR}`,
    // An open transaction would keep it.
    `close ${CURSOR}`,
  ]
}

/** Whether a message was made by {@link pinned}: it only reads. */
export function isPinned(sql: string): boolean {
  return sql.startsWith(PIN)
}
