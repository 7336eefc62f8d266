import { isPgvectorMigrationError } from '../core/errors.ts'
import { discard, type Connection, type KnexClient, type QueryResult } from './knex-inside.ts'
import { explainCitus } from './citus-errors.ts'
import { explainLoss } from './lost-connection.ts'
import { rememberMessage } from './server-message.ts'

/**
 * Marks our queries in Knex's events, so that a plan can leave out what only reads. It is a registered symbol, because
 * a migration may use another copy of this package.
 */
export const ASKS = Symbol.for('knex-pgvector.asks')

/** The purpose of a message. */
export interface MessageOptions {
  readonly bindings?: readonly unknown[]
  /** Whether the message, or its last statement, changes nothing and can be left out of a plan. */
  readonly isQuestion?: boolean | 'last'
  /** Belongs to the control of a transaction, like Knex's own BEGIN and COMMIT. */
  readonly isControl?: boolean
}

let messages = 0

/**
 * Sends one message on a connection and returns the answer to each of its statements.
 *
 * It bypasses Knex's raw API, which rewrites question marks and puts the statement in front of the server's message.
 * Listeners to Knex's events still receive it.
 *
 * @throws {PgvectorMigrationError} CONNECTION_LOST.
 */
export async function sendMessage(
  client: KnexClient,
  connection: Connection,
  sql: string,
  options: MessageOptions = {},
): Promise<readonly QueryResult[]> {
  const { bindings = [], isQuestion = false } = options
  const { response } = await reported(client, connection, sql, options, () =>
    query(client, connection, { sql, bindings }, isQuestion === true),
  )
  return Array.isArray(response) ? (response as readonly QueryResult[]) : [response as QueryResult]
}

/**
 * Reports a message to the listeners of Knex's events, and explains its failure.
 *
 * @throws {PgvectorMigrationError} CONNECTION_LOST.
 */
export async function reported<Answer extends { readonly response: unknown }>(
  client: KnexClient,
  connection: Connection,
  sql: string,
  { bindings = [], isQuestion = false, isControl = false }: MessageOptions,
  send: () => Promise<Answer>,
): Promise<Answer> {
  const { __knexUid, __knexTxId } = connection as { readonly __knexUid?: string; readonly __knexTxId?: string }
  const event = {
    sql,
    __knexUid,
    __knexTxId,
    __knexQueryUid: `knex-pgvector-${++messages}`,
    // Knex gives no bindings to its own transaction statements.
    ...(isControl ? {} : { bindings }),
    ...(isQuestion === false ? {} : { queryContext: { [ASKS]: isQuestion } }),
  }
  client.emit('query', event)
  try {
    const answer = await send()
    client.emit('query-response', answer.response, event)
    return answer
  } catch (error) {
    rememberMessage(error, sql)
    client.emit('query-error', error, event)
    const explained = explainCitus(explainLoss(error, connection))
    // Its socket may close a moment later, and the pool would give it to the next query.
    if (isPgvectorMigrationError(explained, 'CONNECTION_LOST')) discard(connection, explained)
    throw explained
  }
}

let isQuestionUnderway = false

// Knex's client passes the message to the connection before it returns, so this is true exactly then.
function query(
  client: KnexClient,
  connection: Connection,
  message: Parameters<KnexClient['_query']>[1],
  isQuestion: boolean,
): ReturnType<KnexClient['_query']> {
  isQuestionUnderway = isQuestion
  try {
    return client._query(connection, message)
  } finally {
    isQuestionUnderway = false
  }
}

/** Whether a connection is being given one of our queries at this moment, for an observer in front of it. */
export function isSendingQuestion(): boolean {
  return isQuestionUnderway
}
