import Knex from 'knex'

import type { Deadlines } from './deadlines.ts'
import { clientOf } from './knex-inside.ts'

/** A Knex instance with one connection to the same database, beside those of another instance. */
export function openSideKnex(knex: Knex.Knex, { connect }: Pick<Deadlines, 'connect'>): Knex.Knex {
  const { config, version } = clientOf(knex)
  return Knex({
    ...config,
    // Knex asks every server whose version it does not know.
    ...(version === undefined ? {} : { version }),
    acquireConnectionTimeout: Math.min(connect, config.acquireConnectionTimeout ?? connect),
    pool: { min: 0, max: 1 },
  })
}
