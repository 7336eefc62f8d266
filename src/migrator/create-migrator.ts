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
import { plan } from './plan/plan.ts'
import { createReader, type MigrationReader } from './reader.ts'
import type { PlanResult } from './plan/result.ts'
import { down, up } from './run/run.ts'
import { downKinds, parseUpSelection, upKinds, type DownSelection, type UpSelection } from './select.ts'
import { migratorKinds, settingsOf, type MigrationTables, type MigratorOptions } from './settings.ts'
import { readTracking, type Tracking } from './tracking.ts'
import { parseUnlockOptions, unlock, type UnlockOptions, type UnlockResult } from './lock/unlock.ts'

/** Migrations over Knex's own tables, with a lock that never sticks. */
export interface Migrator extends MigrationReader {
  /** Really executes the pending migrations, in one transaction that is rolled back. */
  rehearse(options?: RehearseOptions): Promise<Rehearsal>
  /** What undoing applied migrations would lose, found out in a transaction that is rolled back. */
  losses(options?: LossOptions): Promise<Losses>
  /** The SQL of what `up` would do, seen by running it on an embedded database; reads only. */
  plan(selection?: UpSelection): Promise<PlanResult>
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

const parseUpOptions = optionsParser({ ...upKinds, ...runKinds })
const parseDownOptions = optionsParser({ ...downKinds, ...runKinds })
const parseLatestOptions = optionsParser({ ...runKinds, ...migratorKinds })

/**
 * A migrator over the migrations that a Knex configuration names, interchangeable with stock `knex migrate:*`.
 *
 * @example
 * const migrator = createMigrator(knex)
 * const { migrations } = await migrator.up({ wait: 60_000 })
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE where this is no PostgreSQL, INVALID_OPTIONS. Its methods also:
 * INSUFFICIENT_PRIVILEGE, READ_ONLY or SCHEMA_NOT_FOUND where the tables of Knex cannot be read or written.
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
    plan: (choice) => reads(() => plan(session, settings, parseUpSelection(choice))),
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

// The server is asked while the migration files are being listed.
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
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, MIGRATIONS_LOCKED, MIGRATION_FAILED, MIGRATION_LOCK_LOST,
 * MIGRATION_INTERRUPTED or MIGRATION_FILES_MISSING.
 */
export async function migrateToLatest(db: Database, options: RunOptions & MigratorOptions = {}): Promise<RunResult> {
  const { wait, transaction, signal, command = 'migrateToLatest', onEvent, ...given } = parseLatestOptions(options)
  return createMigrator(db, given).up({ wait, transaction, signal, command, onEvent })
}
