import { randomBytes } from 'node:crypto'

import type { Knex } from 'knex'

import {
  addVectorColumn,
  createVectorIndex,
  dropVectorIndex,
  dropVectorColumn,
  ensurePgvector,
  inspectPgvector,
  repairVectorIndexes,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const
const all = { ...silent, onlyOurs: false } as const

/** What a session on a managed host shows; roles live and die with the transaction. */
interface Host {
  readonly name: string
  readonly provider: string
  readonly setUp: (trx: Knex.Transaction) => Promise<unknown>
  readonly hint: RegExp
}

const hosts: readonly Host[] = [
  {
    name: 'a stock server',
    provider: 'stock',
    setUp: () => Promise.resolve(),
    hint: /As a superuser, in this database: CREATE EXTENSION vector;/,
  },
  {
    name: 'Amazon RDS',
    provider: 'rds',
    setUp: (trx) => trx.raw(`set local rds.extensions = 'vector'`),
    hint: /GRANT rds_superuser/,
  },
  {
    name: 'Amazon Aurora',
    provider: 'aurora',
    // Only the name counts, so a function that any session may make for itself stands in for Aurora's own.
    setUp: (trx) =>
      trx.raw(
        `set local allow_system_table_mods = on; create function pg_catalog.aurora_version() returns text language sql as $$select '17.4'$$; set local rds.extensions = 'vector'`,
      ),
    hint: /GRANT rds_superuser/,
  },
  {
    name: 'Azure',
    provider: 'azure',
    setUp: (trx) => trx.raw(`set local azure.extensions = 'AZURE_AI,VECTOR'`),
    hint: /azure_pg_admin/,
  },
  {
    name: 'Cosmos DB',
    provider: 'cosmos',
    setUp: (trx) => trx.raw(`create function create_extension(name text) returns void language sql as ''`),
    hint: /SELECT create_extension\('vector'\)/,
  },
  {
    name: 'Cloud SQL',
    provider: 'cloudsql',
    setUp: (trx) => trx.raw('create role cloudsqlsuperuser; create role cloudsqladmin'),
    hint: /GRANT cloudsqlsuperuser/,
  },
  {
    name: 'AlloyDB',
    provider: 'alloydb',
    setUp: (trx) => trx.raw('create role alloydbsuperuser'),
    hint: /GRANT alloydbsuperuser/,
  },
  {
    name: 'Supabase',
    provider: 'supabase',
    setUp: (trx) => trx.raw(`set local supautils.privileged_extensions = 'vector'`),
    hint: /Connect as the role postgres/,
  },
  {
    name: 'Neon',
    provider: 'neon',
    setUp: (trx) => trx.raw(`set local neon.timeline_id = '1'`),
    hint: /neon_superuser/,
  },
  { name: 'Aiven', provider: 'aiven', setUp: (trx) => trx.raw('create role avnadmin'), hint: /avnadmin/ },
]

describeOnServers('a role that may not create extensions', (database) => {
  test.each(hosts)('sees what helps on $name', async ({ provider, setUp, hint }) => {
    await rolledBack(database().knex, async (trx) => {
      await setUp(trx)
      await trx.raw('create role test_without_rights')
      await trx.raw('set local role test_without_rights')
      expect((await inspectPgvector(trx)).provider).toBe(provider)
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () => ensurePgvector(trx, silent))
      expect(error.message).toBe('Insufficient privileges to CREATE EXTENSION')
      expect(error.hint).toMatch(hint)
      expect(error.details.role).toBe('test_without_rights')
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })

  test('needs no right where pgvector is enabled', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_without_rights')
      await trx.raw('set local role test_without_rights')
      expect((await ensurePgvector(trx, silent)).status).toBe('unchanged')
    })
  })

  test('may not create a schema for it either, and sees which privilege is missing', async () => {
    await rolledBack(database().knex, async (trx) => {
      await trx.raw('create role test_without_rights')
      await trx.raw('set local role test_without_rights')
      const error = await expectError('INSUFFICIENT_PRIVILEGE', () =>
        ensurePgvector(trx, { ...silent, schema: 'extensions', createSchema: true }),
      )
      expect(error.message).toBe('Insufficient privileges to CREATE SCHEMA')
      expect(error.hint).toContain('GRANT CREATE ON DATABASE')
    })
  })
})

