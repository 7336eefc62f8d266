import { isPgvectorMigrationError, PgvectorMigrationError, sqlStateOf } from '../core/errors.ts'
import { isDiscarded, type Connection } from './knex-inside.ts'
import { serverMessage } from './server-message.ts'
import { sqlState } from './sqlstate.ts'

/** Whether a connection was lost, from now on. */
export interface ConnectionWatch {
  /** Aborted as soon as the connection reports that it has ended. */
  readonly lost: AbortSignal
  readonly stop: () => void
}

/** Notices the loss of a connection by its events, also while nothing is sent on it. */
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

/** What PostgreSQL says when it ends a session; the connection is closed behind it. */
const ENDINGS: ReadonlySet<string> = new Set([
  sqlState.adminShutdown,
  sqlState.crashShutdown,
  sqlState.idleSessionTimeout,
  sqlState.idleInTransactionSessionTimeout,
  sqlState.transactionTimeout,
])

/** What Node says of a socket that was open: to connect fails with the same codes, and is another matter. */
const SOCKET_CODE = /^(E(CONNRESET|CONNABORTED|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETDOWN|NETRESET)|ERR_STREAM_.*)$/

// node-postgres gives these no code.
const DRIVER_MESSAGE =
  /^(Connection terminated( unexpectedly)?|Client has encountered a connection error and is not queryable|Client was closed and is not queryable|This socket has been ended by the other party)$/

// Knex says so of what is sent in a transaction whose connection has ended, and of what is sent after a commit.
const COMPLETED = /^Transaction query already complete\b/

/**
 * Makes an error that says that an open connection has ended CONNECTION_LOST, in whichever form it came; any other passes
 * untouched. The message has no statement in it, neither ours nor the caller's.
 */
export function explainLoss(error: unknown, connection?: Connection): unknown {
  if (!(error instanceof Error) || isPgvectorMigrationError(error)) return error
  const isEnded = connection !== undefined && isDiscarded(connection)
  const reason = isEnded && COMPLETED.test(error.message) ? 'its transaction ended with it' : reasonOf(error)
  if (reason === null) return error
  const details = { processId: connection?.processID ?? null, reason }
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
