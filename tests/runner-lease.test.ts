import { hostname } from 'node:os'

import type { Knex } from 'knex'

import { isPgvectorMigrationError } from '../src/index.ts'
import { createMigrator, type Migrator } from '../src/migrator.ts'
import { describeEvent } from '../src/cli/run-options.ts'
import { fenceNumber } from '../src/migrator/lock/advisory-lock.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { hasPgBouncer, startPgBouncer, type RunningPgBouncer } from './support/pgbouncer.ts'
import { until } from './support/phases.ts'
import { applyMigrations, items, source, type TestMigration } from './support/steps.ts'

const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

const migratorFor = (knex: Knex, ...migrations: readonly TestMigration[]): Migrator =>
  createMigrator(knex, { migrationSource: source(items, ...migrations) })

async function backendOf(knex: Knex): Promise<{ readonly pid: number; readonly started: string }> {
  const { rows } = await knex.raw(`select pid, extract(epoch from backend_start)::text as started
    from pg_stat_get_activity(pg_backend_pid())`)
  return rows[0]
}

/** Ends the backend that holds the lock of a run. */
async function endLease(knex: Knex): Promise<void> {
  await knex.raw(`select pg_terminate_backend(pid, 10000) from pg_locks join pg_database d on d.oid = database
    where locktype = 'advisory' and datname = current_database() and objsubid = 1
      and (classid::bigint << 32) | objid::bigint = (
        select hashtextextended('knex-pgvector ' || 'knex_migrations_lock'::regclass::oid::text, 0))`)
}

async function isRunning(knex: Knex, words: string): Promise<boolean> {
  const { rows } = await knex.raw(
    `select from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state = 'active' and query ~ ?`,
    [words],
  )
  return rows.length > 0
}

describeOnServers('a run whose lock is lost', (database) => {
  test('is cancelled at once on another connection, and says that what it did stays', async () => {
    const { knex, connect } = database()
    const both: TestMigration = {
      name: '002_both',
      transaction: false,
      up: async (db) => {
        await db.raw('create table kept ()')
        const held = db.raw('select pg_sleep(60) as held').catch(() => undefined)
        const other = db.raw('select pg_sleep(60) as other')
        const sleeping = other.then(() => undefined)
        await until(knex, () => isRunning(knex, 'as other'))
        await endLease(knex)
        await Promise.all([held, sleeping])
      },
    }
    const error = await expectError('MIGRATION_FAILED', () => migratorFor(connect(), both).up())
    expect(error.details).toMatchObject({ transactional: false, done: ['001_items'] })
    expect(error.cause).toMatchObject({
      code: 'MIGRATION_LOCK_LOST',
      message: 'The migration lock was lost during 002_both, which was cancelled and not recorded',
    })
    expect(await isRunning(knex, 'as other')).toBe(false)
    expect(`${error.message} ${error.hint}`).not.toContain('rolled back')
    expect(await knex.schema.hasTable('kept')).toBe(true)
  })

  test('has noted each backend that it uses', async () => {
    const { knex, connect } = database()
    const used: unknown[] = []
    const both: TestMigration = {
      name: '002_both',
      transaction: false,
      up: (db) =>
        db.transaction(async (trx) => {
          for (const each of [trx, db]) {
            const { pid, started } = await backendOf(each)
            used.push({ processId: pid, startedAt: started })
          }
          expect(await knex('knex_migrations_runs').whereNull('ended_at').pluck('notes')).toMatchObject([
            { backends: used },
          ])
        }),
    }
    await migratorFor(connect(), both).up()
    expect(used).toHaveLength(2)
  })

  test('keeps the next run waiting until its backends are gone, which are named', async () => {
    const { knex, connect } = database()
    await applyMigrations(knex, items)
    const left = connect()
    const { pid, started } = await backendOf(left)
    const notes = { steps: [], error: null, backends: [{ processId: pid, startedAt: started }] }
    await knex.raw(
      `with taken as (update knex_migrations_lock set is_locked = 1)
      insert into knex_migrations_runs (command, host, process_id, lock_xmin, notes)
      values ('up', 'gone.example', 4711, (txid_current() % 4294967296)::text, ?)`,
      [JSON.stringify(notes)],
    )
    const migrator = migratorFor(knex, { name: '002_b', up: 'create table b ()' })
    const error = await expectError('MIGRATIONS_LOCKED', () => migrator.up({ wait: 200 }))
    expect(error.details).toMatchObject({ holder: { host: 'gone.example', processId: 4711 }, backends: [pid] })
    expect(error.hint).toContain(`select pg_terminate_backend(${pid});`)
    await knex.raw('select pg_terminate_backend(?, 10000)', [pid])
    expect(await migrator.up({ wait: 200 })).toMatchObject({ migrations: [{ name: '002_b' }] })
  })

  test('and whose transaction goes on behind a pooler keeps the next run waiting, too', async () => {
    const { knex, connect } = database()
    await applyMigrations(knex, items)
    const working = await connect().transaction()
    const { pid } = await backendOf(working)
    await working.raw(`select pg_advisory_xact_lock(${fenceNumber('"knex_migrations_lock"')})`)
    const migrator = migratorFor(knex, { name: '002_b', up: 'create table b ()' })
    const { details } = await expectError('MIGRATIONS_LOCKED', () => migrator.up({ wait: 200 }))
    expect(details.backends).toEqual([pid])
    await working.rollback()
    expect(await migrator.up({ wait: 200 })).toMatchObject({ migrations: [{ name: '002_b' }] })
  })
})

