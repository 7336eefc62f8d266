import { hostname, userInfo } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError, sqlStateOf, type LockHolder } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { json, literal, nullable } from '../../core/sql.ts'
import { notesOfDead, type NotedStep, type RunNotes } from '../run/notes.ts'
import type { MigrationTables } from '../settings.ts'
import { openLockConnection, type LockConnection, type SideLock } from './side-lock.ts'
import { addNotes, appliedSql, createTables, readHasNotes, type AppliedMigration } from '../tracking.ts'

/** The right to migrate: held by one run at a time, and given back by its death. */
export interface Lease {
  /** What was applied when it was taken; nobody else changes that while it is held. */
  readonly applied: readonly AppliedMigration[]
  /** An SQL condition that is true while the lease is held; for statements that must not happen without it. */
  readonly isHeld: string
  /** Cancels what a backend is doing, from the side. */
  cancel(backendProcessId: number): Promise<void>
  /** Gives the lease back and notes how the run ended, and what it did. */
  release(outcome: string, notes?: RunNotes): Promise<void>
}

/** How to take a lease. */
export interface LeaseOptions {
  /** What runs, for people: up, down… */
  readonly command: string
  /** How long to wait for another run, in milliseconds. */
  readonly wait: number
  /** Whether the database has one connection and one process, as the embedded one: then no side connection is needed. */
  readonly isSingle: boolean
  /** Whether the tables were just seen; by default it is looked up. */
  readonly hasTables?: boolean | undefined
  /** What is to be done, for those who read about it; by default nothing is noted of it. */
  readonly planned?: readonly NotedStep[] | undefined
  /** Whether the table of runs was just seen to have no place for notes. */
  readonly lacksNotes?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called once when somebody else holds the lease. */
  readonly onWait?: (holder: LockHolder | null) => void
  /** Called where a run that died had left Knex's lock behind, and it was freed. */
  readonly onRecover?: (holder: LockHolder | null) => void
}

const POLL_MILLISECONDS = 100

/**
 * Takes the right to migrate: an advisory lock on a side connection, which goes when its holder dies, and Knex's own
 * `is_locked`, which keeps stock Knex out.
 *
 * Whoever has the advisory lock knows that no run of ours is alive. Where `is_locked` is then set by a run that we
 * noted, that run is dead and its lock is freed; set by anyone else, it is somebody's we know nothing about.
 *
 * @throws {PgvectorMigrationError} MIGRATIONS_LOCKED where somebody else holds it for longer than `wait`.
 */
export async function takeLease(session: Session, tables: MigrationTables, options: LeaseOptions): Promise<Lease> {
  const deadline = Date.now() + options.wait
  const { connection, planned } = await prepare(session, tables, options)
  try {
    let hasWaited = false
    const waitOrGiveUp = async (holder: LockHolder | null): Promise<void> => {
      if (!hasWaited) options.onWait?.(holder)
      hasWaited = true
      options.signal?.throwIfAborted()
      if (Date.now() >= deadline) {
        throw new PgvectorMigrationError('MIGRATIONS_LOCKED', { holder, milliseconds: options.wait })
      }
      await sleep(POLL_MILLISECONDS * (0.5 + Math.random()), undefined, { signal: options.signal })
    }
    const tryLock = async (): Promise<SideLock | null> =>
      connection === null ? ALONE : connection.tryLock(tables.lock)
    let side = await tryLock()
    for (; side === null; side = await tryLock()) await waitOrGiveUp(await unfinishedRun(session, tables))
    for (;;) {
      const { run, applied } = await takeKnexLock(session, tables, options.command, planned)
      if (run !== null) return leaseOf(session, tables, { run, applied, hasNotes: planned !== null }, side, connection)
      const stale = await freeStaleLock(session, tables, options.isSingle)
      if (stale === undefined) await waitOrGiveUp(null)
      else options.onRecover?.(stale)
    }
  } catch (error) {
    await connection?.close()
    throw error
  }
}

