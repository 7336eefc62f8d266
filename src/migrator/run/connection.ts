import { explainLoss } from '../../database/lost-connection.ts'
import type { Backend } from '../../database/liveness.ts'
import { STARTED_AT } from '../../database/look.ts'
import { canCheckConnectionSql } from '../../database/server-facts.ts'
import { preferHeld, type PreferringSession } from '../../database/prefer-held.ts'
import type { HeldConnection, Session } from '../../database/session.ts'
import { watchTransaction, type EarlyEnd, type TransactionWatch } from '../../database/transaction-watch.ts'

/** What is asked of the connection that a run works on. */
export interface ConnectionFacts {
  readonly processId: number
  readonly startedAt: string | null
  /** Whether its server can check while it works that this process is still there. */
  readonly canCheck: boolean
}

/** The query's column for {@link ConnectionFacts}. PostgreSQL 13 and some platforms of a server cannot check. */
export const connectionSql = `json_build_object('processId', pg_backend_pid(), 'startedAt', ${STARTED_AT},
  'canCheck', ${canCheckConnectionSql})`

/** The connection that a run works on. */
export interface RunConnection {
  /** On that connection. */
  readonly session: Session
  /** For migrations outside a transaction, and for hooks: on that connection, or on another one while it is in use. */
  readonly outside: () => Session
  /** The backends that work for the run now, as far as they are known. */
  backends(): readonly Backend[]
  /** How the transaction that is open now, or was last, ended before the run ended it; null where the run did. */
  earlyEnd(): EarlyEnd | null
  /** An error of the user's code: CONNECTION_LOST where it comes from the loss of a connection. */
  explain(error: unknown): unknown
  /** Runs in a transaction on it. The server ends it soon after this process dies, also in the middle of a statement. */
  transaction<Result>(work: (trx: Session) => Promise<Result>, options?: RunTransaction): Promise<Result>
}

/** How a transaction of a run begins and ends. */
export interface RunTransaction {
  readonly begin?: readonly string[]
  readonly rollBack?: boolean
}

/**
 * What stands behind a connection: a backend of its own, one of a pooler for each transaction, or the only one there is,
 * as in the embedded database.
 */
export type Topology = 'direct' | 'pooled' | 'single'

/**
 * Makes the connection of a run. Behind a pooler each transaction is asked for its backend as it begins, and that of a
 * statement outside a transaction is not known.
 */
export function runConnection(
  session: Session,
  held: HeldConnection,
  facts: ConnectionFacts,
  { topology, lost }: { readonly topology: Topology; readonly lost: AbortSignal },
): RunConnection {
  let preferring: PreferringSession | undefined
  let current: Backend | undefined
  let watch: TransactionWatch | undefined
  const own: Backend = { processId: facts.processId, startedAt: facts.startedAt, hangUp: held.hangUp }
  if (topology === 'direct') held.identify(facts)
  const prefer = (): PreferringSession => (preferring ??= preferHeld(session, held, lost))
  const outside = (): readonly Backend[] =>
    (preferring?.inUse() ?? []).flatMap(({ isHeld, processId, hangUp }) => {
      // What was lost cannot be cancelled.
      if (isHeld) return lost.aborted ? [] : own
      return processId === null ? [] : { processId, startedAt: null, hangUp }
    })
  return {
    session: held.session,
    outside: () => prefer().session,
    backends: () => {
      if (topology === 'single' || (topology === 'direct' && current !== undefined && lost.aborted)) return []
      if (current !== undefined) return [current]
      return topology === 'direct' ? outside() : []
    },
    explain: (error) => explainLoss(error, held.connection),
    earlyEnd: () => watch?.earlyEnd() ?? null,
    transaction: async (work, { begin = [], rollBack = false } = {}) => {
      const checks = facts.canCheck ? ['set local client_connection_check_interval = 1000'] : []
      const asks = topology !== 'pooled' ? [] : [`select pg_catalog.pg_backend_pid() as pid, ${STARTED_AT} as started`]
      const { isInTransaction } = held.session
      watch = undefined
      try {
        return await held.session.transaction(
          async (trx) => {
            current ??= own
            // A savepoint takes the place of BEGIN.
            if (isInTransaction) await trx.send([...checks, ...begin])
            watch = watchTransaction(held.connection)
            return work(trx).finally(watch.stop)
          },
          {
            rollBack,
            begin: [...checks, ...begin, ...asks],
            onBegin: (answers) => {
              const { pid, started } = (topology === 'pooled' ? answers.at(-1)?.rows[0] : undefined) ?? {}
              if (typeof pid === 'number') current = { processId: pid, startedAt: String(started), hangUp: held.hangUp }
            },
          },
        )
      } finally {
        current = undefined
      }
    },
  }
}
