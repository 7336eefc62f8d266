import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'

import type { Knex } from 'knex'

import {
  diffVectors,
  ensurePgvector,
  migrationSource,
  vectorColumn,
  vectorIndex,
  type DeclaredVectors,
} from '../src/index.ts'
import { createMigrator, newMigration } from '../src/migrator.ts'
import { identifier } from '../src/core/sql.ts'
import { composeFrom } from '../src/scaffold/from-diff.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { silenceConsole } from './support/migrations.ts'
import { createProject } from './support/project.ts'
import { statementsOf } from './support/recorder.ts'
import { removeTemporaryFolders } from './support/temporary.ts'
import { typeErrorsOf } from './support/type-errors.ts'

afterEach(removeTemporaryFolders)

const embedding = vectorColumn('documents', 'embedding', { dimensions: 3 })
const byAngle = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', m: 8 })
const signature = vectorColumn('Photo "s"', 'sig', { type: 'bit', dimensions: 64, schema: 'My app' })
const bySignature = vectorIndex(signature, { method: 'hnsw', metric: 'hamming', where: 'sig is not null' })
const large = vectorColumn('documents', 'large', { dimensions: 3072 })
const byLarge = vectorIndex(large, { method: 'hnsw', metric: 'l2', storage: 'halfvec' })
const declared: DeclaredVectors = { columns: [embedding], indexes: [byAngle, bySignature, byLarge] }

/** The migration that is written for what is declared, and how it is run. */
async function migrationFor(
  knex: Knex,
  wanted: DeclaredVectors,
): Promise<{ readonly text: string; readonly up: () => Promise<unknown> }> {
  const project = await createProject({})
  const directory = `${project.folder}/migrations`
  const { path } = await newMigration('vectors', { directory, differences: await diffVectors(knex, wanted) })
  const text = await readFile(path, 'utf8')
  return {
    text,
    up: () =>
      createMigrator(knex, {
        migrationSource: migrationSource({ directory }),
        tableName: basename(project.folder),
      }).up(),
  }
}

const tables = `
  create table documents (id int);
  create schema "My app";
  create table "My app"."Photo ""s""" (id int)`

