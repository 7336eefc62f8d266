import { identityOf } from '../database/knex-inside.ts'
import type { Database } from '../database/session.ts'

// The key is the configuration, which a Knex instance shares with its transactions.
const schemas = new WeakMap<object, string>()

/** Remembers the extension's schema, so that later code can build qualified names without a query. */
export function rememberSchema(db: Database, schema: string | null): void {
  if (schema === null) schemas.delete(identityOf(db))
  else schemas.set(identityOf(db), schema)
}

/**
 * Returns the schema in which ensurePgvector last found the extension with this Knex configuration; null if it has not
 * run.
 */
export function knownSchema(db: Database): string | null {
  return schemas.get(identityOf(db)) ?? null
}
