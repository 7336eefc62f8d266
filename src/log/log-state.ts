import { defaultLogTable, type LogOptions } from '../core/options.ts'
import { literal, nullable } from '../core/sql.ts'
import type { Session } from '../database/session.ts'
import { isObviouslyTrustedSql, readDistrust, type Distrust } from '../database/table-trust.ts'

/** Where the migration log is, and what this role may do with it. */
export interface LogState {
  /** The schema in which the table is or would be created; null if the search path is empty. */
  readonly schema: string | null
  readonly table: string
  readonly exists: boolean
  /** Whether this role has the privileges to write it, or to create it. */
  readonly writable: boolean
  /** Why the table is not trusted; null if it is. */
  readonly distrust: Distrust | null
}

/** The answer to {@link logStateSql}. */
export interface LogAnswer extends Omit<LogState, 'distrust'> {
  /** The OID of a table that has to be examined; null if there is none. */
  readonly doubtful: number | null
}

/** Reads where the log is, and whether it can be written. */
export async function readLogState(session: Session, log: LogOptions): Promise<LogState> {
  return logStateOf(session, await session.ask<LogAnswer>(logStateSql(log)))
}

/**
 * Evaluates the answer to {@link logStateSql}. It sends another query only about a table that is not obviously trusted.
 */
export async function logStateOf(session: Session, { doubtful, ...seen }: LogAnswer): Promise<LogState> {
  const [distrust = null] = doubtful === null ? [] : await readDistrust(session, [doubtful])
  return { ...seen, distrust }
}

/** Whether decisions may be based on the log. */
export function isBelieved(log: LogState): log is LogState & { readonly schema: string } {
  return log.exists && log.writable && log.distrust === null && log.schema !== null
}

/** Returns the schemas that have a log of that name. */
export async function schemasOfLogs(
  session: Session,
  { table = defaultLogTable }: LogOptions,
): Promise<readonly string[]> {
  return session.ask(`select coalesce(json_agg(n.nspname order by n.nspname), '[]') as state
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relname = ${literal(table)} and c.relkind = 'r'`)
}

/** Returns the first query of {@link readLogState}; its one column is called state. */
export function logStateSql({ schema, table = defaultLogTable }: LogOptions): string {
  const name = literal(table)
  return `
    select json_build_object('schema', place.schema, 'table', ${name}, 'exists', c.oid is not null, 'writable', case
      when c.oid is not null then has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
      when n.oid is not null then has_schema_privilege(n.oid, 'create')
      else false end,
      'doubtful', case when c.oid is not null and not ${isObviouslyTrustedSql} then c.oid::bigint end) as state
    from (
      select coalesce(${nullable(schema ?? null)}, (
        -- an existing log anywhere on the search path takes precedence over a new one in its first schema
        select seen.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace seen on seen.oid = c.relnamespace
        where c.relname = ${name} and c.relkind in ('r', 'p') and pg_table_is_visible(c.oid)
      ), current_schema()) as schema
    ) place
    left join pg_catalog.pg_namespace n on n.nspname = place.schema
    left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = ${name}`
}
