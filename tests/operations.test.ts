import type { Knex } from 'knex'

import {
  AddVectorColumn,
  CreateVectorIndex,
  DropVectorColumn,
  DropVectorIndex,
  EnablePgvector,
  RunSql,
  ensurePgvector,
  inspectPgvector,
  migration,
  vectorColumn,
  vectorIndex,
  type MigrationModule,
  type Operation,
} from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { unconnected } from './support/unconnected.ts'

const silent = { logger: false } as const
const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
const byAngle = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

const documents = new RunSql({
  up: 'create table if not exists documents (id int primary key, body text)',
  down: 'drop table if exists documents',
})

const whole: readonly Operation[] = [
  new EnablePgvector(silent),
  documents,
  new AddVectorColumn(embedding, silent),
  new CreateVectorIndex(byAngle, silent),
]

function sourceOf(modules: Readonly<Record<string, MigrationModule>>): Knex.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve(Object.keys(modules)),
    getMigrationName: (name) => name,
    getMigration: (name) => Promise.resolve(modules[name] as Knex.Migration),
  }
}

describe('a migration of operations', () => {
  test('stays in a transaction unless one of them cannot', () => {
    expect(migration([documents, new AddVectorColumn(embedding)]).config).toEqual({ transaction: true })
    expect(migration(whole).config).toEqual({ transaction: false })
    expect(migration([new CreateVectorIndex(byAngle, { transaction: true })]).config).toEqual({ transaction: true })
  })

  test('can be rolled back in a transaction without the operations that cannot', async () => {
    const done: string[] = []
    const step = (name: string, rest: Pick<Operation, 'transaction' | 'downInTransaction'>): Operation => ({
      description: name,
      ...rest,
      up: () => Promise.resolve(),
      down: () => Promise.resolve(void done.push(name)),
    })
    const { down } = migration([
      step('made in a transaction', { transaction: true }),
      step('made outside, undone inside', { transaction: false, downInTransaction: true }),
      step('outside either way', { transaction: false }),
      step('made inside, undone outside', { transaction: true, downInTransaction: false }),
    ])
    await down.inTransaction?.(unconnected())
    expect(done).toEqual(['made outside, undone inside', 'made in a transaction'])
  })

  test('says what each of them does', () => {
    expect(whole.map(({ description }) => description)).toEqual([
      'enable pgvector',
      'run SQL',
      'add column documents.embedding "vector"(3)',
      'build index documents_embedding_hnsw_cosine_idx',
    ])
  })

  test('takes an index as it was declared, or declares it on the spot', () => {
    const onTheSpot = new CreateVectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
    expect(onTheSpot.description).toBe(new CreateVectorIndex(byAngle).description)
  })
})

/** Through Knex's own Migrator, as an application runs it. */
async function run(knex: Knex, module: MigrationModule, direction: 'up' | 'down'): Promise<void> {
  const migrationSource: Knex.MigrationSource<string> = {
    getMigrations: () => Promise.resolve(['001_documents']),
    getMigrationName: (name) => name,
    getMigration: () => Promise.resolve(module),
  }
  await knex.migrate[direction]({ migrationSource })
}

