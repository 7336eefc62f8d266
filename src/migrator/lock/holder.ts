import type { LockHolder } from '../../core/errors.ts'
import type { Session } from '../../database/session.ts'
import { fenceNumber, heldRows, lockNumber } from './advisory-lock.ts'
import type { UsableTables } from '../settings.ts'

/** Whether migrations are locked, and by which run. */
export interface HeldLock {
  /** Whether Knex's `is_locked` is set. */
  readonly isLocked: boolean
  /** Whether a run of this library recorded that it set `is_locked` to its current value. */
  readonly isNoted: boolean
  /** That run; null if stock Knex holds the lock, or no one does. */
  readonly run: LockHolder | null
}

/** Reads the lock holder. Knex's lock table exists, and `hasRuns` is whether our table of runs does. */
export async function readHolder(session: Session, tables: UsableTables, hasRuns: boolean): Promise<HeldLock> {
  const isNoted = `exists (
    select from ${tables.lock} as held
    join ${tables.runs} as run
      on run.lock_xmin operator(pg_catalog.=) held.xmin::pg_catalog.text and run.ended_at is null
    where held.is_locked operator(pg_catalog.=) 1
  )`
  const seen = await session.askAsCaller<Omit<HeldLock, 'run'>>(
    `select pg_catalog.json_build_object(
      'isLocked', exists (select from ${tables.lock} where is_locked operator(pg_catalog.=) 1),
      'isNoted', ${hasRuns && tables.runs !== null ? isNoted : 'false'}) as state`,
  )
  return { ...seen, run: seen.isNoted ? await unfinishedRun(session, tables) : null }
}

/** Returns the recorded run that has not ended. While the advisory lock is held, this is the lock holder. */
export async function unfinishedRun(session: Session, { runs }: UsableTables): Promise<LockHolder | null> {
  if (runs === null) return null
  return session.askAsCaller<LockHolder | null>(`select (
      select ${holderJson('run')} from ${runs} as run where run.ended_at is null order by run.id desc limit 1
    ) as state`)
}

/** Returns the PIDs of the backends that hold the lock of a run, or that do its work behind a pooler. */
export async function lockHolders(session: Session, lockTable: string): Promise<readonly number[]> {
  return session.ask<readonly number[]>(
    `select coalesce(json_agg(distinct pid), '[]') as state
      from ${heldRows(lockNumber(lockTable), fenceNumber(lockTable))}`,
  )
}

/** Returns SQL for a row of the table of runs as a lock holder. */
export function holderJson(alias: string): string {
  return `pg_catalog.json_build_object('id', ${alias}.id, 'host', ${alias}.host, 'processId', ${alias}.process_id,
    'user', ${alias}.operating_system_user, 'role', ${alias}.role, 'command', ${alias}.command,
    'since', ${alias}.started_at)`
}
