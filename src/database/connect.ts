import Knex from 'knex'

import { sessionOf, type Database, type Session } from './session.ts'

/** A session, and whether this library opened its connections. */
export interface Connected {
  readonly session: Session
  /** Closes the connections, where this library opened them. */
  readonly close: () => Promise<void>
}

/** Makes a session of a Knex instance, or of a configuration for one. */
export function connectTo(knexOrConfig: Database | Knex.Knex.Config): Connected {
  if (typeof knexOrConfig === 'function') {
    return { session: sessionOf(knexOrConfig), close: () => Promise.resolve() }
  }
  const knex = Knex(knexOrConfig)
  return { session: sessionOf(knex), close: () => knex.destroy() }
}
