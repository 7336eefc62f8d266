import { ensurePgvector, isPgvectorMigrationError } from '../src/index.ts'
import {
  describeOnEveryDatabase,
  describeOnOldPostgres,
  describeOnServers,
  describeWithoutPgvector,
} from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

describeOnOldPostgres('a server that is too old', (database) => {
  test('is refused with the version it has', async () => {
    const error = await expectError('POSTGRES_TOO_OLD', () => ensurePgvector(database().knex, silent))
    expect(error.message).toMatch(/^PostgreSQL 14\+ required for pgvector 0\.5\.0\+\. Current: 13\./)
    expect(error.hint).toContain('PostgreSQL 14 or newer')
  })
})

describeWithoutPgvector("a server without the extension's files", (database) => {
  test('is refused with the package for its exact version', async () => {
    const { knex, major } = database()
    const error = await expectError('PGVECTOR_NOT_AVAILABLE', () => ensurePgvector(knex, silent))
    expect(error.message).toBe(`pgvector extension not available. Ensure postgresql-${major}-pgvector is installed`)
    expect(error.hint).toContain(`apt install postgresql-${major}-pgvector`)
    expect(error.docsUrl).toMatch(/docs\/errors\.md#pgvector_not_available$/)
  })

  test('leaves the transaction of its caller usable', async () => {
    await database().knex.transaction(async (trx) => {
      await expectError('PGVECTOR_NOT_AVAILABLE', () => ensurePgvector(trx, silent))
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })
})

describeOnEveryDatabase('a version below the minimum', (database) => {
  test('that no release of the server reaches is refused before anything is created', async () => {
    const { knex, pgvector } = database()
    const error = await expectError('PGVECTOR_VERSION_TOO_LOW', () =>
      ensurePgvector(knex, { ...silent, minVersion: '0.99.0' }),
    )
    expect(error.message).toBe(`pgvector version ${pgvector} < required 0.99.0`)
    const { rows } = await knex.raw(`select from pg_extension where extname = 'vector'`)
    expect(rows).toEqual([])
  })

  test('is refused where it is installed, in words that name both versions', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    const error = await expectError('PGVECTOR_VERSION_TOO_LOW', () =>
      ensurePgvector(knex, { ...silent, minVersion: '0.99.0' }),
    )
    expect(error.details).toEqual({ installed: pgvector, minimum: '0.99.0', available: null })
  })

  test('is compared as a version: 0.10.0 is newer than every 0.8', async () => {
    const { knex, pgvector } = database()
    const error = await expectError('PGVECTOR_VERSION_TOO_LOW', () =>
      ensurePgvector(knex, { ...silent, minVersion: '0.10.0' }),
    )
    expect(error.message).toBe(`pgvector version ${pgvector} < required 0.10.0`)
  })

  test('that the server can update names the way out, and takes it when told to', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    // What a server looks like whose package was upgraded while this database still has the old SQL objects.
    await knex.raw(`update pg_extension set extversion = '0.7.4' where extname = 'vector'`)
    const error = await expectError('PGVECTOR_VERSION_TOO_LOW', () =>
      ensurePgvector(knex, { ...silent, minVersion: '0.8.0' }),
    )
    expect(error.details).toEqual({ installed: '0.7.4', minimum: '0.8.0', available: pgvector })
    expect(error.hint).toContain('{ update: true }')
    expect(error.hint).toContain('ALTER EXTENSION vector UPDATE')
  })
})

describeOnServers('an update to the minimum', (database) => {
  test('is made with update: true, logged with both versions, and reported', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`update pg_extension set extversion = '0.8.0' where extname = 'vector'`)
    // 0.8.0 has update scripts to every later version; on a server that has 0.8.0 itself there is nothing to update.
    if (pgvector === '0.8.0') return
    const result = await ensurePgvector(knex, { ...silent, minVersion: pgvector, update: true })
    expect(result).toMatchObject({ status: 'updated', version: pgvector })
    const events = await knex('pgvector_migration_log').orderBy('id').select('event', 'version_before', 'version_after')
    expect(events).toEqual([
      { event: 'enabled', version_before: null, version_after: pgvector },
      { event: 'updated', version_before: '0.8.0', version_after: pgvector },
    ])
  })

  test('that the server has no scripts for is refused, and changes nothing', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`update pg_extension set extversion = '0.0.1' where extname = 'vector'`)
    const error = await expectError('PGVECTOR_NO_UPDATE_PATH', () => ensurePgvector(knex, { ...silent, update: true }))
    expect(error.message).toBe(`This server cannot update pgvector from 0.0.1 to ${pgvector}`)
    expect(error.sqlState).toBe('22023')
  })

  test('is refused to a role that does not own the extension', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`update pg_extension set extversion = '0.4.0' where extname = 'vector'`)
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_without_rights')
      await trx.raw('set local role test_without_rights')
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () => ensurePgvector(trx, { ...silent, update: true }))
      expect(error.message).toBe('Insufficient privileges to ALTER EXTENSION')
      expect(error.hint).toContain('ALTER EXTENSION vector UPDATE;')
    })
  })
})

