import { setTimeout as sleep } from 'node:timers/promises'

import { PgvectorMigrationError } from '../../core/errors.ts'
import { explainLoss } from '../../database/lost-connection.ts'
import type { Backend } from '../../database/liveness.ts'
import { STARTED_AT } from '../../database/look.ts'
import { canCheckConnectionSql } from '../../database/server-facts.ts'
import { preferHeld, type PreferringSession } from '../../database/prefer-held.ts'
import type { HeldConnection, Session } from '../../database/session.ts'
import { watchTransaction, type EarlyEnd, type TransactionWatch } from '../../database/transaction-watch.ts'

import type { NotedBackend } from './notes.ts'
import { heldRows } from '../lock/advisory-lock.ts'

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
  /** Whether a pooler stands before the server, and gives each transaction the backend that is free. */
  readonly isPooled: boolean
  /** The backend of its connection, for the notes of the run; none where it changes. */
  readonly noted: readonly NotedBackend[]
  /** Has every other connection that the run comes to use note its backend first. */
  noteOthers(statements: readonly string[]): void
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

/** What a connection of a run stands on. */
export interface RunConnectionOptions {
  readonly topology: Topology
  /** Aborted where the connection is lost. */
  readonly lost: AbortSignal
  /** The second lock, which each transaction behind a pooler takes: its number in SQL, and how long to wait for it. */
  readonly fence?: { readonly number: string; readonly milliseconds: number } | undefined
}

// Who holds the fence already is another run, whose own lock was lost while its transaction goes on.
function askBackend(fence: string | undefined): string {
  const by =
    fence === undefined
      ? 'null'
      : `case when not pg_catalog.pg_try_advisory_xact_lock(${fence}) then
          (select pg_catalog.array_agg(pid) from ${heldRows(fence)}) end`
  return `select pg_catalog.pg_backend_pid() as pid, ${STARTED_AT} as started, ${by} as by`
}

/**
 * Makes the connection of a run. Behind a pooler each transaction is asked for its backend as it begins, and that of a
 * statement outside a transaction is not known.
 */
export function runConnection(
  session: Session,
  held: HeldConnection,
  facts: ConnectionFacts,
  { topology, lost, fence }: RunConnectionOptions,
): RunConnection {
  let preferring: PreferringSession | undefined
  let current: Backend | undefined
  let watch: TransactionWatch | undefined
  const own: Backend = { processId: facts.processId, startedAt: facts.startedAt, hangUp: held.hangUp }
  if (topology === 'direct') held.identify(facts)
  let first: readonly string[] = []
  const prefer = (): PreferringSession => (preferring ??= preferHeld(session, held, lost, first))
  const outside = (): readonly Backend[] =>
    (preferring?.inUse() ?? []).flatMap(({ isHeld, processId, hangUp }) => {
      // What was lost cannot be cancelled.
      if (isHeld) return lost.aborted ? [] : own
      return processId === null ? [] : { processId, startedAt: null, hangUp }
    })
  let fencedBy: readonly number[] = []
  const noteBackend = ({ pid, started, by }: Readonly<Record<string, unknown>>): void => {
    if (typeof pid === 'number') current = { processId: pid, startedAt: String(started), hangUp: held.hangUp }
    fencedBy = Array.isArray(by) ? (by as readonly number[]) : []
  }
  const attemptTransaction = async <Result>(
    work: (trx: Session) => Promise<Result>,
    { begin = [], rollBack = false }: RunTransaction,
  ): Promise<{ readonly result: Result }> => {
    const checks = facts.canCheck ? ['set local client_connection_check_interval = 1000'] : []
    const asks = topology === 'pooled' ? [askBackend(fence?.number)] : []
    const { isInTransaction } = held.session
    watch = undefined
    fencedBy = []
    try {
      const result = await held.session.transaction(
        async (trx) => {
          if (fencedBy.length > 0) throw NOT_FENCED
          current ??= own
          // A savepoint takes the place of BEGIN.
          if (isInTransaction) await trx.send([...checks, ...begin])
          watch = watchTransaction(held.connection)
          return work(trx).finally(watch.stop)
        },
        {
          rollBack,
          begin: [...checks, ...begin, ...asks],
          onBegin: (answers) => noteBackend(topology === 'pooled' ? (answers.at(-1)?.rows[0] ?? {}) : {}),
        },
      )
      return { result }
    } finally {
      current = undefined
    }
  }
  return {
    session: held.session,
    isPooled: topology === 'pooled',
    noted: topology === 'direct' ? [{ processId: own.processId, startedAt: own.startedAt }] : [],
    noteOthers: (statements) => {
      first = statements
    },
    outside: () => prefer().session,
    backends: () => {
      if (topology === 'single' || (topology === 'direct' && current !== undefined && lost.aborted)) return []
      if (current !== undefined) return [current]
      return topology === 'direct' ? outside() : []
    },
    explain: (error) => explainLoss(error, held.connection),
    earlyEnd: () => watch?.earlyEnd() ?? null,
    transaction: async (work, options = {}) => {
      for (const deadline = Date.now() + (fence?.milliseconds ?? 0); ; await sleep(POLL_MILLISECONDS)) {
        const attempt = await attemptTransaction(work, options).catch((error: unknown) => {
          if (error === NOT_FENCED && Date.now() < deadline) return null
          throw error === NOT_FENCED ? notFenced(fence?.milliseconds ?? 0, fencedBy) : error
        })
        if (attempt !== null) return attempt.result
      }
    },
  }
}

const POLL_MILLISECONDS = 100
const NOT_FENCED = new Error('another transaction of a run is at work')

function notFenced(milliseconds: number, backends: readonly number[]): PgvectorMigrationError {
  return new PgvectorMigrationError('MIGRATIONS_LOCKED', { holder: null, milliseconds, backends })
}
