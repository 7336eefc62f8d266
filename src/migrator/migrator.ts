import { setImmediate as nextTurn } from 'node:timers/promises'

import Knex from 'knex'

import { isPgvectorMigrationError } from '../core/errors.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import type { Direction, RunOptions, RunResult } from './events.ts'
import type { AdoptOptions, AdoptResult } from './adopt/adopt.ts'
import type { HistoryEntry, HistoryOptions } from './history.ts'
import type { LintResult } from '../lint/lint-migrations.ts'
import type { LintOptions } from '../lint/lint.ts'
import type { LossOptions, Losses } from './losses/losses.ts'
import type { Rehearsal, RehearseOptions } from './rehearse/rehearse.ts'
import type { PlanResult } from './plan/plan.ts'
import type { Need } from './refusal.ts'
import type { DownSelection, UpSelection } from './select.ts'
import { settingsOf, type MigrationTables, type MigratorOptions } from './settings.ts'
import { preview, statusOf, type MigrationStatus } from './status.ts'
import { readTracking, type Tracking } from './tracking.ts'
import type { UnlockOptions, UnlockResult } from './lock/unlock.ts'

/** Migrations over Knex's own tables, with a lock that never sticks. */
export interface Migrator {
  /** Every migration and whether it was applied; reads only. */
  status(): Promise<MigrationStatus[]>
  /** The names of what a run would do; reads only. */
  preview(direction: Direction, selection?: UpSelection & DownSelection): Promise<readonly string[]>
  /** Really executes the pending migrations, in one transaction that is rolled back. */
  rehearse(options?: RehearseOptions): Promise<Rehearsal>
  /** What undoing applied migrations would lose, found out in a transaction that is rolled back. */
  losses(options?: LossOptions): Promise<Losses>
  /** The SQL of what `up` would do, seen by running it on an embedded database; reads only. */
  plan(selection?: UpSelection): Promise<PlanResult>
  /** Judges the SQL of what `up` would do by rules that know vectors; reads only. */
  lint(options?: LintOptions): Promise<LintResult>
  /** Applies pending migrations, each in its own transaction unless it asks for none. */
  up(options?: UpSelection & RunOptions): Promise<RunResult>
  /** Undoes applied migrations, newest first; by default one. */
  down(options?: DownSelection & RunOptions): Promise<RunResult>
  /** Everything that is on record: runs, migrations and what happened to pgvector, oldest first; reads only. */
  history(options?: HistoryOptions): Promise<HistoryEntry[]>
  /** Records migrations as applied in a database that has what they make, without running them there. */
  adopt(options?: AdoptOptions): Promise<AdoptResult>
  /** Frees the lock on migrations where the run that held it is gone; with `force`, Knex's own lock whoever set it. */
  unlock(options?: UnlockOptions): Promise<UnlockResult>
  /** Closes the connections, where this migrator opened them. */
  close(): Promise<void>
}

/**
 * A migrator over the migrations that a Knex configuration names, interchangeable with stock `knex migrate:*`.
 *
 * @example
 * const migrator = createMigrator(knex)
 * const { migrations } = await migrator.up({ wait: 60_000 })
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE where this is no PostgreSQL. Its methods: INSUFFICIENT_PRIVILEGE,
 * READ_ONLY or SCHEMA_NOT_FOUND where the tables of Knex cannot be read or written.
 */
export function createMigrator(knexOrConfig: Database | Knex.Knex.Config, options: MigratorOptions = {}): Migrator {
  const isInstance = typeof knexOrConfig === 'function'
  const knex = isInstance ? knexOrConfig : Knex(knexOrConfig)
  const db = sessionOf(knex)
  const settings = settingsOf(db, options)
  const explained = async <Result>(need: Need, work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      if (isPgvectorMigrationError(error, 'MIGRATION_FILES_MISSING'))
        throw await (await import('./files/renamed.ts')).explainMissing(db, settings, error)
      throw await (await import('./refusal.ts')).explainRefusal(db, settings, need, error)
    }
  }
  const reads = <Result>(work: () => Promise<Result>): Promise<Result> => explained('read', work)
  const writes = <Result>(work: () => Promise<Result>): Promise<Result> => explained('write', work)
  return {
    status: () => reads(() => statusOf(db, settings)),
    preview: (direction, choice = {}) => reads(() => preview(db, settings, direction, choice)),
    rehearse: (choice = {}) =>
      writes(async () => (await import('./rehearse/rehearse.ts')).rehearse(db, settings, choice)),
    losses: (choice = {}) => writes(async () => (await import('./losses/losses.ts')).losses(db, settings, choice)),
    plan: (choice = {}) => reads(async () => (await import('./plan/plan.ts')).plan(db, settings, choice)),
    lint: (choice = {}) => reads(async () => (await import('../lint/lint.ts')).lint(db, settings, choice)),
    up: (choice = {}) =>
      writes(async () => {
        const tracking = startReading(db, settings.tables)
        await nextTurn()
        return (await import('./run/run.ts')).up(db, settings, choice, tracking)
      }),
    down: (choice = {}) =>
      writes(async () => {
        const tracking = startReading(db, settings.tables)
        return (await import('./run/run.ts')).down(db, settings, choice, tracking)
      }),
    history: (choice = {}) => reads(async () => (await import('./history.ts')).historyOf(db, settings, choice)),
    adopt: (choice = {}) => writes(async () => (await import('./adopt/adopt.ts')).adopt(db, settings, choice)),
    unlock: (choice = {}) => writes(async () => (await import('./lock/unlock.ts')).unlock(db, settings, choice)),
    close: async () => {
      if (!isInstance) await knex.destroy()
    },
  }
}

// The server is asked while the code of a run is being loaded.
function startReading(session: Session, tables: MigrationTables): Promise<Tracking> {
  const tracking = readTracking(session, tables)
  // What fails is told by the run, which waits for it.
  tracking.catch(() => undefined)
  return tracking
}

/**
 * Applies every pending migration at application start; safe on every replica at once: one migrates, the others wait
 * and go on.
 *
 * @example await migrateToLatest(knex, { wait: 120_000 })
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED, MIGRATION_FAILED, MIGRATION_LOCK_LOST, MIGRATION_INTERRUPTED or
 * MIGRATION_FILES_MISSING.
 */
export async function migrateToLatest(db: Database, options: RunOptions & MigratorOptions = {}): Promise<RunResult> {
  const { tableName, schemaName, migrationSource, deadlines, ...runOptions } = options
  const given = Object.fromEntries(
    Object.entries({ tableName, schemaName, migrationSource, deadlines }).filter(([, value]) => value !== undefined),
  )
  return createMigrator(db, given).up({ command: 'migrateToLatest', ...runOptions })
}
