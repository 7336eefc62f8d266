import { identityOf } from '../database/knex-inside.ts'
import type { Database } from '../database/session.ts'

// The key is the configuration, which a Knex instance shares with its transactions.
const schemas = new WeakMap<object, string>()

/** Remembers the extension's schema, so that later code can build qualified names without a query. */
export function rememberSchema(db: Database, schema: string | null): void {
  if (schema === null) schemas.delete(identityOf(db))
  else schemas.set(identityOf(db), schema)
}

/** The schema in which the extension was last found through this Knex configuration, by its identity; null for nowhere. */
export function knownSchema(identity: object): string | null {
  return schemas.get(identity) ?? null
}
