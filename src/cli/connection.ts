import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import type { LoadedConfig } from './load-config.ts'

type Connection = NonNullable<Knex.Config['connection']>

/** An example of a valid connection. */
const URL_EXAMPLE = 'postgres://user@host/database'

/**
 * Returns the connection for Knex. Without one, pg would use its defaults, and Knex treats a text that is not a URL as a file
 * name. Both would migrate the server that happens to run on this machine. Not every command connects, so an invalid
 * connection fails only when it is used.
 */
export function connectionOf({ config, file, origin }: LoadedConfig): Connection {
  const { connection } = config
  if (origin === 'none') return failing(knexfileNotFound())
  const isText = typeof connection === 'string'
  if (isText && /^(postgres|postgresql|pg):/.test(connection) && URL.canParse(connection)) return connection
  if (origin !== 'knexfile') return failing(invalidUrl(origin))
  if (isText) {
    const hint = `Write it as a URL, like ${URL_EXAMPLE}, or as an object with host and database.`
    return failing(invalid(file, 'its connection is no URL like postgres://host/database', hint))
  }
  if (!('connection' in config)) {
    return failing(invalid(file, 'it has no connection', `Add connection: '${URL_EXAMPLE}'.`))
  }
  if (connection !== undefined && !isEmpty(connection)) return connection
  const hint =
    'If it comes from an environment variable, check its name and set it, or name a server with --database-url.'
  return failing(invalid(file, 'its connection is undefined', hint))
}

// Such as { connectionString: process.env.DATABASE_URL } without that variable.
function isEmpty(connection: Connection): boolean {
  if (typeof connection !== 'object') return false
  const { connectionString, host } = connection as Readonly<Record<string, unknown>>
  return 'connectionString' in connection && connectionString === undefined && host === undefined
}

/** Returns the error for a folder in which nothing names a server. */
export function knexfileNotFound(): PgvectorMigrationError {
  return new PgvectorMigrationError('KNEXFILE_NOT_FOUND', { folder: process.cwd() })
}

function failing(error: PgvectorMigrationError): Connection {
  return () => {
    throw error
  }
}

// The text itself may contain a password.
function invalidUrl(origin: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_OPTIONS', { problems: [`${origin}: must be a URL like ${URL_EXAMPLE}`] })
}

function invalid(file: string, problem: string, hint: string): PgvectorMigrationError {
  return new PgvectorMigrationError('INVALID_KNEXFILE', { file, problem }, { hint })
}

/** Returns why Knex refused a configuration. */
export function refusedConfig(file: string, error: unknown): PgvectorMigrationError {
  const said = error instanceof Error ? error.message : String(error)
  const driver = /npm install (\S+)/.exec(said)?.[1]
  const [problem, hint] =
    driver === undefined
      ? [said, "Set client: 'pg', and correct what the message names."]
      : [`the package ${driver} is not installed`, `Run: npm install ${driver}; then run the same command again.`]
  return new PgvectorMigrationError('INVALID_KNEXFILE', { file, problem }, { cause: error, hint })
}
