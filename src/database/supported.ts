import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'

/** Refuses a Knex instance of another database before anything is sent to it. */
export function assertPostgres(knex: Knex): void {
  if (dialectOf(knex) !== 'postgresql') throw notPostgres(knex)
}

/** The refusal of what Knex reaches, and of what does not answer as PostgreSQL does. */
export function notPostgres(knex: Knex): PgvectorMigrationError {
  const database = `something that Knex reaches with its ${dialectOf(knex) ?? 'unknown'} client`
  return new PgvectorMigrationError('UNSUPPORTED_DATABASE', { database })
}

// JavaScript callers pass anything, so nothing is taken for granted here.
function dialectOf(knex: Partial<Knex> | null | undefined): string | undefined {
  const client = knex?.client as { readonly dialect?: unknown } | undefined
  return typeof client?.dialect === 'string' ? client.dialect : undefined
}
