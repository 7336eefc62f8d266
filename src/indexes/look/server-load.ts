import { backendsOf } from '../../database/backends.ts'
import type { Session } from '../../database/session.ts'
import { readProcessors } from './processors.ts'

/** What tells how many processes may build an index beside others. */
export interface ServerLoad {
  /** Of the server; null where that is not known, or does not matter because one process builds. */
  readonly processors: number | null
  /** The processes of others that did something within the last second; none where that does not matter. */
  readonly othersAtWork: readonly number[]
}

const UNKNOWN: ServerLoad = { processors: null, othersAtWork: [] }

// So much data is worth the start of other processes (PostgreSQL's own default of min_parallel_table_scan_size).
const WORTH_SEVERAL_PROCESSES = 8 * 1024 * 1024

/** Whether a table has so many bytes that several processes build its index sooner than one. */
export function isWorthSeveralProcesses(totalBytes: number): boolean {
  return totalBytes >= WORTH_SEVERAL_PROCESSES
}

/**
 * Reads how many processors the server has and who else wants them, where that decides anything.
 *
 * @param own Processes of the caller beside those of the pool of `db`.
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

// Who holds an advisory lock while it waits may be the runner of this very migration. A role sees what its own sessions
// do, and those of others where it may read all statistics; the rest counts as idle.
function othersAtWorkSql(own: readonly number[]): string {
  return `
    select coalesce(json_agg(a.pid), '[]') as state
    from pg_catalog.pg_stat_activity a
    where a.backend_type = 'client backend' and a.pid not in (${['pg_backend_pid()', ...own].join(', ')})
      and (a.state = 'active' or a.state_change > clock_timestamp() - interval '1 second' and not exists (
        select from pg_catalog.pg_locks l where l.pid = a.pid and l.locktype = 'advisory'
      ))`
}
