import { readState } from '../../extension/inspect.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { withTarget } from '../../database/target.ts'
import type { Session } from '../../database/session.ts'
import { flagKind, optionsParser } from '../../core/option-kinds.ts'
import { runKinds, type RunOptions } from '../events.ts'
import { listMigrations, type MigrationFiles } from '../files/list.ts'
import { citusNotes } from './citus-notes.ts'
import { isVectorIndex, type VectorIndex } from '../../indexes/vector-index.ts'
import { forecastIndexes } from './forecast.ts'
import { notesOn } from './notes.ts'
import { lacksObject, runPending } from './run-pending.ts'
import { replicationNotes } from './replicated.ts'
import { sourceOf, type PlanSource } from './sources.ts'
import type { PartialPlan, PlannedMigration, PlanOrigin, PlanResult } from './result.ts'
import { readOrigin, type Origin } from '../replay/origin.ts'
import {
  startRecording,
  statementsOf,
  type PlannedStatement,
  type SentQuery,
} from '../../database/record-statements.ts'
import { replayApplied, replayEvents, type OnReplay } from '../replay/applied.ts'
import { openReplay, type Replay } from '../replay/replay.ts'
import { findUnmigrated, type Unmigrated } from '../replay/unmigrated.ts'
import { assertFilesExist, selectUp, upKinds, type UpSelection } from '../select.ts'
import { noHook, type MigrationSettings, type MigrationTables } from '../settings.ts'
import { tableStatements } from '../tracking.ts'

/** Which of the pending migrations to plan, and who receives the events of the embedded copy. */
export interface PlanOptions extends UpSelection, Pick<RunOptions, 'onEvent'> {
  /**
   * Forecast the vector indexes that the migrations build on existing tables, as `forecastBuild` does: with a pilot in a temporary
   * table of the database, which is rolled back; default false.
   */
  readonly forecast?: boolean | undefined
}

/** @internal */
export const parsePlanOptions = optionsParser({ ...upKinds, onEvent: runKinds.onEvent, forecast: flagKind })

/**
 * Returns the SQL of pending migrations, determined by running them on an embedded database.
 *
 * The database itself is only read, in a read-only transaction. The applied migrations are replayed first, so that the
 * pending ones find the same state.
 *
 * @throws {PgvectorMigrationError} PLAN_FAILED, EMBEDDED_NOT_INSTALLED, MIGRATION_NOT_FOUND, MIGRATION_AMBIGUOUS or
 * MIGRATION_FILES_MISSING.
 */
export async function plan(
  session: Session,
  settings: MigrationSettings,
  options: PlanOptions = {},
): Promise<PlanResult> {
  const { failure, sources: _sources, indexes, ...result } = await planAsFarAsItGoes(session, settings, options)
  if (failure !== null) throw failure
  return options.forecast === true ? { ...result, forecasts: await forecastIndexes(session, indexes) } : result
}

