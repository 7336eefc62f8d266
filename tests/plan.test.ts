import Knex, { type Knex as KnexInstance } from 'knex'

import { migrationSource, type PgvectorState } from '../src/index.ts'
import { createMigrator, type PlanResult } from '../src/migrator.ts'
import { notesOn } from '../src/migrator/plan/notes.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase, describeOnOneServer, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { silenceConsole } from './support/migrations.ts'
import { statementsOf } from './support/recorder.ts'

// Each plan starts PostgreSQL in this process.
jest.setTimeout(180_000)
silenceConsole()

/** Migrations in memory, so that a test says what they send. */
function source(migrations: Readonly<Record<string, Up | string>>): KnexInstance.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve(Object.keys(migrations)),
    getMigrationName: (name) => name,
    getMigration: (name) => {
      const up = migrations[name] ?? ''
      return Promise.resolve({
        up: async (knex: KnexInstance) => (typeof up === 'string' ? knex.raw(up) : up(knex)),
        down: () => Promise.resolve(),
        ...(name.endsWith('concurrently') ? { config: { transaction: false } } : {}),
      })
    },
  }
}

type Up = (knex: KnexInstance) => PromiseLike<unknown>

/** The statements of each migration, without whitespace that means nothing. */
function sqlOf({ migrations }: PlanResult): Record<string, string[]> {
  return Object.fromEntries(
    migrations.map(({ name, statements }) => [name, statements.map(({ sql }) => sql.replaceAll(/\s+/g, ' '))]),
  )
}

const four = source({
  '001_notes': (knex) => knex.schema.createTable('notes', (table) => table.increments()),
  '002_body': async (knex) => {
    await knex.schema.alterTable('notes', (table) => table.text('body'))
    await knex('notes').insert({ body: "it's" })
  },
  '003_concurrently': 'create index concurrently notes_body on notes (body)',
  '004_more': "create table more (id int); select setval('notes_id_seq', 7)",
})

describeOnEveryDatabase('a plan', (database) => {
  test('shows what is pending after a replay of what is applied, and changes nothing', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: four })
    await migrator.up({ to: '001' })
    const before = await everythingIn(knex)
    const plan = await migrator.plan({ to: '003' })
    expect(sqlOf(plan)).toEqual({
      '002_body': [`alter table "notes" add column "body" text`, `insert into "notes" ("body") values ('it''s')`],
      '003_concurrently': ['create index concurrently notes_body on notes (body)'],
    })
    expect(plan.migrations.map(({ transactional }) => transactional)).toEqual([true, false])
    expect(plan.origin.applied).toEqual(['001_notes'])
    expect(await everythingIn(knex)).toEqual(before)
  })
})

