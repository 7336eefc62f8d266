import { randomInt } from 'node:crypto'

import Knex from 'knex'

import { schemaList } from '../core/sql.ts'
import type { ConnectionLimit } from './connection-limit.ts'
import type { Connected } from './connect.ts'
import { clientOf, type Connection, type KnexClient } from './knex-inside.ts'
import { effectOf } from './leftovers.ts'
import { sendMessage } from './messages.ts'
import { sessionOf } from './session.ts'
import type { SharedConnections } from './shared-connections.ts'
import { assertConfig } from './supported.ts'

/** How the connections of a tenant differ from those of its configuration. */
export interface TenantConnections {
  /** Replaces the search path of the configuration; null for the default of the role. */
  readonly searchPath: readonly string[] | null
  readonly limit: ConnectionLimit
  /** Connections to share with other tenants; by default it opens its own. */
  readonly shared?: Sharing | undefined
}

/** How connections are shared. */
export interface Sharing {
  readonly connections: SharedConnections
  /** The same for tenants that connect in the same way. */
  readonly settings: unknown
  /** A query whether sessions of the database can hold something that cleaning does not undo. */
  readonly keepsState: string
}

/** A Knex instance of a tenant. */
export interface ConnectedTenant extends Connected {
  /** Lets the next tenant use its connections after they were cleaned, instead of closing them. */
  readonly passOn: () => void
}

/**
 * Opens a Knex instance for one tenant. It uses one connection, and a second one only for code that works in a
 * transaction and outside of it at the same time. Everything else is as configured, `pool.afterCreate` included.
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE
 */
export function openTenantKnex(config: Knex.Knex.Config, connections: TenantConnections): ConnectedTenant {
  assertConfig(config)
  const { searchPath } = connections
  const { searchPath: _, ...others } = config
  const knex = Knex({
    ...others,
    ...(searchPath === null ? {} : { searchPath }),
    pool: { ...config.pool, min: 0, max: MOST_CONNECTIONS },
  })
  const session = sessionOf(knex)
  const { passOn, endAll } = limitConnections(clientOf(knex), connections)
  return {
    session,
    passOn,
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

interface Limited {
  readonly passOn: () => void
  /** Closes the connections that the pool has lost, as Knex's does if pool.afterCreate fails. */
  readonly endAll: () => Promise<void>
}

function limitConnections(client: KnexClient, { searchPath, limit, shared }: TenantConnections): Limited {
  const { acquireRawConnection, destroyRawConnection } = client as RawConnections
  const open = new Set<Connection>()
  let isPassedOn = false
  let addsCode = false
  let isLasting = false
  if (shared !== undefined) {
    client.on('query', (query) => {
      const effect = effectOf(String((query as { readonly sql?: unknown }).sql))
      addsCode ||= effect.addsCode
      isLasting ||= effect.isLasting
    })
  }
  const close = (connection: Connection): Promise<void> => destroyRawConnection.call(client, connection)
  const end = async (connection: Connection): Promise<void> => {
    if (!open.delete(connection)) return
    const isKept = await keep(connection)
    if (isKept) return
    try {
      await close(connection)
    } finally {
      limit.give()
    }
  }
  const keep = async (connection: Connection): Promise<boolean> => {
    if (shared === undefined || !isPassedOn || isLasting) return false
    const { connections, settings, keepsState } = shared
    return connections.keep(client, connection, { settings, keepsState, addsCode, end: () => close(connection) })
  }
  const reuse = async (): Promise<Connection | null> => {
    const connection = shared?.connections.take(shared.settings)
    if (connection === undefined) return null
    open.add(connection)
    try {
      // DISCARD ALL keeps a seed that a tenant has set.
      const seed = `select pg_catalog.setseed(${randomInt(-SEEDS, SEEDS) / SEEDS})`
      await sendMessage(client, connection, [seed, ...settingPath(searchPath)].join(';\n'))
      return connection
    } catch {
      open.delete(connection)
      await close(connection).catch(() => undefined)
      limit.give()
      return reuse()
    }
  }
  const overridden: RawConnections = {
    acquireRawConnection: async () => {
      const reused = await reuse()
      if (reused !== null) return reused
      await shared?.connections.makeRoom()
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
      const set = settingPath(searchPath)
      if (set.length === 0) return
      const answers = await sendMessage(client, connection, [...set, ROLE].join(';\n'))
      // DISCARD ALL gives up a role that belongs to the connection.
      if (answers.at(-1)?.rows[0]?.['role'] === 'none') shared?.connections.opened(connection)
    },
  }
  Object.assign(client, overridden)
  return {
    passOn: () => {
      isPassedOn = true
    },
    endAll: async () => {
      await Promise.all(Array.from(open, (connection) => end(connection).catch(() => undefined)))
    },
  }
}

const SEEDS = 2 ** 46
const ROLE = `select pg_catalog.current_setting('role') as role`

function settingPath(searchPath: readonly string[] | null): readonly string[] {
  return searchPath === null ? [] : [`set search_path to ${schemaList(searchPath)}`]
}
