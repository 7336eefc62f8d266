import Knex, { type Knex as KnexInstance } from 'knex'

/** A Knex that makes statements and has no server to send them to. */
export function unconnected(): KnexInstance {
  return Knex({ client: 'pg' })
}
