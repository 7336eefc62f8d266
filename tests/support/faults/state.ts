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
  // A build that failed has more lines; the last one of an index says what is there.
  pgvector_migration_log: `distinct case when event like 'index %' then last_value(event) over (
      partition by details->>'index' order by id rows between unbounded preceding and unbounded following
    ) else event end || ' ' || coalesce(migration, '') || coalesce(details->>'index', '')`,
}

interface Answer {
  readonly rows: readonly { readonly row: string }[]
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
  const queries = tables.map((table) => `select ${comparable[table] ?? 't::text'} as row from ${table} as t order by 1`)
  const answers = tables.length === 0 ? [] : await knex.raw<Answer | Answer[]>(queries.join(';'))
  const contents = Object.fromEntries(
    [answers].flat().map((answer, place) => [tables[place] ?? '', answer.rows.map(({ row }) => row)]),
  )
  return { ...state, rows: contents }
}

/** What a run has left on the server: sessions and advisory locks of a database. */
export async function readLeftovers(administrator: Knex, database: string): Promise<readonly string[]> {
  const { rows } = await administrator.raw<{ rows: { leftover: string }[] }>(
    `select format('session %s: %s', state, left(query, 200)) as leftover from pg_stat_activity
    where datname = :database and backend_type = 'client backend'
    union all
    select format('advisory lock %s', objid) from pg_locks join pg_database d on d.oid = database
    where locktype = 'advisory' and datname = :database`,
    { database },
  )
  return rows.map(({ leftover }) => leftover)
}

/** What is not as it is to be; nothing where all is. */
export function comparedStates(seen: DatabaseState, expected: DatabaseState): string[] {
  const lines = (state: DatabaseState): string[] => [
    ...state.extension.map((line) => `extension ${line}`),
    ...state.columns.map((line) => `column ${line}`),
    ...state.indexes,
    ...Object.entries(state.rows).flatMap(([table, rows]) => rows.map((row, place) => `${table} ${place + 1}: ${row}`)),
  ]
  if (JSON.stringify(seen) === JSON.stringify(expected)) return []
  const [got, wanted] = [lines(seen), lines(expected)]
  return [
    ...wanted.filter((line) => !got.includes(line)).map((line) => `missing: ${line}`),
    ...got.filter((line) => !wanted.includes(line)).map((line) => `not expected: ${line}`),
  ]
}