describeOnEveryDatabase('a role that may not use the schema of a table', (database) => {
  const column = vectorColumn('documents', 'embedding', { schema: 'Own?', dimensions: 3 })
  const index = vectorIndex(column, { method: 'hnsw', metric: 'l2', where: 'id in (1, 2)', name: 'partial' })
  const other = vectorColumn('documents', 'other', { schema: 'Own?', dimensions: 3, notNull: true })
  const made = 'create index partial on "Own\\?".documents using hnsw (embedding vector_l2_ops) where id in (1, 2)'

  async function withoutUsage(there: string, run: (trx: Knex.Transaction) => Promise<void>): Promise<void> {
    await ensurePgvector(database().knex, silent)
    await rolledBack(database().knex, async (trx) => {
      await trx.raw(`
        create schema "Own\\?";
        create table "Own\\?".documents (id int, embedding vector(3));
        insert into "Own\\?".documents values (1, '[1,2,3]');
        ${there};
        create role test_without_rights;
        alter table "Own\\?".documents owner to test_without_rights;
        set local role test_without_rights`)
      await run(trx)
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  }

  test.each([
    ['build an index', 'CREATE INDEX', 'USAGE, CREATE', '', (trx: Knex) => createVectorIndex(trx, index, silent)],
    ['drop an index', 'DROP INDEX', 'USAGE', made, (trx: Knex) => dropVectorIndex(trx, index, all)],
    ['add a column', 'ALTER TABLE', 'USAGE', '', (trx: Knex) => addVectorColumn(trx, other, silent)],
    ['drop a column', 'ALTER TABLE', 'USAGE', '', (trx: Knex) => dropVectorColumn(trx, column, all)],
  ])('cannot %s, and sees what to grant', async (_, statement, needed, there, run) => {
    await withoutUsage(there, async (trx) => {
      const { message, hint, details } = await expectError('INSUFFICIENT_PRIVILEGE', () => run(trx))
      expect(message).toBe(`Insufficient privileges to ${statement}`)
      expect(hint).toContain(`GRANT ${needed} ON SCHEMA U&"Own\\003F" TO "test_without_rights";`)
      expect(details.role).toBe('test_without_rights')
    })
  })

  test('needs it for nothing where all is as declared', async () => {
    await withoutUsage(made.replace('in (1, 2)', '> 0'), async (trx) => {
      expect((await createVectorIndex(trx, { ...index, where: 'id > 0' }, silent)).status).toBe('kept')
      expect((await addVectorColumn(trx, column, silent)).status).toBe('kept')
    })
  })
})

describeOnEveryDatabase('a role that does not own a table', (database) => {
  const column = vectorColumn('documents', 'embedding', { dimensions: 3 })
  const index = vectorIndex(column, { method: 'hnsw', metric: 'l2', name: 'owned' })
  const other = vectorColumn('documents', 'other', { dimensions: 3 })
  const made = 'create index owned on documents using hnsw (embedding vector_l2_ops)'

  test.each([
    ['build an index', 'CREATE INDEX', '', (trx: Knex) => createVectorIndex(trx, index, silent)],
    ['drop an index', 'DROP INDEX', made, (trx: Knex) => dropVectorIndex(trx, index, all)],
    ['add a column', 'ALTER TABLE', '', (trx: Knex) => addVectorColumn(trx, other, silent)],
    ['drop a column', 'ALTER TABLE', '', (trx: Knex) => dropVectorColumn(trx, column, all)],
  ])('cannot %s, and sees who can', async (_, statement, there, run) => {
    await ensurePgvector(database().knex, silent)
    await rolledBack(database().knex, async (trx) => {
      await trx.raw(`create table documents (id int, embedding vector(3)); ${there};
        create role test_without_rights; create role test_owner;
        grant create on schema public to test_without_rights; grant select on documents to test_without_rights;
        alter table documents owner to test_owner; set local role test_without_rights`)
      const { message, hint, details } = await expectError('INSUFFICIENT_PRIVILEGE', () => run(trx))
      expect(message).toBe(`Insufficient privileges to ${statement}`)
      expect(hint).toBe(
        'Table "public"."documents" belongs to role "test_owner". Run this as that role or as a superuser.',
      )
      expect(details.role).toBe('test_without_rights')
      await expect(trx.raw('select 1')).resolves.toBeDefined()
    })
  })
})

describeOnServers('a role that does not own an invalid index', (database) => {
  test('cannot repair it, and sees who can', async () => {
    const { knex, connect, url } = database()
    await ensurePgvector(knex, silent)
    const role = `repairer_${randomBytes(6).toString('hex')}`
    await knex.raw(`create table documents (id int, embedding vector(3));
      create index broken on documents using hnsw (embedding vector_l2_ops);
      update pg_index set indisvalid = false where indexrelid = 'broken'::regclass;
      create role ${role} login password 'test'`)
    try {
      const account = new URL(url ?? '')
      const owner = account.username
      account.username = role
      account.password = 'test'
      const { left } = await repairVectorIndexes(connect({ connection: account.href }), { ...silent, log: false })
      expect(left).toEqual([{ name: 'public.broken', reason: expect.stringContaining(`belongs to role "${owner}"`) }])
      expect(left[0]?.reason).toContain('Insufficient privileges to REINDEX INDEX')
    } finally {
      await knex.raw(`drop role ${role}`)
    }
  })
})

describeOnEveryDatabase('what pgvector is needed for', (database) => {
  const column = vectorColumn('documents', 'bits', { type: 'bit', dimensions: 8 })
  const index = vectorIndex(column, { method: 'hnsw', metric: 'hamming' })

  test('is refused with the way to enable it where it is not enabled', async () => {
    const { knex } = database()
    await knex.raw('create table documents (id int, bits bit(8))')
    const { message, hint } = await expectError('PGVECTOR_NOT_ENABLED', () => createVectorIndex(knex, index, silent))
    expect(message).toContain(`the index "${index.name}" needs it`)
    expect(hint).toContain('ensurePgvector(knex)')
  })

  test.each([
    ['an index', (knex: Knex) => createVectorIndex(knex, index, silent)],
    [
      'a column',
      (knex: Knex) =>
        addVectorColumn(knex, vectorColumn('documents', 'half', { type: 'halfvec', dimensions: 3 }), silent),
    ],
    ['a caller', (knex: Knex) => ensurePgvector(knex, { ...silent, minVersion: '0.7.0' })],
  ])('is updated with ALTER EXTENSION where %s needs more than is installed and the server has it', async (_, run) => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    await knex.raw(`create table documents (id int, bits bit(8));
      update pg_extension set extversion = '0.6.0' where extname = 'vector'`)
    const { details, hint } = await expectError('PGVECTOR_VERSION_TOO_LOW', () => run(knex))
    expect(details).toEqual({ installed: '0.6.0', minimum: '0.7.0', available: pgvector })
    expect(hint).toContain('ALTER EXTENSION vector UPDATE;')
    expect(hint).not.toContain('Install')
  })
})

describeOnServers('a log that cannot be written', (database) => {
  test('does not keep pgvector from being enabled, and is mentioned once', async () => {
    const logger = recordingLogger()
    const result = await ensurePgvector(database().knex, { logger, log: { schema: 'nowhere' } })
    expect(result.status).toBe('created')
    const mentions = logger.warnings.filter((warning) => warning.startsWith('The migration log was not written'))
    expect(mentions).toEqual([expect.stringContaining('"nowhere"."pgvector_migration_log"')])
  })
})
