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
import { assertPlaced, placing, type Place } from '../place.ts'

/** What is read about the connection of a run. */
export interface ConnectionFacts {
  readonly processId: number
  readonly startedAt: string | null
  /** Whether its server can check, during a statement, that this process is still there. */
  readonly canCheck: boolean
}

/** The query column for {@link ConnectionFacts}. PostgreSQL 13 and some server platforms cannot check. */
export const connectionSql = `json_build_object('processId', pg_backend_pid(), 'startedAt', ${STARTED_AT},
  'canCheck', ${canCheckConnectionSql})`

/** The connection of a run. */
export interface RunConnection {
  /** The session on that connection. */
  readonly session: Session
  /** For migrations outside a transaction, and for hooks: that connection, or another one while it is in use. */
  readonly outside: () => Session
  /** Whether there is a pooler in front of the server that assigns each transaction a free backend. */
  readonly isPooled: boolean
  /** The backend of its connection, for the record of the run; none if the backend changes. */
  readonly noted: readonly NotedBackend[]
  /** Makes every other connection of the run record its backend before its first use. */
  noteOthers(statements: readonly string[]): void
  /** The backends that currently work for the run, as far as they are known. */
  backends(): readonly Backend[]
  /** How the current or most recent transaction ended if the run did not end it; null if the run did. */
  earlyEnd(): EarlyEnd | null
  /** Explains an error of the user's code: CONNECTION_LOST if a lost connection caused it. */
  explain(error: unknown): unknown
  /**
   * Runs work in a transaction on it. The server ends it soon after this process ends, even in the middle of a
   * statement.
   */
  transaction<Result>(work: (trx: Session) => Promise<Result>, options?: RunTransaction): Promise<Result>
}

/** How a transaction of a run begins and ends. */
export interface RunTransaction {
  readonly begin?: readonly string[]
  readonly rollBack?: boolean
}

/**
 * The backend behind a connection: its own one, a pooler's for each transaction, or the only one there is, as in the
 * embedded database.
 */
export type Topology = 'direct' | 'pooled' | 'single'

/** Options of the connection of a run. */
export interface RunConnectionOptions {
  readonly topology: Topology
  /** Aborts when the connection is lost. */
  readonly lost: AbortSignal
  /** The schema that its migrations work in; null or undefined if the connection determines it. */
  readonly place?: Place | null | undefined
  /** The second lock, which each transaction behind a pooler takes: SQL for its number, and how long to wait for it. */
  readonly fence?: { readonly number: string; readonly milliseconds: number } | undefined
}

// If another run holds the fence, that run has lost its own lock while its transaction continues.
function askBackend(fence: string | undefined): string {
  const by =
    fence === undefined
      ? 'null'
      : `case when not pg_catalog.pg_try_advisory_xact_lock(${fence}) then
          (select pg_catalog.array_agg(pid) from ${heldRows(fence)}) end`
  return `select pg_catalog.pg_backend_pid() as pid, ${STARTED_AT} as started, ${by} as by`
}

/**
 * Creates the connection of a run. Behind a pooler, each transaction reads its backend as it begins. The backend of a
 * statement outside a transaction is unknown.
 */
export function runConnection(
  session: Session,
  held: HeldConnection,
  facts: ConnectionFacts,
  { topology, lost, place = null, fence }: RunConnectionOptions,
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
      // A lost backend cannot be cancelled.
      if (isHeld) return lost.aborted ? [] : own
      return processId === null ? [] : { processId, startedAt: null, hangUp }
    })
  let fencedBy: readonly number[] = []
  const noteBackend = ({ pid, started, by }: Readonly<Record<string, unknown>>): void => {
    if (typeof pid === 'number') {
      current = { processId: pid, startedAt: String(started), hangUp: held.hangUp }
      held.identify({ processId: pid, startedAt: String(started) })
    }
    fencedBy = Array.isArray(by) ? (by as readonly number[]) : []
  }
  const attemptTransaction = async <Result>(
    work: (trx: Session) => Promise<Result>,
    { begin = [], rollBack = false }: RunTransaction,
  ): Promise<{ readonly result: Result }> => {
    const checks = facts.canCheck ? ['set local client_connection_check_interval = 1000'] : []
    const asks = topology === 'pooled' ? [askBackend(fence?.number)] : []
    const { isInTransaction } = held.session
    const placed = place === null ? [] : placing(place, true)
    let schema: unknown
    watch = undefined
    fencedBy = []
    try {
      const result = await held.session.transaction(
        async (trx) => {
          if (fencedBy.length > 0) throw NOT_FENCED
          if (place !== null && !isInTransaction) assertPlaced(place, schema)
          current ??= own
          // A savepoint replaces BEGIN.
          if (isInTransaction) await trx.send([...checks, ...begin])
          watch = watchTransaction(held.connection)
          return work(trx).finally(watch.stop)
        },
        {
          rollBack,
          begin: [...checks, ...begin, ...placed, ...asks],
          onBegin: (answers) => {
            schema = answers.at(-1 - asks.length)?.rows[0]?.['schema']
            noteBackend(topology === 'pooled' ? (answers.at(-1)?.rows[0] ?? {}) : {})
          },
        },
      )
      return { result }
    } finally {
      current = undefined
      if (topology === 'pooled') held.identify({ processId: held.processId, startedAt: null })
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
