import { PgvectorMigrationError } from '../errors.ts'
import { glance } from '../extension/glance.ts'
import type { Database } from '../queryable.ts'
import type { Direction, RunOptions, RunResult } from './events.ts'
import { takeLease, type Lease } from './lease.ts'
import { listMigrations, type MigrationFiles } from './migrations.ts'
import { runOne } from './run-one.ts'
import { assertFilesExist } from './select.ts'
import type { MigrationSettings } from './settings.ts'
import { createTables, nextBatch, readApplied, type AppliedMigration } from './tracking.ts'

/** Chooses what to run from what there is and what was applied. */
export type Selection = (all: readonly string[], applied: readonly AppliedMigration[]) => readonly string[]

const DEFAULT_WAIT = 60_000

/**
 * Runs migrations one after the other while nobody else can.
 *
 * What is to be done is looked up before the lock is asked for, so that a run with nothing to do touches nothing, and
 * again once it is held.
 */
export async function run(
  db: Database,
  settings: MigrationSettings,
  direction: Direction,
  select: Selection,
  options: RunOptions,
): Promise<RunResult> {
  const files = await listMigrations(settings)
  const applied = await readApplied(db, settings.tables)
  assertFilesExist(files.names, applied)
  if (select(files.names, applied).length === 0) return resultOf(direction, null, [], files, applied)
  await createTables(db, settings.tables)
  const { provider } = await glance(db)
  const lease = await takeLease(db, settings.tables, {
    command: options.command ?? direction,
    wait: options.wait ?? DEFAULT_WAIT,
    isSingle: provider === 'pglite',
    signal: options.signal,
    onWait: (holder) => options.onEvent?.({ type: 'waiting', holder }),
    onRecover: (holder) => options.onEvent?.({ type: 'recovered', holder }),
  }).catch((error: unknown) => {
    throw options.signal?.aborted === true ? interrupted(null, options.signal) : error
  })
  let outcome = 'failed'
  try {
    const result = await runAll(db, settings, files, direction, select, lease, options)
    outcome = 'succeeded'
    return result
  } finally {
    await lease.release(outcome)
  }
}

async function runAll(
  db: Database,
  settings: MigrationSettings,
  files: MigrationFiles,
  direction: Direction,
  select: Selection,
  lease: Lease,
  options: RunOptions,
): Promise<RunResult> {
  const applied = await readApplied(db, settings.tables)
  const chosen = select(files.names, applied)
  const migrations = await Promise.all(chosen.map((name) => files.load(name)))
  const handed = migrations.map(({ file }) => file)
  const batch = direction === 'up' ? await nextBatch(db, settings.tables) : 0
  const done: { name: string; milliseconds: number }[] = []
  if (migrations.length > 0) await settings.hooks.beforeAll(db, handed)
  for (const [index, migration] of migrations.entries()) {
    const { name } = migration
    if (options.signal?.aborted === true) throw interrupted(null, options.signal)
    options.onEvent?.({ type: 'started', migration: name, direction, index, total: migrations.length })
    const started = performance.now()
    await cancellable(db, lease, options.signal, (onBackend) =>
      runOne(db, settings, { migration, direction, batch, isLockHeld: lease.isHeld, onBackend }),
    ).catch((error: unknown) => {
      throw failed(error, migration.transactional, direction, chosen, done, options.signal)
    })
    const milliseconds = performance.now() - started
    done.push({ name, milliseconds })
    options.onEvent?.({ type: 'finished', migration: name, direction, milliseconds })
  }
  if (migrations.length > 0) await settings.hooks.afterAll(db, handed)
  return resultOf(direction, direction === 'up' && done.length > 0 ? batch : null, done, files, applied)
}

/** Cancels the statement that is running when the signal comes; the transaction around it then rolls back. */
async function cancellable(
  db: Database,
  lease: Lease,
  signal: AbortSignal | undefined,
  work: (onBackend: (processId: number) => void) => Promise<void>,
): Promise<void> {
  let backend: number | undefined
  const cancel = (): void => {
    const backends = backend === undefined ? backendsInUse(db) : [backend]
    for (const processId of backends) void lease.cancel(processId).catch(() => undefined)
  }
  signal?.addEventListener('abort', cancel)
  try {
    await work((processId) => {
      backend = processId
    })
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

// Outside a transaction a migration may use any connection of the pool, and several.
function backendsInUse(db: Database): number[] {
  const { pool } = db.client as {
    readonly pool?: { readonly used: readonly { readonly resource: { processID?: number } }[] }
  }
  return (pool?.used ?? []).flatMap(({ resource }) => resource.processID ?? [])
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
  if (signal?.aborted === true) return interrupted(migration, signal, error)
  const details = {
    migration,
    direction,
    transactional,
    done: done.map(({ name }) => name),
    left: chosen.slice(done.length + 1),
  }
  return new PgvectorMigrationError('MIGRATION_FAILED', details, { cause: error })
}

function interrupted(migration: string | null, signal: AbortSignal, cause?: unknown): PgvectorMigrationError {
  const name = typeof signal.reason === 'string' ? signal.reason : 'the caller'
  return new PgvectorMigrationError('MIGRATION_INTERRUPTED', { migration, signal: name }, { cause })
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
