import type { LogOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import { logStateOf, logStateSql, readLogState, type LogAnswer, type LogState } from '../log/log-state.ts'
import { writeToLog, type LogEventName } from '../log/migration-log.ts'
import { glanceSql, readGlance, type GlanceAnswer } from './glance.ts'
import type { Glance } from './state.ts'

/** What happened to a column or an index. */
export interface Change {
  readonly event: LogEventName
  readonly milliseconds: number
  readonly details: Readonly<Record<string, unknown>>
  /** The details by which a later `down` recognises it, as SQL that the database evaluates. */
  readonly computedDetails?: Readonly<Record<string, string>> | undefined
  /** The extension and the server, if the caller has read them. */
  readonly seen?: Glance | undefined
}

/**
 * Appends what happened to a column or an index to the migration log, and returns warnings.
 *
 * The OIDs by which a later `down` recognises the object are in `computedDetails`. A script written from a plan runs in
 * another database, where they differ.
 */
export async function logChange(
  session: Session,
  log: LogOptions | false,
  { event, milliseconds, details, computedDetails, seen }: Change,
): Promise<readonly string[]> {
  if (log === false) return []
  const [known, state] = await look(session, log, seen)
  const { installed, server, provider } = known
  if (installed === null) return []
  return writeToLog(session, state, {
    event,
    versionBefore: installed.version,
    versionAfter: installed.version,
    schema: installed.schema,
    server: server.version,
    provider,
    extensionOid: installed.oid,
    dimensions: null,
    durationMilliseconds: milliseconds,
    details,
    computedDetails,
  })
}

async function look(session: Session, log: LogOptions, seen: Glance | undefined): Promise<[Glance, LogState]> {
  if (seen !== undefined) return [seen, await readLogState(session, log)]
  const [answer, state] = await session.askEach([glanceSql(), logStateSql(log)])
  return [readGlance(answer as GlanceAnswer), await logStateOf(session, state as LogAnswer)]
}

/** Returns SQL for the OID of a table and the number of one of its columns, for the database to evaluate. */
export function numbersOf(schema: string, table: string, column?: string): Readonly<Record<string, string>> {
  const number = `(
    select c.oid::bigint from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
    where n.nspname operator(pg_catalog.=) ${literal(schema)} and c.relname operator(pg_catalog.=) ${literal(table)})`
  if (column === undefined) return { table: number }
  const attribute = `(
    select attnum from pg_catalog.pg_attribute
    where attrelid operator(pg_catalog.=) ${number} and attname operator(pg_catalog.=) ${literal(column)})`
  return { table: number, column: attribute }
}