// Where there is only this process, it need not keep others out, and nobody could cancel what it does.
const ALONE: SideLock = { isHeld: 'true', cancel: () => Promise.resolve() }

/** Makes the tables where they are missing, and connects meanwhile. */
async function prepare(
  session: Session,
  tables: MigrationTables,
  { isSingle, hasTables, planned, lacksNotes = false }: LeaseOptions,
): Promise<{ readonly connection: LockConnection | null; readonly planned: readonly NotedStep[] | null }> {
  const makeTables = async (): Promise<readonly NotedStep[] | null> => {
    if (hasTables !== true) await createTables(session, tables, hasTables === false)
    if (planned === undefined) return null
    return !lacksNotes || (await addNotes(session, tables)) ? planned : null
  }
  const [made, opened] = await Promise.allSettled([
    makeTables(),
    isSingle ? Promise.resolve(null) : openLockConnection(session),
  ])
  if (opened.status === 'rejected') throw opened.reason
  if (made.status === 'fulfilled') return { connection: opened.value, planned: made.value }
  await opened.value?.close()
  throw made.reason
}

interface TakenRun {
  readonly run: number
  readonly applied: readonly AppliedMigration[]
  readonly hasNotes: boolean
}

function leaseOf(
  session: Session,
  tables: MigrationTables,
  { run, applied, hasNotes }: TakenRun,
  side: SideLock,
  connection: LockConnection | null,
): Lease {
  return {
    applied,
    isHeld: side.isHeld,
    cancel: (backendProcessId) => side.cancel(backendProcessId),
    release: async (outcome, notes) => {
      const give = (kept?: RunNotes): Promise<void> => giveKnexLockBack(session, tables, run, outcome, kept)
      try {
        await give(hasNotes ? notes : undefined).catch(async (error: unknown) => {
          // The lock is given back, even where the database has no place for a character of what failed.
          if (notes === undefined || sqlStateOf(error) === undefined) throw error
          await give()
        })
      } finally {
        await connection?.close()
      }
    },
  }
}

// Lets a statement's commit not wait for the disk. Who loses it loses nothing: the server has crashed, and the run with
// it. A migration's own commit waits, and takes along what was written before.
const NOT_FLUSHED = `pg_catalog.set_config('synchronous_commit', 'off', true) as not_flushed`

/**
 * Sets `is_locked` and notes the run in one statement, so that the one is never there without the other.
 *
 * Every row of the lock's table is taken, or none: stock Knex looks at the first one, whichever that is. `skip locked`,
 * because it may hold them in an open transaction, and a waiter must not block in a query.
 * The row's xmin tells later whether it is still this run that set it.
 *
 * What was applied is read in the same round trip, by a statement that comes after and so sees what others did.
 */
async function takeKnexLock(
  session: Session,
  tables: MigrationTables,
  command: string,
  planned: readonly NotedStep[] | null,
): Promise<{ readonly run: number | null; readonly applied: readonly AppliedMigration[] }> {
  const [run, applied] = await session.askEachAsCaller([
    `with free as (
      select ctid from ${tables.lock} where is_locked operator(pg_catalog.=) 0 for update skip locked
    ),
    taken as (
      update ${tables.lock} as held set is_locked = 1 from free
      where held.ctid operator(pg_catalog.=) free.ctid
        and (select pg_catalog.count(*) from free) operator(pg_catalog.=) (select pg_catalog.count(*) from ${tables.lock})
      returning 1
    ),
    run as (
      insert into ${tables.runs} (command, host, process_id, operating_system_user, lock_xmin${planned === null ? '' : ', notes'})
      select ${literal(command)}, ${literal(hostname())}, ${process.pid}, ${nullable(userName())},
        (pg_catalog.txid_current() operator(pg_catalog.%) 4294967296)::pg_catalog.text${planned === null ? '' : `, ${json({ steps: planned, error: null })}`}
      where exists (select from taken) returning id
    )
    select pg_catalog.to_json((select id from run)) as state from ${NOT_FLUSHED}`,
    appliedSql(tables),
  ])
  return { run: run as number | null, applied: applied as readonly AppliedMigration[] }
}

