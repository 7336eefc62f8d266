import { randomBytes } from 'node:crypto'
import { PassThrough } from 'node:stream'

import {
  AddVectorColumn,
  CreateVectorIndex,
  dropPgvector,
  ensurePgvector,
  migration,
  vectorColumn,
} from '../src/index.ts'
import { createMigrator, type Losses } from '../src/migrator.ts'
import { confirm } from '../src/cli/confirm.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { everything } from './support/everything.ts'
import { expectError } from './support/expect-error.ts'
import { migratorOf, source, type TestMigration } from './support/steps.ts'

const vectors: TestMigration = {
  name: '001_vectors',
  up: async (knex) => {
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`
      create domain embedding as vector(3);
      create table entries (id int primary key, title text, e embedding, h halfvec(2)[], plain text);
      insert into entries (id, e, h) values (1, '[1,2,3]', null), (2, null, null), (3, '[1,2,4]', '{"[1,2]"}')`)
  },
  down: async (knex) => {
    await knex.raw('drop table entries; drop domain embedding')
    await dropPgvector(knex, { logger: false })
  },
}

const counts = ({ tables, columns }: Losses): string[] => [
  ...tables.map(({ table, rows, isEstimate }) => `${table} ${isEstimate ? '~' : ''}${rows}`),
  ...columns.map(
    ({ table, column, type, rows, isEstimate, isVector }) =>
      `${table}.${column} ${type}${isVector ? ' (vectors)' : ''} ${isEstimate ? '~' : ''}${rows}`,
  ),
]