/** Returns the same. If a pending migration fails, returns the plan up to there, with the failed statement last. */
export async function planAsFarAsItGoes(
  db: Session,
  settings: MigrationSettings,
  { onEvent, ...choice }: PlanOptions,
): Promise<PartialPlan> {
  const files = await listMigrations(settings)
  const origin = await readOrigin(db, settings.tables)
  assertFilesExist(files, origin.applied)
  const pending = selectUp(files.names, origin.applied, choice)
  const earlier = selectUp(files.names, origin.applied, {}).filter(
    (name) => !pending.includes(name) && files.names.indexOf(name) < files.names.indexOf(pending.at(-1) ?? ''),
  )
  if (pending.length === 0) {
    return {
      migrations: [],
      sources: [],
      indexes: [],
      notes: [],
      origin: describe(origin, settings.tables, []),
      failure: null,
    }
  }
  const { applied } = origin
  const onReplay = replayEvents(applied.length + pending.length, onEvent)
  const replay = await openReplay(db, origin.surroundings)
  try {
    const bookkeeping = await bookkeepingOf(replay.session, settings.tables)
    const find = (): Promise<Unmigrated> => findUnmigrated(db, origin.objects, replay)
    const indexes: VectorIndex[] = []
    const onIndex = (index: object): void => void (isVectorIndex(index) && indexes.push(index))
    const { migrations, sources, failure, skipped, uncopied } = await withTarget(
      { ...origin.pgvector, onIndex },
      async () => {
        const isSkipped = async (error: PgvectorMigrationError<'PLAN_FAILED'>): Promise<boolean> =>
          lacksObject(error, await find())
        const unreplayed = await replayApplied(replay, settings.tables, files, applied, onReplay, isSkipped)
        const unmigrated = await find()
        // Those of applied migrations exist.
        indexes.length = 0
        const planned = await planAll(replay, files, pending, unmigrated, (name, index) =>
          onReplay(name, applied.length + index),
        )
        return { ...planned, skipped: unreplayed, uncopied: unmigrated.notes() }
      },
    )
    // After a failure, the replay may be in an aborted transaction that accepts no queries.
    const notes =
      failure === null
        ? notesOn({
            migrations,
            sources,
            here: origin.pgvector,
            replay: await readState(replay.session, {}, null),
            hooks: Object.entries(settings.hooks).flatMap(([name, hook]) => (hook === noHook ? [] : name)),
            earlier,
            skipped,
            missing: origin.applied.map(({ name }) => name).filter((name) => !files.names.includes(name)),
          })
        : []
    const hints = failure === null ? [] : uncopied
    return {
      migrations,
      sources,
      indexes,
      notes: [
        ...notes,
        ...replicationNotes(migrations, origin.replication),
        ...citusNotes(migrations, origin.surroundings),
        ...uncopied,
      ],
      origin: describe(origin, settings.tables, bookkeeping),
      failure: failure === null ? null : withHints(withoutEarlier(failure, earlier), hints),
    }
  } finally {
    await replay.close()
  }
}

/** Adds to a failure that earlier pending migrations were not planned, because it may depend on them. */
function withoutEarlier(
  failure: PgvectorMigrationError<'PLAN_FAILED'>,
  earlier: readonly string[],
): PgvectorMigrationError<'PLAN_FAILED'> {
  const { details, cause, hint } = failure
  if (earlier.length === 0 || details.isApplied) return failure
  const reason = `It was planned without earlier pending migrations (${earlier.join(', ')}). If it builds on them, plan them too: --to ${details.migration}.`
  return new PgvectorMigrationError('PLAN_FAILED', details, { cause, hint: `${reason} Otherwise: ${hint}` })
}

function withHints(
  failure: PgvectorMigrationError<'PLAN_FAILED'>,
  hints: readonly string[],
): PgvectorMigrationError<'PLAN_FAILED'> {
  const { details, cause, hint } = failure
  return new PgvectorMigrationError('PLAN_FAILED', details, { cause, hint: [...hints, hint].join(' ') })
}

async function bookkeepingOf(session: Session, tables: MigrationTables): Promise<PlannedStatement[]> {
  // The script has its own transaction.
  return session.transaction(async (trx) => {
    const recording = startRecording(session)
    await trx.send(Object.values(tableStatements(tables, 'create table if not exists')).flat())
    recording.stop()
    return statementsOf(recording.sent, true)
  })
}

async function planAll(
  replay: Replay,
  files: MigrationFiles,
  pending: readonly string[],
  unmigrated: Unmigrated,
  onReplay: OnReplay,
): Promise<Pick<PartialPlan, 'migrations' | 'sources' | 'failure'>> {
  const migrations: PlannedMigration[] = []
  const sources: PlanSource[] = []
  for (const [index, name] of pending.entries()) {
    onReplay(name, index)
    const migration = await files.load(name)
    const { transactional, path } = migration
    const { sent, failure, unawaited } = await runPending(replay, migration, unmigrated)
    // A failed migration was rolled back, but its statements are still what it sends.
    const statements = statementsOf(failure === null ? sent : sent.filter(isItsOwn).map(withoutError), transactional)
    migrations.push({ name, transactional, statements })
    sources.push(sourceOf(path, statements, unawaited))
    if (failure !== null) return { migrations, sources, failure }
  }
  return { migrations, sources, failure: null }
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
