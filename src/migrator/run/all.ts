import { setImmediate as nextTurn } from 'node:timers/promises'

import { PgvectorMigrationError } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import type { EarlyEnd } from '../../database/transaction-watch.ts'
import type { Direction, RunOptions, RunResult, TransactionMode } from '../events.ts'
import type { LoadedMigration } from '../files/list.ts'
import type { RunLock } from '../lock/run-lock.ts'
import { assertPlaced, isMarkedSql, placing } from '../place.ts'
import type { MigrationSettings } from '../settings.ts'
import { batchAfter } from '../tracking.ts'
import { guarded } from './guard.ts'
import { interrupted, type Progress } from './interrupted.ts'
import type { Notebook } from './notes.ts'
import { runOne } from './one.ts'

/** Migrations to run in sequence, while no other process can. */
export interface Work {
  readonly migrations: readonly LoadedMigration[]
  readonly direction: Direction
  readonly options: RunOptions
  readonly lock: RunLock
  readonly notebook: Notebook
}

/** The result of their run. */
export type Done = Pick<RunResult, 'batch' | 'migrations' | 'transaction'>

/** Runs migrations with their hooks: each in its own transaction, all in one, or outside of any. */
export async function runAll(session: Session, settings: MigrationSettings, work: Work): Promise<Done> {
  const { migrations, lock, options } = work
  const transaction = transactionOf(migrations, options)
  if (migrations.length === 0) return { batch: null, migrations: [], transaction }
  assertFenced(migrations, lock.connection)
  if (transaction === 'each') return { ...(await runEach(session, settings, work, null)), transaction }
  let isAtCommit = false
  try {
    const done = await lock.connection.transaction(async (trx) => {
      const result = await runEach(session, settings, work, trx)
      isAtCommit = true
      return result
    })
    return { ...done, transaction }
  } catch (error) {
    if (lock.connection.earlyEnd() !== 'committed') work.notebook.rolledBack()
    throw isAtCommit ? failedAtCommit(work, error) : error
  }
}

/**
 * A commit that is refused, usually because of a deferred constraint, may be the fault of any migration. The error
 * follows the last one.
 */
function failedAtCommit({ migrations, direction }: Work, cause: unknown): PgvectorMigrationError {
  const names = migrations.map(({ name }) => name)
  const migration = names.at(-1) ?? ''
  const details = { migration, direction, transactional: true, done: [], left: names.slice(0, -1) }
  const hint =
    'The commit of the whole run failed: nothing of it was kept. Fix the cause, then run the same command again.'
  return new PgvectorMigrationError('MIGRATION_FAILED', details, { cause, hint })
}

/**
 * Refuses to run a migration outside a transaction behind a pooler. The lock is on another connection there. If that
 * connection is lost, there is no way to know which backend is at work, so it can be neither cancelled nor waited for.
 */
function assertFenced(migrations: readonly LoadedMigration[], { isPooled }: Work['lock']['connection']): void {
  const outside = migrations.filter(({ transactional }) => !transactional).map(({ name }) => name)
  if (!isPooled || outside.length === 0) return
  const hint =
    `${outside.join(', ')} runs outside a transaction, which cannot be protected from other runs behind a pooler in ` +
    "transaction mode. Apply it through the server's own port or session mode; nothing was changed."
  throw new PgvectorMigrationError('SESSION_SHARED', { processes: [] }, { hint })
}

function transactionOf(migrations: readonly LoadedMigration[], { transaction = 'each' }: RunOptions): TransactionMode {
  return migrations.every(({ transactional }) => transactional) ? transaction : 'each'
}

