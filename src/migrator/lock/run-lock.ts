import { sqlStateOf, type LockHolder } from '../../core/errors.ts'
import type { Deadlines } from '../../database/deadlines.ts'
import { watchConnection } from '../../database/lost-connection.ts'
import type { HeldConnection, Session } from '../../database/session.ts'
import { sqlState } from '../../database/sqlstate.ts'
import { connectionSql, runConnection, type ConnectionFacts, type RunConnection } from '../run/connection.ts'
import { interrupted } from '../run/interrupted.ts'
import { notingBackend, type NotedStep, type RunNotes } from '../run/notes.ts'
import type { MigrationTables } from '../settings.ts'
import { addNotes, createTables, type AppliedMigration } from '../tracking.ts'
import { fenceNumber, type AdvisoryLock } from './advisory-lock.ts'
import { tryConnectionLock } from './connection-lock.ts'
import { lockHolders, unfinishedRun } from './holder.ts'
import { freeStaleLock, takeKnexLock } from './knex-lock.ts'
import { pooledLock, type PooledLock } from './pooled-lock.ts'
import { giveBack, type TakenLock } from './give-back.ts'
import { waitForTurn, type TurnOptions, type WaitForTurn } from './wait.ts'

/** The right to migrate: held by one run at a time, on the connection that migrates, and given back by its death. */
export interface RunLock {
  /** What was applied when it was taken; no one else changes that while it is held. */
  readonly applied: readonly AppliedMigration[]
  /** An SQL condition that is true while the lock is held; for statements that must not happen without it. */
  readonly isHeld: string
  /** Aborted where the lock is lost. */
  readonly lost: AbortSignal
  readonly connection: RunConnection
}

/** How to take the lock. */
export interface RunLockOptions extends TurnOptions {
  /** What runs, for people: up, down… */
  readonly command: string
  readonly deadlines: Deadlines
  /** Whether the database has one connection and one process, as the embedded one: then no advisory lock is needed. */
  readonly isSingle: boolean
  /** The tables that were just seen to be missing, where the others are trusted; by default it is looked up. */
  readonly missing?: readonly (keyof MigrationTables)[] | undefined
  /** What is to be done, for those who read about it; by default nothing is noted of it. */
  readonly planned?: readonly NotedStep[] | undefined
  /** Whether the table of runs was just seen to have no place for notes. */
  readonly lacksNotes?: boolean | undefined
  /** Called where a run that died had left Knex's lock behind, and it was freed. */
  readonly onRecover?: (holder: LockHolder | null) => void
  /** What is to be kept on record of the run once it has ended. */
  readonly notes?: () => RunNotes | undefined
  /** Whether the work failed though it returned a result; by default it did not. */
  readonly hasFailed?: (() => boolean) | undefined
  /** Called where the work succeeded and the lock could not be given back; the next run frees it. */
  readonly onKept: (error: unknown) => void
}

/**
 * Works while it has the right to migrate: an advisory lock on the connection that migrates, which goes with it, and
 * Knex's own `is_locked`, which keeps stock Knex out.
 *
 * Who has the advisory lock knows that no run of ours is alive. Where `is_locked` is then set by a run that we noted,
 * that run is dead and its lock is freed; set by anyone else, nothing is known about its owner.
 *
 * An error of the work is thrown as it is, whatever fails afterwards.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED where another run holds it for longer than `wait`;
 * MIGRATION_INTERRUPTED where the signal comes before it is taken.
 */
