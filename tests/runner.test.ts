import type { Knex } from 'knex'

import { migrateToLatest } from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { until } from './support/phases.ts'

/** Migrations in memory, so that a test says what they do. */
function source(
  ...migrations: readonly (readonly [name: string, up: string, down: string, transaction?: boolean])[]
): Knex.MigrationSource<string> {
  const byName = new Map(migrations.map((migration) => [migration[0], migration]))
  return {
    getMigrations: () => Promise.resolve([...byName.keys()]),
    getMigrationName: (name) => name,
    getMigration: (name) => {
      const [, up, down, transaction] = byName.get(name) ?? ['', '', '']
      return Promise.resolve({
        up: (knex: Knex) => knex.raw(up).then(() => undefined),
        down: (knex: Knex) => knex.raw(down).then(() => undefined),
        ...(transaction === undefined ? {} : { config: { transaction } }),
      })
    },
  }
}

const three = source(
  ['001_first', 'create table first (id int)', 'drop table first'],
  ['002_second', 'create table second (id int)', 'drop table second'],
  ['003_third', 'create table third (id int)', 'drop table third'],
)

describeOnEveryDatabase('the runner', (database) => {
  test('applies what is pending, in one batch, and stock Knex agrees', async () => {
    const { knex } = database()
    const result = await migrateToLatest(knex, { migrationSource: three })
    expect(result.batch).toBe(1)
    expect(result.migrations.map(({ name }) => name)).toEqual(['001_first', '002_second', '003_third'])
    const [completed, pending] = await knex.migrate.list({ migrationSource: three })
    expect(completed.map(({ name }: { name: string }) => name)).toEqual(['001_first', '002_second', '003_third'])
    expect(pending).toEqual([])
    await knex.migrate.rollback({ migrationSource: three })
    expect((await createMigrator(knex, { migrationSource: three }).status()).map(({ state }) => state)).toEqual([
      'pending',
      'pending',
      'pending',
    ])
  })

  test('touches nothing where nothing is pending', async () => {
    const { knex } = database()
    await migrateToLatest(knex, { migrationSource: three })
    expect(await migrateToLatest(knex, { migrationSource: three })).toMatchObject({ batch: null, migrations: [] })
    expect(await knex('knex_migrations_runs').pluck('outcome')).toEqual(['succeeded'])
  })

  test('really skips what skip names, and applies it later', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: three })
    const { skipped } = await migrator.up({ skip: ['2'] })
    expect(skipped).toEqual(['002_second'])
    expect((await migrator.status()).map(({ state }) => state)).toEqual(['applied', 'pending', 'applied'])
    expect((await migrator.up()).migrations.map(({ name }) => name)).toEqual(['002_second'])
  })

  test('goes up to a version, runs only one, and goes down to a version', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: three })
    await migrator.up({ to: '002' })
    expect((await migrator.status()).map(({ state }) => state)).toEqual(['applied', 'applied', 'pending'])
    await migrator.up({ only: '003_third' })
    const { migrations } = await migrator.down({ to: '1' })
    expect(migrations.map(({ name }) => name)).toEqual(['003_third', '002_second'])
  })

  test('rolls a failing migration back, keeps what came before, and says where things stand', async () => {
    const { knex } = database()
    const broken = source(
      ['001_first', 'create table first (id int)', 'drop table first'],
      ['002_broken', 'create table second (id int); select 1/0', 'select 1'],
      ['003_third', 'create table third (id int)', 'drop table third'],
    )
    const error = await expectError('MIGRATION_FAILED', () => migrateToLatest(knex, { migrationSource: broken }))
    expect(error.details).toEqual({
      migration: '002_broken',
      direction: 'up',
      transactional: true,
      done: ['001_first'],
      left: ['003_third'],
    })
    expect(error.sqlState).toBe('22012')
    expect(await knex.schema.hasTable('second')).toBe(false)
    expect((await createMigrator(knex, { migrationSource: three }).up()).migrations).toHaveLength(2)
  })
})

describeOnEveryDatabase('a run that was killed after its last migration', (database) => {
  test('does not keep stock Knex out: a run with nothing to do frees its lock', async () => {
    const { knex } = database()
    await migrateToLatest(knex, { migrationSource: three })
    await knex.transaction(async (trx) => {
      await trx('knex_migrations_lock').update({ is_locked: 1 })
      await trx.raw(`
        insert into knex_migrations_runs (command, host, process_id, lock_xmin)
        values ('up', 'gone', 1, (txid_current() % 4294967296)::text)`)
    })
    const events: string[] = []
    await migrateToLatest(knex, { migrationSource: three, onEvent: ({ type }) => events.push(type) })
    expect(events).toEqual(['recovered'])
    expect(await knex('knex_migrations_lock').pluck('is_locked')).toEqual([0])
    await expect(knex.migrate.latest({ migrationSource: three })).resolves.toEqual([expect.any(Number), []])
  })
})

describeOnServers('the lock', (database) => {
  test('lets one of 16 replicas migrate an empty database, while the others wait and go on', async () => {
    const replicas = Array.from({ length: 16 }, () => database().connect({ pool: { min: 0, max: 2 } }))
    const results = await Promise.all(replicas.map((replica) => migrateToLatest(replica, { migrationSource: three })))
    expect(results.filter(({ migrations }) => migrations.length === 3)).toHaveLength(1)
    expect(results.filter(({ migrations }) => migrations.length === 0)).toHaveLength(15)
  })

  // CREATE INDEX CONCURRENTLY waits for a transaction that it met in the middle of a statement until it ends.
  test('is waited for without a transaction that stays open', async () => {
    const { knex, connect } = database()
    const gate = await connect().transaction()
    await gate.raw('select pg_advisory_xact_lock(1)')
    const slow = { migrationSource: source(['001_slow', 'select pg_advisory_xact_lock(1)', 'select 1']) }
    const running = createMigrator(connect(), slow).up()
    await until(knex, async () => {
      const { rows } = await knex.raw(
        `select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'`,
      )
      return rows.length > 0
    })
    const transactions = async (): Promise<string[]> => {
      const { rows } = await knex.raw<{ rows: { transaction: string }[] }>(`
        select concat_ws(' since ', pid, xact_start) as transaction from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null`)
      return rows.map(({ transaction }) => transaction)
    }
    const before = new Set(await transactions())
    const events: string[] = []
    const waiter = createMigrator(connect(), slow).up({ onEvent: ({ type }) => events.push(type) })
    try {
      await until(knex, () => Promise.resolve(events.includes('waiting')))
      const ofWaiter = (await transactions()).filter((each) => !before.has(each))
      await until(knex, async () => {
        const open = await transactions()
        return !ofWaiter.some((each) => open.includes(each))
      })
    } finally {
      await gate.rollback()
    }
    expect(await running).toMatchObject({ migrations: [{ name: '001_slow' }] })
    expect(await waiter).toMatchObject({ migrations: [] })
  })
})