async function runEach(
  session: Session,
  settings: MigrationSettings,
  work: Work,
  trx: Session | null,
): Promise<Pick<Done, 'batch' | 'migrations'>> {
  const { migrations, direction, options, lock, notebook } = work
  const { hooks, deadlines } = settings
  const { signal, onEvent } = options
  const batch = direction === 'up' ? batchAfter(lock.applied) : 0
  const batchOf = (name: string): number | null =>
    direction === 'up' ? batch : (lock.applied.find((each) => each.name === name)?.batch ?? null)
  const files = migrations.map(({ file }) => file)
  const around = (): Session => trx ?? lock.connection.outside()
  const done: { name: string; milliseconds: number }[] = []
  await hooks.beforeAll(around().knex, files)
  for (const [index, migration] of migrations.entries()) {
    const { name } = migration
    // After a rollback, everything remains to be done.
    const standing = (next: number): Progress =>
      trx === null || lock.connection.earlyEnd() === 'committed'
        ? progress(done, migrations.slice(next))
        : progress([], next === index ? migrations : migrations.filter((each) => each !== migration))
    // The embedded database works in this process without a pause in which a signal would arrive.
    await nextTurn()
    if (signal?.aborted === true) throw interrupted(null, signal, undefined, standing(index))
    onEvent?.({ type: 'started', migration: name, direction, index, total: migrations.length })
    const started = performance.now()
    notebook.began(name, batchOf(name))
    const { connection, lost } = lock
    const run = (): Promise<void> => runIn(settings, work, { migration, batch, trx })
    const { transactional } = migration
    const watched = { connection, lost, signal, deadlines, migration: name, transactional }
    await guarded(session, watched, run).catch((error: unknown) => {
      if (signal?.aborted === true) throw interrupted(name, signal, error, standing(index + 1))
      const end = transactional ? connection.earlyEnd() : null
      const details = {
        migration: name,
        direction,
        transactional: transactional && end === null,
        ...standing(index + 1),
      }
      const hint = end === null ? batchHint(trx, index) : EARLY_END_HINTS[end]
      throw new PgvectorMigrationError('MIGRATION_FAILED', details, { cause: error, hint })
    })
    const milliseconds = performance.now() - started
    notebook.done()
    done.push({ name, milliseconds })
    onEvent?.({ type: 'finished', migration: name, direction, milliseconds })
  }
  await hooks.afterAll(around().knex, files)
  return { batch: direction === 'up' ? batch : null, migrations: done }
}

interface Step {
  readonly migration: LoadedMigration
  readonly batch: number
  /** The transaction of the whole run; null if each migration has its own. */
  readonly trx: Session | null
}

async function runIn(
  settings: MigrationSettings,
  { migrations, direction, lock }: Work,
  { migration, batch, trx }: Step,
): Promise<void> {
  const { connection } = lock
  // A batch is checked once, at its end, because the check lists every lock that the transaction holds.
  const isChecked = trx === null || migration === migrations.at(-1)
  const job = { migration, direction, batch, isLockHeld: isChecked ? lock.isHeld : null }
  const marked = {
    ...job,
    isLockHeld: withMark(job.isLockHeld, settings),
    hasEnded: () => connection.earlyEnd() !== null,
  }
  if (trx !== null) return runOne(trx, settings, marked)
  if (migration.transactional) return connection.transaction((own) => runOne(own, settings, marked))
  await setPlace(connection.session, settings)
  return runOne(connection.outside(), settings, { ...job, recordOn: connection.session })
}

// A migration that has ended its transaction may have left its place.
function withMark(isLockHeld: string | null, { place }: MigrationSettings): string | null {
  if (place === null) return isLockHeld
  return isLockHeld === null ? isMarkedSql(place) : `${isMarkedSql(place)} and ${isLockHeld}`
}

// An earlier migration may have changed the path of the connection.
async function setPlace(session: Session, { place }: MigrationSettings): Promise<void> {
  if (place === null) return
  const [set = '', ask] = placing(place, false)
  assertPlaced(place, await session.sendAndAsk<string | null>([set], ask ?? ''))
}

function progress(done: readonly { readonly name: string }[], left: readonly { readonly name: string }[]): Progress {
  return { done: done.map(({ name }) => name), left: left.map(({ name }) => name) }
}

function batchHint(trx: Session | null, before: number): string | undefined {
  if (trx === null) return undefined
  const others = before === 0 ? '' : ` with the ${before} migrations of this run before it`
  return `It was rolled back${others}: nothing of this run was kept. Fix the cause, then run the same command again.`
}

const EARLY_END_HINTS = {
  committed:
    'It committed its transaction itself: its earlier changes remain, and its later ones may remain too. ' +
    'Remove the commit, fix the cause, then run the same command again.',
  'rolled back':
    'It rolled its transaction back itself: its later changes may remain. ' +
    'Remove the rollback, fix the cause, then run the same command again.',
} as const satisfies Record<EarlyEnd, string>
