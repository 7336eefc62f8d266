import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'

/**
 * Refuses what is no Knex instance of PostgreSQL before anything is sent to it.
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE
 */
export function assertPostgres(knex: Knex): void {
  assertKnex(knex)
  if (dialectOf(knex) !== 'postgresql') throw notPostgres(knex)
  if (clientNameOf(knex) === NATIVE) throw nativeClient()
}

/** The same of a configuration, from which Knex would load the driver. */
export function assertConfig(config: Knex.Config): void {
  assertKnex(config)
  if (config.client === NATIVE) throw nativeClient()
  if (typeof config.client === 'string' && OTHERS.test(config.client)) throw reachedWith(config.client)
}

// Knex would ask for a driver that is of no use here.
const OTHERS = /^(better-sqlite3|cockroachdb|mssql|mysql|mysql2|oracledb|redshift|sqlite|sqlite3)$/

/** The refusal of what Knex reaches, and of what does not answer as PostgreSQL does. */
export function notPostgres(knex: Knex): PgvectorMigrationError {
  return reachedWith(dialectOf(knex) ?? 'unknown')
}

function reachedWith(client: string): PgvectorMigrationError {
  const database = `something that Knex reaches with its ${client} client`
  return new PgvectorMigrationError('UNSUPPORTED_DATABASE', { database })
}

const NATIVE = 'pgnative'

// Its connections have no socket that could be watched or closed, so a lost one would never be noticed.
function nativeClient(): PgvectorMigrationError {
  const database = `a connection of Knex's ${NATIVE} client, which cannot be watched or cancelled`
  return new PgvectorMigrationError('UNSUPPORTED_DATABASE', { database })
}

// AdonisJS Lucid wraps Knex; its migrations and its db.connection() hand out the wrapper.
function assertKnex(given: unknown): void {
  const { getWriteClient } = (given ?? {}) as { readonly getWriteClient?: unknown }
  if (typeof getWriteClient !== 'function') return
  const hint =
    "Pass the Knex instance inside it: db.connection().getWriteClient(), or this.db.getWriteClient() in Lucid's migrations."
  throw new PgvectorMigrationError(
    'UNSUPPORTED_DATABASE',
    { database: "Lucid's client around a Knex instance" },
    { hint },
  )
}

// JavaScript callers pass anything, so nothing is taken for granted here.
function dialectOf(knex: Partial<Knex> | null | undefined): string | undefined {
  const client = knex?.client as { readonly dialect?: unknown } | undefined
  return typeof client?.dialect === 'string' ? client.dialect : undefined
}

function clientNameOf(knex: Knex): unknown {
  return (knex.client as { readonly driverName?: unknown }).driverName
}
