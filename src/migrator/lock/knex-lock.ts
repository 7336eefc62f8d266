import { hostname, userInfo } from 'node:os'

import type { LockHolder } from '../../core/errors.ts'
import { json, literal, nullable } from '../../core/sql.ts'
import type { Session } from '../../database/session.ts'
import { READ_COMMITTED } from '../../database/transaction.ts'
import { notesOfDead, workingBackends, type RunNotes } from '../run/notes.ts'
import type { UsableTables } from '../settings.ts'
import { appliedSql, readHasNotes, type AppliedMigration } from '../tracking.ts'
import { holderJson } from './holder.ts'

/**
 * The result of requesting Knex's lock: the number of our record of the run, or of the transaction that took the lock if
 * runs are not recorded; null if another run has the lock.
 */
export interface TakenRun {
  readonly run: number | null
  readonly applied: readonly AppliedMigration[]
}

// The commit of this statement does not wait for the disk. Losing it does no harm: that means that the server has
// crashed, and the run with it. A migration's own commit waits, and flushes what was written before.
const NOT_FLUSHED = `pg_catalog.set_config('synchronous_commit', 'off', true) as not_flushed`

/** The statements that precede ours in one message and make it a transaction. A caller's transaction stays as it is. */
function begin({ isInTransaction }: Session, lockTimeout: number): readonly string[] {
  return isInTransaction ? [] : [READ_COMMITTED, `set local lock_timeout = ${lockTimeout}`]
}

/**
 * Sets `is_locked` and records the run in one statement, so that neither exists without the other.
 *
 * It takes every row of the lock table, or none, because stock Knex reads the first row, whichever that is. It uses
 * `skip locked`: stock Knex may hold the rows in an open transaction, and a waiting run must not block in a query. The
 * row's xmin shows later whether this run still holds the lock.
 *
 * The same round trip reads what was applied, in a later statement that sees the changes of other sessions.
 */
export async function takeKnexLock(
  session: Session,
  tables: UsableTables,
  command: string,
  notes: RunNotes | null,
  lockTimeout: number,
): Promise<TakenRun> {
  const taking = `with free as (
      select ctid from ${tables.lock} where is_locked operator(pg_catalog.=) 0 for update skip locked
    ),
    taken as (
      update ${tables.lock} as held set is_locked = 1 from free
      where held.ctid operator(pg_catalog.=) free.ctid
        and (select pg_catalog.count(*) from free) operator(pg_catalog.=) (select pg_catalog.count(*) from ${tables.lock})
      returning 1
    ),
    run as (${tables.runs === null ? `select ${TRANSACTION} as id where exists (select from taken)` : noting(tables.runs, command, notes)})
    select pg_catalog.set_config('knex_pgvector.run', coalesce((select id::pg_catalog.text from run), ''), true) from ${NOT_FLUSHED}`
  return session.sendAndAsk<TakenRun>(
    [...begin(session, lockTimeout), taking],
    `select pg_catalog.json_build_object('run', case
        when pg_catalog.length(pg_catalog.current_setting('knex_pgvector.run')) operator(pg_catalog.>) 0
        then pg_catalog.current_setting('knex_pgvector.run')::bigint
      end,
      'applied', (${appliedSql(tables)})) as state`,
  )
}

// In the form in which xmin shows it.
const TRANSACTION = '(pg_catalog.txid_current() operator(pg_catalog.%) 4294967296)'

function noting(runs: string, command: string, notes: RunNotes | null): string {
  return `
      insert into ${runs} (command, host, process_id, operating_system_user, lock_xmin${notes === null ? '' : ', notes'})
      select ${literal(command)}, ${literal(hostname())}, ${process.pid}, ${nullable(userName())},
        ${TRANSACTION}::pg_catalog.text${notes === null ? '' : `, ${json(notes)}`}
      where exists (select from taken) returning id
    `
}

/** The state of Knex's lock when it is set and no run of ours is alive. */
export interface StaleLock {
  /** `working`: backends of the run are still at work. `foreign`: the lock is not ours to free. */
  readonly state: 'freed' | 'working' | 'foreign'
  readonly holder: LockHolder | null
  /** The PIDs of the backends that are still at work. */
  readonly backends: readonly number[]
}

