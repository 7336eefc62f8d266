import type { Knex } from 'knex'

// Less than jest's own patience with a test, so that it says what did not come.
const UNTIL_SECONDS = 45

/** Asks again and again, the server resting in between, until the answer is yes. */
export async function until(knex: Knex, condition: () => Promise<boolean>): Promise<void> {
  const started = performance.now()
  while (!(await condition())) {
    if (performance.now() - started > UNTIL_SECONDS * 1000) {
      throw new Error(`Not so in ${UNTIL_SECONDS} s: ${condition.toString()}`)
    }
    await knex.raw('select pg_sleep(0.02)')
  }
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

/** How a build is ended from the side, and what PostgreSQL calls that. */
export const strikes = { pg_cancel_backend: '57014', pg_terminate_backend: '57P01' } as const

/**
 * Ends a build as soon as it comes to a phase, or gives up when the build is over. It is done in the server, because a
 * phase may be over before it is seen from here, and may still be missed.
 */
export async function strikeIn(
  knex: Knex,
  phase: string,
  strike: keyof typeof strikes,
  table = 'documents',
): Promise<void> {
  await knex.raw(`do $$
    declare
      build record;
      has_begun boolean := false;
      deadline timestamptz := clock_timestamp() + interval '20 seconds';
    begin
      loop
        perform pg_stat_clear_snapshot();
        select pid, phase into build from pg_stat_progress_create_index where relid = '${table}'::regclass;
        if found and build.phase like '%${phase}' then
          perform ${strike}(build.pid);
          return;
        end if;
        exit when has_begun and not found or clock_timestamp() > deadline;
        has_begun := found;
        perform pg_sleep(0.0002);
      end loop;
    end $$`)
}

/** Opens such a transaction; the function it returns ends it. */
export async function hold(knex: Knex, statements: string | null): Promise<() => Promise<void>> {
  if (statements === null) return () => Promise.resolve()
  const trx = await knex.transaction()
  await trx.raw(statements)
  return async () => {
    await trx.rollback()
  }
}

/**
 * Starts a build and holds it up. A build looks for transactions that write to the table before it begins, so it comes to
 * wait for one that begins after that look: while the build waits for its lock on the table.
 */
export async function startHeld<Build>(
  knex: Knex,
  statements: string | null,
  start: () => Build,
  table = 'documents',
): Promise<{ readonly build: Build; readonly release: () => Promise<void> }> {
  if (statements?.startsWith('insert') !== true) {
    const release = await hold(knex, statements)
    return { build: start(), release }
  }
  const unlock = await hold(knex, `lock table ${table} in share update exclusive mode`)
  const build = start()
  await until(knex, async () => {
    const { rows } = await knex.raw(
      `select from pg_locks where relation = '${table}'::regclass and mode = 'ShareUpdateExclusiveLock' and not granted`,
    )
    return rows.length > 0
  })
  const release = await hold(knex, statements)
  await unlock()
  return { build, release }
}
