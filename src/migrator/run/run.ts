import { waitOf } from '../../core/durations.ts'
import { PgvectorMigrationError } from '../../core/errors.ts'
import { assertSupported } from '../../extension/glance.ts'
import { backendsOf } from '../../database/backends.ts'
import { isEmbeddedServer } from '../../database/server-facts.ts'
import type { Session } from '../../database/session.ts'
import type { Direction, RunOptions, RunResult } from '../events.ts'
import { interrupted, whenAborted, type Progress } from './interrupted.ts'
import { takeLease, unfinishedRun, type Lease } from '../lock/lease.ts'
import { listMigrations, type MigrationFiles } from '../files/list.ts'
import { openNotebook, plannedSteps, type Notebook, type NotedStep } from './notes.ts'
import { runOne } from './one.ts'
import { assertFilesExist, selectDown, selectUp, type DownSelection, type UpSelection } from '../select.ts'
import type { MigrationSettings } from '../settings.ts'
import { batchAfter, type AppliedMigration, type Tracking } from '../tracking.ts'

/** Chooses what to run from what there is and what was applied. */
type Selection = (all: readonly string[], applied: readonly AppliedMigration[]) => readonly string[]

/** Applies pending migrations. */
export function up(
  session: Session,
  settings: MigrationSettings,
  choice: UpSelection & RunOptions,
  tracking: Promise<Tracking>,
): Promise<RunResult> {
  return run(session, settings, 'up', (all, applied) => selectUp(all, applied, choice), choice, tracking)
}

/** Undoes applied migrations, newest first. */
export function down(
  session: Session,
  settings: MigrationSettings,
  choice: DownSelection & RunOptions,
  tracking: Promise<Tracking>,
): Promise<RunResult> {
  return run(session, settings, 'down', (all, applied) => selectDown(all, applied, choice), choice, tracking)
}