describeOnServers('behind PgBouncer in transaction mode', (database) => {
  let pooler: RunningPgBouncer | undefined

  beforeEach(async () => {
    if (hasPgBouncer) pooler = await startPgBouncer(database().url ?? '')
  })

  afterEach(async () => {
    await pooler?.stop()
    pooler = undefined
  })

  const pooled = (): Knex => database().connect({ connection: pooler?.url ?? '' })

  testWithPgBouncer('a run whose lock is lost is cancelled, and rolled back', async () => {
    const { knex } = database()
    const long: TestMigration = {
      name: '002_long',
      up: async (trx) => {
        await trx.raw('create table never ()')
        const sleeping = trx.raw('select pg_sleep(60) as long').then(() => undefined)
        await until(knex, () => isRunning(knex, 'as long'))
        await endLease(knex)
        await sleeping
      },
    }
    const through = pooled()
    const error = await expectError('MIGRATION_FAILED', () => migratorFor(through, long).up())
    expect(error.cause).toMatchObject({
      code: 'MIGRATION_LOCK_LOST',
      message: 'The migration lock was lost during 002_long, which was rolled back',
    })
    expect(await knex.schema.hasTable('never')).toBe(false)
    await through.destroy()
  })

  testWithPgBouncer('what runs outside a transaction is refused before anything is done', async () => {
    const outside = { name: '002_outside', transaction: false, up: 'select 1' }
    const through = pooled()
    const error = await expectError('SESSION_SHARED', () => migratorFor(through, outside).up())
    expect(error.hint).toMatch(/^002_outside runs outside a transaction/)
    expect(await database().knex('knex_migrations').pluck('name')).toEqual([])
    await through.destroy()
  })
})

describeOnServers("a migration's own error", (database) => {
  const fails: TestMigration = {
    name: '002_fails',
    up: () => Promise.reject(new Error('no model is chosen')),
  }

  test('is reported where its connection is reset while it fails', async () => {
    const { connect } = database()
    const reset: TestMigration = {
      ...fails,
      up: async (trx) => {
        const connection = (await trx.client.acquireConnection()) as {
          readonly connection: { readonly stream: { destroy(error: Error): void } }
        }
        connection.connection.stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
        throw new Error('no model is chosen')
      },
    }
    const error = await expectError('MIGRATION_FAILED', () => migratorFor(connect(), reset).up())
    expect(error.cause).toMatchObject({ message: 'no model is chosen' })
  })

  test('is reported where the lock cannot be given back, because the server has become read only', async () => {
    const { knex } = database()
    await applyMigrations(knex, items)
    await knex.raw(`create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'cannot execute UPDATE in a read-only transaction' using errcode = '25006'; end $$;
      create trigger refuse before update on knex_migrations_runs execute function refuse()`)
    const error = await expectError('MIGRATION_FAILED', () => migratorFor(knex, fails).up())
    expect(error.cause).toMatchObject({ message: 'no model is chosen' })
    expect(isPgvectorMigrationError(error.cause)).toBe(false)
  })
})

describe('a lock that was free', () => {
  const run = { user: 'app', role: 'app', command: 'up', since: '2026-01-01T00:00:00Z' }

  test('is not reported as that of a process that is gone where that is alive', () => {
    const holder = { ...run, host: hostname(), processId: process.pid }
    expect(describeEvent({ type: 'recovered', holder })).toMatch(/which has lost its connection and is still running/)
    expect(describeEvent({ type: 'recovered', holder: { ...holder, host: 'gone.example' } })).toMatch(/which is gone/)
  })
})
