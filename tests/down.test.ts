import { PassThrough } from 'node:stream'

import {
  AddVectorColumn,
  createMigrator,
  CreateVectorIndex,
  dropPgvector,
  ensurePgvector,
  migration,
  vectorColumn,
  type Losses,
} from '../src/index.ts'
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

  test('looks at as many migrations as would be undone', async () => {
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

  test('estimates where there is no time to count, and says where nobody knows', async () => {
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

  test('names what runs outside a transaction, and looks at the others', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a (id int)', down: 'drop table a' },
      { name: '002_index', up: 'select 1', down: 'drop index concurrently if exists i', transaction: false },
    ])
    const losses = await migrator.losses({ steps: 2 })
    expect(losses.warnings).toEqual(['002_index was not looked at, because it runs outside a transaction.'])
    expect(counts(losses)).toEqual(['public.a 0'])
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

  test('tells why it does not know what a migration would lose that fails, and knows the rest', async () => {
    const { knex } = database()
    const migrator = await migratorOf(knex, [
      { name: '001_a', up: 'create table a (id int)', down: 'drop table a' },
      { name: '002_b', up: 'create table b (id int)', down: 'drop table b; drop table absent' },
      { name: '003_c', up: 'create table c (id int)', down: 'drop table c' },
    ])
    const losses = await migrator.losses({ steps: 3 })
    expect(losses.warnings).toEqual([
      '002_b could not be undone to look at it: table "absent" does not exist',
      '001_a was not looked at, because what comes before it failed.',
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

describeOnServers('losses beside others', (database) => {
  test('does not wait for a table that somebody is using, and says that it could not look', async () => {
    const { knex, connect } = database()
    const migrator = await migratorOf(knex, [{ name: '001_a', up: 'create table a ()', down: 'drop table a' }])
    const reader = await connect().transaction()
    await reader.raw('select from a')
    const { warnings, tables } = await migrator.losses({ lockTimeout: 50 })
    await reader.rollback()
    expect(warnings).toEqual(['001_a could not be undone to look at it: canceling statement due to lock timeout'])
    expect(tables).toEqual([])
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

describe('the question before anything is undone', () => {
  const ask = async (answer: string): Promise<{ isYes: boolean; said: string }> => {
    const input = new PassThrough()
    const output = new PassThrough()
    input.end(answer)
    const isYes = await confirm('Undo 002_b?', input, output)
    return { isYes, said: String(output.read()) }
  }

  test.each(['y\n', 'Yes\n', ' y \n'])('is answered with yes by %j', async (answer) => {
    expect(await ask(answer)).toEqual({ isYes: true, said: 'Undo 002_b? [y/N] ' })
  })

  test.each(['\n', 'n\n', 'yesterday\n', ''])('is answered with no by %j', async (answer) => {
    expect(await ask(answer)).toMatchObject({ isYes: false, said: expect.stringContaining('[y/N] ') as string })
  })
})