/**
 * Runs migrations one after the other while nobody else can.
 *
 * What is to be done is looked up before the lock is asked for, so that a run with nothing to do touches nothing, and
 * again once it is held.
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
  assertFilesExist(files.names, applied)
  const wanted = select(files.names, applied)
  if (wanted.length === 0) {
    if (tracking.hasRuns && (await unfinishedRun(session, settings.tables)) !== null) {
      await freeLockOfDeadRun(session, settings, tracking, options)
    }
    return resultOf(direction, null, [], files, applied)
  }
  assertSupported(tracking.server)
  if (tracking.readOnly !== null) throw new PgvectorMigrationError('READ_ONLY', { reason: tracking.readOnly })
  const leasing = leaseFor(session, settings, direction, tracking, options, plannedSteps(wanted, direction))
  // While the server is at work. What fails to load is told once the lock is held.
  for (const name of wanted) files.load(name).catch(() => undefined)
  const lease = await leasing.catch((error: unknown) => {
    throw options.signal?.aborted === true
      ? interrupted(null, options.signal, undefined, { done: [], left: wanted })
      : error
  })
  const notebook = openNotebook(direction)
  let outcome = 'failed'
  try {
    const result = await runAll(session, settings, files, direction, select, lease, options, notebook)
    outcome = 'succeeded'
    return result
  } catch (error) {
    notebook.failed(error)
    throw error
  } finally {
    await lease.release(outcome, notebook.read())
  }
}

function leaseFor(
  session: Session,
  { tables }: MigrationSettings,
  direction: Direction,
  { isComplete, hasRuns, hasNotes, server }: Tracking,
  options: RunOptions,
  planned?: readonly NotedStep[],
): Promise<Lease> {
  return takeLease(session, tables, {
    command: options.command ?? direction,
    wait: waitOf(options.wait),
    isSingle: isEmbeddedServer(server),
    hasTables: isComplete,
    planned,
    lacksNotes: hasRuns && !hasNotes,
    signal: options.signal,
    onWait: (holder) => options.onEvent?.({ type: 'waiting', holder }),
    onRecover: (holder) => options.onEvent?.({ type: 'recovered', holder }),
  })
}

/**
 * A run may die after its last migration and before it gave the lock back. Who finds nothing to do takes the lock and
 * gives it back, so that stock Knex is not kept out; where the run is alive, or this role may not write, it is let be.
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
  const lease = await leaseFor(session, settings, 'up', tracking, { command: 'recover', wait: 0, onEvent }).catch(
    () => null,
  )
  await lease?.release('succeeded')
}

async function runAll(
  session: Session,
  settings: MigrationSettings,
  files: MigrationFiles,
  direction: Direction,
  select: Selection,
  lease: Lease,
  options: RunOptions,
  notebook: Notebook,
): Promise<RunResult> {
  const { applied } = lease
  const chosen = select(files.names, applied)
  notebook.chose(chosen)
  const migrations = await Promise.all(chosen.map((name) => files.load(name)))
  const handed = migrations.map(({ file }) => file)
  const batch = direction === 'up' ? batchAfter(applied) : 0
  const done: { name: string; milliseconds: number }[] = []
  if (migrations.length > 0) await settings.hooks.beforeAll(session.knex, handed)
  for (const [index, migration] of migrations.entries()) {
    const { name } = migration
    if (options.signal?.aborted === true) {
      throw interrupted(null, options.signal, undefined, progress(chosen, done, index))
    }
    options.onEvent?.({ type: 'started', migration: name, direction, index, total: migrations.length })
    const started = performance.now()
    notebook.began(name, direction === 'up' ? batch : (applied.find((each) => each.name === name)?.batch ?? null))
    await cancellable(session, lease, options.signal, (onBackend) =>
      runOne(session, settings, { migration, direction, batch, isLockHeld: lease.isHeld, onBackend }),
    ).catch((error: unknown) => {
      throw failed(error, migration.transactional, direction, chosen, done, options.signal)
    })
    const milliseconds = performance.now() - started
    notebook.done()
    done.push({ name, milliseconds })
    options.onEvent?.({ type: 'finished', migration: name, direction, milliseconds })
  }
  if (migrations.length > 0) await settings.hooks.afterAll(session.knex, handed)
  return resultOf(direction, direction === 'up' && done.length > 0 ? batch : null, done, files, applied)
}

/** Cancels the statement that is running when the signal comes; the transaction around it then rolls back. */
async function cancellable(
  session: Session,
  lease: Lease,
  signal: AbortSignal | undefined,
  work: (onBackend: (processId: number) => void) => Promise<void>,
): Promise<void> {
  let backend: number | undefined
  const stopCancelling = whenAborted(signal, async () => {
    // Outside a transaction a migration may use any connection of the pool, and several.
    const backends = backend === undefined ? backendsOf(session, 'used') : [backend]
    await Promise.all(backends.map((processId) => lease.cancel(processId)))
  })
  try {
    await work((processId) => {
      backend = processId
    })
  } finally {
    await stopCancelling()
  }
}

function failed(
  error: unknown,
  transactional: boolean,
  direction: Direction,
  chosen: readonly string[],
  done: readonly { readonly name: string }[],
  signal: AbortSignal | undefined,
): PgvectorMigrationError {
  const migration = chosen[done.length] ?? ''
  const standing = progress(chosen, done, done.length + 1)
  if (signal?.aborted === true) return interrupted(migration, signal, error, standing)
  const details = { migration, direction, transactional, ...standing }
  return new PgvectorMigrationError('MIGRATION_FAILED', details, { cause: error })
}

function progress(chosen: readonly string[], done: readonly { readonly name: string }[], next: number): Progress {
  return { done: done.map(({ name }) => name), left: chosen.slice(next) }
}

function resultOf(
  direction: Direction,
  batch: number | null,
  migrations: RunResult['migrations'],
  files: MigrationFiles,
  applied: readonly AppliedMigration[],
): RunResult {
  const known = new Set([...applied, ...migrations].map(({ name }) => name))
  return {
    direction,
    batch,
    migrations,
    skipped: direction === 'up' ? files.names.filter((name) => !known.has(name)) : [],
  }
}
