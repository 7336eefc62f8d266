import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import Knex from 'knex'

import { migrationSource } from '../src/index.ts'
import { lint } from '../src/lint.ts'
import { createMigrator, type PlanResult } from '../src/migrator.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { silenceConsole } from './support/migrations.ts'
import { removeTemporaryFolders, temporaryFolder } from './support/temporary.ts'
import { applyMigrations, linterOf, source, type TestMigration } from './support/steps.ts'

// Each plan starts PostgreSQL in the process.
jest.setTimeout(180_000)
silenceConsole()
afterEach(removeTemporaryFolders)

const legacy = `
  create extension if not exists vector;
  create type mood as enum ('good', 'it''s bad');
  create domain positive as integer not null default 1 check (value > 0);
  create type place as (street text, number positive);
  create function slug(title text) returns text immutable language sql as $$ select lower(title) $$;
  create sequence ticket increment 5 start 100;
  create table authors (id bigint generated always as identity primary key, name text not null unique);
  create table documents (
    id serial primary key,
    author bigint references authors,
    mood mood default 'good',
    place place,
    count positive default 3,
    ticket int default nextval('ticket'),
    title text check (title <> ''),
    slug text generated always as (slug(title)) stored,
    embedding vector(384),
    constraint titles unique (author, title)
  );
  create index documents_slug on documents (slug);
  create index documents_embedding on documents using hnsw (embedding vector_cosine_ops) with (m = 8);
  create view recent as select id, title from documents order by id desc limit 5;
  alter table authors add favourite int references documents;
  insert into authors (name) values ('Ada')`

const planOf = (knex: Knex.Knex, ...migrations: readonly TestMigration[]): Promise<PlanResult> =>
  createMigrator(knex, { migrationSource: source(...migrations) }).plan()

const about = ({ notes }: PlanResult): string[] => notes.filter((note) => !note.startsWith('Planned '))

