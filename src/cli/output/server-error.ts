import { isPgvectorMigrationError, sqlStateOf } from '../../core/errors.ts'
import { serverMessage, statementOf } from '../../database/server-message.ts'
import { hanging } from './hanging.ts'
import { showStatement } from './statement.ts'

/** The fields of a database error that are worth printing (node-postgres's DatabaseError, and PGlite's). */
export interface ServerError {
  readonly code: string
  readonly message: string
  readonly detail?: string | undefined
  readonly hint?: string | undefined
  readonly schema?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
  readonly constraint?: string | undefined
  readonly where?: string | undefined
  /** What was sent, and the place in it, counted in characters from 1. */
  readonly statement?: string | undefined
  readonly position?: number | undefined
}

/** Returns the fields of a server's error, or null if it is not one. */
export function serverErrorOf(error: unknown): ServerError | null {
  const code = sqlStateOf(error)
  if (code === undefined) return null
  const said = error as Readonly<Record<string, string | undefined>>
  const statement = statementOf(error as object)
  const position = Number(said['position'])
  return {
    code,
    message: serverMessage(error),
    detail: said['detail'],
    hint: said['hint'],
    schema: said['schema'],
    table: said['table'],
    column: said['column'],
    constraint: said['constraint'],
    where: said['where'],
    statement,
    position: position >= 1 ? position : undefined,
  }
}

const named = ['detail', 'hint', 'schema', 'table', 'column', 'constraint', 'where'] as const

/** Returns an error of the server in lines, with the position in the statement marked. */
export function describeServerError(error: ServerError): string[] {
  const fields = named.flatMap((name) => {
    const value = error[name]
    return value === undefined || value === '' ? [] : hanging(`${name}: ${value}`)
  })
  return [...hanging(error.message, ` (${error.code})`), ...fields, ...showStatement(error)]
}

/** Describes an error of the operating system, such as of the network or the disk. Null for any other error. */
export function describeSystemError(error: unknown): string | null {
  if (!(error instanceof Error) || isPgvectorMigrationError(error)) return null
  if (!isConnectionError(error)) return 'syscall' in error ? error.message : null
  // Node tries every address of a host, and reports an error for each.
  const attempts = error instanceof AggregateError ? (error.errors as readonly Error[]) : [error]
  return `No connection to the server: ${attempts.map(({ message }) => message).join('; ')}`
}

/** Whether the server could not be reached, or the connection failed before the first PostgreSQL message. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  return syscall === 'connect' || CONNECTION_CODE.test(String(code)) || CONNECTION_MESSAGE.test(error.message)
}

const CONNECTION_CODE =
  /^(ECONN|ENOTFOUND$|ETIMEDOUT$|EHOSTUNREACH$|ENETUNREACH$|EAI_|EPIPE$|CERT_|DEPTH_|SELF_|UNABLE_TO_|ERR_TLS_|ERR_SSL_)/

// These errors of node-postgres and Knex have no code.
const CONNECTION_MESSAGE =
  /^(Connection terminated|SASL: |The server does not support SSL|There was an error establishing an SSL|timeout expired|timeout exceeded when trying to connect|Knex: Timeout acquiring)/
