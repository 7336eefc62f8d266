import { sqlStateOf, type LockHolder } from '../../core/errors.ts'
import type { Deadlines } from '../../database/deadlines.ts'
import { watchConnection } from '../../database/lost-connection.ts'
import type { HeldConnection, Session } from '../../database/session.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { connectionSql, runConnection, type ConnectionFacts, type RunConnection } from '../run/connection.ts'
import { interrupted } from '../run/interrupted.ts'
import { notingBackend, type NotedStep, type RunNotes } from '../run/notes.ts'
import type { MigrationSettings, MigrationTables, UsableTables } from '../settings.ts'
import { addNotes, createTables, type AppliedMigration } from '../tracking.ts'
import { fenceNumber, type AdvisoryLock } from './advisory-lock.ts'
import { tryConnectionLock } from './connection-lock.ts'
import { lockHolders, unfinishedRun } from './holder.ts'
import { freeStaleLock, takeKnexLock } from './knex-lock.ts'
import { pooledLock, type PooledLock } from './pooled-lock.ts'
import { releaseLocks, type TakenLock } from './release.ts'
import { waitForTurn, type TurnOptions, type WaitForTurn } from './wait.ts'

/**
 * The right to migrate. One run at a time holds it, on the connection that migrates. It is released when that
 * connection ends.
 */
export interface RunLock {
  /** The migrations that were applied when the lock was taken. No other run changes them while it is held. */
  readonly applied: readonly AppliedMigration[]
  /** An SQL condition that is true while the lock is held, for statements that must not run without it. */
  readonly isHeld: string
  /** Aborts when the lock is lost. */
  readonly lost: AbortSignal
  readonly connection: RunConnection
}

/** How to take the lock. */
export interface RunLockOptions extends TurnOptions {
  /** The command to record and to show: up, down… */
  readonly command: string
  readonly deadlines: Deadlines
  /** Whether the database has one connection and one process, like an embedded one. It then needs no advisory lock. */
  readonly isSingle: boolean
  /** The schema that the migrations work in; by default the connection determines it. */
  readonly place?: MigrationSettings['place'] | undefined
  /** The tables known to be missing, with the others trusted; by default they are looked up. */
  readonly missing?: readonly (keyof MigrationTables)[] | undefined
  /** The planned steps, for the record; by default none are recorded. */
  readonly planned?: readonly NotedStep[] | undefined
  /** Whether the table of runs is known to lack the column for notes. */
  readonly lacksNotes?: boolean | undefined
  /** Called after the lock of a crashed run was found and freed. */
  readonly onRecover?: (holder: LockHolder | null) => void
  /** Returns the notes to record when the run has ended. */
  readonly notes?: () => RunNotes | undefined
  /** Whether the work failed although it returned a result; by default it did not. */
  readonly hasFailed?: (() => boolean) | undefined
  /** Called if the work succeeded but the lock could not be released. The next run frees it. */
  readonly onKept: (error: unknown) => void
}

/**
 * Runs work while holding the right to migrate. This is an advisory lock on the connection that migrates, which ends
 * with it, and Knex's own `is_locked`, which keeps stock Knex out.
 *
 * Holding the advisory lock proves that no other run of ours is alive. If `is_locked` is then set by a run that we
 * recorded, that run has crashed and its lock is freed. If another program set it, or the records are not trusted,
 * nothing is known about its owner.
 *
 * An error of the work is thrown unchanged, whatever fails afterwards.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED if another run holds it for longer than `wait`;
 * MIGRATION_INTERRUPTED if the signal aborts before the lock is taken.
 */
export async function withRunLock<Result>(
  session: Session,
  tables: UsableTables,
  options: RunLockOptions,
  work: (lock: RunLock) => Promise<Result>,
): Promise<Result> {
  const { signal, planned = [] } = options
  let hasBegun = false
  const state: Acquiring = { wait: waitForTurn(options), planned: undefined, pooled: undefined }
  try {
    for (;;) {
      // A waiting run does not keep a connection of the pool.
      const attempt = await session.hold(async (held) => {
        const taken = await acquire(session, held, tables, options, state)
        if (taken === null) return null
        hasBegun = true
        return { result: await workUnder(session, held, tables, options, taken, work) }
      })
      if (attempt !== null) return attempt.result
      const [holder, backends] = await Promise.all([unfinishedRun(session, tables), lockHolders(session, tables.lock)])
      await state.wait(holder, backends)
    }
  } catch (error) {
    if (hasBegun || signal?.aborted !== true) throw error
    throw interrupted(null, signal, undefined, { done: [], left: planned.map(({ name }) => name) })
  } finally {
    await state.pooled?.close().catch(() => undefined)
  }
}

/** The state between two attempts to take the lock. */
interface Acquiring {
  readonly wait: WaitForTurn
  /** The steps to record, or null; undefined until the tables exist. */
  planned: readonly NotedStep[] | null | undefined
  pooled: PooledLock | undefined
}

