import { join } from 'node:path'

import { createVectorIndex, dropVectorIndex, migrationSource, vectorColumn, vectorIndex } from '../src/index.ts'
import { lint, type LintResult } from '../src/lint.ts'
import type { CliResult } from './support/cli.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { silenceConsole } from './support/migrations.ts'
import { createProject, knexfile, migrationOf, type Project } from './support/project.ts'
import { rolledBack } from './support/rolled-back.ts'
import { applyMigrations, linterOf, source, type TestMigration } from './support/steps.ts'
import { removeTemporaryFolders } from './support/temporary.ts'

// Each plan starts PostgreSQL in the process.
jest.setTimeout(180_000)
silenceConsole()

const documents: TestMigration = {
  name: '001_documents',
  up: 'create extension vector; create table documents (id int, embedding vector(3))',
}
const rows = `insert into documents select n, '[1,2,3]' from generate_series(1, 10) n`
const index = 'create index documents_idx on documents using hnsw (embedding vector_l2_ops)'
const patient = `set local lock_timeout = '1s'`

const rulesIn = ({ findings }: LintResult): string[] => findings.map(({ migration, rule }) => `${migration} ${rule}`)

describeOnEveryDatabase('a linter', (database) => {
  test('knows which tables have rows, and changes nothing', async () => {
    const { knex } = database()
    const lintPending = await linterOf(knex, [documents], { name: '002_index', up: `${patient}; ${index}` })
    expect(rulesIn(await lintPending())).toEqual([])
    await knex.raw(rows)
    expect(rulesIn(await lintPending())).toEqual(['002_index blocking-index'])
    const { rows: indexes } = await knex.raw(`select from pg_indexes where indexname = 'documents_idx'`)
    expect(indexes).toEqual([])
  })

  test('sees in a transaction what it has not committed, and leaves it usable', async () => {
    const { knex } = database()
    await applyMigrations(knex, documents)
    const migrations = source(documents, { name: '002_index', up: `${patient}; ${index}` })
    expect(rulesIn(await lint(knex, { migrationSource: migrations }))).toEqual([])
    await rolledBack(knex, async (trx) => {
      await trx.raw(rows)
      expect(rulesIn(await lint(trx, { migrationSource: migrations }))).toEqual(['002_index blocking-index'])
      await trx.raw('delete from documents')
    })
  })

  test('finds nothing in the migrations of this repository', async () => {
    const result = await lint(database().knex, { migrationSource: migrationSource({ directory: 'migrations' }) })
    expect(rulesIn(result)).toEqual([])
    expect(result).toMatchObject({ allowed: [], unread: [] })
  })
})

