import { type Database, sessionOf } from '../database/session.ts'
import type { BuildProgress } from './build/options.ts'
import { progressFields, progressMeter, type ProgressAnswer } from './build/progress.ts'
import { runningBuildsSql } from './look/validity.ts'

/** A running index build, of any method. */
export interface IndexBuild extends BuildProgress {
  /** The backend PID. */
  readonly processId: number
  /** Null if this role may not see it. */
  readonly index: string | null
  readonly table: string | null
  readonly command: string | null
  /** The start time, as ISO 8601; null if this role may not see it. */
  readonly since: string | null
  /** The backend PIDs that it waits for. */
  readonly blockers: readonly number[]
}

type Answer = ProgressAnswer &
  Pick<IndexBuild, 'processId' | 'index' | 'table' | 'command' | 'since'> & {
    readonly milliseconds: number | null
  }

/**
 * Returns the index builds that are running in this database, with their progress.
 *
 * @example for (const { index, phase, percent } of await listIndexBuilds(knex)) console.log(index, phase, percent)
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE.
 */
export async function listIndexBuilds(db: Database): Promise<IndexBuild[]> {
  const session = sessionOf(db)
  const answers = await session.ask<readonly Answer[]>(runningSql)
  return answers.map(({ processId, index, table, command, since, milliseconds, ...seen }) => {
    // Computes as if it had watched from the beginning, because PostgreSQL reports the progress and the start time.
    const clock = { time: 0 }
    const meter = progressMeter(() => clock.time)
    meter({ ...seen, rowsDone: 0, blocksDone: 0 })
    clock.time = milliseconds ?? 0
    return { processId, index, table, command, since, blockers: seen.blockers, ...meter(seen) }
  })
}

const runningSql = `
  with ${runningBuildsSql}
  select coalesce(json_agg(json_build_object('processId', p.pid, 'index', b.index_oid::regclass::text,
    'table', b.table_oid::regclass::text, 'command', p.command, 'since', a.query_start,
    'milliseconds', extract(epoch from clock_timestamp() - a.query_start) * 1000, ${progressFields}
  ) order by a.query_start), '[]') as state
  from (select distinct on (pid) pid, index_oid, table_oid from build order by pid, table_oid) b
  join pg_catalog.pg_stat_progress_create_index p on p.pid = b.pid
  left join pg_catalog.pg_stat_activity a on a.pid = p.pid`
