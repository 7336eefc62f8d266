import Knex from 'knex'

import { schemaList } from '../core/sql.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import type { Connected } from './connect.ts'
import { clientOf, type Connection, type KnexClient } from './knex-inside.ts'
import { sendMessage } from './messages.ts'
import { sessionOf } from './session.ts'
import { assertConfig } from './supported.ts'

/** How the connections of a tenant differ from those of its configuration. */
export interface TenantConnections {
  /** Replaces the search path of the configuration; null for the default of the role. */
  readonly searchPath: readonly string[] | null
  readonly limit: ConnectionLimit
}

/**
 * Opens a Knex instance for one tenant. It uses one connection, and a second one only for code that works in a
 * transaction and outside of it at the same time. Everything else is as configured, `pool.afterCreate` included.
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE
 */
export function openTenantKnex(config: Knex.Knex.Config, { searchPath, limit }: TenantConnections): Connected {
  assertConfig(config)
  const { searchPath: _, ...others } = config
  const knex = Knex({
    ...others,
    ...(searchPath === null ? {} : { searchPath }),
    pool: { ...config.pool, min: 0, max: MOST_CONNECTIONS },
  })
  const session = sessionOf(knex)
  const endAll = limitConnections(clientOf(knex), searchPath, limit)
  return {
    session,
    close: async () => {
      await knex.destroy()
      await endAll()
    },
  }
}

const MOST_CONNECTIONS = 2

type RawConnections = Required<
  Pick<KnexClient, 'acquireRawConnection' | 'destroyRawConnection' | 'setSchemaSearchPath'>
>

// Returns a function that closes the connections that the pool has lost, as Knex's does if pool.afterCreate fails.
function limitConnections(
  client: KnexClient,
  searchPath: TenantConnections['searchPath'],
  limit: ConnectionLimit,
): () => Promise<void> {
  const { acquireRawConnection, destroyRawConnection } = client as RawConnections
  const open = new Set<Connection>()
  const end = async (connection: Connection): Promise<void> => {
    if (!open.delete(connection)) return
    try {
      await destroyRawConnection.call(client, connection)
    } finally {
      limit.give()
    }
  }
  const overridden: RawConnections = {
    acquireRawConnection: async () => {
      await limit.take()
      try {
        const connection = await acquireRawConnection.call(client)
        open.add(connection)
        return connection
      } catch (error) {
        limit.give()
        throw error
      }
    },
    destroyRawConnection: end,
    // Older releases of Knex do not escape the quotes in a schema's name.
    setSchemaSearchPath: async (connection) => {
      if (searchPath === null) return
      await sendMessage(client, connection, `set search_path to ${schemaList(searchPath)}`)
    },
  }
  Object.assign(client, overridden)
  return async () => {
    await Promise.all(Array.from(open, (connection) => end(connection).catch(() => undefined)))
  }
}
