import type { Connection, KnexClient, QueryResult } from './knex-inside.ts'
import { explainLoss } from './lost-connection.ts'
import { rememberMessage } from './server-message.ts'

/**
 * Marks our questions in Knex's events, so that a plan can leave out what only reads. A registered symbol: a migration may
 * use another copy of this package.
 */
export const ASKS = Symbol.for('knex-pgvector.asks')

/** What a message is for. */
export interface MessageOptions {
  readonly bindings?: readonly unknown[]
  /** It changes nothing, or its last statement does not, so a plan need not show that. */
  readonly isQuestion?: boolean | 'last'
  /** Belongs to the frame of a transaction, as Knex's own BEGIN and COMMIT do. */
  readonly isControl?: boolean
}

let messages = 0

/**
 * Sends one message on a connection and returns the answer to each of its statements.
 *
 * It goes past Knex's raw API, which rewrites question marks and puts the statement before what the server says, and is
 * told to everyone who listens to Knex's events.
 *
 * @throws {PgvectorMigrationError} CONNECTION_LOST.
 */
export async function sendMessage(
  client: KnexClient,
  connection: Connection,
  sql: string,
  { bindings = [], isQuestion = false, isControl = false }: MessageOptions = {},
): Promise<readonly QueryResult[]> {
  const { __knexUid, __knexTxId } = connection as { readonly __knexUid?: string; readonly __knexTxId?: string }
  const event = {
    sql,
    __knexUid,
    __knexTxId,
    __knexQueryUid: `knex-pgvector-${++messages}`,
    // Knex gives no bindings to its own statements around a transaction.
    ...(isControl ? {} : { bindings }),
    ...(isQuestion === false ? {} : { queryContext: { [ASKS]: isQuestion } }),
  }
  client.emit('query', event)
  try {
    const { response } = await query(client, connection, { sql, bindings }, isQuestion === true)
    client.emit('query-response', response, event)
    return Array.isArray(response) ? (response as readonly QueryResult[]) : [response as QueryResult]
  } catch (error) {
    rememberMessage(error, sql)
    client.emit('query-error', error, event)
    throw explainLoss(error, connection)
  }
}

let isQuestionUnderway = false

// Knex's client hands the message to the connection before it returns, so this is true just then.
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

/** Whether what a connection is being handed right now is a question of ours, for one that stands before it. */
export function isSendingQuestion(): boolean {
  return isQuestionUnderway
}