describeOnEveryDatabase('a plan for tables that no migration created', (database) => {
  test('knows their columns, types, defaults, keys, constraints and indexes', async () => {
    const { knex } = database()
    await knex.raw(legacy)
    const statements = [
      `insert into authors (name) values ('Grace')`,
      `insert into documents (author, title, place) values (1, 'A', ('Main', 2))`,
      'drop index documents_slug',
      'alter index documents_embedding rename to documents_vectors',
      'alter table documents drop constraint titles, drop constraint documents_author_fkey, drop constraint documents_title_check',
      'alter table authors drop constraint authors_favourite_fkey',
      `alter type mood add value 'neutral'`,
      'alter sequence ticket restart',
      'drop view recent',
      'alter table documents alter slug drop expression, alter count drop not null',
      'alter table documents drop column id',
      "create table notes (slug text default slug('A'))",
    ]
    const plan = await planOf(knex, {
      name: '001',
      up: async (trx) => {
        for (const statement of statements) await trx.raw(statement)
      },
    })
    expect(about(plan)).toEqual([])
    expect(plan.migrations[0]?.statements.map(({ sql }) => sql)).toEqual(statements)
    expect((await knex('authors')).length).toBe(1)
  })

  test('copies values that defaults compute, and no data', async () => {
    const { knex } = database()
    await knex.raw(legacy)
    const seen: unknown[] = []
    await planOf(knex, {
      name: '001',
      up: async (trx) => {
        seen.push((await trx('authors').select()).length)
        await trx('authors').insert({ name: 'Grace' })
        await trx('documents').insert({ title: 'Some Title', author: 1 })
        seen.push(...(await trx('documents').select('id', 'mood', 'count', 'ticket', 'slug')))
      },
    })
    expect(seen).toEqual([0, { id: 1, mood: 'good', count: 3, ticket: 100, slug: 'some title' }])
  })

  test('finds names that need quotes, in schemas of their own', async () => {
    const { knex } = database()
    const hostile = `we"ird ' \\ $$ --name`
    await knex.raw('create schema "Some Schema"')
    await knex.raw(`create type "Some Schema".?? as enum ('a''b')`, [`${hostile}_type`])
    await knex.raw('create table "Some Schema".?? (?? "Some Schema".??)', [hostile, hostile, `${hostile}_type`])
    await knex.raw('create table "order" (id int)')
    const plan = await planOf(knex, {
      name: '001',
      up: async (trx) => {
        await trx.schema.withSchema('Some Schema').alterTable(hostile, (table) => table.text('title'))
        await trx.schema.alterTable('order', (table) => table.text('title'))
      },
    })
    expect(about(plan)).toEqual([])
    expect(plan.migrations[0]?.statements).toHaveLength(2)
  })

  test('answers whether they exist as the database does, also outside a transaction', async () => {
    const { knex } = database()
    await knex.raw('create table legacy (id int); create table absent_here (id int); drop table absent_here')
    const directory = await temporaryFolder()
    await writeFile(
      join(directory, '001.js'),
      `exports.config = { transaction: false }
      exports.up = async (knex) => {
        for (const name of ['legacy', 'absent_here']) {
          if (!(await knex.schema.hasTable(name))) await knex.schema.createTable(name, (table) => table.integer('id'))
        }
        await knex.raw('create table if not exists legacy (id int)')
        await knex.raw('alter table legacy add title text')
      }`,
    )
    const { migrations } = await createMigrator(knex, { migrationSource: migrationSource({ directory }) }).plan()
    const statements = migrations[0]?.statements.map(({ sql }) => sql).filter((sql) => !sql.startsWith('select'))
    expect(statements).toEqual([
      'create table "absent_here" ("id" integer)',
      'create table if not exists legacy (id int)',
      'alter table legacy add title text',
    ])
  })

  test('fails where the database fails too', async () => {
    const { knex } = database()
    await knex.raw('create table legacy (id int)')
    const error = await expectError('PLAN_FAILED', () =>
      planOf(knex, { name: '001', up: 'alter table legacy add a int' }, { name: '002', up: 'drop table missing' }),
    )
    expect(error.details.migration).toBe('002')
  })

  test('skips applied migrations that change them, and reads what they created from the database', async () => {
    const { knex } = database()
    await knex.raw('create table legacy (id int)')
    const applied: TestMigration[] = [
      { name: '001_first', up: 'create table first (id int)' },
      { name: '002_legacy', up: 'alter table legacy add a int; create table second (id int)' },
    ]
    await applyMigrations(knex, ...applied)
    const pending = { name: '003', up: 'alter table second add b int; alter table legacy drop a; drop table first' }
    const plan = await planOf(knex, ...applied, pending)
    expect(about(plan)).toEqual([
      'Applied migrations that use objects that no migration creates (002_legacy) were not replayed. What they created is read from the database where a pending migration names it.',
    ])
    expect(plan.migrations[0]?.statements).toHaveLength(3)
  })

  test('is judged to its end', async () => {
    const { knex } = database()
    await knex.raw(`${legacy}; insert into documents (title) values ('A')`)
    const lintPending = await linterOf(
      knex,
      [],
      { name: '001', up: `set local lock_timeout = '1s'; alter table documents add body text` },
      { name: '002', up: `set local lock_timeout = '1s'; alter table documents alter embedding type vector(768)` },
    )
    expect((await lintPending()).findings.map(({ rule, migration }) => [migration, rule])).toEqual([
      ['002', 'change-type'],
    ])
  })
})

describeOnServers('a plan for tables that no migration created', (database) => {
  test('needs read privileges only', async () => {
    const { knex, url } = database()
    await knex.raw(legacy)
    const address = new URL(url ?? '')
    const role = `unmigrated_${address.pathname.slice(1)}`
    await knex.raw(`create role ${role} login password 'reader'`)
    Object.assign(address, { username: role, password: 'reader' })
    const reader = Knex({ client: 'pg', connection: address.href })
    try {
      const plan = await planOf(reader, { name: '001', up: 'alter table documents add body text' })
      expect(about(plan)).toEqual([])
      expect(plan.migrations).toHaveLength(1)
    } finally {
      await reader.destroy()
      await knex.raw(`drop role ${role}`)
    }
  })

  test('copies partitions with their table', async () => {
    const { knex } = database()
    await knex.raw(`create table parts (id int, day date) partition by range (day);
      create index parts_day on parts (day);
      create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
      create table parts_rest partition of parts default`)
    const up =
      'alter table parts add title text; alter table parts_2026 alter title set not null; alter table parts detach partition parts_rest'
    const plan = await planOf(knex, { name: '001', up })
    expect(about(plan)).toEqual([])
    expect(plan.migrations[0]?.statements).toHaveLength(3)
  })

  test('names once what cannot be copied, and continues without it', async () => {
    const { knex } = database()
    await knex.raw(`create extension if not exists xml2;
      create table pages (id int, page text, title text generated always as (xpath_string(page, 'title')) stored)`)
    const steps = ['a', 'b'].map((name) => ({ name: `00${name}`, up: `alter table pages add ${name} text` }))
    const { notes } = await lint(knex, { migrationSource: source(...steps) })
    expect(notes.filter((note) => note.startsWith('Not copied'))).toEqual([
      'Not copied from the database to the embedded one: how pages computes title.',
    ])
  })
})
