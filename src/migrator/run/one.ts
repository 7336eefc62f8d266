import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { inMigration } from '../../database/migration-context.ts'
import type { Session } from '../../database/session.ts'
import type { Direction } from '../events.ts'
import type { LoadedMigration, MigrationModule } from '../files/list.ts'
import type { MigrationSettings } from '../settings.ts'
import { record } from '../tracking.ts'

/** One migration to run, and the lock that keeps other runs out. */
export interface Job {
  readonly migration: LoadedMigration
  readonly direction: Direction
  readonly batch: number
  /** The condition under which it may be recorded; null if a later record of the same transaction checks it. */
  readonly isLockHeld: string | null
  /** Whether the transaction that it runs in was ended from inside. */
  readonly hasEnded?: () => boolean
  /** The session that records it, if that is not the one that runs it. */
  readonly recordOn?: Session
}

/**
 * Runs a migration with its hooks, and records it.
 *
 * @throws {PgvectorMigrationError} MIGRATION_LOCK_LOST if it may not be recorded.
 */
export async function runOne(session: Session, settings: MigrationSettings, job: Job): Promise<void> {
  const { migration, direction } = job
  await inMigration({ name: migration.name, direction }, () => withReason(runAndRecord(session, settings, job)))
}

/** Gives a rejection a reason if it has none. */
export async function withReason<Result>(work: PromiseLike<Result>): Promise<Result> {
  try {
    return await work
  } catch (error) {
    throw error ?? new Error('it was rejected without a reason')
  }
}

/**
 * Returns the function of a migration for one direction.
 *
 * @throws {PgvectorMigrationError} INVALID_MIGRATION if there is no such function.
 */
export function functionOf({ name, module }: LoadedMigration, direction: Direction): (knex: Knex) => unknown {
  const { [direction]: run }: Partial<MigrationModule> = module
  if (typeof run === 'function') return run
  throw new PgvectorMigrationError('INVALID_MIGRATION', { file: name, problem: `it exports no function ${direction}` })
}

async function runAndRecord(session: Session, settings: MigrationSettings, job: Job): Promise<void> {
  const { migration, direction, batch, isLockHeld, hasEnded, recordOn = session } = job
  const { hooks, tables } = settings
  const { name, file, module } = migration
  await hooks.beforeEach(session.knex, [file])
  await functionOf(migration, direction).call(module, session.knex)
  await hooks.afterEach(session.knex, [file])
  const change = direction === 'up' ? { direction, name, batch } : { direction, name }
  if (!(await record(recordOn, tables, change, isLockHeld))) {
    if (hasEnded?.() === true) throw new Error('it ended its transaction, so it was not recorded')
    throw new PgvectorMigrationError('MIGRATION_LOCK_LOST', { migration: name, transactional: session.isInTransaction })
  }
}