describeOnEveryDatabase('a difference between what is declared and what is there', (database) => {
  silenceConsole()

  test('is none for a column of a materialized view', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw(`create materialized view papers as select 1 as id, '[1,2,3]'::vector(3) as embedding`)
    const columns = [vectorColumn('papers', 'embedding', { dimensions: 3 })]
    expect(await diffVectors(knex, { columns, indexes: [] })).toEqual([])
  })

  test('of a column leaves its index out of the migration, and says so', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw('create table documents (id int, embedding vector(4))')
    const differences = await diffVectors(knex, { columns: [], indexes: [byAngle] })
    expect(differences.map(({ kind }) => kind)).toEqual(['column differs', 'index missing'])
    const { comments, operations } = composeFrom(differences)
    expect(operations).toEqual([])
    expect(comments.at(-1)).toBe('documents_embedding_hnsw_cosine_idx is skipped, because its column differs.')
  })

  test('is found, whatever it is', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw(tables)
    await knex.raw(`
      alter table documents add column embedding vector(4), add column old vector(2);
      create index documents_embedding_hnsw_cosine_idx on documents using hnsw (embedding vector_l2_ops);
      alter table "My app"."Photo ""s""" add column sig bit(64);
      create index another_name on "My app"."Photo ""s""" using hnsw (sig bit_hamming_ops) where sig is not null`)
    const differences = await diffVectors(knex, declared)
    expect(differences.map(({ kind, name }) => `${kind}: ${name}`)).toEqual([
      'column differs: documents.embedding',
      'column missing: documents.large',
      'index differs: documents_embedding_hnsw_cosine_idx',
      'index missing: documents_large_hnsw_l2_halfvec_idx',
      'column not declared: public.documents.old',
    ])
    expect(differences[0]).toMatchObject({ existing: 'vector(4)', wanted: 'vector(3)' })
    await knex.raw('create index old_l2 on documents using hnsw (old vector_l2_ops)')
    expect((await diffVectors(knex, declared)).at(-1)).toMatchObject({
      kind: 'index not declared',
      name: 'public.old_l2',
    })
  })

  test('is found in as many round trips for many columns and indexes as for one', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    const ofTables = (count: number): DeclaredVectors => {
      const columns = Array.from({ length: count }, (_, place) => vectorColumn(`t${place}`, 'e', { dimensions: 3 }))
      return { columns, indexes: columns.map((column) => vectorIndex(column, { method: 'hnsw', metric: 'l2' })) }
    }
    const names = Array.from({ length: 20 }, (_, place) => `t${place}`)
    await knex.raw(names.map((name) => `create table ${name} (e vector(3))`).join(';'))
    const indexed = names
      .slice(1)
      .map((name) => `create index ${name}_e_hnsw_l2_idx on ${name} using hnsw (e vector_l2_ops)`)
    await knex.raw(indexed.join(';'))
    const found: unknown[] = []
    const roundTrips = async (count: number): Promise<number> =>
      (await statementsOf(knex, async () => void found.push(await diffVectors(knex, ofTables(count))))).length
    expect(await roundTrips(20)).toBe(await roundTrips(1))
    const missing = { kind: 'index missing', name: 't0_e_hnsw_l2_idx' }
    const others = names.slice(1).flatMap((name) => [
      { kind: 'column not declared', name: `public.${name}.e` },
      { kind: 'index not declared', name: `public.${name}_e_hnsw_l2_idx` },
    ])
    expect(found[0]).toMatchObject([missing])
    expect(found[1]).toHaveLength(1 + others.length)
    expect(found[1]).toEqual(expect.arrayContaining([missing, ...others].map((each) => expect.objectContaining(each))))
  })

  test('is not there on a database without the extension, but for all that is missing', async () => {
    const { knex } = database()
    await knex.raw(tables)
    expect((await diffVectors(knex, declared)).map(({ kind }) => kind)).toEqual([
      'extension missing',
      ...declared.indexes.map(() => 'column missing'),
      ...declared.indexes.map(() => 'index missing'),
    ])
  })

  test.each(['ts', 'js'] as const)('becomes a migration in .%s that ends it, and can be undone', async (extension) => {
    const { knex } = database()
    const project = await createProject({
      [`migrations/001_tables.${extension}`]: `exports.up = exports.down = async () => undefined`,
    })
    await ensurePgvector(knex)
    await knex.raw(tables)
    const before = await catalogOf(knex)
    const directory = `${project.folder}/migrations`
    const { path } = await newMigration('vectors', { directory, differences: await diffVectors(knex, declared) })
    expect(typeErrorsOf(extension === 'ts' ? [await readFile(path, 'utf8')] : [])).toEqual([])
    const migrator = createMigrator(knex, { migrationSource: migrationSource({ directory }) })
    await migrator.up()
    expect(await diffVectors(knex, declared)).toEqual([])
    await migrator.down()
    expect(await catalogOf(knex)).toEqual(before)
  })

  test('becomes a migration that enables pgvector first where it is not yet', async () => {
    const { knex } = database()
    await knex.raw(tables)
    const { text, up } = await migrationFor(knex, declared)
    expect(text).toMatch(/^import \{ .*EnablePgvector.*[^]*migration\(\[\n {2}new EnablePgvector\(\),\n/)
    await up()
    expect(await diffVectors(knex, declared)).toEqual([])
  })

  test('needs no pgvector for a column of bits', async () => {
    const { knex } = database()
    await knex.raw(tables)
    const wanted = { columns: [signature], indexes: [] }
    expect((await diffVectors(knex, wanted)).map(({ kind }) => kind)).toEqual(['column missing'])
  })

  test('becomes a migration that runs on rows: NOT NULL waits for their values', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw('create schema "My app"; create table "My app"."It\'s" (id int); create table documents (id int)')
    await knex.raw('insert into "My app"."It\'s" values (1)')
    const strict = vectorColumn("It's", 'embedding', { dimensions: 3, notNull: true, schema: 'My app' })
    const ofEmpty = vectorColumn('documents', 'embedding', { dimensions: 3, notNull: true })
    const indexes = [strict, ofEmpty].map((column) => vectorIndex(column, { method: 'hnsw', metric: 'l2' }))
    const wanted = { columns: [strict, ofEmpty], indexes }
    const { text, up } = await migrationFor(knex, wanted)
    expect(text).toContain(
      "// My app.It's.embedding is added without NOT NULL, because its table has rows. Once every row has a value (backfillVectors), in a later migration:\n",
    )
    expect(text).toContain("vectorColumn('documents', 'embedding', { dimensions: 3, notNull: true })")
    expect(text).toContain("vectorColumn(`It's`, 'embedding', { schema: 'My app', dimensions: 3 })")
    await up()
    expect((await diffVectors(knex, wanted)).map(({ kind, name }) => `${kind}: ${name}`)).toEqual([
      "column differs: My app.It's.embedding",
    ])
    const { details, hint } = await expectError('INVALID_OPTIONS', () => migrationFor(knex, wanted))
    const next = details.problems.join('\n')
    expect(next).toContain("My app.It's.embedding allows null, but is declared NOT NULL.")
    expect(hint).toBe('Backfill the column, then put the operation shown above into a migration. Nothing was written.')
    await knex.raw(`update "My app"."It's" set embedding = '[1,2,3]'`)
    // What it says to write.
    const [, statement = ''] = /^ {4}up: `(.*)`,$/m.exec(next) ?? []
    await knex.transaction((trx) => trx.raw(statement))
    expect(await diffVectors(knex, wanted)).toEqual([])
  })

  test('becomes a migration that builds no ivfflat index before there are rows to learn from', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw('create table documents (id int); insert into documents select generate_series(1, 50)')
    const byLists = vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', lists: 2 })
    const wanted = { columns: [], indexes: [byAngle, byLists] }
    const { text, up } = await migrationFor(knex, wanted)
    expect(text).toContain(`// ${byLists.name} is skipped: an ivfflat index is trained on existing rows`)
    expect(text).not.toMatch(/^ .*ivfflat/m)
    await up()
    expect(await diffVectors(knex, wanted)).toEqual([{ kind: 'index missing', name: byLists.name, index: byLists }])
    const next = await migrationFor(knex, wanted)
    expect(next.text).toContain(`// ${byLists.name} is postponed if no row has a value to train it on`)
    expect(next.text).toMatch(/ivfflat.*\{ whenEmpty: 'postpone' \}\),$/m)
    await knex.raw(`update documents set embedding = '[1,2,3]'`)
    await next.up()
    expect(await diffVectors(knex, wanted)).toEqual([])
  })

  test('of NOT NULL alone leaves no index out of the migration', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw('create table documents (id int, embedding vector(3) not null)')
    const { text, up } = await migrationFor(knex, { columns: [], indexes: [byAngle] })
    expect(text).toContain('// documents.embedding was not changed. The database has\n//   vector(3) not null\n')
    await up()
    expect((await diffVectors(knex, { columns: [], indexes: [byAngle] })).map(({ kind }) => kind)).toEqual([
      'column differs',
    ])
  })

  test('shows what is declared as PostgreSQL would read it, question marks and all', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw(`
      create table documents (id int, embedding vector(3));
      create index wh on documents using hnsw (embedding vector_l2_ops) where 'a\\?' <> 'b'`)
    const wanted = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', name: 'wh', where: `'a?' <> 'b'` })
    expect(await diffVectors(knex, { columns: [], indexes: [wanted] })).toEqual([
      expect.objectContaining({ kind: 'index differs', wanted: expect.stringContaining(`where ('a?' <> 'b')`) }),
    ])
  })

  test('stays a comment where a name breaks its line', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw('create table "a\nexport const b = 1" (id int, "c\nd" vector(3))')
    await knex.raw('create table documents (id int)')
    const { text } = await migrationFor(knex, { columns: [embedding], indexes: [] })
    expect(text).toContain('// public.a export const b = 1.c d (vector(3)) is not declared')
  })

  test('that only its owner can decide is left to people, and no empty migration is written', async () => {
    const { knex } = database()
    await ensurePgvector(knex)
    await knex.raw(tables)
    await knex.raw('alter table documents add column embedding vector(4), add column old vector(2)')
    const project = await createProject({})
    const directory = `${project.folder}/migrations`
    const differences = await diffVectors(knex, { columns: [embedding], indexes: [] })
    const error = await expectError('INVALID_OPTIONS', () => newMigration('vectors', { directory, differences }))
    expect(error.details.problems.join('\n')).toContain(
      'documents.embedding was not changed. The database has\n  vector(4)\n',
    )
    expect(error.details.problems).toContain('public.documents.old (vector(2)) is not declared and was not changed.')
    expect(error.hint).toMatch(/is a new column\. changeModel adds it.* Declare what is not declared, or drop it/)
    expect(existsSync(directory)).toBe(false)
  })
})

