import type { LogOptions } from '../options.ts'
import { send, type Database } from '../queryable.ts'
import { readState } from './inspect.ts'
import { appendToLog, logWarning, type LogEventName } from './log.ts'

/** Appends what became of a column or an index to the migration log; returns what to warn of. */
export async function logChange(
  db: Database,
  log: LogOptions | false,
  event: LogEventName,
  milliseconds: number,
  details: Readonly<Record<string, unknown>>,
): Promise<readonly string[]> {
  if (log === false) return []
  const state = await readState(db, { log }, null)
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
  })
  if (statements.length > 0) await send(db, statements.join(';\n'))
  const warning = logWarning(state.log)
  return warning === null ? [] : [warning]
}