describeOnServers('a plan', (database) => {
  test('shows how pgvector is enabled, and sends the server nothing but questions', async () => {
    const { knex } = database()
    const migrator = createMigrator(knex, { migrationSource: migrationSource({ directory: 'migrations' }) })
    let plan: PlanResult | undefined
    const sent = await statementsOf(knex, async () => {
      plan = await migrator.plan()
    })
    expect(sent[0]).toMatch(/^begin isolation level read committed read only;/)
    expect(sent.at(-1)).toBe('COMMIT;')
    expect(sent.slice(1, -1).filter((sql) => !/^\s*(select|with)\b/.test(sql))).toEqual([])
    const { rows } = await knex.raw(`select relname from pg_class where relnamespace = 'public'::regnamespace`)
    expect(rows).toEqual([])

    const statements = plan?.migrations.find(({ name }) => name.startsWith('002'))?.statements ?? []
    expect(statements[0]).toEqual({ sql: `set local lock_timeout = '5s'`, privileged: false })
    expect(statements[1]).toEqual({ sql: 'create extension vector with schema "public"', privileged: true })
    expect(statements[2]?.sql).toMatch(/^create table if not exists "public"\."pgvector_migration_log"/)
    expect(statements.slice(2).some(({ privileged }) => privileged)).toBe(false)
    expect(statements.map(({ sql }) => sql).join('\n')).not.toMatch(/as state|advisory|savepoint/i)
  })

  test('needs no right but to read', async () => {
    const { knex, url } = database()
    await createMigrator(knex, { migrationSource: four }).up({ to: '003' })
    const address = new URL(url ?? '')
    // Roles belong to the whole server, where other tests run too.
    const role = `reader_${address.pathname.slice(1)}`
    await knex.raw(`create role ${role} login password 'reader'; grant select on knex_migrations to ${role}`)
    Object.assign(address, { username: role, password: 'reader' })
    const reader = Knex({ client: 'pg', connection: address.href })
    try {
      const plan = await createMigrator(reader, { migrationSource: four }).plan()
      expect(sqlOf(plan)['004_more']).toEqual(['create table more (id int)', `select setval('notes_id_seq', 7)`])
    } finally {
      await reader.destroy()
      await knex.raw(`drop owned by ${role}; drop role ${role}`)
    }
  })

  test('finds the roles, schemas and extensions that were made by hand, and those that migrations made', async () => {
    const { knex } = database()
    const role = `plan_${new URL(database().url ?? '').pathname.slice(1)}`
    await knex.raw(`create schema app; create extension pg_trgm with schema app; create role ${role}`)
    const connected = database().connect({ searchPath: ['app', 'public'], connection: database().url ?? '' })
    const migrationSources = source({
      '001_by_hand': `create schema "Search"; create extension vector with schema "Search"; create table docs (body text, embedding "Search".vector(3))`,
      '002_rights': `grant select on app.docs to ${role}; create index on docs using gin (body gin_trgm_ops)`,
      '003_more': `grant connect on database ${knex.client.database() as string} to ${role}`,
    })
    try {
      const migrator = createMigrator(connected, { migrationSource: migrationSources })
      await migrator.up({ to: '001' })
      const plan = await migrator.plan()
      expect(sqlOf(plan)['002_rights']).toHaveLength(2)
      expect(plan.origin).toMatchObject({ searchPath: 'app, public', applied: ['001_by_hand'] })
      expect(plan.origin.pgvector).toBe(database().pgvector)
    } finally {
      await knex.raw(`drop owned by ${role}; drop role ${role}`)
    }
  })
})

describeOnOneServer('a plan', (database) => {
  test('plans what is asked for', async () => {
    const migrator = createMigrator(database().knex, { migrationSource: four })
    expect(Object.keys(sqlOf(await migrator.plan({ skip: ['2', '3'] })))).toEqual(['001_notes', '004_more'])
    expect(Object.keys(sqlOf(await migrator.plan({ only: '001_notes' })))).toEqual(['001_notes'])
  })

  test('is empty where nothing is pending', async () => {
    const migrator = createMigrator(database().knex, { migrationSource: four })
    await migrator.up()
    expect(await migrator.plan()).toMatchObject({ migrations: [], notes: [] })
  })

  test('says which statement does not run on the embedded database, and why', async () => {
    const { knex } = database()
    const failing = source({
      '001_fine': 'create table fine (id int)',
      '002_maps': (db) => db.raw('create table places (id int); create extension postgis'),
    })
    const migrator = createMigrator(knex, { migrationSource: failing })
    const error = await expectError('PLAN_FAILED', () => migrator.plan())
    expect(error.details).toEqual({
      migration: '002_maps',
      statement: 'create table places (id int); create extension postgis',
      isApplied: false,
    })
    expect(error.cause).toMatchObject({ code: '0A000' })
    expect(error.message).toContain('002_maps')
  })

  test('says which applied migration could not be replayed', async () => {
    const { knex } = database()
    const error = new Error('it only works at night')
    let isDay = false
    const whimsical = source({
      '001_night': () => (isDay ? Promise.reject(error) : Promise.resolve()),
      '002_next': 'select 1',
    })
    const migrator = createMigrator(knex, { migrationSource: whimsical })
    await migrator.up({ to: '001' })
    isDay = true
    const failed = await expectError('PLAN_FAILED', () => migrator.plan())
    expect(failed.details).toEqual({ migration: '001_night', statement: null, isApplied: true })
    expect(failed.cause).toBe(error)
  })

  test('notes what was not run, and what it was asked and could not know', async () => {
    const asking = source({
      '001_asks': async (knex) => {
        await knex.raw('create table items (id int, done boolean)')
        await knex.schema.hasTable('items')
        const open = await knex('items').where({ done: false })
        for (const { id } of open) await knex('items').where({ id }).delete()
      },
    })
    const hooks = { beforeAll: () => Promise.reject(new Error('a hook ran')) }
    const knex = database().connect({
      connection: database().url ?? '',
      migrations: { migrationSource: asking, ...hooks },
    })
    const { notes } = await createMigrator(knex).plan()
    expect(notes).toContainEqual(expect.stringContaining('hooks of the configuration (beforeAll) were not run'))
    expect(notes.filter((note) => note.startsWith('001_asks queries data'))).toEqual([
      expect.stringContaining(`select * from "items" where "done" = 'false'`),
    ])
  })
})

