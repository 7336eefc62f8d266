import { sqlStateOf } from '../core/errors.ts'
import { serverMessage } from './server-message.ts'

/** Why a connection fails, by the code of PostgreSQL's or Node's error. */
const remedies = {
  '08': 'Check what is between this machine and the server: a firewall, a proxy, a pooler.',
  '28': 'Correct the user or the password of the connection; pg_hba.conf on the server defines who may connect, and how.',
  '3D': 'Create the database: createdb NAME. Or correct its name in the connection.',
  '53300':
    'The server has no connection left: close some, or raise max_connections or the CONNECTION LIMIT of the role.',
  '57P': 'The server is starting or stopping: check its log, then run this again.',
  ECONNREFUSED: 'Start the server, or correct host and port of the connection.',
  ENOTFOUND: 'Correct the host name of the connection.',
  EAI_AGAIN: 'The host name could not be resolved: check the network, then run this again.',
  ETIMEDOUT: 'No answer: check host, port and firewall.',
  EHOSTUNREACH: 'No route to that host: check the network and the firewall.',
  ECONNRESET:
    'The other side closed the connection: check that a PostgreSQL server uses the port, and whether it requires SSL.',
  ENOENT: 'The socket does not exist: start the server, or correct the host of the connection.',
} as const

const certificate = "Add the server's certificate authority to the connection: ssl: { ca }."
const others: readonly (readonly [said: RegExp, next: string])[] = [
  [
    /permission denied for database/,
    'As the owner or a superuser: GRANT CONNECT ON DATABASE your_database TO your_role;',
  ],
  [/self[- ]signed certificate|unable to (get|verify).*certificate|certificate has expired/i, certificate],
  [/does not support SSL/i, 'Remove ssl from the connection, or enable ssl on the server.'],
  [/password must be a string|no password/i, 'The server requires a password: add one to the connection.'],
  [/Timeout acquiring a connection|timeout expired/i, 'No answer in time: check host, port, firewall and the pool.'],
  [/Connection terminated/i, "The other side closed the connection: check the server's log."],
]

/** Returns what to do about a connection that failed, or null if the error has another cause. */
export function connectionRemedy(error: Error): string | null {
  const state = sqlStateOf(error)
  const code = nodeCodeOf(error)
  const byCode = Object.entries(remedies).find(([key]) => (state === undefined ? key === code : state.startsWith(key)))
  const remedy = byCode?.[1] ?? others.find(([said]) => said.test(error.message))?.[1] ?? null
  const [, missing = ''] = state?.startsWith('3D') === true ? (/"([A-Za-z0-9_]+)"/.exec(error.message) ?? []) : []
  return missing === '' ? remedy : (remedy?.replace('NAME', missing) ?? null)
}

/** Returns why there is no connection, in one clause. */
export function connectionProblem(error: Error): string {
  // Node tries every address of a host name, and its own message is then empty.
  const tried = error instanceof AggregateError ? error.errors.map((each) => (each as Error).message) : []
  return error.message === '' ? tried.join(', ') || nodeCodeOf(error) : serverMessage(error).trim()
}

function nodeCodeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