describeOnEveryDatabase('operations', (database) => {
  test('make and undo a whole migration: up, down and up again give the same catalog', async () => {
    const { knex } = database()
    const module = migration(whole)
    const before = await catalogOf(knex)
    await run(knex, module, 'up')
    const made = await catalogOf(knex)
    expect(made.tables['documents']?.columns.join()).toContain('vector(3)')
    expect(Object.keys(made.tables['documents']?.indexes ?? {})).toEqual(['documents_embedding_hnsw_cosine_idx'])
    await run(knex, module, 'down')
    expect(await catalogOf(knex)).toEqual(before)
    await run(knex, module, 'up')
    expect(await catalogOf(knex)).toEqual(made)
  })

  test('can be run again after any of them, and change nothing that is there', async () => {
    const { knex } = database()
    const { up } = migration(whole)
    for (const count of whole.keys()) await migration(whole.slice(0, count)).up(knex)
    await up(knex)
    const made = await catalogOf(knex)
    await up(knex)
    expect(await catalogOf(knex)).toEqual(made)
    expect(await knex('pgvector_migration_log').orderBy('id').pluck('event')).toEqual([
      'enabled',
      'column added',
      'index begun',
      'index built',
    ])
  })

  test("leave a colleague's column, index and extension alone when they are undone", async () => {
    const { knex } = database()
    await knex.raw(`
      create extension vector;
      create table documents (id int primary key, body text, embedding vector(3));
      insert into documents values (1, 'one', '[1,2,3]');
      create index documents_embedding_hnsw_cosine_idx on documents using hnsw (embedding vector_cosine_ops);
    `)
    const before = await catalogOf(knex)
    const { up, down } = migration(whole.filter((operation) => operation !== documents))
    await up(knex)
    await down(knex)
    expect(await catalogOf(knex)).toEqual(before)
    expect(await knex('documents').pluck('embedding')).toEqual(['[1,2,3]'])
  })

  test('work on quoted names in any schema, with the extension off the search path', async () => {
    const { knex } = database()
    await knex.raw('create schema "My App"; create table "My App"."Doc""uments\\?" (id int)')
    const column = vectorColumn('Doc"uments?', 'Embedding.v1?', { schema: 'My App', dimensions: 3072 })
    const module = migration([
      new EnablePgvector({ ...silent, schema: 'Ex ten', createSchema: true }),
      new AddVectorColumn(column, silent),
      new CreateVectorIndex(column, { method: 'hnsw', metric: 'l2' }, silent),
    ])
    await module.up(knex)
    const { rows } = await knex.raw(`select indexdef from pg_indexes where schemaname = 'My App'`)
    expect(rows[0].indexdef).toContain('halfvec(3072)')
    await module.down(knex)
    const { rows: left } = await knex.raw(`select column_name from information_schema.columns
      where table_schema = 'My App'`)
    expect(left).toEqual([{ column_name: 'id' }])
  })

  test('drop a column and its index, and bring them back, empty', async () => {
    const { knex } = database()
    await migration(whole).up(knex)
    const made = await catalogOf(knex)
    const module = migration([new DropVectorIndex(byAngle, silent), new DropVectorColumn(embedding, silent)])
    await module.up(knex)
    expect((await catalogOf(knex)).tables['documents']?.columns.join()).not.toContain('vector')
    await module.down(knex)
    expect(await catalogOf(knex)).toEqual(made)
  })

  test('refuse to drop a column that something else uses, and name it', async () => {
    const { knex } = database()
    await migration(whole).up(knex)
    await knex.raw('create view nearby as select embedding from documents')
    const error = await expectError('COLUMN_IN_USE', () => new DropVectorColumn(embedding, silent).up(knex))
    expect(error.details.dependents).toEqual([
      'index documents_embedding_hnsw_cosine_idx',
      expect.stringContaining('view nearby'),
    ])
  })

  test('refuse a column that is there and another one', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (embedding vector(4))')
    const error = await expectError('COLUMN_DIFFERS', () => new AddVectorColumn(embedding, silent).up(knex))
    expect(error.message).toBe('Column documents.embedding is of type vector(4), not vector(3)')
    const drop = new DropVectorColumn(embedding, { ...silent, onlyOurs: false })
    await expectError('COLUMN_DIFFERS', () => drop.up(knex))
  })

  test('say what is missing: the extension, the table, a value for a column that must have one', async () => {
    const { knex } = database()
    const add = (): Promise<void> => new AddVectorColumn(embedding, silent).up(knex)
    await expectError('RELATION_NOT_FOUND', add)
    await documents.up(knex)
    await expectError('PGVECTOR_NOT_ENABLED', add)
    await ensurePgvector(knex, silent)
    await knex('documents').insert({ id: 1 })
    const filled = vectorColumn('documents', 'embedding', { dimensions: 3, notNull: true })
    await expectError('COLUMN_NEEDS_VALUES', () => new AddVectorColumn(filled, silent).up(knex))
    await knex('documents').delete()
    await new AddVectorColumn(filled, silent).up(knex)
    await knex.raw(`alter table documents alter column embedding drop not null`)
    await expectError('COLUMN_DIFFERS', () => new AddVectorColumn(filled, silent).up(knex))
  })

  test('keep a column of every type', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await documents.up(knex)
    const columns = (['vector', 'halfvec', 'sparsevec', 'bit'] as const).flatMap((type) => [
      vectorColumn('documents', `${type}_3`, { type, dimensions: 3 }),
      vectorColumn('documents', `${type}_any`, { type }),
    ])
    const module = migration(columns.map((column) => new AddVectorColumn(column, silent)))
    await module.up(knex)
    const made = await catalogOf(knex)
    await module.up(knex)
    expect(await catalogOf(knex)).toEqual(made)
    await module.down(knex)
    expect((await catalogOf(knex)).tables['documents']?.columns).toHaveLength(2)
  })

  test('send a question mark of their SQL as it stands', async () => {
    const { knex } = database()
    await new RunSql({ up: `create table tags as select '{"a": 1}'::jsonb ? 'a' as has`, down: 'select 1' }).up(knex)
    expect(await knex('tags').pluck('has')).toEqual([true])
  })

  test('are planned as the statements that they will send, and none that only looks', async () => {
    const { knex } = database()
    const migrationSource = sourceOf({ '001_documents': migration(whole) })
    const [planned] = (await createMigrator(knex, { migrationSource }).plan()).migrations
    const statements = (planned?.statements ?? []).map(({ sql }) => sql.trim().replaceAll(/\s+/g, ' '))
    const ofTables = statements.filter(
      (sql) => !/^(begin|commit|savepoint|release|set local|insert into|comment on)/.test(sql),
    )
    expect(ofTables).toEqual([
      expect.stringMatching(/^create extension vector/),
      expect.stringMatching(/^create table if not exists .*pgvector_migration_log/),
      expect.stringMatching(/^create table if not exists documents/),
      expect.stringMatching(/^alter table "documents" add column/),
      expect.stringMatching(/^create index concurrently "documents_embedding_hnsw_cosine_idx"/),
    ])
  })

  test('run under this runner as under stock Knex', async () => {
    const { knex } = database()
    const migrationSource = sourceOf({ '001_documents': migration(whole) })
    const migrator = createMigrator(knex, { migrationSource })
    const before = await catalogOf(knex)
    await migrator.up()
    expect(await knex('pgvector_migration_log').orderBy('id').pluck('migration')).toEqual(
      // Of the index, that it is begun and that it is built.
      whole.map(() => '001_documents'),
    )
    await migrator.down()
    expect(await catalogOf(knex)).toEqual(before)
  })

  test('leave what an earlier migration made when a later one that found it there is rolled back', async () => {
    const { knex } = database()
    const modules: Readonly<Record<string, MigrationModule>> = {
      '001_documents': migration(whole),
      '002_again': migration([new AddVectorColumn(embedding, silent), new CreateVectorIndex(byAngle, silent)]),
    }
    const migrator = createMigrator(knex, { migrationSource: sourceOf(modules) })
    const before = await catalogOf(knex)
    await migrator.up({ to: '001' })
    await knex('documents').insert({ id: 1, embedding: '[1,2,3]' })
    const made = await catalogOf(knex)
    await migrator.up()
    await migrator.down()
    expect(await catalogOf(knex)).toEqual(made)
    expect(await knex('documents').pluck('embedding')).toEqual(['[1,2,3]'])
    await migrator.down()
    expect(await catalogOf(knex)).toEqual(before)
  })

  test('take away what the rollback of a later migration brought back', async () => {
    const { knex } = database()
    const modules: Readonly<Record<string, MigrationModule>> = {
      '001_documents': migration(whole),
      '002_without': migration([new DropVectorIndex(byAngle, silent), new DropVectorColumn(embedding, silent)]),
    }
    const migrator = createMigrator(knex, { migrationSource: sourceOf(modules) })
    const before = await catalogOf(knex)
    await migrator.up()
    expect(await knex.schema.hasColumn('documents', 'embedding')).toBe(false)
    await migrator.down({ steps: 2 })
    expect(await catalogOf(knex)).toEqual(before)
  })

  test('leave a column and an index that this library did not create, unless onlyOurs is false', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (id int primary key, embedding vector(3))')
    await knex.raw(`create index ${byAngle.name} on documents using hnsw (embedding vector_cosine_ops)`)
    const before = await catalogOf(knex)
    const all = { ...silent, onlyOurs: false }
    await migration([new DropVectorIndex(byAngle, silent), new DropVectorColumn(embedding, silent)]).up(knex)
    expect(await catalogOf(knex)).toEqual(before)
    await migration([new DropVectorIndex(byAngle, all), new DropVectorColumn(embedding, all)]).up(knex)
    expect(await knex.schema.hasColumn('documents', 'embedding')).toBe(false)
  })

  test('leave the extension that an earlier migration enabled when a later one is rolled back', async () => {
    const { knex } = database()
    const enabling = (): MigrationModule => migration([new EnablePgvector(silent)])
    const source = sourceOf({ '001_enable': enabling(), '002_again': enabling() })
    const migrator = createMigrator(knex, { migrationSource: source })
    await migrator.up()
    await migrator.down()
    expect((await inspectPgvector(knex)).installed).not.toBeNull()
    await migrator.down()
    expect((await inspectPgvector(knex)).installed).toBeNull()
  })
})

