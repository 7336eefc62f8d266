import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import type { Session } from './session.ts'
import { qualified } from '../core/sql.ts'
import { sqlState } from './sqlstate.ts'

/** How long other sessions may be blocked, and how long to retry. */
export interface LockRetryOptions {
  readonly lockTimeout: number
  readonly wait: number
  readonly signal?: AbortSignal | undefined
}

const SAVEPOINT = 'knex_pgvector_attempt'
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 5000

/**
 * Sends a statement that blocks writes only briefly once it has its lock. Queries that queue behind it wait for at most
 * `lockTimeout`, and can then continue before the next attempt. The caller sets the session's lock_timeout.
 *
 * @throws {PgvectorMigrationError} TABLE_BUSY after `wait` milliseconds.
 */
export async function sendWithLockRetry(
  db: Session,
  table: { readonly oid: number; readonly schema: string; readonly name: string },
  statement: string,
  { wait, signal }: LockRetryOptions,
  report: { readonly waiting: (reason: 'lock', blockers: readonly number[]) => void },
): Promise<void> {
  const started = Date.now()
  for (let attempts = 1; ; attempts++) {
    try {
      return await attempt(db, statement)
    } catch (error) {
      if (sqlStateOf(error) !== sqlState.lockNotAvailable) throw error
      const blockers = await holders(db, table.oid)
      const milliseconds = Date.now() - started
      if (milliseconds >= wait || signal?.aborted === true) {
        const name = qualified(table.schema, table.name)
        const details = { table: name, attempts, milliseconds, blockers }
        throw new PgvectorMigrationError('TABLE_BUSY', details, { cause: error })
      }
      report.waiting('lock', blockers)
    }
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempts) * (0.5 + Math.random())
    await sleep(pause, undefined, { signal }).catch(() => undefined)
  }
}

// In a transaction, a failure would abort it without a savepoint.
async function attempt(db: Session, statement: string): Promise<void> {
  if (!db.isInTransaction) return db.send(statement)
  await db.send(`savepoint ${SAVEPOINT}`)
  try {
    await db.send(statement)
  } catch (error) {
    await db.send(`rollback to savepoint ${SAVEPOINT}`)
    throw error
  } finally {
    await db.send(`release savepoint ${SAVEPOINT}`)
  }
}

function holders(db: Session, table: number): Promise<readonly number[]> {
  return db.ask(`select coalesce(json_agg(distinct pid), '[]') as state from pg_catalog.pg_locks
    where relation = ${table} and granted and pid is not null and pid <> pg_backend_pid()
      and database = (select oid from pg_catalog.pg_database where datname = current_database())
      and mode <> 'AccessShareLock'`)
}
