import { trackingTable } from '../settings.ts'

/** An advisory lock that is held, and how to verify that it still is. */
export interface AdvisoryLock {
  /** An SQL condition that is true while the lock is held. It can be evaluated on any connection. */
  readonly isHeld: string
  /** Aborts when the connection that holds the lock is lost. */
  readonly lost: AbortSignal
  /** Statements that release the lock, on the connection that holds it; none if it is released otherwise. */
  readonly release: readonly string[]
}

/**
 * How PostgreSQL notices that a machine is gone: after 30 + 3 × 10 seconds. It notices the end of a process at once.
 */
export const KEEP_ALIVE = { tcp_keepalives_idle: 30, tcp_keepalives_interval: 10, tcp_keepalives_count: 3 } as const

/**
 * Returns SQL for the lock's number. It is based on the table's OID, because a table can be named with and without its
 * schema.
 */
export function lockNumber(lockTable: string): string {
  return numberOf('knex-pgvector ', lockTable)
}

/**
 * Returns SQL for the number of a second lock. Every transaction of a run takes it if the run's lock is on another
 * connection. It is held while the work continues, even if the run's lock was lost.
 */
export function fenceNumber(lockTable: string): string {
  return numberOf('knex-pgvector at work ', lockTable)
}

function numberOf(purpose: string, lockTable: string): string {
  const oid = `${trackingTable(lockTable)}::pg_catalog.oid::pg_catalog.text`
  return `pg_catalog.hashtextextended('${purpose}' operator(pg_catalog.||) ${oid}, 0)`
}

/**
 * Returns SQL for the rows of pg_locks that hold a lock with one of these numbers, for a session or for a transaction.
 */
export function heldRows(...numbers: readonly string[]): string {
  const isOne = numbers.map(
    (number) => `((classid::pg_catalog.int8 operator(pg_catalog.<<) 32) operator(pg_catalog.|) objid::pg_catalog.int8)
        operator(pg_catalog.=) ${number}`,
  )
  return `pg_catalog.pg_locks
      where locktype operator(pg_catalog.=) 'advisory' and granted and objsubid operator(pg_catalog.=) 1
        and (${isOne.join(' or ')})
        and database operator(pg_catalog.=) (
          select oid from pg_catalog.pg_database where datname operator(pg_catalog.=) pg_catalog.current_database()
        )`
}

/** Returns the condition that a backend holds the lock with this number, for a session or for a transaction. */
export function holdsLock(processId: number, number: string): string {
  const unsigned = BigInt.asUintN(64, BigInt(number))
  return `exists (
      select from pg_catalog.pg_locks
      where locktype operator(pg_catalog.=) 'advisory' and granted and pid operator(pg_catalog.=) ${processId}
        and classid operator(pg_catalog.=) ${unsigned >> 32n} and objid operator(pg_catalog.=) ${unsigned & 0xffffffffn}
        and database operator(pg_catalog.=) (
          select oid from pg_catalog.pg_database where datname operator(pg_catalog.=) pg_catalog.current_database()
        )
    )`
}
