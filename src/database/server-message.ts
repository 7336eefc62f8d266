import type { Knex } from 'knex'

import { clientOf } from './knex-inside.ts'

const SEPARATOR = ' - '

/** The statement that an error belongs to, and what stands before the server's message because of it. */
interface Sent {
  readonly statement: string
  readonly prefix: string
}

const sent = new WeakMap<object, Sent>()
const watched = new WeakSet<object>()

/** Notes the message of ours that failed with an error: nothing stands before what the server said. */
export function rememberMessage(error: unknown, statement: string): void {
  if (typeof error === 'object' && error !== null) sent.set(error, { statement, prefix: '' })
}

/** Notes the statement of every error that a Knex instance reports from now on, for {@link serverMessage}. */
export function rememberStatements(knex: Knex): void {
  const client = clientOf(knex)
  if (watched.has(client)) return
  watched.add(client)
  knex.on('query-error', (error: unknown, { sql }: { readonly sql: string }) => {
    if (typeof error !== 'object' || error === null || sent.has(error)) return
    sent.set(error, { statement: sql, prefix: `${sql}${SEPARATOR}` })
  })
}

/** The statement that failed with an error, where it is known. */
export function statementOf(error: object): string | undefined {
  return sent.get(error)?.statement
}

/** What the server said, without the statement that Knex puts before it. */
export function serverMessage(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return ''
  const message = String(error.message)
  const prefix = sent.get(error)?.prefix
  if (prefix !== undefined && message.startsWith(prefix)) return message.slice(prefix.length)
  // An error of a Knex instance that we do not know.
  const at = message.lastIndexOf(SEPARATOR)
  return at === -1 ? message : message.slice(at + SEPARATOR.length)
}
