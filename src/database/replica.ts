import Knex from 'knex'

import { clientOf } from './knex-inside.ts'
import { sessionOf, type Session } from './session.ts'
import { watchClient, type BuilderWatch, type ClientClass } from './watch-builders.ts'

/** A database that stands in for another one. */
export interface Replica {
  readonly session: Session
  readonly watch: BuilderWatch
  close(): Promise<void>
}

/** Connects to another database with the same configuration as a session. */
export function openReplica(session: Session, connection: Knex.Knex.Config): Replica {
  // The search path is set later, when the schemas of the other database exist.
  const { searchPath: _searchPath, ...config } = clientOf(session.knex).config
  // Without a connection it has no pool, and nothing to close.
  const { client, watch } = watchClient(clientOf(Knex({ client: 'pg' })).constructor as ClientClass)
  const knex = Knex({ ...config, ...connection, client: client as unknown as typeof Knex.Client })
  return { session: sessionOf(knex), watch, close: () => knex.destroy() }
}
