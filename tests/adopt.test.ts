import type { Knex } from 'knex'

import { ensurePgvector, migrationSource, migrateToLatest } from '../src/index.ts'
import { createMigrator, type Migrator } from '../src/migrator.ts'
import { describeEmbedded, describeOnEveryDatabase, describeOnOneServer } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { silenceConsole } from './support/migrations.ts'

silenceConsole()

type Up = string | ((knex: Knex) => Promise<unknown>)

function migratorWith(knex: Knex, migrations: Readonly<Record<string, Up>>): Migrator {
  const source: Knex.MigrationSource<string> = {
    getMigrations: () => Promise.resolve(Object.keys(migrations)),
    getMigrationName: (name) => name,
    getMigration: (name) =>
      Promise.resolve({
        up: async (db: Knex) => {
          const up = migrations[name] ?? ''
          await (typeof up === 'string' ? db.raw(up) : up(db))
        },
        down: () => Promise.resolve(),
      }),
  }
  return createMigrator(knex, { migrationSource: source })
}

const documents = `
  create table documents (id int primary key, title varchar(200), unique (title));
  create index documents_id_title on documents (id, title);
  create view titles as select title from documents;
  create function title_of(document int) returns text language sql as 'select title from documents where id = $1'`

const embeddings: Up = async (knex) => {
  const { schema } = await ensurePgvector(knex, { logger: false })
  await knex.raw(`alter table documents add column embedding ${schema}.vector(3)`)
}

const tags = 'create table tags (id bigint generated always as identity, name text)'

const three = { '001_documents': documents, '002_embeddings': embeddings, '003_tags': tags }

async function appliedNames(knex: Knex): Promise<string[]> {
  return (await knex.schema.hasTable('knex_migrations')) ? knex('knex_migrations').orderBy('id').pluck('name') : []
}

describeOnEveryDatabase('adopt', (database) => {
  test('records what the database has, in one batch, and stock Knex agrees', async () => {
    const { knex } = database()
    await knex.raw(documents)
    if (typeof embeddings !== 'string') await embeddings(knex)
    await knex.raw(tags)
    const migrator = migratorWith(knex, three)
    const result = await migrator.adopt()
    expect(result).toMatchObject({ batch: 1, source: 'files', unmatched: [] })
    expect(result.adopted.map(({ name }) => name)).toEqual(Object.keys(three))
    expect((await migrator.status()).map(({ state }) => state)).toEqual(['applied', 'applied', 'applied'])
    expect((await migrator.up()).migrations).toEqual([])
    expect(await migrator.adopt()).toEqual({
      batch: null,
      adopted: [],
      source: 'files',
      unmatched: [],
      warnings: [],
    })
    expect(await knex('knex_migrations_runs').pluck('command')).toEqual(['adopt'])
  })

  test('names everything that is missing or of another type, and records nothing', async () => {
    const { knex } = database()
    await knex.raw(`
      create table documents (id bigint primary key, title varchar(200));
      create function title_of(document text) returns text language sql as 'select $1'`)
    const error = await expectError('ADOPT_MISMATCH', () => migratorWith(knex, three).adopt())
    const problems = error.details.problems.map(({ migration, problem }) => `${migration}: ${problem}`)
    expect(problems.toSorted()).toEqual([
      '001_documents: column documents.id is of type bigint, not integer',
      '001_documents: function title_of(integer) is missing',
      '001_documents: index documents_id_title is missing',
      '001_documents: unique key documents (title) is missing',
      '001_documents: view titles is missing',
      '002_embeddings: column documents.embedding is missing',
      '002_embeddings: extension vector is missing',
      '003_tags: table tags is missing',
    ])
    expect(await appliedNames(knex)).toEqual([])
  })
})

