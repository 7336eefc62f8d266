// What a query whose own path is pinned can ask of the caller's: each is read in front of it, in the same message.
const settings = {
  'knex_pgvector.schemas': 'pg_catalog.current_schemas(true)::pg_catalog.text',
  'knex_pgvector.schema': `coalesce(pg_catalog.current_schema(), '')::pg_catalog.text`,
  'knex_pgvector.search_path': `pg_catalog.current_setting('search_path')`,
} as const

type Setting = keyof typeof settings

const valueOf = (name: Setting): string => `pg_catalog.current_setting('${name}')`

/**
 * The schemas that the caller's names are looked up in, in order and with the implicit ones, as an SQL value of type
 * name[]; for a query whose own path is pinned.
 */
export const callersSchemas = `${valueOf('knex_pgvector.schemas')}::name[]`

/** The schema that the caller's statements create in, as an SQL value; null where the path names none that exists. */
export const callersSchema = `nullif(${valueOf('knex_pgvector.schema')}, '')`

/** The caller's setting `search_path`, as an SQL value. */
export const callersSearchPath = valueOf('knex_pgvector.search_path')

// Temporary objects come last: where the path does not name them, they hide tables and types of pg_catalog.
const PIN = 'set local search_path = pg_catalog, pg_temp'

/** What is sent in one round trip, and at which of its answers those of the caller's statements begin. */
export interface PinnedStatements {
  readonly sql: string
  readonly first: number
}

/**
 * Puts statements under a search path of pg_catalog alone, so that no object of another role can stand in for a function,
 * an operator or a type that they mean (CVE-2018-1058).
 *
 * They go in one message, which PostgreSQL runs as one transaction where none is open: the setting ends with it. In an
 * open transaction the last statement of the same message puts the path back.
 */
export function pinned(statements: readonly string[], isInTransaction: boolean): PinnedStatements {
  const needed = (Object.keys(settings) as Setting[]).filter(
    (name) =>
      (isInTransaction && name === 'knex_pgvector.search_path') ||
      statements.some((statement) => statement.includes(valueOf(name))),
  )
  const reads = needed.map((name) => `pg_catalog.set_config('${name}', ${settings[name]}, true)`)
  const before = [...(reads.length === 0 ? [] : [`select ${reads.join(', ')}`]), PIN]
  const after = isInTransaction ? [`select pg_catalog.set_config('search_path', ${callersSearchPath}, true)`] : []
  return { sql: [...before, ...statements, ...after].join(';\n'), first: before.length }
}

const PINNED =
  /^(?:select pg_catalog\.set_config\('knex_pgvector\.[^\n]*;\n)?set local search_path = pg_catalog, pg_temp;\n/

/** Whether a message was made by {@link pinned}: it only reads. */
export function isPinned(sql: string): boolean {
  return PINNED.test(sql)
}
