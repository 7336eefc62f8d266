import Knex from 'knex'

import { clientOf } from './knex-inside.ts'
import { sessionOf, type Session } from './session.ts'

/** A database that stands in for another one. */
export interface Replica {
  readonly session: Session
  close(): Promise<void>
}

/** Connects to another database with the same configuration as a session. */
export function openReplica(session: Session, connection: Knex.Knex.Config): Replica {
  // The search path is set later, when the schemas of the other database exist.
  const { searchPath: _searchPath, ...config } = clientOf(session.knex).config
  const knex = Knex({ ...config, ...connection })
  return { session: sessionOf(knex), close: () => knex.destroy() }
}