/** Frees `is_locked` where the run that set it is dead; returns that run, or undefined where it is not ours to free. */
async function freeStaleLock(
  session: Session,
  tables: MigrationTables,
  isSingle: boolean,
): Promise<LockHolder | null | undefined> {
  const notes = (await readHasNotes(session, tables)) ? `, notes = ${notesOfDead(tables)}` : ''
  const { holder, freed } = await session.askAsCaller<{ holder: LockHolder | null; freed: number }>(`with stale as (
      select run.* from ${tables.runs} as run
      join ${tables.lock} as held on held.is_locked operator(pg_catalog.=) 1
        and held.xmin::pg_catalog.text operator(pg_catalog.=) run.lock_xmin
      where run.ended_at is null
    ),
    ended as (
      update ${tables.runs} as run set ended_at = pg_catalog.clock_timestamp(), outcome = 'died'${notes}
      from stale where run.id operator(pg_catalog.=) stale.id returning 1
    ),
    freed as (
      update ${tables.lock} as held set is_locked = 0
      where held.is_locked operator(pg_catalog.=) 1 and (${
        // Where there is only this process, nobody else can be migrating, whoever set it.
        isSingle ? 'true' : 'held.xmin::pg_catalog.text operator(pg_catalog.=) any (select lock_xmin from stale)'
      }) returning 1
    ),
    -- stock Knex's unlock deletes the row before it inserts a new one
    restored as (
      insert into ${tables.lock} (is_locked) select 0 where not exists (select from ${tables.lock}) returning 1
    )
    select pg_catalog.json_build_object('holder', (select ${holderJson('stale')} from stale limit 1), 'freed',
      (select pg_catalog.count(*) from freed) operator(pg_catalog.+) (select pg_catalog.count(*) from restored)) as state`)
  return freed > 0 ? holder : undefined
}

/**
 * Frees `is_locked`, and drops all rows but one: stock Knex looks for the row and inserts it in two steps, so where it
 * starts beside another run on an empty database it leaves two, and then takes itself for locked out for ever.
 */
async function giveKnexLockBack(
  session: Session,
  tables: MigrationTables,
  run: number,
  outcome: string,
  notes?: RunNotes,
): Promise<void> {
  const change = `ended_at = pg_catalog.clock_timestamp(), outcome = ${literal(outcome)}${notes === undefined ? '' : `, notes = ${json(notes)}`}`
  await session.send(`with ended as (
      update ${tables.runs} set ${change} where id operator(pg_catalog.=) ${run}
      returning lock_xmin
    )
    update ${tables.lock} as held set is_locked = 0 from ended, ${NOT_FLUSHED}
    where held.xmin::pg_catalog.text operator(pg_catalog.=) ended.lock_xmin;
    delete from ${tables.lock} where is_locked operator(pg_catalog.=) 0
      and index operator(pg_catalog.>) (select pg_catalog.min(index) from ${tables.lock})`)
}

/** The run that is noted as not ended: while the advisory lock is held, that of its holder. */
export async function unfinishedRun(session: Session, tables: MigrationTables): Promise<LockHolder | null> {
  return session.askAsCaller<LockHolder | null>(`select (
      select ${holderJson('run')} from ${tables.runs} as run where run.ended_at is null order by run.id desc limit 1
    ) as state`)
}

function holderJson(alias: string): string {
  return `pg_catalog.json_build_object('id', ${alias}.id, 'host', ${alias}.host, 'processId', ${alias}.process_id,
    'user', ${alias}.operating_system_user, 'role', ${alias}.role, 'command', ${alias}.command,
    'since', ${alias}.started_at)`
}

function userName(): string | null {
  try {
    return userInfo().username
  } catch {
    // A container may run under a user id that has no name.
    return null
  }
}
