import { growthFit } from './growth.ts'
import type { BuildProgress } from './options.ts'

/** What PostgreSQL reports about a process that builds an index. */
export interface ProgressAnswer {
  /** Null while it is not building one. */
  readonly phase: string | null
  readonly blocksDone: number
  readonly blocksTotal: number
  readonly rowsDone: number
  readonly rowsTotal: number
  readonly lockersDone: number
  readonly lockersTotal: number
  /** The parallel workers of the build, as far as this role may see them. */
  readonly workers: number
  /** The backends that hold what it waits for. */
  readonly blockers: readonly number[]
}

/** SQL: {@link ProgressAnswer} as pairs of a json object, of a row `p` of the progress and a row `a` of the activity. */
export const progressFields = `'phase', p.phase,
      'blocksDone', coalesce(p.blocks_done, 0), 'blocksTotal', coalesce(p.blocks_total, 0),
      'rowsDone', coalesce(p.tuples_done, 0), 'rowsTotal', coalesce(p.tuples_total, 0),
      'lockersDone', coalesce(p.lockers_done, 0), 'lockersTotal', coalesce(p.lockers_total, 0),
      'workers', (select count(*) from pg_catalog.pg_stat_activity w where w.leader_pid = p.pid),
      'blockers', case when a.wait_event_type = 'Lock' then to_json(pg_blocking_pids(a.pid)) else '[]' end`

export function progressSql(processId: number): string {
  return `
    select json_build_object(${progressFields}) as state
    from (values (${processId})) as it (pid)
    left join pg_catalog.pg_stat_activity a on a.pid = it.pid
    left join pg_catalog.pg_stat_progress_create_index p on p.pid = it.pid`
}

// A smaller share of a phase says little about its remaining time.
const ENOUGH_TO_TELL = 0.02

/** Turns repeated observations into progress and remaining time. */
export function progressMeter(now: () => number = () => performance.now()): (seen: ProgressAnswer) => BuildProgress {
  let phase: string | null = null
  let started = 0
  let first = 0
  let growth = growthFit()
  return (seen) => {
    const time = now()
    if (seen.phase !== phase) {
      phase = seen.phase
      started = time
      first = seen.rowsDone
      growth = growthFit()
    }
    const milliseconds = time - started
    const seconds = milliseconds / 1000
    const share = shareOf(seen)
    const isKnown = share !== null && share >= ENOUGH_TO_TELL
    if (isSerialGraph(seen) && first === 0) growth.add(seen.rowsDone, milliseconds)
    const millisecondsLeft = !isKnown
      ? null
      : ((isSerialGraph(seen) ? growth.left(seen.rowsDone, seen.rowsDone / share, milliseconds) : null) ??
        (milliseconds * (1 - share)) / share)
    return {
      phase: (phase ?? '').replace('building index: ', ''),
      percent: share === null ? null : Math.round(share * 1000) / 10,
      rowsPerSecond: seconds > 0 && seen.rowsDone > first ? Math.round((seen.rowsDone - first) / seconds) : null,
      secondsLeft: millisecondsLeft === null ? null : Math.round(millisecondsLeft / 1000),
    }
  }
}

// A row of a graph takes longer the more rows the graph has. With workers that hardly shows.
function isSerialGraph({ phase, rowsTotal, blocksTotal, workers }: ProgressAnswer): boolean {
  return phase === 'building index: loading tuples' && rowsTotal === 0 && blocksTotal > 0 && workers === 0
}

// hnsw reports only how much of the table it has read. ivfflat reports in its last phase how many rows it has written.
// While it waits, PostgreSQL reports how many transactions are left.
function shareOf(seen: ProgressAnswer): number | null {
  if (seen.phase?.startsWith('waiting') === true) return ratio(seen.lockersDone, seen.lockersTotal)
  return ratio(seen.rowsDone, seen.rowsTotal) ?? ratio(seen.blocksDone, seen.blocksTotal)
}

function ratio(done: number, total: number): number | null {
  return total > 0 ? Math.min(1, done / total) : null
}
