import { errorMessage } from '../../core/errors.ts'
import { observe, type Observer } from '../../database/observe.ts'
import type { Session } from '../../database/session.ts'
import { refuseToEndTransaction } from '../../sql-text/transaction-guard.ts'
import { SAVEPOINT, withoutOurs } from './answers.ts'
import { watchLocks, type TakenLock } from './locks.ts'

/** A statement that a migration sent; several, if it sent them in one round trip. */
export interface RehearsedStatement {
  readonly sql: string
  readonly milliseconds: number
  /** How many rows it changed or returned; null if it does neither. */
  readonly rows: number | null
  /** The locks that it took first. Locks that an earlier statement took are not repeated. */
  readonly locks: readonly TakenLock[]
  /** The server's message, if it failed. */
  readonly error?: string
}

/** Receives every statement of a transaction, including those in its savepoints. */
export interface Recorder {
  /** Starts the list of a migration. Earlier statements are not recorded. */
  begin(migration: string): RehearsedStatement[]
  end(): void
  /** The milliseconds spent on queries about locks. */
  overhead(): number
  /** Restores the connection. */
  stop(): void
}

/** Records what is sent on the connection of a transaction, with the locks that each statement took first. */
export async function recordStatements(trx: Session, withLocks: boolean): Promise<Recorder> {
  const newLocks = withLocks ? await watchLocks(trx) : () => Promise.resolve([])
  let current: { readonly migration: string; readonly statements: RehearsedStatement[] } | undefined
  const around = new Set<string>()
  let isFirst = true
  let overhead = 0

  const observed: Observer = async (sql, send) => {
    // Records only what the migration sends, and not what the runner adds around it.
    const { migration, statements } = current ?? {}
    if (migration === undefined || statements === undefined) {
      // What the runner has sent before takes the same locks again.
      if (!SAVEPOINT.test(sql) && !around.has(sql)) isFirst = true
      around.add(sql)
      return send()
    }
    refuseToEndTransaction(sql, migration)
    // Locks that the runner has taken so far are not the migration's.
    if (isFirst) await newLocks()
    isFirst = false
    const started = performance.now()
    const elapsed = (): number => performance.now() - started
    const answered = await send().catch((error: unknown) => {
      statements.push({ sql, milliseconds: elapsed(), rows: null, locks: [], error: errorMessage(error) })
      throw error
    })
    const milliseconds = elapsed()
    const locks = await newLocks()
    overhead += elapsed() - milliseconds
    const own = withoutOurs(sql, answered)
    if (own !== null) statements.push({ ...own, milliseconds, locks })
    return answered
  }
  const stop = await observe(trx, observed, (sql) => {
    if (current !== undefined) refuseToEndTransaction(sql, current.migration)
  })

  return {
    begin: (migration) => {
      current = { migration, statements: [] }
      return current.statements
    },
    end: () => {
      current = undefined
    },
    overhead: () => overhead,
    stop,
  }
}
