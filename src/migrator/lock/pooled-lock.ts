import type { Deadlines } from '../../database/deadlines.ts'
import { openTransaction, type OpenTransaction } from '../../database/open-transaction.ts'
import type { Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import { fenceNumber, heldRows, holdsLock, KEEP_ALIVE, lockNumber, type AdvisoryLock } from './advisory-lock.ts'

/** A separate connection, with a transaction that stays open to hold the lock. */
export interface PooledLock {
  /** Tries to take the lock of Knex's lock table; null if another session has it. */
  tryLock(lockTable: string): Promise<AdvisoryLock | null>
  /** Releases the lock and closes the connection. */
  close(): Promise<void>
}

const BEGIN = Object.entries({ statement_timeout: 0, ...KEEP_ALIVE }).map(
  ([name, value]) => `set local ${name} = ${value}`,
)

/**
 * Prepares the lock of a run behind a pooler in transaction mode. A session lock would stay on a server connection that
 * the pooler then gives to other clients. Instead, a transaction on a second connection takes the lock and stays open.
 *
 * The pooler keeps this transaction on one server connection, and PostgreSQL ends it when the process ends. Idle under
 * READ COMMITTED, it holds no snapshot that CREATE INDEX CONCURRENTLY would wait for.
 */
export function pooledLock(session: Session, deadlines: Deadlines): PooledLock {
  const side = openSideConnection(session, deadlines)
  let open: OpenTransaction | null = null
  return {
    // A transaction that did not get the lock ends at once. CREATE INDEX CONCURRENTLY waits for every transaction that
    // was executing a statement, and the run that builds the index may be the one that this waits for.
    tryLock: async (lockTable) => {
      open ??= await openTransaction(side.session, { begin: BEGIN })
      const lock = await tryLock(open, lockTable)
      if (lock !== null) return lock
      const ended = open
      open = null
      await ended.rollBack()
      return null
    },
    close: async () => {
      await open?.rollBack()
      // The lock is free now. There is no need to wait until the server has closed the connection.
      void side.close()
    },
  }
}

async function tryLock({ session: trx, lost }: OpenTransaction, lockTable: string): Promise<AdvisoryLock | null> {
  const { pid, number, isHeld } = await trx.ask<{
    pid: number
    number: string
    isHeld: boolean
  }>(`select json_build_object('pid', pg_backend_pid(), 'number', number::text, 'isHeld',
      case when exists (select from ${heldRows(fenceNumber(lockTable))}) then false
        else pg_try_advisory_xact_lock(number) end) as state
    from (select ${lockNumber(lockTable)} as number) as lock`)
  return isHeld ? { isHeld: holdsLock(pid, number), lost, release: [] } : null
}
