import type { Knex } from 'knex'

import { optionsParser } from '../core/option-kinds.ts'
import { connectTo } from '../database/connect.ts'
import type { Database, Session } from '../database/session.ts'
import { runKinds, type RunOptions, type RunResult } from './events.ts'
import { adopt, parseAdoptOptions, type AdoptOptions, type AdoptResult } from './adopt/adopt.ts'
import { withExplainedErrors } from './explained-errors.ts'
import { historyOf, parseHistoryOptions, type HistoryEntry, type HistoryOptions } from './history.ts'
import { losses, parseLossOptions, type LossOptions, type Losses } from './losses/losses.ts'
import { parseRehearseOptions, rehearse, type Rehearsal, type RehearseOptions } from './rehearse/rehearse.ts'
import { parsePlanOptions, plan, type PlanOptions } from './plan/plan.ts'
import { createReader, type MigrationReader } from './reader.ts'
import type { PlanResult } from './plan/result.ts'
import { down, up } from './run/run.ts'
import { downKinds, upKinds, type DownSelection, type UpSelection } from './select.ts'
import { migratorKinds, settingsOf, type MigrationTables, type MigratorOptions } from './settings.ts'
import { readTracking, type Tracking } from './tracking.ts'
import { parseUnlockOptions, unlock, type UnlockOptions, type UnlockResult } from './lock/unlock.ts'

/** Migrations over Knex's own tables, with a lock that a crashed run does not leave behind. */
export interface Migrator extends MigrationReader {
  /** Executes the pending migrations for real, in one transaction that is rolled back. */
  rehearse(options?: RehearseOptions): Promise<Rehearsal>
  /** What rolling back applied migrations would lose, determined in a transaction that is rolled back. */
  losses(options?: LossOptions): Promise<Losses>
  /**
   * The SQL that `up` would send, determined by running it on an embedded database. The database itself is only read.
   */
  plan(options?: PlanOptions): Promise<PlanResult>
  /** Applies pending migrations, each in its own transaction unless it opts out. */
  up(options?: UpSelection & RunOptions): Promise<RunResult>
  /** Rolls back applied migrations, newest first; by default one. */
  down(options?: DownSelection & RunOptions): Promise<RunResult>
  /** Every recorded run, migration and change to pgvector, oldest first. It only reads. */
  history(options?: HistoryOptions): Promise<HistoryEntry[]>
  /** Records migrations as applied in a database that already has what they create, without running them there. */
  adopt(options?: AdoptOptions): Promise<AdoptResult>
  /**
   * Frees the migration lock if the run that held it is gone. With `force`, it frees Knex's own lock whoever set it.
   */
  unlock(options?: UnlockOptions): Promise<UnlockResult>
  /** Closes the connections that this migrator opened. */
  close(): Promise<void>
}

const parseUpOptions = optionsParser({ ...upKinds, ...runKinds })
const parseDownOptions = optionsParser({ ...downKinds, ...runKinds })
const parseLatestOptions = optionsParser({ ...runKinds, ...migratorKinds })

/**
 * Creates a migrator for the migrations of a Knex configuration. It is interchangeable with stock `knex migrate:*`.
 *
 * @example
 * const migrator = createMigrator(knex)
 * const { migrations } = await migrator.up({ wait: 60_000 })
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE if this is not PostgreSQL, INVALID_OPTIONS. Its methods also throw
 * INSUFFICIENT_PRIVILEGE, READ_ONLY or SCHEMA_NOT_FOUND if Knex's tables cannot be read or written.
 */
export function createMigrator(knexOrConfig: Database | Knex.Config, options: MigratorOptions = {}): Migrator {
  const { session: opened, close } = connectTo(knexOrConfig)
  const settings = settingsOf(opened, options)
  const session = opened.withTerms({ deadlines: settings.deadlines })
  const reads = <Result>(work: () => Promise<Result>): Promise<Result> =>
    withExplainedErrors(session, settings, 'read', work)
  const writes = async <Choice extends object, Result>(
    parse: (choice: unknown) => Choice,
    choice: unknown,
    work: (own: Session, parsed: Choice) => Promise<Result>,
  ): Promise<Result> => {
    const parsed = parse(choice)
    const own = session.withTerms({ signal: (parsed as Stoppable).signal })
    return withExplainedErrors(own, settings, 'write', () => work(own, parsed))
  }
  return {
    ...createReader(session, settings),
    rehearse: (choice) => writes(parseRehearseOptions, choice, (own, parsed) => rehearse(own, settings, parsed)),
    losses: (choice) => writes(parseLossOptions, choice, (own, parsed) => losses(own, settings, parsed)),
    plan: (choice) => reads(() => plan(session, settings, parsePlanOptions(choice))),
    up: (choice) =>
      writes(parseUpOptions, choice, (own, parsed) => up(own, settings, parsed, startReading(own, settings.tables))),
    down: (choice) =>
      writes(parseDownOptions, choice, (own, parsed) =>
        down(own, settings, parsed, startReading(own, settings.tables)),
      ),
    history: (choice) => reads(() => historyOf(session, settings, parseHistoryOptions(choice))),
    adopt: (choice) => writes(parseAdoptOptions, choice, (own, parsed) => adopt(own, settings, parsed)),
    unlock: (choice) => writes(parseUnlockOptions, choice, (own, parsed) => unlock(own, settings, parsed)),
    close,
  }
}

interface Stoppable {
  readonly signal?: AbortSignal | undefined
}

// The query runs while the migration files are being listed.
function startReading(session: Session, tables: MigrationTables): Promise<Tracking> {
  const tracking = readTracking(session, tables)
  // The run waits for this promise and reports its error.
  tracking.catch(() => undefined)
  return tracking
}

/**
 * Applies every pending migration at application start. It is safe on every replica at once: one replica migrates, and
 * the others wait for it and continue.
 *
 * @example await migrateToLatest(knex, { wait: 120_000 })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, MIGRATIONS_LOCKED, MIGRATION_FAILED, MIGRATION_LOCK_LOST,
 * MIGRATION_INTERRUPTED or MIGRATION_FILES_MISSING.
 */
export async function migrateToLatest(db: Database, options: RunOptions & MigratorOptions = {}): Promise<RunResult> {
  const { wait, transaction, signal, command = 'migrateToLatest', onEvent, ...given } = parseLatestOptions(options)
  return createMigrator(db, given).up({ wait, transaction, signal, command, onEvent })
}
