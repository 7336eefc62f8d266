import type { LogOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { isRace } from '../database/sqlstate.ts'
import { json, literal, nullable, qualified } from '../core/sql.ts'
import { currentMigration } from '../database/migration-context.ts'
import { currentTarget } from '../database/target.ts'
import { reasonOf } from '../database/table-trust.ts'
import { isBelieved, readLogState, type LogState } from './log-state.ts'

/** A change to pgvector in a database: to the extension, or to a vector column or index. */
export type LogEventName =
  | 'enabled'
  | 'updated'
  | 'dropped'
  | 'kept'
  | 'column added'
  | 'column dropped'
  | 'marks added'
  | 'marks dropped'
  | 'index begun'
  | 'index built'
  | 'index dropped'
  | 'index rebuilt'
  | 'index left invalid'

/** One entry of the migration log, before the database adds who wrote it and when. */
export interface LogEvent {
  readonly event: LogEventName
  readonly versionBefore: string | null
  readonly versionAfter: string | null
  readonly schema: string
  readonly server: string
  readonly provider: string
  readonly extensionOid: number
  readonly dimensions: unknown
  readonly durationMilliseconds: number
  readonly details: Readonly<Record<string, unknown>>
  /** Details as SQL, such as OIDs, which the database evaluates when the entry is written. */
  readonly computedDetails?: Readonly<Record<string, string>> | undefined
}

/**
 * Returns the statements that append an event, creating the table first if it does not exist.
 *
 * Entries are only ever appended and never changed, because `down` reads from the log whether `up` created the
 * extension. Returns no statements if the role may not write the table, or if the table is not trusted; {@link
 * logWarning} reports that.
 *
 * If another session creates the table in the meantime, the statements fail, because any role may have created it.
 */
export function appendToLog(log: LogState, event: LogEvent): string[] {
  if (!log.writable || log.schema === null || log.distrust !== null) return []
  const table = qualified(log.schema, log.table)
  return [...(log.exists ? [] : createTable(table)), insert(table, event)]
}

const MOST_RACES = 3

/**
 * Appends an event and returns warnings. If another session creates the table at the same moment, it checks the table
 * again, because any role may have created it.
 */
export async function writeToLog(session: Session, seen: LogState, event: LogEvent): Promise<readonly string[]> {
  let log = seen
  for (let races = 1; ; races++) {
    try {
      const statements = appendToLog(log, event)
      // In a caller's transaction, a lost race must not abort that transaction.
      if (session.isInTransaction && !log.exists && statements.length > 0)
        await session.transaction((trx) => trx.send(statements))
      else await session.send(statements)
      const warning = logWarning(log)
      return warning === null ? [] : [warning]
    } catch (error) {
      if (log.exists || log.schema === null || races === MOST_RACES || !isRace(error)) throw error
      log = await readLogState(session, { schema: log.schema, table: log.table })
    }
  }
}

/** Returns the warning if nothing could be logged; null if all is well. */
export function logWarning(log: LogState): string | null {
  if (log.distrust !== null) {
    const { table, remedies } = log.distrust
    return (
      `The migration log was not used: ${table} is not trusted, because ${reasonOf(log.distrust)}. ` +
      `Check what it contains, then as a superuser: ${remedies.join(' ')}`
    )
  }
  if (log.writable) return null
  if (log.schema === null) return 'The migration log was not written: the search path names no schema that exists.'
  const table = qualified(log.schema, log.table)
  return `The migration log was not written: this role may not ${log.exists ? 'read and append to' : 'create'} ${table}.`
}

/**
 * Returns who created this very extension, according to the log. It compares OIDs, because a later extension is a
 * different one.
 */
export async function originOfExtension(session: Session, log: LogState, extensionOid: number): Promise<Origin> {
  if (!isBelieved(log)) return 'unknown'
  const line = await session.ask<{ readonly migration: string | null } | null>(`select (
      select json_build_object('migration', migration) from ${qualified(log.schema, log.table)}
      where event = 'enabled' and extension_oid = ${extensionOid} order by id limit 1
    ) as state`)
  return line === null ? 'unknown' : madeBy(line.migration)
}

/**
 * Whether something is ours to drop. It is not if this library did not create it, or if a migration other than the one
 * being rolled back did.
 */
export type Origin = 'ours' | 'unknown' | { readonly migration: string }

/**
 * Returns who last did something that was not reversed since. It reads the last entry with these details, among the
 * events that did it and those that reversed it. Migrations are rolled back from the last one, so an object of an
 * earlier migration must survive the `down` of a later one that found it. If the `down` of a later migration created it
 * again, it is still ours.
 */
export async function originOf(
  session: Session,
  log: LogOptions | false,
  done: readonly LogEventName[],
  undone: LogEventName,
  details: Readonly<Record<string, unknown>>,
): Promise<Origin> {
  const line = log === false ? null : await lastLine(session, log, [...done, undone], details)
  if (line === null || line.event === undone) return 'unknown'
  return madeBy(line.migration)
}

function madeBy(migration: string | null): Origin {
  const running = currentMigration()
  const isRolledBack = running?.direction === 'down'
  const isEarlier = isRolledBack && migration !== null && stemOf(migration) < stemOf(running.name)
  return isEarlier ? { migration } : 'ours'
}

/** Who did what, according to an entry of the log. */
export interface LoggedStep {
  readonly event: string
  readonly migration: string | null
}

/** Returns the last entry of these events with these details; null if there is none, or if the log is not trusted. */
export async function lastLine(
  session: Session,
  log: LogOptions,
  events: readonly LogEventName[],
  details: Readonly<Record<string, unknown>>,
): Promise<LoggedStep | null> {
  const state = await readLogState(session, log)
  if (!isBelieved(state)) return null
  return session.ask<LoggedStep | null>(`select (
      select json_build_object('event', event, 'migration', migration) from ${qualified(state.schema, state.table)}
      where event in (${events.map(literal).join(', ')}) and details @> ${json(details)}
      order by id desc limit 1
    ) as state`)
}

/** The last entry about an index, with its details. */
export interface LoggedIndexStep extends LoggedStep {
  readonly details: Readonly<Record<string, unknown>>
}

/** Returns the last entry of these events about each index of a table; none if the log is not trusted. */
export async function lastLinesOfIndexes(
  session: Session,
  log: LogOptions,
  events: readonly LogEventName[],
  table: number,
): Promise<readonly LoggedIndexStep[]> {
  const state = await readLogState(session, log)
  if (!isBelieved(state)) return []
  return session.ask(`select coalesce(json_agg(json_build_object('event', event, 'migration', migration,
      'details', details) order by id), '[]') as state
    from (
      select distinct on (details ->> 'index') id, event, migration, details
      from ${qualified(state.schema, state.table)}
      where event in (${events.map(literal).join(', ')}) and details @> ${json({ table })}
      order by details ->> 'index', id desc
    ) as line`)
}

/** Whether the running migration wrote an entry, or no migration wrote it and none is running. */
export function isOfThisMigration({ migration }: LoggedStep): boolean {
  const running = currentMigration()
  return migration === null || running === null
    ? migration === null && running === null
    : stemOf(migration) === stemOf(running.name)
}

// Stock Knex gives a TypeScript migration a different name once it is compiled.
function stemOf(migration: string): string {
  return migration.replace(/\.[cm]?[jt]s$/, '')
}

/** Returns why something is kept, for a warning; `made` is what happened to it: added, built. */
export function reasonKept(origin: Exclude<Origin, 'ours'>, made: string): string {
  return origin === 'unknown'
    ? `was not ${made} by knex-pgvector according to its log, so it was kept`
    : `was ${made} by the earlier migration ${origin.migration}, so it was kept`
}

// A script written from a plan runs in a database that may have the table by then.
function createTable(table: string): string[] {
  return [
    `create table ${currentTarget() === null ? '' : 'if not exists '}${table} (
      id bigint generated always as identity primary key,
      happened_at timestamp with time zone not null default pg_catalog.clock_timestamp(),
      event pg_catalog.text not null,
      role pg_catalog.text not null default current_user,
      application pg_catalog.text default pg_catalog.current_setting('application_name', true),
      migration pg_catalog.text,
      version_before pg_catalog.text,
      version_after pg_catalog.text,
      schema pg_catalog.text,
      server pg_catalog.text not null,
      provider pg_catalog.text not null,
      extension_oid pg_catalog.oid,
      dimensions pg_catalog.jsonb,
      duration_ms integer,
      details pg_catalog.jsonb not null default '{}'
    )`,
    `comment on table ${table} is 'What happened to pgvector in this database (knex-pgvector); append only'`,
  ]
}

/**
 * A setting of the session that runs a script written from a plan. It is the OID of the extension before the script, or
 * empty if there was none. A statement of the script that finds the extension has not created it.
 */
export const EXTENSION_BEFORE = 'knex_pgvector.extension_before'

function condition({ event }: LogEvent): string {
  if (event !== 'enabled' || currentTarget() === null) return ''
  const isNew = `${installed('oid')}::pg_catalog.text operator(pg_catalog.<>) pg_catalog.current_setting('${EXTENSION_BEFORE}', true)`
  return `\n    where coalesce(${isNew}, true)`
}

// The duration on an empty copy has no meaning for the database that a plan is for.
function insert(table: string, event: LogEvent): string {
  const isSame = event.versionBefore !== null && event.versionBefore === event.versionAfter
  const before = isSame ? installed('extversion') : nullable(event.versionBefore)
  return `
    insert into ${table} (event, migration, version_before, version_after, schema, server, provider, extension_oid,
      dimensions, duration_ms, details)
    select ${literal(event.event)}, ${nullable(currentMigration()?.name ?? null)}, ${before},
      ${event.versionAfter === null ? 'null' : installed('extversion')}, ${literal(event.schema)}, ${literal(event.server)}, ${literal(event.provider)},
      coalesce(${installed('oid')}, ${event.extensionOid}), ${event.dimensions === null ? 'null' : json(event.dimensions)},
      ${currentTarget() === null ? Math.round(event.durationMilliseconds) : 'null'}, ${detailsSql(event)}${condition(event)}`
}

function detailsSql({ details, computedDetails = {} }: LogEvent): string {
  const pairs = Object.entries(computedDetails).map(([name, expression]) => `${literal(name)}, ${expression}`)
  return pairs.length === 0
    ? json(details)
    : `${json(details)} operator(pg_catalog.||) pg_catalog.jsonb_build_object(${pairs.join(', ')})`
}

// Read from the database that the entry is written in, because a script written from a plan runs in another one.
function installed(column: 'extversion' | 'oid'): string {
  return `(select ${column} from pg_catalog.pg_extension where extname operator(pg_catalog.=) 'vector')`
}
