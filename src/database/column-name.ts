import { clientOf } from './knex-inside.ts'
import type { Session } from './session.ts'

/** The name in the database of a column as the application writes it: what the configuration's wrapIdentifier makes of it. */
export function databaseName({ knex }: Pick<Session, 'knex'>, name: string): string {
  const { wrapIdentifier } = clientOf(knex).config
  return wrapIdentifier === undefined ? name : wrapIdentifier(name, (value) => value, {})
}
