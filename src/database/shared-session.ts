import Knex from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { ask, type Database } from './queryable.ts'

// A pooler that is busy may give the same process back by chance; a few looks leave little of that.
const LOOKS = 3

/**
 * Refuses a connection whose statements come to one process of the server and then to another, as a pooler in
 * transaction mode has it: settings and locks would be left behind on a process that others go on to use.
 *
 * It only asks. Where a second connection gets the process that this one had, or this one gets another, they are shared.
 *
 * @param first The process that answered on this connection before.
 */
export async function assertSameProcess(bound: Database, first: number): Promise<void> {
  const { config } = bound.client as { readonly config: Knex.Knex.Config }
  const side = Knex({ ...config, pool: { min: 0, max: 1 } })
  try {
    for (let looks = 0; looks < LOOKS; looks++) {
      refuseOther(first, await processOf(bound))
      // What the other connection has stays with it until its transaction ends.
      await side.transaction(async (trx) => {
        if ((await processOf(trx)) === first) throw shared([first])
        refuseOther(first, await processOf(bound))
      })
    }
  } finally {
    await side.destroy()
  }
}

function refuseOther(first: number, now: number): void {
  if (now !== first) throw shared([first, now])
}

function shared(processes: readonly number[]): PgvectorMigrationError {
  return new PgvectorMigrationError('SESSION_SHARED', { processes })
}

function processOf(db: Database): Promise<number> {
  return ask(db, 'select to_json(pg_backend_pid()) as state')
}
