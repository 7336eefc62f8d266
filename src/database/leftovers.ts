import type { EventEmitter } from 'node:events'

import type { Connection } from './knex-inside.ts'

/**
 * What DISCARD ALL does not undo, as it appears in the text of a statement: a loaded library, and a setting with a prefix,
 * which is empty afterwards instead of unknown.
 */
const LEAVES_SOMETHING =
  /\bload\s+'|\bset\s+(?:session\s+|local\s+)?"?\w+"?\.|\bset_config\s*\((?!\s*'(?:\w+|knex_pgvector\.\w+)')/i

/** What may change how much of a session DISCARD ALL undoes: new functions, languages, extensions and event triggers. */
const ADDS_CODE = /\b(?:function|procedure|extension|language|trigger)\b/i

/** What the text of a statement says about the connection that it is sent on. */
export interface StatementEffect {
  /** It may leave something that DISCARD ALL does not undo. */
  readonly isLasting: boolean
  /** What was read with {@link keepsStateSql} may be outdated. */
  readonly addsCode: boolean
}

/** Reads the text of a statement. */
export function effectOf(sql: string): StatementEffect {
  return { isLasting: LEAVES_SOMETHING.test(sql), addsCode: ADDS_CODE.test(sql) }
}

// Languages with variables of their own, extensions with connections or variables of their own, triggers that run only
// when a session begins, functions for several schemas whose variables PL/pgSQL compiled for the types of the first, and
// functions that do what the statement that calls them does not show.
const OWN_STATE = ['dblink', 'orafce', 'pg_variables', 'pgtt', 'session_variable'] as const

/**
 * Returns a query whether sessions of this database can hold something that DISCARD ALL does not undo. A function counts
 * as shared unless it is in the schema of a tenant.
 */
export function keepsStateSql(isTenant: string): string {
  return `select (
    exists (select from pg_language where lanname not in ('internal', 'c', 'sql', 'plpgsql'))
    or exists (select from pg_event_trigger where evtevent = 'login')
    or exists (select from pg_db_role_setting where array_to_string(setconfig, ' ') ~* '(^| )role=')
    or exists (select from pg_extension where extname in (${OWN_STATE.map((name) => `'${name}'`).join(', ')}))
    or exists (
      select from pg_proc p
      join pg_language l on l.oid = p.prolang and l.lanname in ('sql', 'plpgsql')
      join pg_namespace n on n.oid = p.pronamespace and n.nspname not in ('pg_catalog', 'information_schema')
      where exists (select from unnest(p.proconfig) as clause where clause ~ '^\\w+\\.')
        or coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) ~* '\\m(set_config|load)\\M|\\mset\\s+((session|local)\\s+)?"?\\w+"?\\.'
        or l.lanname = 'plpgsql' and p.prosrc ~* '\\mdeclare\\M' and not (${isTenant})
    )
  ) as state`
}

/** Returns a value that changes with what code has attached to a connection on this side: listeners, parsers, statements. */
export function attachedTo(connection: Connection): string {
  const protocol: object = connection.connection ?? {}
  const parsers: unknown = Reflect.get(connection, TYPES)
  return JSON.stringify([
    listeners(connection),
    listeners(protocol),
    keysOf(Reflect.get(protocol, 'parsedStatements')),
    Object.values(parsers ?? {}).map(keysOf),
  ])
}

// node-postgres keeps the parsers of one connection there.
const TYPES = '_types'

function keysOf(value: unknown): readonly string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : []
}

function listeners(emitter: object): readonly string[] {
  const { eventNames, listenerCount }: Partial<Pick<EventEmitter, 'eventNames' | 'listenerCount'>> = emitter
  const names = eventNames?.call(emitter) ?? []
  return names.map((event) => `${String(event)} ${listenerCount?.call(emitter, event) ?? 0}`).toSorted()
}
