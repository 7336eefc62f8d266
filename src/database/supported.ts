import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'

/**
 * Refuses anything that is not a Knex instance of PostgreSQL, before anything is sent to it.
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE
 */
export function assertPostgres(knex: Knex): void {
  assertKnex(knex)
  if (dialectOf(knex) !== 'postgresql') throw notPostgres(knex)
  if (clientNameOf(knex) === NATIVE) throw nativeClient()
}

/** Refuses a configuration in the same way, before Knex loads its driver. */
export function assertConfig(config: Knex.Config): void {
  assertKnex(config)
  if (config.client === NATIVE) throw nativeClient()
  if (typeof config.client === 'string' && OTHERS.test(config.client)) throw reachedWith(config.client)
}

// Knex would require a driver that is of no use here.
const OTHERS = /^(better-sqlite3|cockroachdb|mssql|mysql|mysql2|oracledb|redshift|sqlite|sqlite3)$/

/** Returns the error for a database that is not PostgreSQL, or does not answer like it. */
export function notPostgres(knex: Knex): PgvectorMigrationError {
  return reachedWith(dialectOf(knex) ?? 'unknown')
}

function reachedWith(client: string): PgvectorMigrationError {
  const database = `something that Knex reaches with its ${client} client`
  return new PgvectorMigrationError('UNSUPPORTED_DATABASE', { database })
}

const NATIVE = 'pgnative'

// Its connections have no socket that can be watched or closed, so a lost connection would never be noticed.
function nativeClient(): PgvectorMigrationError {
  const database = `a connection of Knex's ${NATIVE} client, which cannot be watched or cancelled`
  return new PgvectorMigrationError('UNSUPPORTED_DATABASE', { database })
}

// AdonisJS Lucid wraps Knex. Its migrations and its db.connection() return the wrapper.
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

// JavaScript callers can pass any value, so nothing is assumed here.
function dialectOf(knex: Partial<Knex> | null | undefined): string | undefined {
  const client = knex?.client as { readonly dialect?: unknown } | undefined
  return typeof client?.dialect === 'string' ? client.dialect : undefined
}

function clientNameOf(knex: Knex): unknown {
  return (knex.client as { readonly driverName?: unknown }).driverName
}
