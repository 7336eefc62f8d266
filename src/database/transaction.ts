import type { Knex } from 'knex'

import type { ReadOnly } from '../core/error-messages.ts'
import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { clientOf, type Connection, type KnexClient, type QueryResult } from './knex-inside.ts'
import { acquire, explainFailedConnect, explainLoss } from './lost-connection.ts'
import { sendMessage } from './messages.ts'
import { readOnlySql } from './read-only-sql.ts'
import type { Terms } from './terms.ts'
import { watchAnswers } from './watch-answers.ts'
import { sqlState } from './sqlstate.ts'

/** How a transaction begins. If one is already open, a savepoint replaces it and none of this applies. */
export interface TransactionOptions {
  /** Whether it may only read; default false. `as set`: if the session's transactions may, as on a standby. */
  readonly readOnly?: boolean | 'as set'
  /**
   * Whether only statements of ours are sent in it, one right after the other; default false. The server then ends it soon
   * after its client falls silent, so that its locks are released.
   */
  readonly isBrief?: boolean
  /** Rolls everything back at the end, even after a success; default false. */
  readonly rollBack?: boolean
  /** Statements to send in the message of BEGIN. */
  readonly begin?: readonly string[]
  /** Receives the answers to them. */
  readonly onBegin?: (answers: readonly QueryResult[]) => void
}

/** Where a transaction begins. */
export interface Surroundings {
  readonly knex: Knex
  /** The connection to begin it on; null for one of the pool, or that of the transaction that is already open. */
  readonly connection: Connection | null
  readonly terms: Terms
}

/** The parts of Knex's transaction that its types do not declare. */
interface KnexTransaction extends PromiseLike<unknown> {
  begin(connection: Connection): Promise<unknown>
  readonly trxClient: KnexClient
}

/**
 * Runs work in a transaction with explicit properties, whatever the defaults of the role or the database: READ
 * COMMITTED, read only or not, and, unless it is brief, not ended by the server while idle.
 *
 * A failure of the work is reported even if the rollback fails too, as on a lost connection.
 */
export async function inTransaction<Result>(
  { knex, connection, terms }: Surroundings,
  work: (trx: Knex.Transaction) => Promise<Result>,
  options: TransactionOptions,
): Promise<Result> {
  let failure: { readonly error: unknown } | null = null
  let success: { readonly result: Result } | null = null
  let used = connection ?? undefined
  let stopWatching: (() => void) | undefined
  const watch = (begun: Connection): void => {
    used = begun
    stopWatching = watchAnswers(knex, begun, terms)
  }
  const run = async (trx: Knex.Transaction): Promise<Result> => {
    try {
      const result = await work(trx)
      if (options.rollBack !== true) return result
      success = { result }
    } catch (error) {
      // Without a reason, Knex treats a transaction as rolled back on purpose, and that as a success.
      failure = { error: error ?? new Error('it was rejected without a reason') }
      throw failure.error
    }
    throw ROLLED_BACK
  }
  try {
    if (knex.isTransaction === true) {
      watch(await acquire(clientOf(knex), terms))
      return await knex.transaction(run)
    }
    const transaction = knex.transaction(run, connection === null ? {} : { connection })
    beginWith(transaction as unknown as KnexTransaction, options, terms, watch)
    return await transaction
  } catch (error) {
    // If the connection is lost, so is the transaction.
    if (success !== null) return (success as { readonly result: Result }).result
    throw (
      (failure as { readonly error: unknown } | null)?.error ??
      explainLoss(explainFailedConnect(error, clientOf(knex)), used)
    )
  } finally {
    stopWatching?.()
  }
}

/** The first statement of a message of several, which the server runs as one transaction if none is open. */
export const READ_COMMITTED = 'set transaction isolation level read committed'

const ROLLED_BACK = new Error('the transaction is rolled back on purpose')

// PgBouncer in statement mode gives every statement to a free backend, and ends a connection that begins a transaction.
function refusedByPooler(error: unknown): PgvectorMigrationError | null {
  const cause = isPgvectorMigrationError(error, 'CONNECTION_LOST') ? error.cause : error
  if (sqlStateOf(cause) !== sqlState.protocolViolation || !/statement pooling mode/.test(String(cause))) return null
  return new PgvectorMigrationError('SESSION_SHARED', { processes: [] }, { cause })
}

// A standby refuses a transaction that may write when it begins, as a feature that it does not have.
async function refusedByStandby(
  error: unknown,
  client: KnexClient,
  connection: Connection,
): Promise<PgvectorMigrationError | null> {
  if (sqlStateOf(error) !== sqlState.featureNotSupported) return null
  const [answer] = await sendMessage(client, connection, `select ${readOnlySql} as state`, { isQuestion: true })
  const readOnly = answer?.rows[0]?.['state'] as ReadOnly | null | undefined
  return readOnly ? new PgvectorMigrationError('READ_ONLY', readOnly, { cause: error }) : null
}

// Knex calls this once it has a connection, which is always asynchronous.
function beginWith(
  transaction: KnexTransaction,
  { readOnly = false, isBrief = false, begin = [], onBegin }: TransactionOptions,
  { deadlines }: Terms,
  watch: (connection: Connection) => void,
): void {
  const access = readOnly === 'as set' ? '' : readOnly ? ' read only' : ' read write'
  const mode = `begin isolation level read committed${access}`
  const idle = `set local idle_in_transaction_session_timeout = ${isBrief ? Math.ceil(deadlines.ask) : 0}`
  transaction.begin = async (connection) => {
    const { trxClient: client } = transaction
    watch(connection)
    try {
      const answers = await sendMessage(client, connection, [mode, idle, ...begin].join(';\n'), {
        isControl: true,
      })
      onBegin?.(answers.slice(2))
    } catch (error) {
      // The message failed after BEGIN, and the connection returns to the pool.
      await sendMessage(client, connection, 'rollback', { isControl: true }).catch(() => undefined)
      throw refusedByPooler(error) ?? (await refusedByStandby(error, client, connection)) ?? error
    }
  }
}
