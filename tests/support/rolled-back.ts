import type { Knex } from 'knex'

/** Runs in a transaction that is rolled back: what belongs to the whole server, such as a role, is seen by nobody else. */
export async function rolledBack<Result>(knex: Knex, run: (trx: Knex.Transaction) => Promise<Result>): Promise<Result> {
  const trx = await knex.transaction()
  try {
    return await run(trx)
  } finally {
    await trx.rollback()
  }
}
