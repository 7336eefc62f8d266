import { backendsOf } from '../../database/backends.ts'
import type { Session } from '../../database/session.ts'
import { readProcessors } from './processors.ts'

/** How many processes may build an index, considering other sessions. */
export interface ServerLoad {
  /** The server's processors; null if unknown, or irrelevant because one process builds. */
  readonly processors: number | null
  /** The backends of other sessions that were active within the last second; none if that does not matter. */
  readonly othersAtWork: readonly number[]
}

const UNKNOWN: ServerLoad = { processors: null, othersAtWork: [] }

// With this much data, starting more processes pays off (PostgreSQL's own default of min_parallel_table_scan_size).
const WORTH_SEVERAL_PROCESSES = 8 * 1024 * 1024

/** Whether a table is large enough that several processes build its index faster than one. */
export function isWorthSeveralProcesses(totalBytes: number): boolean {
  return totalBytes >= WORTH_SEVERAL_PROCESSES
}

/**
 * Reads how many processors the server has and which other sessions use them, if that matters.
 *
 * @param own Backend PIDs of the caller, in addition to those of the pool of `db`.
 */
export async function readServerLoad(
  session: Session,
  totalBytes: number,
  own: readonly number[],
): Promise<ServerLoad> {
  if (!isWorthSeveralProcesses(totalBytes)) return UNKNOWN
  const processors = await readProcessors(session)
  if (processors === null) return UNKNOWN
  return { processors, othersAtWork: await session.ask(othersAtWorkSql([...backendsOf(session), ...own])) }
}

// A session that holds an advisory lock while it waits may be the one that runs this very migration. A role sees the
// activity of its own sessions, and of others only if it may read all statistics. Sessions that it cannot see count as
// idle.
function othersAtWorkSql(own: readonly number[]): string {
  return `
    select coalesce(json_agg(a.pid), '[]') as state
    from pg_catalog.pg_stat_activity a
    where a.backend_type = 'client backend' and a.pid not in (${['pg_backend_pid()', ...own].join(', ')})
      and (a.state = 'active' or a.state_change > clock_timestamp() - interval '1 second' and not exists (
        select from pg_catalog.pg_locks l where l.pid = a.pid and l.locktype = 'advisory'
      ))`
}
