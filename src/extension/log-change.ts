import type { LogOptions } from '../core/options.ts'
import type { Session } from '../database/session.ts'
import { literal } from '../core/sql.ts'
import { readState } from './inspect.ts'
import { appendToLog, logWarning, type LogEventName } from '../log/migration-log.ts'

/**
 * Appends what became of a column or an index to the migration log; returns what to warn of.
 *
 * What a later `down` is to recognise, by the numbers of the catalog, stands in `computedDetails`: a script made from a plan is
 * run in another database, whose numbers are others.
 */
export async function logChange(
  session: Session,
  log: LogOptions | false,
  event: LogEventName,
  milliseconds: number,
  details: Readonly<Record<string, unknown>>,
  computedDetails?: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  if (log === false) return []
  const state = await readState(session, { log }, null)
  const { installed, server, provider } = state
  if (installed === null) return []
  const statements = appendToLog(state.log, {
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
  if (statements.length > 0) await session.send(statements.join(';\n'))
  const warning = logWarning(state.log)
  return warning === null ? [] : [warning]
}

/** The numbers of a table and of one of its columns in the catalog, to be worked out by the database. */
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