describeEmbedded('adopt', (database) => {
  test('adopts up to a version, after what was applied by a run', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, { ...three, '004_more': 'create table more (id int)' })
    await migrator.up({ to: '1' })
    await knex.raw('create extension vector; alter table documents add column embedding vector(3)')
    const { batch, adopted } = await migrator.adopt({ to: '002' })
    expect({ batch, adopted }).toEqual({ batch: 2, adopted: [{ name: '002_embeddings', objects: 1 }] })
    expect((await migrator.up()).migrations.map(({ name }) => name)).toEqual(['003_tags', '004_more'])
  })

  test('looks for what is left in the end, not for what a later migration changed', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, {
      '001_first': 'create table first (id int, gone text); create table dropped (id int)',
      '002_second': 'alter table first drop column gone, alter id type bigint; drop table dropped',
      '003_rows': 'insert into first values (1)',
    })
    await knex.raw('create table first (id bigint)')
    expect((await migrator.adopt()).adopted).toEqual([
      { name: '001_first', objects: 1 },
      { name: '002_second', objects: 1 },
      { name: '003_rows', objects: 0 },
    ])
    expect(await knex('first')).toEqual([])
  })

  test('refuses where something is still there that a migration removes', async () => {
    const { knex } = database()
    const migrations = {
      '001_first': 'create table first (id int, gone text)',
      '002_second': 'alter table first drop column gone',
    }
    await knex.raw('create table first (id int, gone text)')
    const migrator = migratorWith(knex, migrations)
    const { details } = await expectError('ADOPT_MISMATCH', () => migrator.adopt())
    expect(details.problems).toEqual([{ migration: '002_second', problem: 'column first.gone is still there' }])
    expect((await migrator.adopt({ to: '001' })).adopted).toHaveLength(1)
  })

  test('does not take an index for good that was never finished', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, {
      '001_first': 'create table first (id int); create index first_id on first (id)',
    })
    await knex.raw('create table first (id int); create index first_id on first (id)')
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'first_id'::regclass`)
    const { details } = await expectError('ADOPT_MISMATCH', () => migrator.adopt())
    expect(details.problems).toEqual([{ migration: '001_first', problem: 'index first_id is missing' }])
  })

  test('says which migration cannot be tried out in memory', async () => {
    const { knex } = database()
    const migrator = migratorWith(knex, { '001_rows': 'insert into made_by_hand values (1)' })
    await knex.raw('create table made_by_hand (id int)')
    const error = await expectError('REPLAY_FAILED', () => migrator.adopt())
    expect(error.details).toEqual({ migration: '001_rows' })
    expect(error.sqlState).toBe('42P01')
    expect(await appliedNames(knex)).toEqual([])
  })

  test('names what it does not know', async () => {
    const migrator = migratorWith(database().knex, three)
    const error = await expectError('MIGRATION_NOT_FOUND', () => migrator.adopt({ to: '004' }))
    expect(error.details.near).toEqual(expect.arrayContaining(['001_documents']))
  })
})

describeEmbedded("adopt, with another tool's table schema_migrations,", (database) => {
  const old = 'create table schema_migrations (version int primary key, name text)'

  test('adopts what it lists, and names the versions without a file', async () => {
    const { knex } = database()
    await knex.raw(`${documents}; ${tags}; ${old}`)
    await knex.raw(`insert into schema_migrations values (1, '001_documents'), (3, null), (9, 'gone')`)
    const migrator = migratorWith(knex, three)
    const result = await migrator.adopt()
    expect(result).toMatchObject({ source: 'schema_migrations', unmatched: ['gone'] })
    expect(result.adopted.map(({ name }) => name)).toEqual(['001_documents', '003_tags'])
    expect((await migrator.up()).migrations.map(({ name }) => name)).toEqual(['002_embeddings'])
  })

  test('does not take its word for what is not there', async () => {
    const { knex } = database()
    await knex.raw(`${old}; insert into schema_migrations values (3, '003_tags')`)
    const { details } = await expectError('ADOPT_MISMATCH', () => migratorWith(knex, three).adopt())
    expect(details.problems).toEqual([{ migration: '003_tags', problem: 'table tags is missing' }])
  })

  test('leaves it aside where a version is asked for', async () => {
    const { knex } = database()
    await knex.raw(`${documents}; ${old}`)
    const result = await migratorWith(knex, three).adopt({ to: '1' })
    expect(result).toMatchObject({ source: 'files', adopted: [{ name: '001_documents' }] })
  })

  test('takes versions that stand alone, as most tools write them', async () => {
    const { knex } = database()
    await knex.raw(`${documents}; create table schema_migrations (version text primary key)`)
    await knex.raw(`insert into schema_migrations values ('001'), ('7')`)
    const result = await migratorWith(knex, three).adopt()
    expect(result).toMatchObject({ source: 'schema_migrations', unmatched: ['7'] })
    expect(result.adopted.map(({ name }) => name)).toEqual(['001_documents'])
  })

  test('leaves one alone whose versions are of no file', async () => {
    const { knex } = database()
    await knex.raw(`create table schema_migrations (version text); insert into schema_migrations values ('20240101')`)
    await knex.raw(documents)
    const migrator = migratorWith(knex, { '001_documents': documents })
    expect(await migrator.adopt()).toMatchObject({ source: 'files', adopted: [{ name: '001_documents' }] })
  })

  test('leaves one alone that does not name each migration', async () => {
    const { knex } = database()
    await knex.raw('create table schema_migrations (version bigint, dirty boolean)')
    await knex.raw(`insert into schema_migrations values (3, false); ${documents}`)
    const migrator = migratorWith(knex, { '001_documents': documents })
    expect(await migrator.adopt()).toMatchObject({ source: 'files', adopted: [{ name: '001_documents' }] })
  })
})

describeOnOneServer('adopt', (database) => {
  test("adopts this repository's migrations after another tool has applied them", async () => {
    const { knex } = database()
    const source = migrationSource({ directory: 'migrations' })
    await migrateToLatest(knex, { migrationSource: source })
    await knex.raw('drop table knex_migrations, knex_migrations_lock, knex_migrations_runs')
    const migrator = createMigrator(knex, { migrationSource: source })
    const { adopted, source: from } = await migrator.adopt()
    expect(from).toBe('schema_migrations')
    expect(adopted.map(({ name }) => name)).toEqual([
      '001_initial_schema',
      '002_add_semantic_search',
      '003_add_scaling_tables',
    ])
    expect(Math.min(...adopted.map(({ objects }) => objects))).toBeGreaterThan(20)
  })

  test('finds pgvector in a schema of its own, and tables in the schema of the search path', async () => {
    const { connect } = database()
    const knex = connect({ searchPath: ['app', 'extensions'] })
    await knex.raw('create schema app; create schema extensions; create extension vector schema extensions')
    await knex.raw(`${documents}; alter table documents add column embedding extensions.vector(3)`)
    const migrator = migratorWith(knex, { '001_documents': documents, '002_embeddings': embeddings })
    expect((await migrator.adopt()).adopted).toHaveLength(2)
  })

  test('records each migration once where two do it at the same time', async () => {
    const { connect, knex } = database()
    await knex.raw(documents)
    const all = { '001_documents': documents }
    const results = await Promise.all([connect(), connect()].map((each) => migratorWith(each, all).adopt()))
    expect(results.flatMap(({ adopted }) => adopted)).toHaveLength(1)
    expect(await appliedNames(knex)).toEqual(['001_documents'])
  })

  test('changes nothing but the records', async () => {
    const { knex } = database()
    await knex.raw(documents)
    await migratorWith(knex, { '001_documents': documents }).adopt()
    const { rows } = await knex.raw<{ rows: { name: string }[] }>(
      `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`,
    )
    expect(rows.map(({ name }) => name)).toEqual([
      'documents',
      'knex_migrations',
      'knex_migrations_lock',
      'knex_migrations_runs',
    ])
  })
})