interface Taken extends TakenLock {
  readonly lock: RunLock
  readonly run: number
  readonly hasNotes: boolean
  readonly stopWatching: () => void
}

/** Tries to take both locks; null if another run of ours has the advisory lock. */
async function acquire(
  session: Session,
  held: HeldConnection,
  tables: UsableTables,
  options: RunLockOptions,
  state: Acquiring,
): Promise<Taken | null> {
  const { isSingle, deadlines } = options
  if (state.planned === undefined) state.planned = await prepareTables(held.session, tables, options)
  const watch = watchConnection(held.connection)
  let tried: TriedLock | null = null
  try {
    tried = await tryAdvisoryLock(session, held, tables, options, state, watch)
    if (tried === null) {
      watch.stop()
      return null
    }
    const { advisory, connection, pooled } = tried
    for (;;) {
      const { run, applied } = await takeKnexLock(
        held.session,
        tables,
        options.command,
        state.planned === null ? null : { steps: state.planned, error: null, backends: connection.noted },
        deadlines.lock,
      ).catch(busyAsNotTaken)
      if (run !== null) {
        if (state.planned !== null && tables.runs !== null) connection.noteOthers(notingBackend(tables.runs, run))
        const lock = { applied, isHeld: advisory.isHeld, lost: advisory.lost, connection }
        return { advisory, lock, run, hasNotes: state.planned !== null, pooled, isSingle, stopWatching: watch.stop }
      }
      const stale = await freeStaleLock(held.session, tables, isSingle, deadlines.lock)
      if (stale.state === 'freed') options.onRecover?.(stale.holder)
      else await state.wait(stale.state === 'working' ? stale.holder : null, stale.backends)
    }
  } catch (error) {
    watch.stop()
    if (tried !== null && tried.advisory.release.length > 0)
      await held.session.send(tried.advisory.release).catch(held.hangUp)
    throw error
  }
}

interface TriedLock {
  readonly advisory: AdvisoryLock
  readonly connection: RunConnection
  readonly pooled: PooledLock | undefined
}

async function tryAdvisoryLock(
  session: Session,
  held: HeldConnection,
  tables: UsableTables,
  { isSingle, deadlines, place }: RunLockOptions,
  state: Acquiring,
  watch: ReturnType<typeof watchConnection>,
): Promise<TriedLock | null> {
  if (isSingle) {
    const facts = await held.session.ask<ConnectionFacts>(`select ${connectionSql} as state`)
    // If this is the only process, there is no one to keep out, and no other connection could cancel its work.
    const advisory = { isHeld: 'true', lost: watch.lost, release: [] }
    const connection = runConnection(session, held, facts, { topology: 'single', lost: watch.lost, place })
    return { advisory, connection, pooled: undefined }
  }
  const { facts, lock } = await tryConnectionLock(held, watch, tables.lock)
  if (lock === 'busy') return null
  if (lock !== 'pooled') {
    const connection = runConnection(session, held, facts, { topology: 'direct', lost: watch.lost, place })
    return { advisory: lock, connection, pooled: undefined }
  }
  const pooled = (state.pooled ??= pooledLock(session, deadlines))
  const advisory = await pooled.tryLock(tables.lock)
  if (advisory === null) return null
  const fence = { number: fenceNumber(tables.lock), milliseconds: deadlines.lock }
  const connection = runConnection(session, held, facts, { topology: 'pooled', lost: watch.lost, place, fence })
  return { advisory, connection, pooled }
}

async function workUnder<Result>(
  session: Session,
  held: HeldConnection,
  tables: UsableTables,
  options: RunLockOptions,
  taken: Taken,
  work: (lock: RunLock) => Promise<Result>,
): Promise<Result> {
  const end = async (outcome: string): Promise<void> => {
    const notes = taken.hasNotes ? options.notes?.() : undefined
    await releaseLocks(session, held, tables, taken, { run: taken.run, outcome, notes }, options.deadlines)
  }
  try {
    const result = await work(taken.lock)
    await end(options.hasFailed?.() === true ? 'failed' : 'succeeded').catch(options.onKept)
    return result
  } catch (error) {
    // The error of the work counts. The next run frees what could not be released.
    await end('failed').catch(() => undefined)
    throw error
  } finally {
    taken.stopWatching()
  }
}

/** Creates missing tables. Returns the steps to record for the run, or null if nothing can be recorded. */
async function prepareTables(
  session: Session,
  tables: UsableTables,
  { missing, planned, lacksNotes = false }: RunLockOptions,
): Promise<readonly NotedStep[] | null> {
  if (missing === undefined || missing.length > 0) await createTables(session, tables, missing)
  if (planned === undefined || tables.runs === null) return null
  return !lacksNotes || (await addNotes(session, tables)) ? planned : null
}

function busyAsNotTaken(error: unknown): { readonly run: null; readonly applied: readonly AppliedMigration[] } {
  if (sqlStateOf(error) !== sqlState.lockNotAvailable) throw error
  return { run: null, applied: [] }
}
