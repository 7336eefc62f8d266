import Knex from 'knex'

import type { Deadlines } from './deadlines.ts'
import { clientOf } from './knex-inside.ts'

/** Opens a Knex instance with one connection to the same database as another instance. */
export function openSideKnex(knex: Knex.Knex, { connect }: Pick<Deadlines, 'connect'>): Knex.Knex {
  const { config, version } = clientOf(knex)
  return Knex({
    ...config,
    // Knex asks every server for its version if it does not know it.
    ...(version === undefined ? {} : { version }),
    acquireConnectionTimeout: Math.min(connect, config.acquireConnectionTimeout ?? connect),
    pool: { min: 0, max: 1 },
  })
}
