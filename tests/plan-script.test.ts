import Knex, { type Knex as KnexInstance } from 'knex'

import {
  AddVectorColumn,
  copyVectors,
  CreateVectorIndex,
  dropPgvector,
  EnablePgvector,
  ensurePgvector,
  migration,
  migrationSource,
  RunSql,
  toBinary,
  vectorColumn,
  vectorIndex,
  type MigrationModule,
} from '../src/index.ts'
import { binaryArray } from '../src/columns/binary-array.ts'
import type { PlanOrigin } from '../src/migrator/plan/result.ts'
import { createMigrator, planScript, type PlannedMigration } from '../src/migrator.ts'
import { catalogOf } from './support/catalog.ts'
import type { TestDatabase } from './support/databases.ts'
import { silenceConsole } from './support/migrations.ts'
import { describeWithPsql, runPsql } from './support/psql.ts'

// Each plan starts PostgreSQL in this process.
jest.setTimeout(180_000)
silenceConsole()

interface InMemory {
  readonly up: (knex: KnexInstance) => Promise<unknown>
  readonly transaction?: boolean
}

function source(migrations: Readonly<Record<string, InMemory>>): KnexInstance.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve(Object.keys(migrations)),
    getMigrationName: (name) => name,
    getMigration: (name) => {
      const { up, transaction = true } = migrations[name] ?? { up: () => Promise.resolve() }
      const module = { up: (knex: KnexInstance) => up(knex).then(() => undefined), down: () => Promise.resolve() }
      return Promise.resolve({ ...module, config: { transaction } })
    },
  }
}

/** Whatever is hard to write down: quotes, bindings, steps outside a transaction, an extension in a schema of its own. */
const hard = source({
  "001_it's $guard$ ?": {
    up: async (knex) => {
      await knex.schema.createTable('notes', (table) => {
        table.increments()
        table.text('body').defaultTo(`it's; "so" \\n`)
        table.specificType('tags', 'text[]')
        table.jsonb('facts')
        table.binary('bytes')
        table.timestamp('at')
      })
      await knex('notes').insert({
        body: `C:\\new $1 'ä🐘' :body`,
        tags: ['a,"', "it's"],
        facts: { a: [1, '?'] },
        bytes: Buffer.from([0, 92, 39]),
        at: new Date(Date.UTC(2026, 6, 1, 12)),
      })
      await knex.raw(`
        create function shout(word text) returns text language plpgsql as $body$
          begin
            -- it's; here
            return upper(word) || E'\\\\;' || $$!$$;
          end
        $body$;
        create function twice(number int) returns int begin atomic select 2 * number; end;
      `)
    },
  },
  '002_outside': {
    transaction: false,
    up: async (knex) => {
      await knex.raw('create index concurrently notes_at on notes (at)')
      await knex.raw('create table one (id int); create table two (id int)')
      await knex.transaction(async (trx) => trx('one').insert([{ id: 1 }, { id: 2 }]))
      await knex
        .transaction((trx) =>
          trx('one')
            .insert({ id: 3 })
            .then(() => trx.raw('select 1/0')),
        )
        .catch(() => undefined)
    },
  },
  '003_search': {
    up: async (knex) => {
      await knex.raw('create schema extensions')
      await ensurePgvector(knex, { schema: 'extensions', logger: false })
      await knex.raw(`
        create extension pg_trgm with schema extensions;
        create table docs (id bigint generated always as identity, embedding extensions.vector(3));
        create index on docs using hnsw (embedding extensions.vector_l2_ops);
        insert into docs (embedding) values ('[1,2,3]');
        select setval('docs_id_seq', 41);
        create table things (a extensions.vector(3), b extensions.halfvec(3), c extensions.sparsevec(3), d bit(3), e extensions.vector[])
      `)
      const a = toBinary('vector', [0.1, -0, 3e-12])
      await knex('things').insert({
        a,
        b: toBinary('halfvec', [0.1, 2, 65_504]),
        c: toBinary('sparsevec', [0, 0.1, 0]),
        d: toBinary('bit', '101'),
        e: binaryArray(vectorColumn('things', 'e'), [a, null]),
      })
      await knex.raw(`
        create table loaded (id bigint generated always as identity, body text, whole double precision, at timestamptz,
          facts jsonb, bytes bytea, is_open boolean, embedding extensions.vector(3), hash bit(3))`)
      const full = {
        id: 7,
        body: `it's "{\\, NULL`,
        whole: 1 / 3,
        at: '2026-07-01T12:00:00.5Z',
        facts: { a: ['"', null] },
        bytes: Buffer.from([0, 92]),
        is_open: true,
        embedding: [0.1, -0, 3e-12],
        hash: '101',
      }
      const columns = Object.keys(full)
      const empty = Object.fromEntries(columns.map((column) => [column, null]))
      await copyVectors<Record<string, unknown>>(knex, 'loaded', columns, [full, { ...empty, id: 8 }])
      await knex('docs')
        .whereRaw('embedding operator(extensions.=) ?', [toBinary('vector', [1, 2, 3])])
        .update({ embedding: a })
    },
  },
})

