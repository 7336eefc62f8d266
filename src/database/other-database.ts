import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { clientOf } from './knex-inside.ts'
import type { Session } from './session.ts'

type Settings = Readonly<Record<string, unknown>>

/**
 * Returns a connection like that of a session, but to another database of its server.
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS if its configuration is a text that is not a URL.
 */
export function connectionToDatabase({ knex }: Session, database: string): NonNullable<Knex.Config['connection']> {
  const { connection } = clientOf(knex).config
  if (typeof connection === 'function') {
    const provide = connection as () => unknown
    return async () => inDatabase(await provide(), database) as Knex.StaticConnectionConfig
  }
  return inDatabase(connection, database)
}

function inDatabase(connection: unknown, database: string): string | Settings {
  if (typeof connection === 'string') return urlTo(connection, database)
  // Knex hides the password from a copy.
  const { connectionString, password, ...others } = (connection ?? {}) as Settings
  const settings = password === undefined ? others : { ...others, password }
  // pg prefers what the URL names.
  if (typeof connectionString === 'string') {
    return { ...settings, connectionString: urlTo(connectionString, database) }
  }
  return { ...settings, database }
}

function urlTo(text: string, database: string): string {
  if (!URL.canParse(text)) {
    const problem = 'connection: must be a URL or an object, so that it can name another database'
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems: [problem] })
  }
  const url = new URL(text)
  url.pathname = `/${encodeURIComponent(database)}`
  return url.href
}
