import type { Knex } from 'knex'

/** What is to be the same after a fault and another run as after a run without one. */
export interface DatabaseState {
  readonly extension: readonly string[]
  readonly columns: readonly string[]
  readonly indexes: readonly string[]
  /** The rows of each table, but for numbers and times that differ from run to run. */
  readonly rows: Readonly<Record<string, readonly string[]>>
}

/** What of a table is the same in each run; by default its whole rows. */
const comparable: Readonly<Record<string, string>> = {
  knex_migrations: 'name',
  knex_migrations_lock: 'is_locked::text',
  // A failed run has a line of its own; every run has come to its end.
  knex_migrations_runs: `distinct case when ended_at is null then 'unfinished run' else 'finished runs' end`,
  // An index is built and dropped outside a transaction: the line about that comes afterwards, and may be lost with the
  // connection. That it was begun, which decides whose it is, is written before.
  pgvector_migration_log: `distinct case when event in ('index begun', 'index built', 'index dropped') then 'index'
    else event end || ' ' || coalesce(migration, '') || coalesce(details->>'index', '')`,
}

export async function readState(knex: Knex): Promise<DatabaseState> {
  const { rows } = await knex.raw<{ rows: [{ state: Omit<DatabaseState, 'rows'> & { tables: string[] } }] }>(`
    with relation as (
      select c.oid, c.relname, c.relkind from pg_class c where relnamespace = 'public'::regnamespace
        and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
    )
    select json_build_object(
      'extension', (select coalesce(json_agg(extname || ' ' || extversion), '[]') from pg_extension where extname = 'vector'),
      'columns', (
        select coalesce(json_agg(format('%s.%s %s', relname, attname, format_type(atttypid, atttypmod)) order by 1), '[]')
        from (select * from relation r join pg_attribute a on attrelid = r.oid
          where attnum > 0 and not attisdropped and relkind = 'r' order by relname, attname) as seen
      ),
      'indexes', (
        select coalesce(json_agg(format('%s%s', pg_get_indexdef(oid), case when not indisvalid then ' INVALID' end) order by relname), '[]')
        from relation join pg_index on indexrelid = oid
      ),
      'tables', (select coalesce(json_agg(relname order by relname), '[]') from relation where relkind = 'r')
    ) as state`)
  const { tables, ...state } = rows[0].state
  const contents: Record<string, readonly string[]> = {}
  for (const table of tables) {
    const { rows: found } = await knex.raw<{ rows: { row: string }[] }>(
      `select ${comparable[table] ?? 't::text'} as row from ${table} as t order by 1`,
    )
    contents[table] = found.map(({ row }) => row)
  }
  return { ...state, rows: contents }
}

/** What a run has left on the server: sessions and advisory locks of this database, but for the one that asks. */
export async function readLeftovers(knex: Knex): Promise<readonly string[]> {
  const { rows } = await knex.raw<{ rows: { leftover: string }[] }>(`
    select format('session %s: %s', state, left(query, 200)) as leftover from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
    union all
    select format('advisory lock %s', objid) from pg_locks join pg_database d on d.oid = database
    where locktype = 'advisory' and datname = current_database()`)
  return rows.map(({ leftover }) => leftover)
}
