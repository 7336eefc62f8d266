import { literal } from '../core/sql.ts'
import { connectionToDatabase } from '../database/other-database.ts'
import { sessionOf, type Database, type Session } from '../database/session.ts'
import type { Tenant } from './tenants.ts'

/**
 * The schemas whose names match a LIKE pattern, as tenants. They are read when a fleet runs, so new ones are included.
 *
 * @example schemasLike(knex, 'tenant\\_%')
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE
 */
export function schemasLike(knex: Database, pattern: string): AsyncIterable<Tenant> {
  const session = sessionOf(knex)
  return lazily(session, schemasSql(pattern), (schema) => ({ name: schema, schema }))
}

/**
 * The databases of a server whose names match a LIKE pattern, as tenants. Everything else about their connections is as
 * in the configuration of this Knex instance.
 *
 * @example databasesLike(knex, 'app\\_%')
 *
 * @throws {PgvectorMigrationError} UNSUPPORTED_DATABASE, or INVALID_OPTIONS if its connection is not a URL or an object.
 */
export function databasesLike(knex: Database, pattern: string): AsyncIterable<Tenant> {
  const session = sessionOf(knex)
  return lazily(session, databasesSql(pattern), (name) => ({ name, connection: connectionToDatabase(session, name) }))
}

function lazily(session: Session, query: string, tenantOf: (name: string) => Tenant): AsyncIterable<Tenant> {
  return {
    async *[Symbol.asyncIterator]() {
      for (const name of await session.ask<readonly string[]>(query)) yield tenantOf(name)
    },
  }
}

function schemasSql(pattern: string): string {
  return `select coalesce(json_agg(nspname order by nspname), '[]') as state from pg_catalog.pg_namespace
    where nspname like ${literal(pattern)} and nspname !~ '^pg_' and nspname <> 'information_schema'`
}

function databasesSql(pattern: string): string {
  return `select coalesce(json_agg(datname order by datname), '[]') as state from pg_catalog.pg_database
    where datname like ${literal(pattern)} and datallowconn and not datistemplate`
}