describeOnEveryDatabase('losses', (database) => {
  test('tells the tables that would go with their rows, and their vectors, and leaves everything', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [vectors])
    const before = await everything(knex, 'entries', 'knex_migrations', 'pgvector_migration_log')
    const losses = await migrator.losses()
    expect(counts(losses)).toEqual([
      'public.entries 3',
      'public.entries.e embedding (vectors) 2',
      'public.entries.h halfvec(2)[] (vectors) 1',
    ])
    expect(losses.migrations).toEqual([{ name: '001_vectors', problem: null }])
    expect(losses.warnings).toEqual([])
    expect(await everything(knex, 'entries', 'knex_migrations', 'pgvector_migration_log')).toEqual(before)
  })

  test('tells every column that would go of a table that stays, and not what is only renamed', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      vectors,
      {
        name: '002_change',
        up: 'alter table entries add column note text; alter table entries rename plain to kept',
        down: `alter table entries drop column note; alter table entries drop column e;
          alter table entries rename kept to plain; alter table entries rename to renamed;
          drop table if exists absent`,
      },
    ])
    await knex('entries').where({ id: 1 }).update({ note: 'x' })
    expect(counts(await migrator.losses())).toEqual([
      'public.entries.e embedding (vectors) 2',
      'public.entries.note text 1',
    ])
  })

  test('looks at as many migrations as would be rolled back', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a ()', down: 'drop table a' },
      { name: '002_b', up: 'create table "B ?" ()'.replace('?', '\\?'), down: 'drop table "B ?"'.replace('?', '\\?') },
      { name: '003_c', up: 'create table c ()', down: 'drop table c' },
    ])
    expect(counts(await migrator.losses())).toEqual(['public.c 0'])
    expect(counts(await migrator.losses({ steps: 2 }))).toEqual(['public."B ?" 0', 'public.c 0'])
    expect(counts(await migrator.losses({ to: '2' }))).toEqual(['public.c 0'])
    await migrator.down({ steps: 3 })
    expect(await migrator.losses()).toEqual({ migrations: [], tables: [], columns: [], warnings: [] })
  })

  test('counts the rows of partitions with their table, and of a partition that goes alone', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      {
        name: '001_parts',
        up: `create table parts (id int) partition by range (id);
          create table parts_1 partition of parts for values from (0) to (10);
          create table parts_2 partition of parts for values from (10) to (20);
          insert into parts values (1), (2), (11)`,
        down: 'drop table parts',
      },
      { name: '002_less', up: 'select 1', down: 'drop table parts_2' },
    ])
    expect(counts(await migrator.losses())).toEqual(['public.parts_2 1'])
    expect(counts(await migrator.losses({ steps: 2 }))).toEqual(['public.parts 3'])
  })

  test('estimates if there is no time to count, and names what is unknown', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      vectors,
      { name: '002_new', up: 'create table fresh (id int)', down: 'drop table fresh' },
    ])
    await knex.raw('analyze entries')
    expect(counts(await migrator.losses({ steps: 2, countTimeout: 0 }))).toEqual([
      'public.entries ~3',
      'public.fresh ~null',
      'public.entries.e embedding (vectors) ~2',
      'public.entries.h halfvec(2)[] (vectors) ~1',
    ])
  })

  const onCopy = 'Its losses were determined on an embedded copy, which lacks objects that were created by hand.'

  test('looks on an embedded copy at what runs outside a transaction, and counts in the database', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a (id int, kept int)', down: 'drop table a' },
      { name: '002_b', up: 'create table b (id int)', down: 'alter table b rename to "B ?"'.replace('?', '\\?') },
      {
        name: '003_outside',
        up: 'create table c (id int); alter table a add v int; alter table b add w int',
        down: 'drop table c; alter table a drop v; alter table b drop w',
        transaction: false,
      },
    ])
    await knex.raw('insert into c values (1), (2); insert into a (v) values (1), (null); insert into b values (1)')
    const losses = await migrator.losses({ steps: 3 })
    expect(losses.warnings).toEqual([`003_outside runs outside a transaction, so it was not tried. ${onCopy}`])
    expect(losses.migrations.map(({ problem }) => problem)).toEqual([null, null, null])
    expect(counts(losses).toSorted()).toEqual(['public.a 2', 'public.b.w integer 0', 'public.c 2'])
    expect(await knex('c')).toHaveLength(2)
  })

  test('says why nothing is known where the embedded copy cannot tell it either', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a (id int)', down: 'drop table a' },
      { name: '002_b', up: 'create table b (id int)', down: 'drop table absent', transaction: false },
    ])
    const losses = await migrator.losses({ steps: 2 })
    expect(losses.warnings).toEqual(['002_b runs outside a transaction, so it was not tried.'])
    expect(losses.migrations[0]).toEqual({ name: '002_b', problem: losses.warnings[0] })
    expect(counts(losses)).toEqual(['public.a 0'])
  })

  test('says what the embedded copy lacks where a migration needs what was made by hand', async () => {
    const { knex } = database()
    await knex.raw('create table by_hand (id int)')
    const step = { up: 'alter table by_hand add a int', down: 'alter table by_hand drop a', transaction: false }
    const losses = await (await migratorOf(knex, [{ name: '001_a', ...step }])).losses()
    expect(losses.warnings).toEqual([expect.stringMatching(/^001_a runs outside .* On an embedded copy: .*001_a/)])
    expect(losses.migrations).toEqual([{ name: '001_a', problem: losses.warnings[0] }])
    expect(counts(losses)).toEqual([])
  })

  test('tells the vectors of a column that was added together with an index that is built outside a transaction', async () => {
    const { knex } = database()
    const column = vectorColumn('items', 'embedding', { dimensions: 3 })
    const { up, down, config } = migration([
      new AddVectorColumn(column),
      new CreateVectorIndex(column, { method: 'hnsw', metric: 'l2' }, { logger: false }),
    ])
    await ensurePgvector(knex, { logger: false })
    await knex.raw('create table items (id int)')
    const migrator = createMigrator(knex, {
      migrationSource: {
        getMigrations: () => Promise.resolve(['001_embedding']),
        getMigrationName: (name: string) => name,
        getMigration: () => Promise.resolve({ up, down, config }),
      },
    })
    await migrator.up()
    await knex.raw(`insert into items (id, embedding) values (1, '[1,2,3]'), (2, null)`)
    const losses = await migrator.losses()
    expect(counts(losses)).toEqual(['public.items.embedding vector(3) (vectors) 1'])
    expect(losses.migrations).toEqual([{ name: '001_embedding', problem: null }])
    expect(await knex('items').whereNotNull('embedding')).toHaveLength(1)
    await migrator.down()
    expect(await knex.schema.hasColumn('items', 'embedding')).toBe(false)
  })

  test('explains why the losses of a failing migration are unknown, and reports the rest', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a (id int)', down: 'drop table a' },
      { name: '002_b', up: 'create table b (id int)', down: 'drop table b; drop table absent' },
      { name: '003_c', up: 'create table c (id int)', down: 'drop table c' },
    ])
    const losses = await migrator.losses({ steps: 3 })
    expect(losses.warnings).toEqual([
      '002_b failed in this preview: table "absent" does not exist.',
      '001_a was not tried, because one before it failed in this preview.',
    ])
    expect(losses.migrations.map(({ problem }) => problem === null)).toEqual([true, false, false])
    expect(counts(losses)).toEqual(['public.c 0'])
    expect(await knex.schema.hasTable('b')).toBe(true)
  })

  test('then down and up again give the same catalog', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [vectors])
    const { catalog } = (await everything(knex)) as { catalog: unknown }
    await migrator.losses()
    await migrator.down()
    expect(await knex.schema.hasTable('entries')).toBe(false)
    await migrator.up()
    expect(await everything(knex)).toMatchObject({ catalog })
  })
})

