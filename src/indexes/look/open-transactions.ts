import type { Session } from '../../database/session.ts'

/** An open transaction of another session that has used a table. */
export interface OpenTransaction {
  /** Stays the same while it is open. */
  readonly id: string
  /** Null for a prepared transaction. */
  readonly processId: number | null
}

// CREATE, REINDEX and DROP INDEX CONCURRENTLY first lock the table, and wait for stronger locks at that point. For
// these locks they wait after their first step, which cannot be reverted.
const locks = {
  writers: ['RowExclusiveLock'],
  everyone: ['AccessShareLock', 'RowShareLock', 'RowExclusiveLock'],
} as const

/** The transactions that a statement waits for. DROP INDEX CONCURRENTLY waits for all that use the table. */
export type WaitsFor = keyof typeof locks

/** Reads the transactions that a concurrent statement on an index of a table would wait for now. */
export function readOpenTransactions(
  session: Session,
  table: number,
  waitsFor: WaitsFor,
): Promise<readonly OpenTransaction[]> {
  const modes = locks[waitsFor].map((mode) => `'${mode}'`)
  return session.ask(`
    select coalesce(json_agg(json_build_object('id', concat_ws(' ', pid, virtualtransaction), 'processId', pid)), '[]') as state
    from (
      select distinct l.pid, l.virtualtransaction from pg_catalog.pg_locks l
      where l.relation = ${table} and l.granted and l.pid is distinct from pg_backend_pid()
        and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
        and l.mode in (${modes.join(', ')})
    ) as holder`)
}