export async function withRunLock<Result>(
  session: Session,
  tables: MigrationTables,
  options: RunLockOptions,
  work: (lock: RunLock) => Promise<Result>,
): Promise<Result> {
  const { signal, planned = [] } = options
  let hasBegun = false
  const state: Acquiring = { wait: waitForTurn(options), planned: undefined, pooled: undefined }
  try {
    for (;;) {
      // A waiter keeps no connection of the pool.
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

/** What is kept between one attempt to take the lock and the next one. */
interface Acquiring {
  readonly wait: WaitForTurn
  /** What is to be noted, or null; undefined until the tables are there. */
  planned: readonly NotedStep[] | null | undefined
  pooled: PooledLock | undefined
}

interface Taken extends TakenLock {
  readonly lock: RunLock
  readonly run: number
  readonly hasNotes: boolean
  readonly stopWatching: () => void
}

/** Tries to take both locks; null where another run of ours has the advisory one. */
async function acquire(
  session: Session,
  held: HeldConnection,
  tables: MigrationTables,
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
        if (state.planned !== null) connection.noteOthers(notingBackend(tables, run))
        const lock = { applied, isHeld: advisory.isHeld, lost: advisory.lost, connection }
        return { advisory, lock, run, hasNotes: state.planned !== null, pooled, isSingle, stopWatching: watch.stop }
      }
      const stale = await freeStaleLock(held.session, tables, isSingle, deadlines.lock)
      if (stale.state === 'freed') options.onRecover?.(stale.holder)
      else await state.wait(stale.state === 'working' ? stale.holder : null, stale.backends)
    }
  } catch (error) {
    watch.stop()
    if (tried !== null && tried.advisory.giveBack.length > 0)
      await held.session.send(tried.advisory.giveBack).catch(held.hangUp)
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
  tables: MigrationTables,
  { isSingle, deadlines }: RunLockOptions,
  state: Acquiring,
  watch: ReturnType<typeof watchConnection>,
): Promise<TriedLock | null> {
  if (isSingle) {
    const facts = await held.session.ask<ConnectionFacts>(`select ${connectionSql} as state`)
    // Where there is only this process, it need not keep others out, and no one could cancel what it does.
    const advisory = { isHeld: 'true', lost: watch.lost, giveBack: [] }
    const connection = runConnection(session, held, facts, { topology: 'single', lost: watch.lost })
    return { advisory, connection, pooled: undefined }
  }
  const { facts, lock } = await tryConnectionLock(held, watch, tables.lock)
  if (lock === 'busy') return null
  if (lock !== 'pooled') {
    const connection = runConnection(session, held, facts, { topology: 'direct', lost: watch.lost })
    return { advisory: lock, connection, pooled: undefined }
  }
  const pooled = (state.pooled ??= pooledLock(session, deadlines))
  const advisory = await pooled.tryLock(tables.lock)
  if (advisory === null) return null
  const fence = { number: fenceNumber(tables.lock), milliseconds: deadlines.lock }
  const connection = runConnection(session, held, facts, { topology: 'pooled', lost: watch.lost, fence })
  return { advisory, connection, pooled }
}

async function workUnder<Result>(
  session: Session,
  held: HeldConnection,
  tables: MigrationTables,
  options: RunLockOptions,
  taken: Taken,
  work: (lock: RunLock) => Promise<Result>,
): Promise<Result> {
  const end = async (outcome: string): Promise<void> => {
    const notes = taken.hasNotes ? options.notes?.() : undefined
    await giveBack(session, held, tables, taken, { run: taken.run, outcome, notes }, options.deadlines)
  }
  try {
    const result = await work(taken.lock)
    await end(options.hasFailed?.() === true ? 'failed' : 'succeeded').catch(options.onKept)
    return result
  } catch (error) {
    // What the work failed of counts; the next run frees what could not be given back.
    await end('failed').catch(() => undefined)
    throw error
  } finally {
    taken.stopWatching()
  }
}

/** Makes the tables where they are missing; returns what is to be noted of the run, or null where nothing can be. */
async function prepareTables(
  session: Session,
  tables: MigrationTables,
  { missing, planned, lacksNotes = false }: RunLockOptions,
): Promise<readonly NotedStep[] | null> {
  if (missing === undefined || missing.length > 0) await createTables(session, tables, missing)
  if (planned === undefined) return null
  return !lacksNotes || (await addNotes(session, tables)) ? planned : null
}

function busyAsNotTaken(error: unknown): { readonly run: null; readonly applied: readonly AppliedMigration[] } {
  if (sqlStateOf(error) !== sqlState.lockNotAvailable) throw error
  return { run: null, applied: [] }
}
