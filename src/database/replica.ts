import Knex from 'knex'

import { clientOf } from './knex-inside.ts'
import { sessionOf, type Session } from './session.ts'

/** A database that stands for another one. */
export interface Replica {
  readonly session: Session
  close(): Promise<void>
}

/** Connects as a session does, with everything that its configuration says, to another database. */
export function openReplica(session: Session, connection: Knex.Knex.Config): Replica {
  // The search path of the other database is set later, when its schemas are there.
  const { searchPath: _searchPath, ...config } = clientOf(session.knex).config
  const knex = Knex({ ...config, ...connection })
  return { session: sessionOf(knex), close: () => knex.destroy() }
}
