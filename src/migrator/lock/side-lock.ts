import Knex from 'knex'

import { ask, send, type Database } from '../../database/queryable.ts'
import { toRegclass } from '../../core/sql.ts'

/** A connection of its own, with a transaction that stays open for the lock. */
export interface SideConnection {
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
  return `hashtextextended('knex-pgvector ' || ${toRegclass(lockTable)}::oid::text, 0)`
}

// PostgreSQL notices the death of a machine after 30 + 3 × 10 seconds; that of a process it notices at once.
const KEEP_ALIVE = `
  set local idle_in_transaction_session_timeout = 0;
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
export async function openSideConnection(db: Database): Promise<SideConnection> {
  const { config, version } = db.client as { readonly config: Knex.Knex.Config; readonly version?: string }
  // Knex asks every server whose version it does not know.
  const side = Knex({ ...config, ...(version === undefined ? {} : { version }), pool: { min: 0, max: 1 } })
  try {
    let trx: Knex.Knex.Transaction | null = await begin(side)
    return {
      // A transaction that did not get the lock ends at once. CREATE INDEX CONCURRENTLY waits for the end of every
      // transaction that it met in the middle of a statement, and its runner may be the one that is waited for here.
      tryLock: async (lockTable) => {
        trx ??= await begin(side)
        const lock = await tryLock(trx, lockTable)
        if (lock !== null) return lock
        const ended = trx
        trx = null
        await ended.rollback()
        return null
      },
      close: async () => {
        // Where the connection is lost, so are the transaction and the lock: there is nothing left to give back.
        await trx?.rollback().catch(() => undefined)
        // The lock is free now, and nobody needs to wait until the server has hung up.
        void side.destroy().catch(() => undefined)
      },
    }
  } catch (error) {
    await side.destroy()
    throw error
  }
}

async function begin(side: Knex.Knex): Promise<Knex.Knex.Transaction> {
  const trx = await side.transaction()
  await send(trx, KEEP_ALIVE)
  return trx
}

async function tryLock(trx: Database, lockTable: string): Promise<SideLock | null> {
  const { pid, number, isHeld } = await ask<{ pid: number; number: string; isHeld: boolean }>(
    trx,
    `select json_build_object('pid', pg_backend_pid(), 'number', number::text,
      'isHeld', pg_try_advisory_xact_lock(number)) as state from (select ${lockNumber(lockTable)} as number) as lock`,
  )
  if (!isHeld) return null
  const unsigned = BigInt.asUintN(64, BigInt(number))
  return {
    isHeld: `exists (
      select from pg_catalog.pg_locks where locktype = 'advisory' and granted and pid = ${pid}
        and classid = ${unsigned >> 32n} and objid = ${unsigned & 0xffffffffn}
        and database = (select oid from pg_catalog.pg_database where datname = current_database())
    )`,
    cancel: async (backendProcessId) => {
      await send(trx, `select pg_cancel_backend(${backendProcessId})`)
    },
  }
}
