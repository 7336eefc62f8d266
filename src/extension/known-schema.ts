import { identityOf } from '../database/knex-inside.ts'
import type { Database } from '../database/session.ts'

// By the configuration, which a Knex instance shares with its transactions.
const schemas = new WeakMap<object, string>()

/** Keeps where the extension was found to be, for what is made of names later without asking. */
export function rememberSchema(db: Database, schema: string | null): void {
  if (schema === null) schemas.delete(identityOf(db))
  else schemas.set(identityOf(db), schema)
}

/** The schema in which ensurePgvector last found the extension through this Knex configuration; null where it did not run. */
export function knownSchema(db: Database): string | null {
  return schemas.get(identityOf(db)) ?? null
}