const embedding = vectorColumn('papers', 'embedding', { dimensions: 3 })
const paperIndex = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })

const operations: Readonly<Record<string, MigrationModule>> = {
  '1_table': migration([
    new EnablePgvector(),
    new RunSql({ up: 'create table papers (id int)', down: 'drop table papers' }),
  ]),
  '2_column': migration([new AddVectorColumn(embedding)]),
  '3_index': migration([new CreateVectorIndex(paperIndex)]),
}

const typed: KnexInstance.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(Object.keys(operations)),
  getMigrationName: (name) => name,
  getMigration: (name) => Promise.resolve(operations[name] as KnexInstance.Migration),
}

const ours = migrationSource({ directory: 'migrations' })

describeWithPsql('the script of a plan', (database) => {
  test.each([
    ['this repository', ours],
    ['whatever is hard to write down', hard],
  ])('makes the same as `up`: %s', async (_what, migrationSources) => {
    const { knex, url } = database()
    const migrator = createMigrator(knex, { migrationSource: migrationSources })
    const { code, stderr } = await runPsql(url ?? '', planScript(await migrator.plan()))
    expect(stderr).not.toMatch(/ERROR|WARNING/)
    expect(code).toBe(0)
    expect(await migrator.up()).toMatchObject({ migrations: [] })
    expect((await knex.migrate.list({ migrationSource: migrationSources }))[1]).toEqual([])
    await besideIt(database(), async (other) => {
      await createMigrator(other, { migrationSource: migrationSources }).up()
      expect(await everythingIn(knex)).toEqual(await everythingIn(other))
    })
  })

  test('leaves a log that knows this server, so that `down` knows the extension for ours', async () => {
    const { knex, url, pgvector, major } = database()
    const migrator = createMigrator(knex, { migrationSource: ours })
    await runPsql(url ?? '', planScript(await migrator.plan()))
    const { rows } = await knex.raw(`
      select version_after, provider, split_part(server, '.', 1) as major,
        extension_oid = (select oid from pg_extension where extname = 'vector') as is_this
      from pgvector_migration_log`)
    expect(rows).toEqual([{ version_after: pgvector, provider: 'stock', major: String(major), is_this: true }])
    await migrator.down({ steps: 3 })
    expect((await catalogOf(knex)).extensions).toEqual([])
  })

  test('does not claim an extension that was there before', async () => {
    const { knex, url } = database()
    const script = planScript(await createMigrator(knex, { migrationSource: ours }).plan())
    await knex.raw('create extension vector')
    expect((await runPsql(url ?? '', script)).code).toBe(0)
    expect(await knex('pgvector_migration_log').pluck('event')).toEqual([])
    expect(await dropPgvector(knex, { logger: false })).toMatchObject({ status: 'kept' })
  })

  test('resolves its own names in pg_catalog', async () => {
    const script = planScript(await createMigrator(database().knex, { migrationSource: ours }).plan({ to: '2' }))
    const own = script.split('\n').filter((line) => /knex_pgvector|knex_migrations|is_locked/.test(line))
    const sql = own.join('\n')
    expect(sql).not.toMatch(/ (=|<>|\|\||\+) |(?<![._])\b(now|max|set_config)\(/)
  })

  test('leaves a log by whose numbers `down` knows a column and an index for ours', async () => {
    const { knex, url } = database()
    // The numbers of this database are others than those of the copy that the plan was made on.
    await knex.raw('create table something_else (id int)')
    const migrator = createMigrator(knex, { migrationSource: typed })
    const { code } = await runPsql(url ?? '', planScript(await migrator.plan()))
    expect(code).toBe(0)
    const { rows } = await knex.raw(`
      select event, duration_ms, details from pgvector_migration_log where event like 'index%' or event like 'column%'`)
    const table = Number((await knex.raw(`select 'papers'::regclass::oid::int8 as oid`)).rows[0].oid)
    expect(rows).toEqual([
      { event: 'column added', duration_ms: null, details: { table, column: 2, name: 'papers.embedding' } },
      {
        event: 'index built',
        duration_ms: null,
        details: { table, index: paperIndex.name, method: 'hnsw', metric: 'cosine' },
      },
    ])
    const versions = await knex('pgvector_migration_log').whereNot('event', 'enabled').distinct('version_before')
    expect(versions).toEqual([{ version_before: database().pgvector }])
    await migrator.down({ steps: 2 })
    expect(Object.keys(await knex('papers').columnInfo())).toEqual(['id'])
  })

  test('goes on where others stopped, in a batch of its own', async () => {
    const { knex, url } = database()
    const migrator = createMigrator(knex, { migrationSource: ours })
    await migrator.up({ to: '1' })
    const { code } = await runPsql(url ?? '', planScript(await migrator.plan({ skip: ['2'] })))
    expect(code).toBe(0)
    expect(await knex('knex_migrations').orderBy('id').select('name', 'batch')).toEqual([
      { name: '001_initial_schema', batch: 1 },
      { name: '003_add_scaling_tables', batch: 2 },
    ])
  })

  test('runs as two roles, the privileged part first', async () => {
    const { knex, url } = database()
    const role = await makeRole(database())
    const script = planScript(await createMigrator(knex, { migrationSource: ours }).plan())
    const address = new URL(url ?? '')
    Object.assign(address, { username: role, password: 'plan' })
    try {
      const alone = await runPsql(address.href, script)
      expect(alone.code).toBe(3)
      expect(alone.stderr).toContain('permission denied to create extension')
      expect(await tablesIn(knex)).toEqual([])
      expect(await runPsql(url ?? '', script, '--variable', 'part=privileged')).toMatchObject({ code: 0, stderr: '' })
      expect(await tablesIn(knex)).toEqual([])
      expect(await runPsql(address.href, script, '--variable', 'part=migrations')).toMatchObject({
        code: 0,
        stderr: '',
      })
      const { rows } = await knex.raw(`select tableowner from pg_tables where tablename = 'entry_embeddings'`)
      expect(rows).toEqual([{ tableowner: role }])
    } finally {
      await knex.raw(`drop owned by ${role}; drop role ${role}`)
    }
  })

  test('refuses to run twice, and while another process migrates', async () => {
    const { knex, url } = database()
    const migrator = createMigrator(knex, { migrationSource: ours })
    const script = planScript(await migrator.plan({ only: '1' }))
    await runPsql(url ?? '', script)
    const before = await everythingIn(knex)
    const again = await runPsql(url ?? '', script)
    expect(again.code).toBe(3)
    expect(again.stderr).toContain('Applied already: 001_initial_schema')
    await knex('knex_migrations').delete()
    await knex('knex_migrations_lock').update({ is_locked: 1 })
    const locked = await runPsql(url ?? '', script)
    expect(locked.code).toBe(3)
    expect(locked.stderr).toContain('Another process is running migrations')
    expect(await everythingIn(knex)).toEqual({ ...before, applied: [] })
  })

  test('keeps this library and stock Knex out while a migration runs', async () => {
    const { knex, url } = database()
    const slow = source({ '001_slow': { up: (db) => db.raw('create table slow (id int); select pg_sleep(2)') } })
    const migrator = createMigrator(knex, { migrationSource: slow })
    const script = planScript(await migrator.plan())
    const started = runPsql(url ?? '', script)
    await untilRunning(knex, 'pg_sleep')
    const [ours1, stock] = await Promise.all([migrator.up(), knex.migrate.latest({ migrationSource: slow }), started])
    expect(ours1.migrations).toEqual([])
    expect((stock as [number, string[]])[1]).toEqual([])
    expect(await knex('knex_migrations').pluck('name')).toEqual(['001_slow'])
  })
})

describe('the script of a plan', () => {
  const origin: PlanOrigin = {
    database: 'shop\nselect 1',
    server: '17.6',
    pgvector: null,
    searchPath: 'app, public',
    applied: [],
    at: '2026-01-01T00:00:00.000Z',
    tables: { migrations: '"m"', lock: '"l"', runs: '"r"' },
    bookkeeping: ['create table if not exists "m" ()'],
  }
  const scriptOf = (...statements: PlannedMigration['statements']): string =>
    planScript({ migrations: [{ name: '001_first', transactional: true, statements }], notes: ['a\nnote'], origin })
  const privilegedPartOf = (script: string): string =>
    /\\if :knex_pgvector_run_privileged\n([^]*?)\n\\endif/.exec(script)?.[1] ?? ''

  test('says in front what it does, when and for which state, and lets nothing of that run', () => {
    const lines = scriptOf({ sql: 'select 1', privileged: false }).split('\n')
    expect(lines.slice(0, lines.indexOf(''))).toEqual([
      '-- Applies 1 of the pending migrations: 001_first (knex-pgvector plan)',
      '-- Planned at 2026-01-01T00:00:00.000Z for the database "shop select 1" on PostgreSQL 17.6, without pgvector',
      '-- Applied there: nothing',
      '-- Note: a note',
      '-- To run it: psql --no-psqlrc --file THIS_FILE',
    ])
    expect(lines).toContain(`select pg_catalog.set_config('search_path', 'app, public', false);`)
  })

  test('has no privileged part where nothing needs one', () => {
    expect(scriptOf({ sql: 'select 1', privileged: false })).not.toContain('privileged')
  })

  test('says so where there is nothing to run', () => {
    const script = planScript({ migrations: [], notes: [], origin })
    expect(script).toMatch(/^-- Nothing is pending/)
    expect(script.split('\n').filter((line) => line !== '' && !line.startsWith('--'))).toEqual([])
  })

  test('moves to the front what creates and updates extensions, with the schemas that it needs', () => {
    const script = scriptOf(
      { sql: 'create schema Other', privileged: false },
      { sql: '-- for search\nCREATE SCHEMA "Ext" authorization app', privileged: false },
      { sql: 'create extension vector with schema "Ext" version \'0.8.0\'', privileged: true },
      { sql: 'create extension if not exists pg_trgm', privileged: true },
      { sql: 'alter extension vector update', privileged: true },
      { sql: 'create table t ()', privileged: false },
    )
    expect(privilegedPartOf(script).split('\n')).toEqual([
      '-- for search',
      'CREATE SCHEMA if not exists "Ext" authorization app;',
      `create extension if not exists vector with schema "Ext" version '0.8.0';`,
      'create extension if not exists pg_trgm;',
      'alter extension vector update;',
    ])
    const [, rest = ''] = script.split('-- 001_first')
    expect(rest).toContain('create schema Other;\n-- for search\nCREATE SCHEMA if not exists "Ext" authorization app;')
    expect(rest).not.toContain('extension vector')
  })

  test('leaves in its place what drops an extension, and what comes after it', () => {
    const script = scriptOf(
      { sql: 'create extension hstore', privileged: true },
      { sql: 'drop extension vector', privileged: true },
      { sql: 'create extension vector', privileged: true },
    )
    expect(privilegedPartOf(script)).toBe('create extension if not exists hstore;')
    expect(script).toContain(
      '-- needs a privileged role\ndrop extension vector;\n-- needs a privileged role\ncreate extension vector;',
    )
  })
})

/** Runs with another empty database of the same server. */
async function besideIt({ knex, url }: TestDatabase, run: (other: KnexInstance) => Promise<void>): Promise<void> {
  const address = new URL(url ?? '')
  const name = `${address.pathname.slice(1)}_up`
  await knex.raw(`create database ${name}`)
  address.pathname = `/${name}`
  const other = Knex({ client: 'pg', connection: address.href })
  try {
    await run(other)
  } finally {
    await other.destroy()
    await knex.raw(`drop database ${name} with (force)`)
  }
}

async function makeRole({ knex, url }: TestDatabase): Promise<string> {
  const role = `plan_${new URL(url ?? '').pathname.slice(1)}`
  await knex.raw(`create role ${role} login password 'plan'; grant create on schema public to ${role}`)
  return role
}

async function tablesIn(knex: KnexInstance): Promise<string[]> {
  return knex('pg_tables').where({ schemaname: 'public' }).pluck('tablename')
}

/** The catalog, Knex's own tables and the migration log in it, and what rows there are. */
async function everythingIn(knex: KnexInstance): Promise<Record<string, unknown>> {
  const { rows: columns } = await knex.raw(`
    select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
    where table_name like 'knex_migrations%' or table_name = 'pgvector_migration_log'
    order by table_name, ordinal_position`)
  const { rows: indexes } = await knex.raw(
    `select indexdef from pg_indexes where tablename like 'knex_migrations%' order by 1`,
  )
  const applied: string[] = await knex('knex_migrations').orderBy('id').pluck('name')
  const { rows: sequences } = await knex.raw(`
    select sequencename, last_value from pg_sequences where sequencename !~ '^(knex|pgvector)_migration' order by 1`)
  const tables = (await tablesIn(knex)).filter((name) => /^(notes|one|two|docs)$/.test(name)).toSorted()
  const rows = await Promise.all(tables.map((name) => knex(name)))
  return { catalog: await catalogOf(knex), columns, indexes, applied, sequences, rows }
}

async function untilRunning(knex: KnexInstance, part: string): Promise<void> {
  for (;;) {
    const { rows } = await knex.raw(
      `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and query like ?`,
      [`%${part}%`],
    )
    if (rows.length > 0) return
  }
}
