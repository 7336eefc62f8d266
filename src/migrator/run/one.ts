import { PgvectorMigrationError } from '../../core/errors.ts'
import { inMigration } from '../../database/migration-context.ts'
import { canCheckConnectionSql } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import type { Direction } from '../events.ts'
import type { LoadedMigration } from '../files/list.ts'
import type { MigrationSettings } from '../settings.ts'
import { record } from '../tracking.ts'

/** One migration to run, and what keeps others from running it too. */
export interface Job {
  readonly migration: LoadedMigration
  readonly direction: Direction
  readonly batch: number
  /** The condition under which it may be recorded. */
  readonly isLockHeld: string
  /** Called with the backend that runs it, so that it can be cancelled from the side. */
  readonly onBackend: (processId: number) => void
}

/** Runs a migration and records it: in one transaction, unless it asks for none. */
export async function runOne(session: Session, settings: MigrationSettings, job: Job): Promise<void> {
  const { migration } = job
  await inMigration(migration.name, () =>
    migration.transactional
      ? session.transaction((trx) => runIn(trx, settings, job))
      : withReason(runIn(session, settings, job)),
  )
}

/** Gives a rejection a reason, where it has none. */
export async function withReason<Result>(work: PromiseLike<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw error ?? new Error('it was rejected without a reason')
  }
}

async function runIn(session: Session, settings: MigrationSettings, job: Job): Promise<void> {
  const { migration, direction, batch, isLockHeld } = job
  const { hooks, tables } = settings
  const { name, file, module } = migration
  if (migration.transactional) job.onBackend(await prepare(session))
  await hooks.beforeEach(session.knex, [file])
  const run = module[direction]
  if (run === undefined)
    throw new PgvectorMigrationError('INVALID_MIGRATION', {
      file: name,
      problem: `it exports no function ${direction}`,
    })
  await run.call(module, session.knex)
  await hooks.afterEach(session.knex, [file])
  const change = direction === 'up' ? { direction, name, batch } : { direction, name }
  if (!(await record(session, tables, change, isLockHeld))) {
    throw new PgvectorMigrationError('MIGRATION_LOCK_LOST', { migration: name })
  }
}

/**
 * Asks PostgreSQL to notice, while it works, that this process died: without that a killed run's long statement would
 * go on beside the next run. PostgreSQL 13 and some platforms of a server cannot do it.
 */
async function prepare(trx: Session): Promise<number> {
  const { pid } = await trx.ask<{ pid: number }>(`select json_build_object('pid', pg_backend_pid(), 'checks', case
      when ${canCheckConnectionSql}
      then set_config('client_connection_check_interval', '1000', true)
    end) as state`)
  return pid
}