describeOnEveryDatabase('the migrations to roll back', (database) => {
  test.each([{ all: true }, { to: '0' }, { to: '000' }])('are all that were applied with %j', async (selection) => {
    const { knex } = database()
    const names = ['001_a', '002_b', '003_c']
    const migrator = await migratorOf(
      knex,
      names.map((name) => ({ name, up: 'select 1', down: 'select 1' })),
    )
    expect(await migrator.preview('down', selection)).toEqual(names.toReversed())
    expect((await migrator.down(selection)).migrations.map(({ name }) => name)).toEqual(names.toReversed())
  })

  test('end before a migration with the number 0 where there is one', async () => {
    const migrator = await migratorOf(
      database().knex,
      ['000_a', '001_b'].map((name) => ({ name, up: 'select 1', down: 'select 1' })),
    )
    expect(await migrator.preview('down', { to: '0' })).toEqual(['001_b'])
    await expectError('INVALID_OPTIONS', () => migrator.down({ all: true, steps: 1 }))
  })

  test('are not called failing where one that runs outside a transaction comes before them', async () => {
    const migrator = await migratorOf(database().knex, [
      { name: '001_type', up: 'create domain d as text', down: 'drop domain d' },
      { name: '002_use', up: 'create table t (d d)', down: 'drop table t', transaction: false },
    ])
    const { warnings } = await migrator.losses({ all: true })
    expect(warnings).toEqual([
      expect.stringMatching(/^002_use runs outside a transaction, so it was not tried\. Its losses were determined/),
      expect.stringMatching(/^001_type was not tried, because 002_use comes first\. Its losses were determined/),
    ])
  })
})

describeOnServers('losses with other sessions at work', (database) => {
  const onCopy = 'Its losses were determined on an embedded copy, which lacks objects that were created by hand.'

  test('does not wait for a table that another session uses, and looks at an embedded copy instead', async () => {
    const { knex, connect } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a (); insert into a default values', down: 'drop table a' },
    ])
    const reader = await connect().transaction()
    await reader.raw('select from a')
    const { warnings, tables } = await migrator.losses({ lockTimeout: 50 })
    await reader.rollback()
    expect(warnings).toEqual([`001_a failed in this preview: canceling statement due to lock timeout. ${onCopy}`])
    expect(tables).toEqual([{ table: 'public.a', rows: 1, isEstimate: false }])
  })

  const step = { name: '001_a', up: 'create table a (id int); insert into a values (1)', down: 'drop table a' }

  test('tells a role that may only read what would be lost', async () => {
    const { knex, connect, url } = database()
    await migratorOf(knex, [step])
    const role = `reader_${randomBytes(6).toString('hex')}`
    await knex.raw(`create role ${role} login password 'test'; grant pg_read_all_data to ${role}`)
    try {
      const account = new URL(url ?? '')
      account.username = role
      account.password = 'test'
      const migrator = createMigrator(connect({ connection: account.href }), { migrationSource: source(step) })
      const losses = await migrator.losses()
      expect(losses.warnings).toEqual([expect.stringMatching(/^001_a could not be tried: /)])
      expect(counts(losses)).toEqual(['public.a 1'])
    } finally {
      await knex.raw(`drop owned by ${role}; drop role ${role}`)
    }
  })

  test('tells in a database that is read only what would be lost', async () => {
    const { knex, connect } = database()
    await migratorOf(knex, [step])
    await knex.raw(`do $$ begin
      execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`)
    const losses = await createMigrator(connect(), { migrationSource: source(step) }).losses()
    expect(counts(losses)).toEqual(['public.a 1'])
  })

  test('holds no table locked while it counts', async () => {
    const { knex, connect } = database()
    const migrator = await migratorOf(knex, [
      {
        name: '001_a',
        up: 'create table a (id int); insert into a select from generate_series(1, 1000)',
        down: 'drop table a',
      },
    ])
    const other = connect()
    let locks: unknown
    const listen = async ({ sql }: { sql: string }): Promise<void> => {
      if (sql.includes('count(*)'))
        locks = other.raw('insert into a values (1)').then(({ rowCount }) => rowCount as number)
    }
    knex.on('query', (query: { sql: string }) => void listen(query))
    await migrator.losses({ lockTimeout: 50 })
    expect(await locks).toBe(1)
  })

  test('stops at a signal', async () => {
    const { knex } = database()
    const stop = new AbortController()
    const migrator = await migratorOf(knex, [
      {
        name: '001_a',
        up: 'create table a ()',
        down: (trx) => {
          stop.abort('SIGINT')
          return trx.raw('select pg_sleep(60)')
        },
      },
    ])
    await expectError('MIGRATION_INTERRUPTED', () => migrator.losses({ signal: stop.signal }))
    const late = createMigrator(knex, { migrationSource: source({ name: '001_a', up: '', down: 'select 1' }) })
    await expectError('MIGRATION_INTERRUPTED', () => late.losses({ signal: stop.signal }))
  })
})

describe('the question before anything is rolled back', () => {
  const ask = async (answer: string): Promise<{ isYes: boolean; said: string }> => {
    const input = new PassThrough()
    const output = new PassThrough()
    input.end(answer)
    const isYes = await confirm('Roll back 002_b?', input, output)
    return { isYes, said: String(output.read()) }
  }

  test.each(['y\n', 'Yes\n', ' y \n'])('is answered with yes by %j', async (answer) => {
    expect(await ask(answer)).toEqual({ isYes: true, said: 'Roll back 002_b? [y/N] ' })
  })

  test.each(['\n', 'n\n', 'yesterday\n', ''])('is answered with no by %j', async (answer) => {
    expect(await ask(answer)).toMatchObject({ isYes: false, said: expect.stringContaining('[y/N] ') as string })
  })
})
