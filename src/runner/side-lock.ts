import Knex from 'knex'

import { ask, send, type Database } from '../queryable.ts'
import { literal } from '../sql.ts'

/** An advisory lock on a connection of its own. */
export interface SideLock {
  /** An SQL condition that is true while the lock is held; it may be evaluated on any connection. */
  readonly isHeld: string
  /** Tries to take the lock; false where another session has it. */
  tryLock(): Promise<boolean>
  /** Cancels what a backend is doing. */
  cancel(backendProcessId: number): Promise<void>
  /** Gives the lock and the connection back. */
  close(): Promise<void>
}

// PostgreSQL notices the death of a machine after 30 + 3 × 10 seconds; that of a process it notices at once.
const KEEP_ALIVE = `
  set local idle_in_transaction_session_timeout = 0;
  set local statement_timeout = 0;
  set local tcp_keepalives_idle = 30;
  set local tcp_keepalives_interval = 10;
  set local tcp_keepalives_count = 3`

/**
 * Opens a connection beside the one that migrates, and a transaction on it that stays open.
 *
 * The lock lasts as long as the transaction, so a pooler in transaction mode keeps them on one server connection, and
 * PostgreSQL ends both when the process dies. Idle under READ COMMITTED it holds no snapshot, on which
 * CREATE INDEX CONCURRENTLY would wait.
 */
export async function openSideLock(db: Database, lockTable: string): Promise<SideLock> {
  const config = (db.client as { readonly config: Knex.Knex.Config }).config
  const side = Knex({ ...config, pool: { min: 0, max: 1 } })
  try {
    const trx = await side.transaction()
    await send(trx, KEEP_ALIVE)
    // By the table's oid, because one table has several names: with its schema, and without it on the search path.
    const { pid, number } = await ask<{ pid: number; number: string }>(
      trx,
      `select json_build_object('pid', pg_backend_pid(), 'number',
        hashtextextended('knex-pgvector ' || to_regclass(${literal(lockTable)})::oid::text, 0)::text) as state`,
    )
    const lockNumber = BigInt.asUintN(64, BigInt(number))
    return {
      isHeld: `exists (
        select from pg_catalog.pg_locks where locktype = 'advisory' and granted and pid = ${pid}
          and classid = ${lockNumber >> 32n} and objid = ${lockNumber & 0xffffffffn}
          and database = (select oid from pg_catalog.pg_database where datname = current_database())
      )`,
      tryLock: () => ask<boolean>(trx, `select to_json(pg_try_advisory_xact_lock(${number})) as state`),
      cancel: async (backendProcessId) => {
        await send(trx, `select pg_cancel_backend(${backendProcessId})`)
      },
      close: async () => {
        // Where the connection is lost, so are the transaction and the lock: there is nothing left to give back.
        await trx.rollback().catch(() => undefined)
        await side.destroy()
      },
    }
  } catch (error) {
    await side.destroy()
    throw error
  }
}
