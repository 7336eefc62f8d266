const REMEMBERED = 'knex_pgvector.search_path'
const REMEMBERED_QUOTES = 'knex_pgvector.quote_all_identifiers'
const CURSOR = 'knex_pgvector_question'

// Temporary objects must come last. If the path does not list them, they hide tables and types of pg_catalog.
const PIN = `select pg_catalog.set_config('${REMEMBERED}', pg_catalog.current_setting('search_path'), true), pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)`

const UNPIN = `select pg_catalog.set_config('search_path', pg_catalog.current_setting('${REMEMBERED}'), true)`

/** Makes the server quote names only if necessary, whatever the setting of the role or the database. */
export const PLAIN_NAMES = 'set local quote_all_identifiers = off'

// Continues the first PIN, because a separate statement would add its time to every query.
const REMEMBER_QUOTES = `, pg_catalog.set_config('${REMEMBERED_QUOTES}', pg_catalog.current_setting('quote_all_identifiers'), true), pg_catalog.set_config('quote_all_identifiers', 'off', true)`

const PUT_BACK_QUOTES = `select pg_catalog.set_config('quote_all_identifiers', pg_catalog.current_setting('${REMEMBERED_QUOTES}'), true)`

/** The statements of one round trip, and the positions of the queries' answers. */
export interface PinnedQueries {
  readonly sql: string
  readonly answers: readonly number[]
}

/**
 * Pins the search path of queries, so that no object of another role can replace a function, an operator, a type or a
 * catalog that they name (CVE-2018-1058).
 *
 * PostgreSQL resolves the names of a query when its cursor is declared, and at that time the path is pg_catalog alone.
 * The query runs when the cursor is fetched, and by then the caller's path is restored. What a function looks up or
 * prints at run time (to_regclass, current_schema, format_type, regclass::text) therefore follows the caller's path.
 *
 * Names and definitions are printed in PostgreSQL's default form, so that they can be compared.
 *
 * Everything is sent in one message, which PostgreSQL runs as one transaction if none is open. Each query is declared
 * after the previous one has run, so that under READ COMMITTED it sees what that query did or waited for.
 */
export function pinned(queries: readonly string[], isInTransaction = false): PinnedQueries {
  const all = queries.map(stepsOf)
  const [first = '', ...rest] = all.flat()
  // The end of the message restores the setting, but not in an open transaction.
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
    // An open transaction would keep the cursor.
    `close ${CURSOR}`,
  ]
}

/** Whether {@link pinned} created a message, which then only reads. */
export function isPinned(sql: string): boolean {
  return sql.startsWith(PIN)
}