/** Frees `is_locked` if the run that set it has ended, and none of its recorded backends is still at work. */
export async function freeStaleLock(
  session: Session,
  tables: UsableTables,
  isSingle: boolean,
  lockTimeout: number,
): Promise<StaleLock> {
  const { runs } = tables
  const hasNotes = runs !== null && (await readHasNotes(session, runs))
  const notes = hasNotes ? `, notes = ${notesOfDead(tables)}` : ''
  const working = hasNotes && !isSingle ? `select pid from stale as run, lateral (${workingBackends}) as working` : null
  const noted = `stale as (
      select run.* from ${runs} as run
      join ${tables.lock} as held on held.is_locked operator(pg_catalog.=) 1
        and held.xmin::pg_catalog.text operator(pg_catalog.=) run.lock_xmin
      where run.ended_at is null
    ),
    working as (${working ?? NO_PID}),
    ended as (
      update ${runs} as run set ended_at = pg_catalog.clock_timestamp(), outcome = 'died'${notes}
      from stale where run.id operator(pg_catalog.=) stale.id and not exists (select from working)
      returning 1
    )`
  // Without records, nothing is known about the owner.
  const unnoted = `stale as (select null::pg_catalog.text as lock_xmin where false), working as (${NO_PID})`
  const free = `with ${runs === null ? unnoted : noted},
    freed as (
      update ${tables.lock} as held set is_locked = 0
      where held.is_locked operator(pg_catalog.=) 1 and not exists (select from working) and (${
        // If this is the only process, no other process can be migrating, whoever set the lock.
        isSingle ? 'true' : 'held.xmin::pg_catalog.text operator(pg_catalog.=) any (select lock_xmin from stale)'
      }) returning 1
    ),
    -- stock Knex's unlock deletes the row before it inserts a new one
    restored as (
      insert into ${tables.lock} (is_locked) select 0 where not exists (select from ${tables.lock}) returning 1
    )
    select pg_catalog.json_build_object('holder', ${runs === null ? 'null' : `(select ${holderJson('stale')} from stale limit 1)`},
      'backends', (select coalesce(pg_catalog.json_agg(pid), '[]') from working), 'freed',
      (select pg_catalog.count(*) from freed) operator(pg_catalog.+) (select pg_catalog.count(*) from restored)) as state`
  const { freed, holder, backends } = await session.sendAndAsk<Omit<StaleLock, 'state'> & { readonly freed: number }>(
    begin(session, lockTimeout),
    free,
  )
  if (backends.length > 0) return { state: 'working', holder, backends }
  return { state: freed > 0 ? 'freed' : 'foreign', holder, backends }
}

const NO_PID = 'select null::integer as pid where false'

/** How a run ended. */
export interface RunEnd {
  readonly run: number
  readonly outcome: string
  readonly notes: RunNotes | undefined
}

/**
 * Frees `is_locked` and deletes all rows but one. Stock Knex looks for the row and inserts it in two steps. If two of
 * its processes start on an empty database at once, they leave two rows, and stock Knex then treats itself as locked
 * out forever.
 *
 * The advisory lock is released in the same message, after the commit. If it were released before, the next run would
 * find a lock that is set while no run is alive.
 */
export async function releaseKnexLock(
  session: Session,
  tables: UsableTables,
  end: RunEnd,
  {
    releaseAdvisoryLock,
    lockTimeout,
    isOpen,
  }: {
    readonly releaseAdvisoryLock: readonly string[]
    readonly lockTimeout: number
    /** Whether a transaction may be open that must not be committed. */
    readonly isOpen: boolean
  },
): Promise<void> {
  const frame = session.isInTransaction
    ? { before: [], after: [] }
    : {
        before: [
          ...(isOpen ? ['rollback'] : []),
          'begin isolation level read committed read write',
          `set local lock_timeout = ${lockTimeout}`,
        ],
        after: ['commit'],
      }
  await session.send([...frame.before, ...freeing(tables, end, 'true'), ...frame.after, ...releaseAdvisoryLock])
}

/**
 * Does the same from another connection, once no one holds the advisory lock. Returns false if it is still held,
 * because the backend of the lost connection may still be at work.
 */
export async function releaseKnexLockFromSideConnection(
  side: Session,
  tables: UsableTables,
  end: RunEnd,
  lockNumber: string,
  lockTimeout: number,
): Promise<boolean> {
  return side.sendAndAsk<boolean>(
    [...begin(side, lockTimeout), ...freeing(tables, end, `pg_catalog.pg_try_advisory_xact_lock(${lockNumber})`)],
    tables.runs === null
      ? `select pg_catalog.to_json(not exists (select from ${tables.lock} as held where ${isTakenBy(end)})) as state`
      : `select pg_catalog.to_json(ended_at is not null) as state from ${tables.runs} where id operator(pg_catalog.=) ${end.run}`,
  )
}

function freeing(tables: UsableTables, end: RunEnd, condition: string): readonly string[] {
  return [
    tables.runs === null
      ? `update ${tables.lock} as held set is_locked = 0 from ${NOT_FLUSHED} where ${isTakenBy(end)} and ${condition}`
      : freeingNoted(tables.runs, tables.lock, end, condition),
    `delete from ${tables.lock} where is_locked operator(pg_catalog.=) 0
      and index operator(pg_catalog.>) (select pg_catalog.min(index) from ${tables.lock})`,
  ]
}

function isTakenBy({ run }: RunEnd): string {
  return `held.is_locked operator(pg_catalog.=) 1 and held.xmin::pg_catalog.text operator(pg_catalog.=) '${run}'`
}

function freeingNoted(runs: string, lock: string, { run, outcome, notes }: RunEnd, condition: string): string {
  const change = `ended_at = pg_catalog.clock_timestamp(), outcome = ${literal(outcome)}${notes === undefined ? '' : `, notes = ${json(notes)}`}`
  return `with ended as (
      update ${runs} set ${change} where id operator(pg_catalog.=) ${run} and ${condition}
      returning lock_xmin
    )
    update ${lock} as held set is_locked = 0 from ended, ${NOT_FLUSHED}
    where held.xmin::pg_catalog.text operator(pg_catalog.=) ended.lock_xmin`
}

function userName(): string | null {
  try {
    return userInfo().username
  } catch {
    // A container may run under a user ID that has no name.
    return null
  }
}
