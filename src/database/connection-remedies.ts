import { sqlStateOf } from '../core/errors.ts'
import { serverMessage } from './server-message.ts'

/** Why a connection fails, by the code of the error: PostgreSQL's or Node's. */
const remedies = {
  '08': 'Check what stands between here and the server: a firewall, a proxy, a pooler.',
  '28': 'Correct the user or the password of the connection; pg_hba.conf on the server says who may connect, and how.',
  '3D': 'Create the database: createdb NAME. Or correct its name in the connection.',
  '53300':
    'The server has no connection left: close some, or raise max_connections or the CONNECTION LIMIT of the role.',
  '57P': 'The server is starting or stopping: look at its log, then run this again.',
  ECONNREFUSED: 'Start the server, or correct host and port of the connection.',
  ENOTFOUND: 'Correct the host name of the connection.',
  EAI_AGAIN: 'The name could not be looked up: check the network, then run this again.',
  ETIMEDOUT: 'No answer: check host, port and firewall.',
  EHOSTUNREACH: 'There is no way to that host: check the network and the firewall.',
  ECONNRESET: 'The other side hung up: check that the port is a PostgreSQL server, and whether it demands SSL.',
  ENOENT: 'There is no such socket: start the server, or correct the host of the connection.',
} as const

const certificate = 'Give the certificate authority of the server in the connection: ssl: { ca }.'
const others: readonly (readonly [said: RegExp, next: string])[] = [
  [/permission denied for database/, 'Have it granted: GRANT CONNECT ON DATABASE your_database TO your_role;'],
  [/self[- ]signed certificate|unable to (get|verify).*certificate|certificate has expired/i, certificate],
  [/does not support SSL/i, 'Leave ssl out of the connection, or enable ssl on the server.'],
  [/password must be a string|no password/i, 'The server asks for a password: give one in the connection.'],
  [/Timeout acquiring a connection|timeout expired/i, 'No answer in time: check host, port, firewall and the pool.'],
  [/Connection terminated/i, 'The other side hung up: look at the log of the server.'],
]

/** What to do about a connection that failed; null where the error is about something else. */
export function connectionRemedy(error: Error): string | null {
  const state = sqlStateOf(error)
  const code = nodeCodeOf(error)
  const byCode = Object.entries(remedies).find(([key]) => (state === undefined ? key === code : state.startsWith(key)))
  const remedy = byCode?.[1] ?? others.find(([said]) => said.test(error.message))?.[1] ?? null
  const [, missing = ''] = state?.startsWith('3D') === true ? (/"([A-Za-z0-9_]+)"/.exec(error.message) ?? []) : []
  return missing === '' ? remedy : (remedy?.replace('NAME', missing) ?? null)
}

/** Why there is no connection, for people, in one clause. */
export function connectionProblem(error: Error): string {
  // Node tries every address of a name, and its own message is then empty.
  const tried = error instanceof AggregateError ? error.errors.map((each) => (each as Error).message) : []
  return error.message === '' ? tried.join(', ') || nodeCodeOf(error) : serverMessage(error).trim()
}

function nodeCodeOf(error: Error): string {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
