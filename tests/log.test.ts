import {
  addVectorColumn,
  dropPgvector,
  dropVectorColumn,
  ensurePgvector,
  migrationSource,
  vectorColumn,
} from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { statementsOf } from './support/recorder.ts'

const silent = { logger: false } as const

describeOnEveryDatabase('the migration log', (database) => {
  test('keeps what happened, when, by whom, and on what', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, { ...silent, dimensions: [3072] })
    const [event] = await knex('pgvector_migration_log')
    expect(event).toMatchObject({
      id: '1',
      event: 'enabled',
      happened_at: expect.any(Date),
      role: expect.any(String),
      migration: null,
      version_before: null,
      version_after: pgvector,
      schema: 'public',
      server: expect.stringMatching(/^\d+/),
      provider: expect.any(String),
      dimensions: [expect.objectContaining({ dimensions: 3072, column: 'vector', index: 'halfvec' })],
      duration_ms: expect.any(Number),
      details: { minVersion: '0.5.0' },
    })
  })

  test('grows by one line each time something happens, and by none where nothing does', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (embedding vector(3))')
    await dropPgvector(knex, silent)
    await knex.raw('drop table documents')
    await dropPgvector(knex, silent)
    await dropPgvector(knex, silent)
    await ensurePgvector(knex, silent)
    expect(await knex('pgvector_migration_log').orderBy('id').pluck('event')).toEqual([
      'enabled',
      'kept',
      'dropped',
      'enabled',
    ])
  })

  test('names the migration that did it, where our migration source loaded it', async () => {
    const { knex } = database()
    const source = migrationSource({ directory: 'migrations' })
    const information = jest.spyOn(console, 'info').mockImplementation(() => undefined)
    const warning = jest.spyOn(console, 'warn').mockImplementation(() => undefined)
    await knex.migrate.latest({ migrationSource: source })
    information.mockRestore()
    warning.mockRestore()
    expect(await knex('pgvector_migration_log').pluck('migration')).toEqual(['002_add_semantic_search'])
  })

  test('can have another place', async () => {
    const { knex } = database()
    await knex.raw('create schema "Ops"')
    const log = { schema: 'Ops', table: 'Event log' }
    await ensurePgvector(knex, { ...silent, log })
    expect((await dropPgvector(knex, { ...silent, log })).status).toBe('dropped')
    expect(await knex.withSchema('Ops').table('Event log').pluck('event')).toEqual(['enabled', 'dropped'])
  })

  test('is found where it is on the search path, whichever schema comes first', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create schema application')
    await knex.transaction(async (trx) => {
      await trx.raw('set local search_path to application, public')
      expect((await dropPgvector(trx, silent)).status).toBe('dropped')
    })
    expect(await knex('pgvector_migration_log').pluck('event')).toEqual(['enabled', 'dropped'])
  })

  test('is found in a schema whose name has to be quoted', async () => {
    const { knex } = database()
    await knex.raw('create schema "Ops"')
    await knex.transaction(async (trx) => {
      await trx.raw('set local search_path to "Ops", public')
      await ensurePgvector(trx, silent)
      expect((await dropPgvector(trx, silent)).status).toBe('dropped')
    })
    expect(await knex.withSchema('Ops').table('pgvector_migration_log').pluck('event')).toEqual(['enabled', 'dropped'])
  })

  test('is written for a column without reading which versions the server has files of', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (id int)')
    const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
    const statements = await statementsOf(knex, async () => {
      await addVectorColumn(knex, column, silent)
      await dropVectorColumn(knex, column, silent)
    })
    // Within a CASE they are read only where the installed version is too old.
    const readsFiles = /(?<!then \(\s*select default_version )from pg_available_extension/
    expect(statements.filter((sql) => readsFiles.test(sql))).toEqual([])
    expect(await knex('pgvector_migration_log').orderBy('id').pluck('event')).toEqual([
      'enabled',
      'column added',
      'column dropped',
    ])
  })

  test('is not written where it is switched off, and then nothing counts as ours', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { ...silent, log: false })
    const { rows } = await knex.raw(`select to_regclass('pgvector_migration_log') as log`)
    expect(rows).toEqual([{ log: null }])
    expect(await dropPgvector(knex, { ...silent, log: false })).toMatchObject({ status: 'kept', reason: 'not-ours' })
  })
})
