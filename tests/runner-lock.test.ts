import type { Knex } from 'knex'

import { isPgvectorMigrationError } from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnOneServer, describeOnServers, type TestDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { until } from './support/phases.ts'
import { startProxy, type Proxy } from './support/proxy.ts'
import { items, source, type TestMigration } from './support/steps.ts'

const concurrently: TestMigration = {
  name: '002_index',
  transaction: false,
  up: 'create index concurrently items_title on items (title)',
}

const up = (knex: Knex, ...migrations: readonly TestMigration[]): ReturnType<ReturnType<typeof createMigrator>['up']> =>
  createMigrator(knex, { migrationSource: source(...migrations) }).up()

/** Sets a default of the database, which sessions from now on have. */
async function setDefault({ knex, connect }: TestDatabase, setting: string): Promise<Knex> {
  await knex.raw(`do $$ begin execute format('alter database %I set ${setting}', current_database()); end $$`)
  return connect()
}

async function backendPid(knex: Knex): Promise<number> {
  const { rows } = await knex.raw<{ rows: [{ pid: number }] }>('select pg_backend_pid() as pid')
  return rows[0].pid
}

async function advisoryLocks(knex: Knex): Promise<number> {
  const { rows } = await knex.raw<{ rows: [{ count: number }] }>(`
    select count(*)::int as count from pg_locks join pg_database d on d.oid = database
    where locktype = 'advisory' and datname = current_database()`)
  return rows[0].count
}

async function expectFree(knex: Knex): Promise<void> {
  expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
  await until(knex, async () => (await advisoryLocks(knex)) === 0)
}

describeOnServers('a run whose database has other defaults', (database) => {
  test('keeps its connection while a migration outside a transaction works elsewhere', async () => {
    const { knex } = database()
    const impatient = await setDefault(database(), 'idle_session_timeout = 200')
    const elsewhere: TestMigration = {
      name: '001_elsewhere',
      transaction: false,
      up: () => knex.raw('select pg_sleep(1)'),
    }
    const { migrations } = await up(impatient, elsewhere)
    expect(migrations).toMatchObject([{ name: '001_elsewhere' }])
    await expectFree(knex)
  })

  test.each([
    `default_transaction_isolation = 'serializable'`,
    `idle_in_transaction_session_timeout = '1ms'`,
    `lock_timeout = '10s'`,
    `statement_timeout = '30s'`,
  ])('builds an index concurrently with %s', async (setting) => {
    const knex = await setDefault(database(), setting.replaceAll(`'`, `''`))
    const { migrations } = await up(knex, items, concurrently)
    expect(migrations.map(({ name }) => name)).toEqual(['001_items', '002_index'])
    await expectFree(database().knex)
  })

  test('refuses a database whose transactions only read', async () => {
    const knex = await setDefault(database(), 'default_transaction_read_only = on')
    await expectError('READ_ONLY', () => up(knex, items))
  })
})

