import type { Knex } from 'knex'

import { clientOf } from './knex-inside.ts'

const SEPARATOR = ' - '

/** The statement that caused an error, and the text that therefore precedes the server's message. */
interface Sent {
  readonly statement: string
  readonly prefix: string
}

const sent = new WeakMap<object, Sent>()
const watched = new WeakSet<object>()

/** Remembers our message that caused an error. Nothing precedes the server's message then. */
export function rememberMessage(error: unknown, statement: string): void {
  if (typeof error === 'object' && error !== null) sent.set(error, { statement, prefix: '' })
}

/** Remembers the statement of every error that a Knex instance reports from now on, for {@link serverMessage}. */
export function rememberStatements(knex: Knex): void {
  const client = clientOf(knex)
  if (watched.has(client)) return
  watched.add(client)
  knex.on('query-error', (error: unknown, { sql }: { readonly sql: string }) => {
    if (typeof error !== 'object' || error === null || sent.has(error)) return
    sent.set(error, { statement: sql, prefix: `${sql}${SEPARATOR}` })
  })
}

/** Returns the statement that caused an error, if known. */
export function statementOf(error: object): string | undefined {
  return sent.get(error)?.statement
}

/** Returns the server's message, without the statement that Knex puts in front of it. */
export function serverMessage(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('message' in error)) return ''
  const message = String(error.message)
  const prefix = sent.get(error)?.prefix
  if (prefix !== undefined && message.startsWith(prefix)) return message.slice(prefix.length)
  // The error comes from a Knex instance that is not observed.
  const at = message.lastIndexOf(SEPARATOR)
  return at === -1 ? message : message.slice(at + SEPARATOR.length)
}

/** Returns host and port of the Citus node that an error comes from; null if it is this server's own. */
export function nodeOf(error: unknown): string | null {
  const { where } = (typeof error === 'object' && error !== null ? error : {}) as { readonly where?: unknown }
  return typeof where === 'string' ? (/while executing command on (\S+:\d+)/.exec(where)?.[1] ?? null) : null
}
