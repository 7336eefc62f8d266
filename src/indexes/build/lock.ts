import type { Session } from '../../database/session.ts'

/** Allows one of our builds at a time on a table. */
export interface BuildLock {
  /** `taken`: we have it now, so what was read before may be outdated. `busy`: another run has it. */
  take(table: number): Promise<'held' | 'taken' | 'busy'>
  releaseAll(): Promise<void>
}

/**
 * An advisory lock of the session, which PostgreSQL releases when the process ends. It is polled, because a query that
 * waits for it holds a snapshot, and CREATE INDEX CONCURRENTLY waits for that snapshot.
 */
export function buildLock(db: Session): BuildLock {
  const held = new Set<number>()
  // A transaction that builds holds the lock on the table itself, and a session lock would outlive the transaction.
  if (db.isInTransaction) return { take: () => Promise.resolve('held'), releaseAll: () => Promise.resolve() }
  return {
    take: async (table) => {
      if (held.has(table)) return 'held'
      const taken = await db.ask<boolean>(`select to_json(pg_try_advisory_lock(${numberOf(table)})) as state`)
      if (!taken) return 'busy'
      held.add(table)
      return 'taken'
    },
    releaseAll: async () => {
      for (const table of held)
        await db.ask(`select to_json(pg_advisory_unlock(${numberOf(table)})) as state`).catch(() => undefined)
      held.clear()
    },
  }
}

function numberOf(table: number): string {
  return `hashtextextended('knex-pgvector index ' || ${table}, 0)`
}
