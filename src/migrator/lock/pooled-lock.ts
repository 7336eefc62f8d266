import type { Deadlines } from '../../database/deadlines.ts'
import { openTransaction, type OpenTransaction } from '../../database/open-transaction.ts'
import type { Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import { fenceNumber, heldRows, holdsLock, KEEP_ALIVE, lockNumber, type AdvisoryLock } from './advisory-lock.ts'

/** A connection of its own, with a transaction that stays open for the lock. */
export interface PooledLock {
  /** Tries to take the lock that belongs to Knex's table of the lock; null where another session has it. */
  tryLock(lockTable: string): Promise<AdvisoryLock | null>
  /** Gives the lock and the connection back. */
  close(): Promise<void>
}

const BEGIN = Object.entries({ statement_timeout: 0, ...KEEP_ALIVE }).map(
  ([name, value]) => `set local ${name} = ${value}`,
)

/**
 * Prepares the lock of a run behind a pooler in transaction mode, where a lock of the session would be left on a server
 * connection that others go on to use: a transaction on a second connection that stays open once it has the lock.
 *
 * The pooler keeps it on one server connection, and PostgreSQL ends it when the process dies. Idle under READ COMMITTED
 * it holds no snapshot, on which CREATE INDEX CONCURRENTLY would wait.
 */
export function pooledLock(session: Session, deadlines: Deadlines): PooledLock {
  const side = openSideConnection(session, deadlines)
  let open: OpenTransaction | null = null
  return {
    // A transaction that did not get the lock ends at once. CREATE INDEX CONCURRENTLY waits for the end of every
    // transaction that it met in the middle of a statement, and its runner may be the one that is waited for here.
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
      // The lock is free now, and no one needs to wait until the server has hung up.
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
  return isHeld ? { isHeld: holdsLock(pid, number), lost, giveBack: [] } : null
}
