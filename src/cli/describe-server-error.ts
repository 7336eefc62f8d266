import { isPgvectorMigrationError, sqlStateOf } from '../errors.ts'
import { serverMessage } from '../sqlstate.ts'

/** The fields of a database error that help a person (node-postgres's DatabaseError, and PGlite's). */
interface ServerError {
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  readonly where?: string
  readonly table?: string
  readonly constraint?: string
  readonly position?: string
}

/** PostgreSQL's own words, with the place in the statement marked; null for what is no error of a server. */
export function describeServerError(error: unknown): string[] | null {
  const code = sqlStateOf(error)
  if (code === undefined) return describeConnectionError(error)
  const said = error as ServerError
  const fields = [
    ['detail', said.detail],
    ['hint', said.hint],
    ['table', said.table],
    ['constraint', said.constraint],
    ['where', said.where],
  ] as const
  return [
    `${serverMessage(error)} (${code})`,
    ...fields.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`${name}: ${value}`])),
    ...markPlace(said),
  ]
}

const CONNECTION_ERROR = /^(ECONN(REFUSED|RESET)|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|EAI_AGAIN|EPIPE)$/

function describeConnectionError(error: unknown): string[] | null {
  if (!(error instanceof Error) || isPgvectorMigrationError(error)) return null
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && CONNECTION_ERROR.test(code))
    return [`No connection to the server: ${error.message || code}`]
  return null
}

// Knex puts the statement before the server's message; the position counts characters of that statement.
function markPlace(error: ServerError): string[] {
  const position = Number(error.position)
  const statement = error.message.slice(0, -(serverMessage(error).length + ' - '.length))
  if (!Number.isInteger(position) || position < 1 || position > statement.length) return []
  const before = statement.slice(0, position - 1).split('\n')
  const line = statement.split('\n')[before.length - 1] ?? ''
  const column = before.at(-1)?.length ?? 0
  return [line, `${' '.repeat(column)}^`]
}
