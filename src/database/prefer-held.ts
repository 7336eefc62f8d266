import { PgvectorMigrationError } from '../core/errors.ts'
import { clientOf, hangUp, isDiscarded, type Connection, type KnexClient } from './knex-inside.ts'
import { sendMessage } from './messages.ts'
import { sessionOf, type HeldConnection, type Session } from './session.ts'
import { watchAnswers } from './watch-answers.ts'

/** A session that uses a held connection while it is free, and other connections of the pool otherwise. */
export interface PreferringSession {
  readonly session: Session
  /** Returns the connections that are currently in use through it. */
  inUse(): readonly UsedConnection[]
}

/** A connection that is in use. */
export interface UsedConnection {
  /** Whether it is the held connection. */
  readonly isHeld: boolean
  /** The backend PID that the server reported. */
  readonly processId: number | null
  readonly hangUp: (reason: unknown) => void
}

const HAS_ENDED = 'it has ended, and with it the lock on migrations'

const FORWARDED = ['start', 'query', 'query-error', 'query-response'] as const

/**
 * Creates a session for code that may need a second connection, such as code that opens a transaction while it queries
 * the Knex instance around it.
 *
 * The caller's statements precede the first use of another connection.
 *
 * Its Knex instance is a clone, like the one that stock Knex's migrator passes to migrations. Only the source of its
 * connections is changed. Its events reach the listeners of the original, too.
 */
export function preferHeld(
  session: Session,
  { connection }: HeldConnection,
  lost: AbortSignal,
  first: readonly string[] = [],
): PreferringSession {
  const usedConnection = (used: Connection): UsedConnection => ({
    isHeld: used === connection,
    processId: used.processID ?? null,
    hangUp: (reason) => hangUp(used, reason),
  })
  if (session.isInTransaction) return { session, inUse: () => [usedConnection(connection)] }
  const original = clientOf(session.knex)
  const knex = session.knex.withUserParams((session.knex as { userParams?: object }).userParams ?? {})
  const client = clientOf(knex)
  // The clone has copied the listeners of the original, which would be called twice.
  client.removeAllListeners()
  knex.removeAllListeners()
  for (const event of FORWARDED) {
    client.on(event, (...args) => {
      knex.emit(event, ...args)
      original.emit(event, ...args)
    })
  }
  const used = new Set<Connection>()
  const watches = new WeakMap<Connection, () => void>()
  const introduced = new WeakSet<Connection>()
  const overridden: Pick<KnexClient, 'config' | 'acquireConnection' | 'releaseConnection'> = {
    config: original.config,
    acquireConnection: async () => {
      // What the connection held is gone with it, and so is the right to work on another one.
      if (lost.aborted)
        throw new PgvectorMigrationError('CONNECTION_LOST', {
          processId: connection.processID ?? null,
          reason: HAS_ENDED,
        })
      const isFree = !used.has(connection) && !isDiscarded(connection)
      if (isFree) used.add(connection)
      const taken = isFree ? connection : await original.acquireConnection()
      used.add(taken)
      watches.set(taken, watchAnswers(session.knex, taken, session.terms))
      if (!isFree && !introduced.has(taken) && first.length > 0) {
        introduced.add(taken)
        // If it cannot be sent, the work continues anyway.
        await sendMessage(original, taken, first.join(';\n')).catch(() => undefined)
      }
      return taken
    },
    releaseConnection: async (released) => {
      used.delete(released)
      watches.get(released)?.()
      if (released !== connection) await original.releaseConnection(released)
    },
  }
  Object.assign(client, overridden)
  return { session: sessionOf(knex).withTerms(session.terms), inUse: () => Array.from(used, usedConnection) }
}
