import type { Knex } from 'knex'

/** Asks again and again, the server resting in between, until the answer is yes. */
export async function until(knex: Knex, condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await knex.raw('select pg_sleep(0.02)')
}

/** Waits until a build has come to a phase, and returns the process that builds. */
export async function phaseReached(knex: Knex, phase: string, table = 'documents'): Promise<number> {
  let processId: number | undefined
  await until(knex, async () => {
    const { rows } = await knex.raw<{ rows: { pid: number; phase: string }[] }>(
      `select pid, phase from pg_stat_progress_create_index where relid = '${table}'::regclass`,
    )
    processId = rows.find((row) => row.phase.endsWith(phase))?.pid
    return processId !== undefined
  })
  return processId ?? 0
}

/** Transactions that keep a concurrent build in a phase until they are rolled back; null where it takes long itself. */
export const holders = {
  'waiting for writers before build': 'insert into documents (note) values (null)',
  'loading tuples': null,
  'waiting for old snapshots': 'set transaction isolation level repeatable read; select 1 from pg_class limit 1',
} as const satisfies Record<string, string | null>

/** Opens such a transaction; the function it returns ends it. */
export async function hold(knex: Knex, statements: string | null): Promise<() => Promise<void>> {
  if (statements === null) return () => Promise.resolve()
  const trx = await knex.transaction()
  await trx.raw(statements)
  return async () => {
    await trx.rollback()
  }
}