describeOnServers('the lock of a run', (database) => {
  test('is on the connection that migrates, and gone afterwards, also after a failure', async () => {
    const { connect } = database()
    const knex = connect({ pool: { min: 1, max: 1 } })
    const failing = { name: '002_failing', transaction: false, up: 'select 1/0' }
    const error = await expectError('MIGRATION_FAILED', () => up(knex, items, failing))
    expect(error.sqlState).toBe('22012')
    await expectFree(knex)
    const seen: { readonly pid: number; readonly holds: boolean }[] = []
    const looking = {
      name: '002_failing',
      transaction: false,
      up: async (db: Knex) => {
        const { rows } = await db.raw(`select pid, true as holds from pg_locks join pg_database d on d.oid = database
          where locktype = 'advisory' and datname = current_database() and pid = pg_backend_pid()`)
        seen.push(...rows)
      },
    }
    await up(knex, items, looking)
    expect(seen).toEqual([{ pid: await backendPid(knex), holds: true }])
    await expectFree(knex)
  })

  test('leaves a migration outside a transaction a second connection where it needs one', async () => {
    const { knex } = database()
    const both = {
      name: '002_both',
      transaction: false,
      up: async (db: Knex) => {
        await db.transaction(async (trx) => {
          await trx.raw(`insert into items (title) values ('c')`)
          expect(await db('items').count()).toEqual([{ count: '2' }])
        })
      },
    }
    await up(knex, items, both)
    expect(await knex('items').count()).toEqual([{ count: '3' }])
  })

  test('tells the listeners of the Knex instance what a migration outside a transaction sends, once', async () => {
    const { knex } = database()
    const sent: string[] = []
    knex.on('query', ({ sql }: { readonly sql: string }) => sent.push(sql))
    await up(knex, items, concurrently)
    expect(sent.filter((sql) => sql.startsWith('create index'))).toHaveLength(1)
  })

  test('is missed at the record where a migration gives up all locks of its session', async () => {
    const { knex } = database()
    const error = await expectError('MIGRATION_FAILED', () =>
      up(knex, items, { name: '002_unlocks', up: 'create table never (); select pg_advisory_unlock_all()' }),
    )
    expect(isPgvectorMigrationError(error.cause, 'MIGRATION_LOCK_LOST')).toBe(true)
    expect(await knex.schema.hasTable('never')).toBe(false)
    await expectFree(knex)
  })

  test('is free at once where its connection is lost, and what failed is reported', async () => {
    const { knex, connect } = database()
    const failing = {
      name: '002_cut',
      up: async (trx: Knex) => {
        await knex.raw('select pg_terminate_backend(?, 10000)', [await backendPid(trx)])
        await trx.raw('select 1')
      },
    }
    const error = await expectError('MIGRATION_FAILED', () => up(connect(), items, failing))
    expect(error.details.done).toEqual(['001_items'])
    await expectFree(knex)
    expect(await knex('knex_migrations_runs').pluck('outcome')).toEqual(['failed'])
  })

  test('is given back from another connection where its own is lost after the last commit', async () => {
    const { knex, connect } = database()
    const afterAll = async (db: Knex): Promise<void> => {
      await knex.raw('select pg_terminate_backend(?, 10000)', [await backendPid(db)])
    }
    const hooks: Knex.MigratorConfig & { readonly afterAll: typeof afterAll } = { afterAll }
    const cut = connect({ migrations: hooks })
    expect(await up(cut, items)).toMatchObject({ migrations: [{ name: '001_items' }], warnings: [] })
    await expectFree(knex)
    expect(await knex('knex_migrations_runs').pluck('outcome')).toEqual(['succeeded'])
  })
})

describeOnOneServer('a connection that is lost without a word', (database) => {
  let proxy: Proxy

  beforeEach(async () => {
    proxy = await startProxy(database().url ?? '')
  })

  afterEach(() => proxy.close())

  test.each([true, false])('ends the wait for a statement (transaction: %s)', async (transaction) => {
    const { knex, connect } = database()
    const waiting = {
      name: '002_waiting',
      transaction,
      up: async (db: Knex) => {
        const pid = await backendPid(db)
        proxy.connections[0]?.stall()
        await knex.raw('select pg_terminate_backend(?, 10000)', [pid])
        await db.raw('select 1')
      },
    }
    const migrator = createMigrator(connect({ connection: proxy.url }), {
      migrationSource: source(items, waiting),
      deadlines: { probe: 50 },
    })
    const error = await expectError('MIGRATION_FAILED', () => migrator.up())
    expect(isPgvectorMigrationError(error.cause, 'CONNECTION_LOST')).toBe(true)
    await expectFree(knex)
  })

  test('is not taken for lost while its backend works', async () => {
    const { connect } = database()
    const migrator = createMigrator(connect({ connection: proxy.url }), {
      migrationSource: source({ name: '001_long', up: 'select pg_sleep(0.5)' }),
      deadlines: { probe: 20 },
    })
    expect(await migrator.up()).toMatchObject({ migrations: [{ name: '001_long' }] })
    // It was looked up more than once.
    expect(proxy.connections.length).toBeGreaterThan(2)
  })
})