describeOnEveryDatabase('a migration for a table and a column of any name', (database) => {
  silenceConsole()

  test.each([
    ['vector', 'column'],
    ['enable', 'pgvector'],
    ['!', 'migration'],
    ['!', 'up'],
    ['!', 'class'],
    ['!', 'await'],
    ['!', 'eval'],
    ['!', 'exports'],
    ['!', 'undefined'],
    ['default', 'select'],
    ['1st', '2nd'],
    [`it's "so"`, '`${name}`'],
    ['back\\slash', '\\u0041'],
    ['line\nbreak', 'tab\tand\rreturn'],
    ['*/ end', '// end'],
    ['Größe', '埋め込み🐘'],
    ['\u202Ereversed', 'c1\u0085\u2028'],
    ['why?', ':name'],
    ['__proto__', 'constructor'],
  ])('is loaded and run: %j %j', async (table, name) => {
    const { knex } = database()
    // Where it is on the search path, no table can be called vector.
    await ensurePgvector(knex, { schema: 'extensions', createSchema: true })
    // Knex's own builder would change a question mark in a name.
    await knex.raw(`create table ${identifier(table)} (id int)`)
    const column = vectorColumn(table, name, { dimensions: 3 })
    const wanted = { columns: [column], indexes: [vectorIndex(column, { method: 'hnsw', metric: 'cosine' })] }
    const { text, up } = await migrationFor(knex, wanted)
    expect(typeErrorsOf([text])).toEqual([])
    await up()
    expect(await diffVectors(knex, wanted)).toEqual([])
  })
})
