import { dropPgvector, ensurePgvector } from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger, statementsOf } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

describeOnEveryDatabase('dropPgvector', (database) => {
  test('drops what ensurePgvector created, and says so', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    const logger = recordingLogger()
    expect(await dropPgvector(knex, { logger })).toEqual({ status: 'dropped', dependents: [], warnings: [] })
    expect(logger.infos).toEqual([`pgvector ${pgvector} dropped from the schema "public"`])
    const { rows } = await knex.raw(`select from pg_extension where extname = 'vector'`)
    expect(rows).toEqual([])
  })

  test('has nothing to do where there is no extension, and writes nothing', async () => {
    const { knex } = database()
    const statements = await statementsOf(knex, () => dropPgvector(knex, silent))
    expect(statements).toHaveLength(1)
    expect((await dropPgvector(knex, silent)).status).toBe('absent')
  })

  test("keeps the extension, and a colleague's column in it, while a table uses the type", async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('create table documents (id int, embedding vector(3))')
    await knex.raw(`insert into documents values (1, '[1,2,3]')`)
    const logger = recordingLogger()
    const result = await dropPgvector(knex, { logger })
    expect(result).toMatchObject({ status: 'kept', reason: 'in-use' })
    expect(result.dependents).toEqual([
      expect.objectContaining({ kind: 'table column', name: 'public.documents.embedding', type: 'vector(3)' }),
    ])
    expect(logger.warnings[0]).toMatch(/^Cannot drop pgvector: tables using vector type exist/)
    const { rows } = await knex.raw('select embedding::text from documents')
    expect(rows).toEqual([{ embedding: '[1,2,3]' }])
  })

  test('keeps an extension that another role created', async () => {
    const { knex } = database()
    await knex.raw('create extension vector')
    const result = await dropPgvector(knex, silent)
    expect(result).toMatchObject({ status: 'kept', reason: 'not-ours' })
    expect(result.warnings[0]).toContain('{ onlyOurs: false }')
  })

  test('keeps an extension that another role created after ours was dropped', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('drop extension vector')
    await knex.raw('create extension vector')
    expect(await dropPgvector(knex, silent)).toMatchObject({ status: 'kept', reason: 'not-ours' })
  })

  test('drops one that another role created if onlyOurs is false', async () => {
    const { knex } = database()
    await knex.raw('create extension vector')
    expect(await dropPgvector(knex, { ...silent, onlyOurs: false })).toMatchObject({ status: 'dropped' })
  })

  test('keeps one that is in use even if onlyOurs is false', async () => {
    const { knex } = database()
    await knex.raw('create extension vector')
    await knex.raw('create table documents (embedding halfvec(3))')
    expect(await dropPgvector(knex, { ...silent, onlyOurs: false })).toMatchObject({ status: 'kept', reason: 'in-use' })
  })

  test('is not misled by a table that is called vector', async () => {
    const { knex } = database()
    await knex.raw('create schema other')
    await knex.raw('create table other.vector (id int)')
    await ensurePgvector(knex, silent)
    expect((await dropPgvector(knex, silent)).status).toBe('dropped')
    expect(await knex.withSchema('other').table('vector')).toEqual([])
  })

  test('is not misled by a foreign type that is called vector', async () => {
    const { knex } = database()
    // pgvecto.rs has the type vectors.vector; a domain of that name stands in for it.
    await knex.raw('create schema vectors')
    await knex.raw('create domain vectors.vector as real[]')
    await knex.raw('create table documents (embedding vectors.vector)')
    await ensurePgvector(knex, silent)
    expect((await dropPgvector(knex, silent)).status).toBe('dropped')
  })

  test('names the functions that will fail when they are next called', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`
      create function nearest() returns int language plpgsql as
      $$ declare probe vector(3) := '[1,2,3]'; begin return 1; end $$`)
    const result = await dropPgvector(knex, silent)
    expect(result.status).toBe('dropped')
    expect(result.warnings).toEqual([
      expect.stringContaining('function nearest() (plpgsql) names pgvector in its body'),
    ])
  })

  test('works in the transaction of its caller, and is undone with it', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    const trx = await knex.transaction()
    expect((await dropPgvector(trx, silent)).status).toBe('dropped')
    await trx.rollback()
    expect((await ensurePgvector(knex, silent)).status).toBe('unchanged')
  })

  test('refuses in a read-only transaction before it tries', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.transaction(async (trx) => {
      await trx.raw('set transaction read only')
      await expectError('READ_ONLY', () => dropPgvector(trx, silent))
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })
})

describeOnServers('dropPgvector by a role that does not own the extension', (database) => {
  test('is refused with the name of the owner, and leaves the transaction usable', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_without_ownership')
      await trx.raw('set local role test_without_ownership')
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () => dropPgvector(trx, { ...silent, onlyOurs: false }))
      expect(error.message).toBe('Insufficient privileges to DROP EXTENSION')
      expect(error.hint).toContain('It belongs to role')
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })
})
