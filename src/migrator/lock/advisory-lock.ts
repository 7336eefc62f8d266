import { trackingTable } from '../settings.ts'

/** An advisory lock that is held, and how it is known to be. */
export interface AdvisoryLock {
  /** An SQL condition that is true while the lock is held; it may be evaluated on any connection. */
  readonly isHeld: string
  /** Aborted where the connection that holds it is lost. */
  readonly lost: AbortSignal
  /** Statements that give it back, on the connection that holds it; none where it ends otherwise. */
  readonly giveBack: readonly string[]
}

/** How PostgreSQL notices the death of a machine: after 30 + 3 × 10 seconds. That of a process it notices at once. */
export const KEEP_ALIVE = { tcp_keepalives_idle: 30, tcp_keepalives_interval: 10, tcp_keepalives_count: 3 } as const

/** The number of the lock in SQL: by the table's oid, because with its schema and without it a table has two names. */
export function lockNumber(lockTable: string): string {
  return numberOf('knex-pgvector ', lockTable)
}

/**
 * The number, in SQL, of a second lock, which every transaction of a run takes where the lock of the run is on another
 * connection: it is held for as long as the work goes on, also where the lock of the run was lost.
 */
export function fenceNumber(lockTable: string): string {
  return numberOf('knex-pgvector at work ', lockTable)
}

function numberOf(purpose: string, lockTable: string): string {
  const oid = `${trackingTable(lockTable)}::pg_catalog.oid::pg_catalog.text`
  return `pg_catalog.hashtextextended('${purpose}' operator(pg_catalog.||) ${oid}, 0)`
}

/** The rows of pg_locks, in SQL, that hold the lock of one of these numbers, for a session or for a transaction. */
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

/** The condition that a backend holds the lock of a number, for a session or for a transaction. */
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