describe('the notes on a plan', () => {
  const migrations = [
    { name: '001', transactional: true, statements: [{ sql: 'create extension vector', privileged: true }] },
  ]
  const replay = stateOf(18, '0.8.7', null)

  test.each([
    ['nothing where both are the same', stateOf(18, '0.8.7', null), []],
    ['an older server', stateOf(17, '0.8.7', null), [/^Planned on PostgreSQL 18; the server has 17\.1\./]],
    [
      'another pgvector to install',
      stateOf(18, '0.8.0', null),
      [/^Planned with pgvector 0\.8\.7.* would install 0\.8\.0/],
    ],
    ['another pgvector', stateOf(18, '0.8.7', '0.7.4'), [/^Planned with pgvector 0\.8\.7; the server has 0\.7\.4/]],
    ['no pgvector', stateOf(18, null, null), [/no files of pgvector/]],
  ])('tell of %s', (_what, here, expected) => {
    const notes = notesOn({ migrations, here, replay, hooks: [], earlier: [], missing: [] })
    expect(notes).toEqual(expected.map((pattern) => expect.stringMatching(pattern)))
  })

  test('name a migration that sends nothing, as one that was generated twice', () => {
    const copy = { name: '002_copy', transactional: true, statements: [] }
    const here = stateOf(18, '0.8.7', null)
    expect(notesOn({ migrations: [copy], here, replay, hooks: [], earlier: [], missing: [] })).toEqual([
      expect.stringMatching(/^002_copy sends no statement\./),
    ])
  })

  test('say nothing of pgvector where it is neither there nor wanted', () => {
    expect(
      notesOn({ migrations: [], here: stateOf(18, null, null), replay, hooks: [], earlier: [], missing: [] }),
    ).toEqual([])
  })
})

/** The part of a server's state that the notes are about. */
function stateOf(major: number, available: string | null, installed: string | null): PgvectorState {
  return {
    server: { version: `${major}.1`, major, description: '' },
    available: available === null ? null : { defaultVersion: available, versions: [available], trusted: true },
    installed: installed === null ? null : { version: installed, schema: 'public', oid: 1, missing: [] },
  } as unknown as PgvectorState
}

describe('a plan without PGlite', () => {
  test.each(['@electric-sql/pglite', '@electric-sql/pglite-pgvector'])('says that it needs %s', async (missing) => {
    jest.doMock(missing, () => {
      throw Object.assign(new Error(`Cannot find module '${missing}'`), { code: 'MODULE_NOT_FOUND' })
    })
    try {
      await jest.isolateModulesAsync(async () => {
        const { openScratch } = await import('../src/embedded/scratch.ts')
        const error = await expectError('EMBEDDED_NOT_INSTALLED', openScratch)
        expect(error.details).toEqual({ missing })
      })
    } finally {
      jest.dontMock(missing)
    }
  })
})

/** The catalog, and Knex's own tables with their rows. */
async function everythingIn(knex: KnexInstance): Promise<unknown> {
  return [await catalogOf(knex), await knex('knex_migrations'), await knex('knex_migrations_lock')]
}
