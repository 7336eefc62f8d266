import type { PgvectorMigrationError } from '../../core/errors.ts'
import { readState } from '../../extension/inspect.ts'
import { withTarget } from '../../database/target.ts'
import type { Session } from '../../database/session.ts'
import { listMigrations, type MigrationFiles } from '../files/list.ts'
import { configuredHooks } from '../../database/migration-config.ts'
import { notesOn } from './notes.ts'
import { readOrigin, type Origin } from '../replay/origin.ts'
import {
  startRecording,
  statementsOf,
  type PlannedStatement,
  type SentQuery,
} from '../../database/record-statements.ts'
import { recorded, replayApplied } from '../replay/applied.ts'
import { openReplay, runUp } from '../replay/replay.ts'
import { assertFilesExist, selectUp, type UpSelection } from '../select.ts'
import type { MigrationSettings, MigrationTables } from '../settings.ts'
import { createTables } from '../tracking.ts'

export type { PlannedStatement }

/** What pending migrations would send. */
export interface PlanResult {
  readonly migrations: readonly PlannedMigration[]
  /** What the plan cannot know, in sentences. */
  readonly notes: readonly string[]
  readonly origin: PlanOrigin
}

/** A plan of all that came before the migration that failed, with what that one had sent by then. */
export interface PartialPlan extends PlanResult {
  /** Null where the plan is whole. */
  readonly failure: PgvectorMigrationError<'PLAN_FAILED'> | null
}

/** A pending migration, with what it sends in its order. */
export interface PlannedMigration {
  readonly name: string
  /** False where it runs outside a transaction; those that it opens itself are among the statements. */
  readonly transactional: boolean
  readonly statements: readonly PlannedStatement[]
}

/** The state of the database that a plan was made for. */
export interface PlanOrigin {
  readonly database: string
  /** The version of PostgreSQL, as the server says it. */
  readonly server: string
  /** The version of pgvector that is enabled; null where none is. */
  readonly pgvector: string | null
  readonly searchPath: string
  readonly applied: readonly string[]
  /** When it was read, as ISO 8601. */
  readonly at: string
  readonly tables: MigrationTables
  /** What makes the tables that keep what was applied, where they are missing. */
  readonly bookkeeping: readonly string[]
}

/**
 * The SQL of pending migrations, seen by running them on an embedded database.
 *
 * The database itself is only read, in a read-only transaction. What was applied there is replayed first, so that
 * what is pending finds what it would find.
 *
 * @throws {PgvectorMigrationError} PLAN_FAILED, EMBEDDED_NOT_INSTALLED, MIGRATION_NOT_FOUND, MIGRATION_AMBIGUOUS or
 * MIGRATION_FILES_MISSING.
 */
export async function plan(
  session: Session,
  settings: MigrationSettings,
  choice: UpSelection = {},
): Promise<PlanResult> {
  const { failure, ...result } = await planAsFarAsItGoes(session, settings, choice)
  if (failure !== null) throw failure
  return result
}

/** The same, and where a pending migration fails, the plan up to there: the statement that failed is its last. */
export async function planAsFarAsItGoes(
  db: Session,
  settings: MigrationSettings,
  choice: UpSelection,
): Promise<PartialPlan> {
  const files = await listMigrations(settings)
  const origin = await readOrigin(db, settings.tables)
  assertFilesExist(files.names, origin.applied)
  const pending = selectUp(files.names, origin.applied, choice)
  if (pending.length === 0) {
    return { migrations: [], notes: [], origin: describe(origin, settings.tables, []), failure: null }
  }
  const replay = await openReplay(db, origin.surroundings)
  try {
    const bookkeeping = await bookkeepingOf(replay.session, settings.tables)
    const { migrations, failure } = await withTarget(origin.pgvector, async () => {
      await replayApplied(replay, settings.tables, files, origin.applied)
      return planAll(replay.session, files, pending)
    })
    // After a failure the replay may be in a transaction that takes no question any more.
    const notes =
      failure === null
        ? notesOn({
            migrations,
            here: origin.pgvector,
            replay: await readState(replay.session, {}, null),
            hooks: configuredHooks(db),
          })
        : []
    return { migrations, notes, origin: describe(origin, settings.tables, bookkeeping), failure }
  } finally {
    await replay.close()
  }
}

async function bookkeepingOf(session: Session, tables: MigrationTables): Promise<PlannedStatement[]> {
  const recording = startRecording(session)
  await createTables(session, tables)
  recording.stop()
  return statementsOf(recording.sent, true)
}

async function planAll(
  session: Session,
  files: MigrationFiles,
  pending: readonly string[],
): Promise<Pick<PartialPlan, 'migrations' | 'failure'>> {
  const migrations: PlannedMigration[] = []
  for (const name of pending) {
    const migration = await files.load(name)
    const { transactional } = migration
    const { sent, failure } = await recorded(session, name, false, () => runUp(session, migration))
    // Of one that failed all was rolled back, and yet it is what it sends.
    const statements = statementsOf(failure === null ? sent : sent.filter(isItsOwn).map(withoutError), transactional)
    migrations.push({ name, transactional, statements })
    if (failure !== null) return { migrations, failure }
  }
  return { migrations, failure: null }
}

function isItsOwn({ isControl }: SentQuery): boolean {
  return !isControl
}

function withoutError({ error: _error, ...query }: SentQuery): SentQuery {
  return query
}

function describe(origin: Origin, tables: MigrationTables, bookkeeping: readonly PlannedStatement[]): PlanOrigin {
  const { applied, pgvector, surroundings, at } = origin
  return {
    database: surroundings.database,
    server: pgvector.server.version,
    pgvector: pgvector.installed?.version ?? null,
    searchPath: surroundings.searchPath,
    applied: applied.map(({ name }) => name),
    at,
    tables,
    bookkeeping: bookkeeping.map(({ sql }) => sql),
  }
}