describeOnServers('a linter', (database) => {
  test('knows the columns that are there', async () => {
    const { knex } = database()
    const lintPending = await linterOf(
      knex,
      [documents],
      { name: '002_type', up: `${patient}; alter table documents alter embedding type vector(4)` },
      { name: '003_drop', up: `${patient}; drop table documents cascade` },
    )
    await knex.raw(rows)
    expect(rulesIn(await lintPending())).toEqual(['002_type change-type', '003_drop cascade'])
  })

  test('explains what pgvector refuses, where the plan ends', async () => {
    const lintPending = await linterOf(
      database().knex,
      [documents],
      { name: '002_big', up: 'create table big (e vector(3072)); create index on big using hnsw (e vector_l2_ops)' },
      { name: '003_more', up: 'drop table documents' },
    )
    const result = await lintPending()
    expect(rulesIn(result)).toEqual(['002_big too-many-dimensions'])
    expect(result.notes).toEqual([
      expect.stringMatching(/^Migration 002_big failed on the embedded database .* was not looked at\.$/),
    ])
  })

  test("has the plan's error where no rule explains it", async () => {
    const lintPending = await linterOf(database().knex, [documents], { name: '002_broken', up: 'select broken' })
    const error = await expectError('PLAN_FAILED', () => lintPending())
    expect(error.details.migration).toBe('002_broken')
  })

  test('refuses an option that it does not have', async () => {
    const { details } = await expectError('INVALID_OPTIONS', () =>
      lint(database().knex, JSON.parse('{ "declares": [], "skip": "002" }')),
    )
    expect(details.problems).toEqual(['skip: must be a list', expect.stringContaining('declares')])
  })

  test('compares with the indexes that are declared', async () => {
    const lintPending = await linterOf(database().knex, [], { ...documents, up: `${String(documents.up)}; ${index}` })
    const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
    const declared = [vectorIndex(column, { method: 'hnsw', metric: 'cosine' })]
    expect(rulesIn(await lintPending())).toEqual([])
    expect(rulesIn(await lintPending({ declared }))).toEqual(['001_documents operator-class'])
  })

  test('sees that createVectorIndex and dropVectorIndex do not block writes, and that later statements may', async () => {
    const { knex } = database()
    const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
    const typed = vectorIndex(column, { method: 'hnsw', metric: 'cosine' })
    const quiet = { logger: false } as const
    const lintPending = await linterOf(
      knex,
      [documents],
      { name: '002_build', up: (trx) => createVectorIndex(trx, typed, quiet) },
      { name: '003_drop', up: (trx) => dropVectorIndex(trx, typed, quiet) },
      {
        name: '004_more',
        up: async (trx) => {
          await createVectorIndex(trx, typed, quiet)
          await trx.raw('alter table documents add title text')
        },
      },
    )
    expect(rulesIn(await lintPending())).toEqual(['004_more lock-timeout'])
  })

  test('sees a lock_timeout that every session has', async () => {
    const { knex, url, connect } = database()
    const step = { name: '002_title', up: 'alter table documents add title text' }
    await applyMigrations(knex, documents)
    const name = new URL(url ?? '').pathname.slice(1)
    expect(rulesIn(await (await linterOf(knex, [], documents, step))())).toEqual(['002_title lock-timeout'])
    await knex.raw(`alter database ${name} set lock_timeout = '1s'`)
    expect(rulesIn(await (await linterOf(connect(), [], documents, step))())).toEqual([])
  })

  test('knows indexes, which table has partitions, and the bits that are searched', async () => {
    const { knex } = database()
    const searched: TestMigration = {
      name: '001_searched',
      up: `create extension vector;
        create table "Searched" (id int, "bIts" bit(3), flags bit(3));
        create index "The Index" on "Searched" using hnsw ("bIts" bit_hamming_ops);
        create index searched_id on "Searched" (id);
        create table parts (id int, e vector(3)) partition by list (id);
        create table parts_1 partition of parts default`,
    }
    const silent = [
      'create index parts_e on only parts using hnsw (e vector_l2_ops)',
      'reindex index searched_id',
      'alter table "Searched" alter flags type bit(4) using b\'1111\'',
    ]
    const loud = [
      'create index on only parts_1 using hnsw (e vector_l2_ops)',
      'reindex index "The Index"',
      'reindex table "Searched"',
      'alter table "Searched" alter "bIts" type bit(4) using b\'1111\'',
    ]
    const up = [patient, ...silent, ...loud].join('; ')
    const lintPending = await linterOf(knex, [searched], { name: '002', up })
    await knex.raw(`insert into "Searched" values (1, b'101', b'101')`)
    await knex.raw(`insert into parts values (1, '[1,2,3]')`)
    expect((await lintPending()).findings.map(({ rule, statement }) => [rule, statement])).toEqual(
      loud.map((statement) => [statement.startsWith('alter') ? 'change-type' : 'blocking-index', statement]),
    )
  })

  test('knows an index that an interrupted build left behind', async () => {
    const { knex } = database()
    const conditional = index.replace('index', 'index if not exists')
    const lintPending = await linterOf(knex, [documents], { name: '002', up: `${patient}; ${conditional}` })
    await knex.raw(index)
    expect(rulesIn(await lintPending())).toEqual([])
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'documents_idx'::regclass`)
    expect(rulesIn(await lintPending())).toEqual(['002 invalid-index'])
  })

  test('explains why CONCURRENTLY fails, where the plan ends', async () => {
    const concurrent = index.replace('index', 'index concurrently')
    const inTransaction = await linterOf(database().knex, [documents], { name: '002', up: concurrent })
    expect(rulesIn(await inTransaction())).toEqual(['002 concurrently'])
    const other = concurrent.replace('documents_idx', 'other_idx')
    const together = { name: '002', up: `${concurrent}; ${other}`, transaction: false }
    const { findings } = await lint(database().knex, { migrationSource: source(documents, together) })
    expect(findings.map(({ rule, statement }) => [rule, statement])).toEqual([
      ['concurrently', concurrent],
      ['concurrently', other],
    ])
  })

  test('advises where it is to wait by how the migration runs', async () => {
    const both = 'alter table documents add title text; alter table documents add body text'
    const back = 'alter table documents drop title; alter table documents drop if exists body'
    const lintPending = await linterOf(
      database().knex,
      [documents],
      { name: '002_one', up: both.slice(0, both.indexOf(';')) },
      { name: '003_two', up: back, transaction: false },
      { name: '004_limited', up: `${patient}; ${both}`, transaction: false },
    )
    expect((await lintPending()).findings.map(({ migration, next }) => [migration, next])).toEqual([
      ['002_one', expect.stringContaining('await knex.raw("set local')],
      ['003_two', expect.stringContaining('in the same string')],
    ])
  })

  test('knows the rows of partitions, and of a schema of its own', async () => {
    const { knex } = database()
    const parts: TestMigration = {
      name: '001_parts',
      up: `create extension vector; create schema app;
        create table app.full (id int, e vector(3)) partition by list (id);
        create table app.full_1 partition of app.full default;
        create table app.none (id int, e vector(3)) partition by list (id);
        create table app.none_1 partition of app.none default`,
    }
    const indexes = ['full', 'none'].map((table) => `create index on app.${table} using hnsw (e vector_l2_ops)`)
    const lintPending = await linterOf(knex, [parts], { name: '002', up: [patient, ...indexes].join('; ') })
    await knex.raw(`insert into app.full values (1, '[1,2,3]')`)
    expect((await lintPending()).findings.map(({ statement }) => statement)).toEqual([indexes[0]])
  })
})

describeOnEveryDatabase('knex-pgvector lint', (database) => {
  afterEach(removeTemporaryFolders)

  const embedded = `
    const { migrationSource } = require('knex-pgvector')
    const { embeddedPgvector } = require('knex-pgvector/embedded')
    module.exports = {
      ...embeddedPgvector(),
      migrations: { migrationSource: migrationSource({ directory: 'migrations' }) },
    }`

  const project = (migrations: Readonly<Record<string, string>>): Promise<Project> =>
    createProject({
      'knexfile.js': database().url === null ? embedded : knexfile,
      ...Object.fromEntries(
        Object.entries(migrations).map(([name, up]) => [join('migrations', `${name}.js`), migrationOf(up)]),
      ),
    })

  const runLint = (made: Project, ...flags: string[]): Promise<CliResult> =>
    made.run(['lint', ...flags], { DATABASE_URL: database().url ?? '' })

  const allowing = `-- knex-pgvector: allow operator-class: nothing searches yet\n`
  const ivfflat = 'create index on documents using ivfflat (embedding)'

  test('prints each finding with what to do, and exits with 3', async () => {
    const { code, stdout } = await runLint(
      await project({
        '001_documents': `${String(documents.up)}; ${allowing}${ivfflat}`,
        '002_do': 'do $$ begin end $$',
      }),
    )
    // The server may have another version than the plan was made with.
    expect(stdout.split('\n').filter((line) => !line.startsWith('⚠ Planned '))).toEqual([
      '001_documents',
      expect.stringMatching(/^ {2}✗ ivfflat-without-rows {2}The ivfflat index on documents is built while/),
      `      ${join('migrations', '001_documents.js')}:1  ${ivfflat}`,
      expect.stringMatching(/^ {6}→ Build it once the rows exist/),
      '  ✓ operator-class  allowed: nothing searches yet',
      '',
      '002_do',
      '  – not read: what a DO block does is not read',
      `      ${join('migrations', '002_do.js')}:1  do $$ begin end $$`,
      '',
      'Findings: 1, allowed: 1, not read: 1',
      '',
    ])
    expect(code).toBe(3)
  })

  test('says so where nothing is found, and exits with 0', async () => {
    const made = await project({ '001_documents': `${String(documents.up)}; ${index}` })
    const { code, stdout } = await runLint(made)
    expect(stdout).toContain('✓ Nothing found\nFindings: 0, allowed: 0, not read: 0\n')
    expect(code).toBe(0)
  })

  test('prints one document with --json, and reads the indexes that a module in TypeScript declares', async () => {
    const made = await project({ '001_documents': `${String(documents.up)}; ${index}` })
    await made.write('vectors.ts', declaring)
    const { code, stdout, stderr } = await runLint(made, '--declared', 'vectors.ts', '--json', '--quiet')
    const { findings, ...rest } = JSON.parse(stdout) as LintResult
    expect(rest).toMatchObject({ allowed: [], unread: [] })
    expect(stderr).toBe('')
    expect(findings.map(({ rule, next }) => [rule, next])).toEqual([
      ['operator-class', expect.stringContaining('vector_cosine_ops')],
    ])
    expect(code).toBe(3)
  })

  test('exits with 2 where what is declared cannot be found', async () => {
    const made = await project({})
    await made.write('nothing.js', 'module.exports = {}')
    for (const file of ['nothing.js', 'missing.ts']) {
      const { code, stderr } = await runLint(made, '--declared', file)
      expect(stderr).toContain('--declared: ')
      expect(stderr).toContain(file)
      expect(code).toBe(2)
    }
  })
})

const declaring = `
  const column = { schema: null, table: 'documents', name: 'embedding', type: 'vector' as const, dimensions: 3 }
  const operatorClass: { name: string } = { name: 'vector_cosine_ops' }
  export const indexes = [{ column, name: 'documents_idx', method: 'hnsw', metric: 'cosine', storage: { operatorClass } }]
`
