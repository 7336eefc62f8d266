import type { Session } from '../../database/session.ts'

/** One builder of ours at a time for a table. */
export interface BuildLock {
  /** `taken`: it is ours now, so what was seen before may be old. `busy`: another runner has it. */
  take(table: number): Promise<'held' | 'taken' | 'busy'>
  releaseAll(): Promise<void>
}

/**
 * An advisory lock of the session, which goes with it when its process dies. It is tried, never waited for in a query:
 * such a query holds a snapshot, on which CREATE INDEX CONCURRENTLY waits.
 */
export function buildLock(db: Session): BuildLock {
  const held = new Set<number>()
  // A transaction that builds has the table's own lock, and a lock of the session would outlive it.
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
