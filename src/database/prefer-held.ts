import { PgvectorMigrationError } from '../core/errors.ts'
import { clientOf, hangUp, isDiscarded, type Connection, type KnexClient } from './knex-inside.ts'
import { sendMessage } from './messages.ts'
import { sessionOf, type HeldConnection, type Session } from './session.ts'
import { watchAnswers } from './watch-answers.ts'

/** A session that works on a held connection while that is free, and on others of the pool otherwise. */
export interface PreferringSession {
  readonly session: Session
  /** The connections that are in use through it now. */
  inUse(): readonly UsedConnection[]
}

/** A connection that is in use. */
export interface UsedConnection {
  /** Whether it is the one that is held. */
  readonly isHeld: boolean
  /** The backend PID that it was told. */
  readonly processId: number | null
  readonly hangUp: (reason: unknown) => void
}

const HAS_ENDED = 'it has ended, and with it the lock on migrations'

const FORWARDED = ['start', 'query', 'query-error', 'query-response'] as const

/**
 * Makes a session for code that may need a second connection, as one that opens a transaction while it queries the Knex
 * instance around it.
 *
 * The first use of another connection is preceded by statements of the caller.
 *
 * Its Knex instance is a clone, as stock Knex's migrator hands to migrations; only where it takes its connections from
 * is changed. What it reports reaches the listeners of the original too.
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
        // What keeps it from being sent is no reason not to work.
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