describeOnServers('a column that is added to a table in use', (database) => {
  test('blocks no other session, and is added when the table is free', async () => {
    const { knex, connect } = database()
    await ensurePgvector(knex, silent)
    await documents.up(knex)
    const reader = await connect().transaction()
    await reader.raw('select * from documents')
    const waits: string[] = []
    const logger = { warn: () => undefined, info: (message: string) => waits.push(message) }
    const added = new AddVectorColumn(embedding, { logger, lockTimeout: 50 }).up(knex)
    // Somebody who comes later is served although the first reader stays.
    while (waits.length === 0) await connect().raw('select * from documents')
    await reader.rollback()
    await added
    expect(await knex('documents').columnInfo()).toHaveProperty('embedding')
  })

  test('is added where a statement may take less time than its waiting', async () => {
    const { knex, connect } = database()
    await ensurePgvector(knex, silent)
    await documents.up(knex)
    const hasty = connect({ pool: { min: 1, max: 1 } })
    await hasty.raw('set statement_timeout = 1000')
    const reader = await connect().transaction()
    await reader.raw('select * from documents')
    const added = new AddVectorColumn(embedding, { ...silent, lockTimeout: 5000 }).up(hasty)
    await reader.raw('select pg_sleep(1.5)')
    await reader.rollback()
    await added
    expect(await knex('documents').columnInfo()).toHaveProperty('embedding')
    expect((await hasty.raw('show statement_timeout')).rows).toEqual([{ statement_timeout: '1s' }])
  })

  test('gives up in time, and names who has it', async () => {
    const { knex, connect } = database()
    await ensurePgvector(knex, silent)
    await documents.up(knex)
    const writer = await connect().transaction()
    await writer.raw('insert into documents values (1)')
    const { rows } = await writer.raw('select pg_backend_pid() as pid')
    const operation = new AddVectorColumn(embedding, { ...silent, lockTimeout: 20, wait: 100 })
    const error = await expectError('TABLE_BUSY', () => operation.up(knex))
    expect(error.details.blockers).toEqual([rows[0].pid])
    await writer.rollback()
  })
})
