import { waitOf } from '../../core/durations.ts'
import { errorMessage } from '../../core/errors.ts'
import { assertSupported } from '../../extension/glance.ts'
import { refuseReadOnly } from '../../database/read-only.ts'
import { isEmbeddedServer } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import { assertCoordinator } from '../../database/topology.ts'
import type { Direction, RunOptions, RunResult } from '../events.ts'
import { unfinishedRun } from '../lock/holder.ts'
import { withRunLock, type RunLockOptions } from '../lock/run-lock.ts'
import { listMigrations, type MigrationFiles } from '../files/list.ts'
import { runAll, type Done } from './all.ts'
import { functionOf } from './one.ts'
import { openNotebook, plannedSteps, type Notebook } from './notes.ts'
import { assertFilesExist, outOfOrder, selectDown, selectUp, type DownSelection, type UpSelection } from '../select.ts'
import type { MigrationSettings } from '../settings.ts'
import { assertDecisive, usableOf } from '../present-tables.ts'
import { type AppliedMigration, type Tracking } from '../tracking.ts'

/** Chooses the migrations to run from the existing files and the applied migrations. */
type Selection = (files: MigrationFiles, applied: readonly AppliedMigration[]) => readonly string[]

/** Applies pending migrations. */
export function up(
  session: Session,
  settings: MigrationSettings,
  choice: UpSelection & RunOptions,
  tracking: Promise<Tracking>,
): Promise<RunResult> {
  return run(session, settings, 'up', (files, applied) => selectUp(files.names, applied, choice), choice, tracking)
}

/** Rolls back applied migrations, newest first. */
export function down(
  session: Session,
  settings: MigrationSettings,
  choice: DownSelection & RunOptions,
  tracking: Promise<Tracking>,
): Promise<RunResult> {
  return run(session, settings, 'down', (files, applied) => selectDown(files, applied, choice), choice, tracking)
}

/**
 * Runs migrations in sequence, while no other process can.
 *
 * It chooses them before it requests the lock, so that a run with nothing to do has no effect, and again once it holds
 * the lock.
 */
async function run(
  session: Session,
  settings: MigrationSettings,
  direction: Direction,
  select: Selection,
  options: RunOptions,
  reading: Promise<Tracking>,
): Promise<RunResult> {
  const [files, tracking] = await Promise.all([listMigrations(settings), reading])
  const { applied } = tracking
  assertDecisive(tracking)
  const { tables, warnings: untrusted } = usableOf(settings.tables, tracking.untrustedRuns)
  assertFilesExist(files, applied)
  const wanted = select(files, applied)
  if (wanted.length === 0) {
    if (tracking.hasRuns && (await unfinishedRun(session, settings.tables)) !== null) {
      await freeLockOfDeadRun(session, settings, tracking, options)
    }
    const nothing = { batch: null, migrations: [], transaction: options.transaction ?? 'each' } as const
    return resultOf(direction, nothing, files, applied, untrusted)
  }
  assertSupported(tracking.server)
  refuseReadOnly(tracking.readOnly)
  if (tracking.isCitus) await assertCoordinator(session)
  let notebook: Notebook | undefined
  const warnings = [...untrusted]
  const running = withRunLock(
    session,
    tables,
    {
      ...lockOptions(settings, direction, tracking, options),
      planned: plannedSteps(wanted, direction),
      notes: () => notebook?.read(),
      onKept: (error) => warnings.push(unreleasedLock(error)),
    },
    async (lock) => {
      // Its times count from now, when the run was recorded.
      const opened = openNotebook(direction)
      notebook = opened
      try {
        const chosen = select(files, lock.applied)
        opened.chose(chosen)
        if (direction === 'up') warnings.push(...orderWarnings(files.names, chosen, lock.applied))
        const migrations = await Promise.all(chosen.map((name) => files.load(name)))
        for (const migration of migrations) functionOf(migration, direction)
        const done = await runAll(session, settings, { migrations, direction, options, lock, notebook: opened })
        return { done, applied: lock.applied }
      } catch (error) {
        opened.failed(error)
        throw error
      }
    },
  )
  // Loads the files while the server works. Load errors are reported once the lock is held.
  for (const name of wanted) files.load(name).catch(() => undefined)
  const result = await running
  return resultOf(direction, result.done, files, result.applied, warnings)
}

function lockOptions(
  { deadlines, place }: MigrationSettings,
  direction: Direction,
  { missing, hasRuns, hasNotes, server }: Tracking,
  options: RunOptions,
): Omit<RunLockOptions, 'onKept'> {
  return {
    command: options.command ?? direction,
    wait: waitOf(options.wait),
    deadlines,
    place,
    isSingle: isEmbeddedServer(server),
    missing,
    lacksNotes: hasRuns && !hasNotes,
    signal: options.signal,
    onWait: (holder) => options.onEvent?.({ type: 'waiting', holder }),
    onRecover: (holder) => options.onEvent?.({ type: 'recovered', holder }),
  }
}

/**
 * A migration that is applied now sorts before one that was already applied. A new database would run them in the other
 * order.
 */
function orderWarnings(
  order: readonly string[],
  chosen: readonly string[],
  applied: readonly AppliedMigration[],
): string[] {
  const { names, last } = outOfOrder(order, new Set(applied.map(({ name }) => name)))
  const late = chosen.filter((name) => names.includes(name))
  return late.length === 0 ? [] : [`Applied out of order: ${late.join(', ')} after ${last}, which comes later.`]
}

/** Returns the warning of a successful run that could not release a lock. */
export function unreleasedLock(error: unknown): string {
  return `The migration lock could not be released (${errorMessage(error)}). The next run frees it.`
}

/**
 * Frees the lock of a run that crashed after its last migration but before releasing the lock. A run with nothing to do
 * takes the lock and releases it, so that stock Knex is not kept out. If the run is alive, or this role may not write,
 * the lock is left alone.
 */
async function freeLockOfDeadRun(
  session: Session,
  settings: MigrationSettings,
  tracking: Tracking,
  options: RunOptions,
): Promise<void> {
  const onEvent: RunOptions['onEvent'] = (event) => {
    if (event.type === 'recovered') options.onEvent?.(event)
  }
  const recovering = lockOptions(settings, 'up', tracking, { command: 'recover', wait: 0, onEvent })
  await withRunLock(session, settings.tables, { ...recovering, onKept: () => undefined }, () =>
    Promise.resolve(),
  ).catch(() => undefined)
}

function resultOf(
  direction: Direction,
  done: Done,
  files: MigrationFiles,
  applied: readonly AppliedMigration[],
  warnings: readonly string[],
): RunResult {
  const known = new Set([...applied, ...done.migrations].map(({ name }) => name))
  const skipped = direction === 'up' ? files.names.filter((name) => !known.has(name)) : []
  return { direction, ...done, skipped, warnings }
}
