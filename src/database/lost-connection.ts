import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { millisecondsText } from '../core/time-text.ts'
import { connectDeadline, discardedFor, isDiscarded, type Connection, type KnexClient } from './knex-inside.ts'
import { serverMessage } from './server-message.ts'
import { sqlState } from './sqlstate.ts'
import type { Terms } from './terms.ts'

/** Reports whether a connection is lost from now on. */
export interface ConnectionWatch {
  /** Aborts as soon as the connection reports that it has ended. */
  readonly lost: AbortSignal
  readonly stop: () => void
}

/** Detects the loss of a connection by its events, even while nothing is sent on it. */
export function watchConnection(connection: Connection): ConnectionWatch {
  const controller = new AbortController()
  const onLoss = (): void => controller.abort()
  connection.on?.('end', onLoss)
  connection.on?.('error', onLoss)
  return {
    lost: controller.signal,
    stop: () => {
      connection.removeListener?.('end', onLoss)
      connection.removeListener?.('error', onLoss)
    },
  }
}

/** Takes a connection out of Knex's pool. After the signal aborts, it waits only briefly. */
export async function acquire(client: KnexClient, { signal, deadlines }: Terms): Promise<Connection> {
  try {
    const acquiring = client.acquireConnection()
    return await (signal === undefined ? acquiring : acquiredInTime(client, acquiring, signal, deadlines.close))
  } catch (error) {
    throw explainFailedConnect(error, client)
  }
}

async function acquiredInTime(
  client: KnexClient,
  acquiring: Promise<Connection>,
  signal: AbortSignal,
  milliseconds: number,
): Promise<Connection> {
  const over = new AbortController()
  try {
    const connection = await Promise.race([acquiring, stopped(signal, milliseconds, over.signal)])
    if (connection !== null) return connection
  } finally {
    over.abort()
  }
  void acquiring.then((late) => client.releaseConnection(late)).catch(() => undefined)
  throw notReady(client, 'it was not ready when the work was stopped')
}

async function stopped(signal: AbortSignal, milliseconds: number, over: AbortSignal): Promise<null> {
  try {
    if (!signal.aborted) await once(signal, 'abort', { signal: over })
    await sleep(milliseconds, undefined, { signal: over })
  } catch {
    // The connection became available first.
  }
  return null
}

/**
 * Turns the error of a connection that was lost before it was ready into CONNECTION_LOST. Knex reports the same timeout
 * if all connections of the pool are in use; that error passes unchanged.
 */
export function explainFailedConnect(error: unknown, client: KnexClient): unknown {
  const isTimeout = isError(error) && error.name === 'KnexTimeoutError'
  // Knex's message is about a full pool, so it is not used as a cause.
  return isTimeout && (client.pool?.used.length ?? 0) === 0
    ? notReady(client, `no answer within ${millisecondsText(connectDeadline(client))}`)
    : explainLoss(error)
}

function notReady(client: KnexClient, reason: string): PgvectorMigrationError {
  return new PgvectorMigrationError('CONNECTION_LOST', { processId: null, reason, address: addressOf(client) })
}

function addressOf({ connectionSettings: { host, port } = {} }: KnexClient): string {
  if (host === undefined || host === '') return 'the server'
  return port === undefined || host.startsWith('/') ? host : `${host}:${port}`
}

// By shape, because in another realm, such as jest's, it is not an instance of our Error.
function isError(error: unknown): error is Error {
  return typeof error === 'object' && error !== null && 'message' in error
}

/** PostgreSQL's errors when it ends a session. It closes the connection after them. */
const ENDINGS: ReadonlySet<string> = new Set([
  sqlState.adminShutdown,
  sqlState.crashShutdown,
  sqlState.idleSessionTimeout,
  sqlState.idleInTransactionSessionTimeout,
  sqlState.transactionTimeout,
])

/** Node's errors for an open socket. The same codes for a failed connect are handled elsewhere. */
const SOCKET_CODE = /^(E(CONNRESET|CONNABORTED|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETDOWN|NETRESET)|ERR_STREAM_.*)$/

// node-postgres gives these errors no code.
const DRIVER_MESSAGE =
  /^(Connection terminated( unexpectedly)?|Client has encountered a connection error and is not queryable|Client was closed and is not queryable|This socket has been ended by the other party)$/

// Knex's message for a statement in a transaction whose connection has ended, and for one after a commit.
const COMPLETED = /^Transaction query already complete\b/

/**
 * Turns any error that reports the end of an open connection into CONNECTION_LOST; other errors pass unchanged. The
 * message contains no statement, neither ours nor the caller's.
 */
export function explainLoss(error: unknown, connection?: Connection): unknown {
  if (!isError(error) || isPgvectorMigrationError(error)) return error
  const known = connection === undefined ? null : discardedFor(connection)
  const isEnded = connection !== undefined && isDiscarded(connection)
  const reason = isEnded && COMPLETED.test(error.message) ? 'its transaction ended with it' : reasonOf(error)
  if (reason === null) return error
  // Our own reason for closing it is more precise than the driver's.
  const details = isPgvectorMigrationError(known, 'CONNECTION_LOST')
    ? known.details
    : { processId: connection?.processID ?? null, reason }
  return new PgvectorMigrationError('CONNECTION_LOST', details, { cause: error })
}

function reasonOf(error: Error): string | null {
  const said = serverMessage(error)
  const state = sqlStateOf(error)
  if (state !== undefined) {
    const isFatal = state.startsWith('08') && (error as { readonly severity?: unknown }).severity === 'FATAL'
    return isFatal || ENDINGS.has(state) ? `${said} (${state})` : null
  }
  const { code, syscall } = error as NodeJS.ErrnoException
  const isSocket = SOCKET_CODE.test(code ?? '') && syscall !== 'connect'
  return isSocket || DRIVER_MESSAGE.test(said) ? said : null
}
