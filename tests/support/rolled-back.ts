import type { Knex } from 'knex'

/** Runs in a transaction that is rolled back: what belongs to the whole server, such as a role, is seen by nobody else. */
export async function rolledBack(knex: Knex, run: (trx: Knex.Transaction) => Promise<void>): Promise<void> {
  const trx = await knex.transaction()
  try {
    await run(trx)
  } finally {
    await trx.rollback()
  }
}
