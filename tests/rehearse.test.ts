import type { Knex } from 'knex'

import { ensurePgvector } from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { everything } from './support/everything.ts'
import { expectError } from './support/expect-error.ts'
import { items, migratorOf, source, states } from './support/steps.ts'

describeOnEveryDatabase('rehearse', (database) => {
  test('executes what is pending, each seeing the one before, and leaves nothing of it', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [items],
      { name: '002_price', up: 'alter table items add column price int' },
      { name: '003_prices', up: (trx) => trx('items').update({ price: 3 }) },
    )
    const before = await everything(knex, 'items', 'knex_migrations')
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual(['002_price rehearsed', '003_prices rehearsed'])
    expect(rehearsal.warnings).toEqual([])
    expect(rehearsal.migrations[1]?.statements).toMatchObject([{ sql: 'update "items" set "price" = $1', rows: 2 }])
    expect(await everything(knex, 'items', 'knex_migrations')).toEqual(before)
    expect((await migrator.up()).migrations).toHaveLength(2)
  })

  test('leaves no table in a database where nothing was ever migrated', async () => {
    const { knex } = database()
    const before = await everything(knex)
    const migrator = await migratorOf(knex, [], items)
    expect(states(await migrator.rehearse())).toEqual(['001_items rehearsed'])
    expect(await everything(knex)).toEqual(before)
    const { rows } = await knex.raw(`select relname from pg_class where relname ~ 'knex'`)
    expect(rows).toEqual([])
  })

  test('leaves no trace in a database that only stock Knex migrated', async () => {
    const { knex } = database()
    await knex.migrate.latest({ migrationSource: source(items) })
    const before = await everything(knex, 'items', 'knex_migrations', 'knex_migrations_lock')
    const migrator = createMigrator(knex, {
      migrationSource: source(items, { name: '002_b', up: 'create table b ()' }),
    })
    expect(states(await migrator.rehearse())).toEqual(['002_b rehearsed'])
    expect(await everything(knex, 'items', 'knex_migrations', 'knex_migrations_lock')).toEqual(before)
  })

  test('tells the locks of each statement, and which of them block others', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_change',
      up: async (trx) => {
        await trx.raw('create schema "My things"')
        await trx.raw('create table "My things"."new ones" (id int)')
        await trx.raw('select count(*) from items')
        await trx.raw('create index items_title on items (title)')
        await trx.raw('alter table items add column price int')
        await trx.raw('drop table items')
      },
    })
    const { migrations } = await migrator.rehearse()
    const locks = migrations[0]?.statements.map((statement) => statement.locks) ?? []
    expect(locks[0]).toEqual([])
    expect(locks[1]).toEqual([
      {
        relation: '"My things"."new ones"',
        kind: 'table',
        mode: 'AccessExclusiveLock',
        isNew: true,
        blocks: 'nothing',
      },
    ])
    const ofItems = locks.map((each) => each.filter(({ relation }) => relation === 'public.items'))
    expect(ofItems.map((each) => each.map(({ mode, blocks }) => `${mode}: ${blocks}`))).toEqual([
      [],
      [],
      ['AccessShareLock: nothing'],
      ['ShareLock: writes'],
      ['AccessExclusiveLock: reads and writes'],
      [],
    ])
    // What was dropped still has its name.
    expect(locks[5]?.map(({ relation, mode }) => `${relation} ${mode}`)).toEqual(
      expect.arrayContaining(['public.items_id_seq AccessExclusiveLock', 'public.items_pkey AccessExclusiveLock']),
    )
  })

  test('tells each statement with its time and rows, and nothing that it asks or sends itself', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_fill',
      up: async (trx) => {
        await Promise.all([trx.raw('select pg_sleep(0.2)'), trx('items').insert([{ title: 'c' }, { title: 'd' }])])
        await trx.transaction((savepoint) => savepoint('items').where({ title: 'c' }).delete())
        await trx.raw('create table more (); create table most ()')
      },
    })
    const [migration] = (await migrator.rehearse()).migrations
    expect(migration?.statements.map(({ sql, rows }) => [sql, rows])).toEqual([
      ['select pg_sleep(0.2)', 1],
      ['insert into "items" ("title") values ($1), ($2)', 2],
      ['delete from "items" where "title" = $1', 1],
      ['create table more (); create table most ()', null],
    ])
    const [sleep, insert] = migration?.statements ?? []
    expect(sleep?.milliseconds).toBeGreaterThan(190)
    expect(insert?.milliseconds).toBeLessThan(190)
    expect(sleep?.locks).toEqual([])
    expect(insert?.locks.map(({ relation }) => relation)).toContain('public.items')
    expect(migration?.milliseconds).toBeGreaterThan(190)
  })

  test('shows of ensurePgvector what it changes, and nothing of what it looks at', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [], {
      name: '001_vectors',
      up: async (trx) => {
        await ensurePgvector(trx, { logger: false })
        await trx.raw('create table entries (embedding vector(3))')
      },
    })
    const [migration] = (await migrator.rehearse()).migrations
    expect(migration?.state).toBe('rehearsed')
    const verbs = migration?.statements.map(({ sql }) => sql.trim().split(/\s+/).slice(0, 2).join(' '))
    expect(verbs).toEqual(['create extension', 'create table', 'create table'])
    expect(migration?.statements[0]?.sql).not.toContain('as state')
    const { rows } = await knex.raw(`select from pg_extension where extname = 'vector'`)
    expect(rows).toEqual([])
  })

  test('names what runs outside a transaction, and tries the others without it', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [items],
      { name: '002_index', up: 'create index concurrently items_title on items (title)', transaction: false },
      { name: '003_table', up: 'create table three ()' },
      { name: '004_cluster', up: 'alter index items_title rename to titles' },
      { name: '005_last', up: 'create table five ()' },
    )
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual([
      '002_index not-rehearsed',
      '003_table rehearsed',
      '004_cluster failed',
      '005_last not-rehearsed',
    ])
    expect(rehearsal.migrations.map(({ reason }) => reason)).toEqual([
      'no-transaction',
      undefined,
      undefined,
      'not-reached',
    ])
    expect(rehearsal.warnings).toEqual([
      '002_index runs outside a transaction, so it was not rehearsed; later migrations were tried without it.',
      '004_cluster may have failed only because 002_index could not be rehearsed before it.',
    ])
  })

  test('reports the statement that failed with the error of the server, and rolls all of it back', async () => {
    const { knex } = database()
    const before = await everything(knex)
    const migrator = await migratorOf(
      knex,
      [],
      items,
      {
        name: '002_broken',
        up: async (trx) => {
          await trx.raw('create table broken ()')
          await trx.raw('select 1 / (id - 1) from items')
        },
      },
      { name: '003_never', up: 'create table never ()' },
    )
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual(['001_items rehearsed', '002_broken failed', '003_never not-rehearsed'])
    const { error, statements } = rehearsal.migrations[1] ?? {}
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED', sqlState: '22012' })
    expect(error?.details).toMatchObject({ migration: '002_broken', done: [], left: ['003_never'] })
    expect(statements?.map(({ sql, error: said }) => [sql, said])).toEqual([
      ['create table broken ()', undefined],
      ['select 1 / (id - 1) from items', expect.stringContaining('division by zero')],
    ])
    expect(await everything(knex)).toEqual(before)
  })

  test('is on record as failed where a migration failed', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], { name: '002_broken', up: 'select 1 / 0' })
    await migrator.rehearse()
    const rehearsals = (await migrator.history()).filter(({ run }) => run?.command === 'rehearse')
    expect(rehearsals.map(({ run }) => run?.outcome)).toEqual(['failed'])
  })

  test('hears what a migration sends to the connection itself', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_raw',
      up: async (trx) => {
        const connection = (await trx.client.acquireConnection()) as { query(sql: string): Promise<unknown> }
        await connection.query(`insert into items (title) values ('c')`)
        await connection.query('commit')
      },
    })
    const { migrations } = await migrator.rehearse()
    expect(migrations[0]?.statements).toMatchObject([{ sql: `insert into items (title) values ('c')`, rows: 1 }])
    expect(migrations[0]?.error?.cause).toMatchObject({ code: 'INVALID_MIGRATION' })
  })

  test('finds what only the commit would find: a deferred constraint that does not hold', async () => {
    const { knex } = database()
    const migrator = await migratorOf(
      knex,
      [],
      {
        name: '001_tree',
        up: 'create table tree (id int primary key, parent int references tree deferrable initially deferred)',
      },
      { name: '002_right', up: 'insert into tree values (1, 2); insert into tree values (2, 1)' },
      { name: '003_column', up: 'alter table tree add column name text' },
      { name: '004_wrong', up: 'insert into tree values (3, 4)' },
    )
    const rehearsal = await migrator.rehearse()
    expect(states(rehearsal)).toEqual([
      '001_tree rehearsed',
      '002_right rehearsed',
      '003_column rehearsed',
      '004_wrong failed',
    ])
    expect(rehearsal.migrations[3]?.error?.sqlState).toBe('23503')
  })

  test('goes on after an error that the migration itself has dealt with', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_careful',
      up: async (trx) => {
        await trx.transaction((savepoint) => savepoint.raw('drop table absent')).catch(() => undefined)
        await trx.raw('create table careful ()')
      },
    })
    expect(states(await migrator.rehearse())).toEqual(['002_careful rehearsed'])
  })

  test.each([
    'commit',
    'insert into items default values; COMMIT; create table kept ()',
    'rollback; create table kept ()',
  ])('refuses a migration that ends its transaction itself: %s', async (statement) => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [items], {
      name: '002_commits',
      up: async (trx) => {
        await trx.raw(`insert into items (title) values ('kept')`)
        await trx.raw(statement)
      },
    })
    const before = await everything(knex, 'items')
    const { migrations } = await migrator.rehearse()
    expect(migrations[0]?.error?.cause).toMatchObject({
      code: 'INVALID_MIGRATION',
      message: expect.stringContaining('it ends its transaction itself') as string,
    })
    expect(await everything(knex, 'items')).toEqual(before)
  })

  test('takes the selection of up, and does nothing where nothing is pending', async () => {
    const { knex } = database()
    const pending = ['002_b', '003_c', '004_d'].map((name) => ({ name, up: `create table t${name} ()` }))
    const migrator = await migratorOf(knex, [items], ...pending)
    expect(states(await migrator.rehearse({ to: '3' }))).toEqual(['002_b rehearsed', '003_c rehearsed'])
    expect(states(await migrator.rehearse({ only: '3' }))).toEqual(['003_c rehearsed'])
    expect(states(await migrator.rehearse({ skip: ['2', '003'] }))).toEqual(['004_d rehearsed'])
    await migrator.up()
    expect(await migrator.rehearse()).toEqual({ migrations: [], warnings: [] })
    const commands = await knex('knex_migrations_runs').pluck('command')
    expect(commands).toEqual(['up', 'rehearse', 'rehearse', 'rehearse', 'up'])
  })

  test('refuses a lock timeout that is none', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [], items)
    const error = await expectError('INVALID_OPTIONS', () => migrator.rehearse({ lockTimeout: 0 }))
    expect(error.details.problems).toEqual(['lockTimeout: must be at least 1'])
  })

  test('calls the hooks that a run calls in its transaction, and not the one for afterwards', async () => {
    const { knex } = database()
    const called: string[] = []
    const hook = (name: string) => async (trx: Knex) => {
      called.push(name)
      await trx.raw(`create table ${name} ()`)
    }
    const hooks = {
      beforeAll: hook('before_all'),
      beforeEach: hook('before_each'),
      afterEach: hook('after_each'),
      afterAll: hook('after_all'),
    }
    Object.assign((knex.client as { config: Knex.Config }).config, { migrations: hooks })
    const migrator = await migratorOf(knex, [], items)
    expect(states(await migrator.rehearse())).toEqual(['001_items rehearsed'])
    expect(called).toEqual(['before_all', 'before_each', 'after_each'])
    expect(await knex.schema.hasTable('before_all')).toBe(false)
  })
})
