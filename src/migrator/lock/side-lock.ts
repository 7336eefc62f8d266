import { openTransaction, type OpenTransaction } from '../../database/open-transaction.ts'
import type { Session } from '../../database/session.ts'
import { openSideConnection } from '../../database/side-connection.ts'
import { trackingTable } from '../settings.ts'

/** A connection of its own, with a transaction that stays open for the lock. */
export interface LockConnection {
  /** Tries to take the lock that belongs to Knex's table of the lock; null where another session has it. */
  tryLock(lockTable: string): Promise<SideLock | null>
  /** Gives the lock and the connection back. */
  close(): Promise<void>
}

/** An advisory lock that is held on a side connection. */
export interface SideLock {
  /** An SQL condition that is true while the lock is held; it may be evaluated on any connection. */
  readonly isHeld: string
  /** Cancels what a backend is doing. */
  cancel(backendProcessId: number): Promise<void>
}

/** The number of the lock in SQL: by the table's oid, because with its schema and without it a table has two names. */
export function lockNumber(lockTable: string): string {
  const oid = `${trackingTable(lockTable)}::pg_catalog.oid::pg_catalog.text`
  return `pg_catalog.hashtextextended('knex-pgvector ' operator(pg_catalog.||) ${oid}, 0)`
}

// PostgreSQL notices the death of a machine after 30 + 3 × 10 seconds; that of a process it notices at once.
const KEEP_ALIVE = `
  set local statement_timeout = 0;
  set local tcp_keepalives_idle = 30;
  set local tcp_keepalives_interval = 10;
  set local tcp_keepalives_count = 3`

/**
 * Opens a connection beside the one that migrates, and a transaction on it that stays open once it has the lock.
 *
 * The lock lasts as long as the transaction, so a pooler in transaction mode keeps them on one server connection, and
 * PostgreSQL ends both when the process dies. Idle under READ COMMITTED it holds no snapshot, on which
 * CREATE INDEX CONCURRENTLY would wait.
 */
export async function openLockConnection(session: Session): Promise<LockConnection> {
  const side = openSideConnection(session)
  try {
    let open: OpenTransaction | null = await openTransaction(side.session, { begin: [KEEP_ALIVE] })
    return {
      // A transaction that did not get the lock ends at once. CREATE INDEX CONCURRENTLY waits for the end of every
      // transaction that it met in the middle of a statement, and its runner may be the one that is waited for here.
      tryLock: async (lockTable) => {
        open ??= await openTransaction(side.session, { begin: [KEEP_ALIVE] })
        const lock = await tryLock(open.session, lockTable)
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
  } catch (error) {
    await side.close()
    throw error
  }
}

async function tryLock(trx: Session, lockTable: string): Promise<SideLock | null> {
  const { pid, number, isHeld } = await trx.ask<{
    pid: number
    number: string
    isHeld: boolean
  }>(`select json_build_object('pid', pg_backend_pid(), 'number', number::text,
      'isHeld', pg_try_advisory_xact_lock(number)) as state from (select ${lockNumber(lockTable)} as number) as lock`)
  if (!isHeld) return null
  const unsigned = BigInt.asUintN(64, BigInt(number))
  return {
    isHeld: `exists (
      select from pg_catalog.pg_locks
      where locktype operator(pg_catalog.=) 'advisory' and granted and pid operator(pg_catalog.=) ${pid}
        and classid operator(pg_catalog.=) ${unsigned >> 32n} and objid operator(pg_catalog.=) ${unsigned & 0xffffffffn}
        and database operator(pg_catalog.=) (
          select oid from pg_catalog.pg_database where datname operator(pg_catalog.=) pg_catalog.current_database()
        )
    )`,
    cancel: async (backendProcessId) => {
      await trx.send(`select pg_catalog.pg_cancel_backend(${backendProcessId})`)
    },
  }
}