describeOnEveryDatabase('something in the way of pgvector', (database) => {
  test.each([
    ['a composite type', 'create type vector as (x int, y int)', 'vector', 'type'],
    ['an enumeration', `create type vector as enum ('up', 'down')`, 'vector', 'type'],
    ['a domain', 'create domain vector as real[]', 'vector', 'domain'],
    ['a table', 'create table vector (id int)', 'vector', 'table'],
    ['a domain called halfvec', 'create domain halfvec as real[]', 'halfvec', 'domain'],
    ['a table called sparsevec', 'create table sparsevec (id int)', 'sparsevec', 'table'],
  ])('is named: %s', async (_, statement, name, kind) => {
    const { knex } = database()
    await knex.raw(statement)
    const error = await expectError('TYPE_CONFLICT', () => ensurePgvector(knex, silent))
    expect(error.message).toBe(`Type '${name}' already exists from different source`)
    expect(error.details).toEqual({ name, kind, schema: 'public', extension: null })
    expect(error.hint).toContain(`"public"."${name}"`)
  })

  test('is no hindrance in another schema', async () => {
    const { knex } = database()
    await knex.raw('create schema other')
    await knex.raw('create table other.vector (id int)')
    expect((await ensurePgvector(knex, silent)).status).toBe('created')
  })

  test('is avoided by another schema', async () => {
    const { knex } = database()
    await knex.raw('create table vector (id int)')
    const result = await ensurePgvector(knex, { ...silent, schema: 'extensions', createSchema: true })
    expect(result).toMatchObject({ status: 'created', schema: 'extensions' })
  })

  test('is named where it is a function with the same arguments', async () => {
    const { knex } = database()
    await knex.raw(`create function hamming_distance(bit, bit) returns float8 language sql as 'select 1.0::float8'`)
    const error = await expectError('TYPE_CONFLICT', () => ensurePgvector(knex, silent))
    expect(error.message).toBe("Function 'hamming_distance' already exists from different source")
    expect(error.sqlState).toBe('42723')
  })

  test("is named where it is another extension's access method hnsw", async () => {
    const { knex } = database()
    // What pg_embedding does: an access method of the same name; access methods have no schema.
    await knex.raw('create access method hnsw type index handler bthandler')
    const error = await expectError('ACCESS_METHOD_CONFLICT', () => ensurePgvector(knex, silent))
    expect(error.message).toBe("Access method 'hnsw' already exists from different source")
  })

  test('leaves the transaction of its caller usable, also where only PostgreSQL could know', async () => {
    const { knex } = database()
    await knex.raw(`create function hamming_distance(bit, bit) returns float8 language sql as 'select 1.0::float8'`)
    await knex.transaction(async (trx) => {
      await trx.raw('create table mine (id int)')
      await expectError('TYPE_CONFLICT', () => ensurePgvector(trx, silent))
      await trx('mine').insert({ id: 1 })
    })
    expect(await knex('mine')).toEqual([{ id: 1 }])
  })
})

describeOnEveryDatabase('a schema that does not exist', (database) => {
  test('is refused with the way to make it', async () => {
    const error = await expectError('SCHEMA_NOT_FOUND', () =>
      ensurePgvector(database().knex, { ...silent, schema: 'nowhere' }),
    )
    expect(error.message).toBe('Schema "nowhere" does not exist')
    expect(error.hint).toContain('{ createSchema: true }')
  })

  test('is also what a search path without any schema leads to', async () => {
    await database().knex.transaction(async (trx) => {
      await trx.raw('set local search_path to nowhere')
      const error = await expectError('SCHEMA_NOT_FOUND', () => ensurePgvector(trx, silent))
      expect(error.details).toEqual({ schema: null })
    })
  })
})

describeOnEveryDatabase('a read-only transaction', (database) => {
  test('is refused where something would have to be created', async () => {
    await database().knex.transaction(async (trx) => {
      await trx.raw('set transaction read only')
      const error = await expectError('READ_ONLY', () => ensurePgvector(trx, silent))
      expect(error.details).toEqual({ reason: 'transaction', primary: null })
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })
})

describeOnEveryDatabase('a broken extension', (database) => {
  test('is reported with what is missing', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.raw('alter extension vector drop operator <=> (vector, vector)')
    await knex.raw('alter extension vector drop operator class vector_cosine_ops using ivfflat')
    await knex.raw('alter extension vector drop operator class vector_cosine_ops using hnsw')
    await knex.raw('alter operator <=> (vector, vector) owner to current_user')
    await knex.raw('create schema attic')
    await knex.raw('alter operator <=> (vector, vector) set schema attic')
    const error = await expectError('VERIFICATION_FAILED', () => ensurePgvector(knex, silent))
    expect(error.message).toMatch(/^Extension verification failed: vector type not functional/)
    expect(error.details.problems).toEqual(['operator <=> is missing in the schema "public"'])
  })
})

describe('wrong options', () => {
  test('are reported all together, before a connection is asked for', async () => {
    const options = { minVersion: 'latest', schema: '', dimensions: [0, 1.5, 20_000], minversion: '0.8.0', logger: {} }
    const error = await expectError('INVALID_OPTIONS', () => ensurePgvector(null as never, options as never))
    expect(error.details.problems).toEqual([
      "minVersion: must be a version like '0.8.0'",
      'schema: must not be empty',
      'dimensions[0]: must be at least 1',
      'dimensions[1]: must be a whole number',
      'dimensions[2]: must be at most 16000, the limit of a vector column',
      'logger: must be false or have the methods info and warn',
      expect.stringContaining('minversion'),
    ])
  })

  test('include a database that is not PostgreSQL', async () => {
    const sqlite = { client: { dialect: 'sqlite3' } }
    const error = await expectError('UNSUPPORTED_DATABASE', () => ensurePgvector(sqlite as never))
    expect(error.message).toContain('sqlite3')
    expect(isPgvectorMigrationError(error)).toBe(true)
  })
})
