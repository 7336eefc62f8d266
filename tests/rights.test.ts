import type { Knex } from 'knex'

import { ensurePgvector, inspectPgvector } from '../src/index.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

const silent = { logger: false } as const

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
  test.each(hosts)('is told what helps on $name', async ({ provider, setUp, hint }) => {
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

  test('may not create a schema for it either, and is told which right is missing', async () => {
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

describeOnServers('a log that cannot be written', (database) => {
  test('does not keep pgvector from being enabled, and is mentioned once', async () => {
    const logger = recordingLogger()
    const result = await ensurePgvector(database().knex, { logger, log: { schema: 'nowhere' } })
    expect(result.status).toBe('created')
    const mentions = logger.warnings.filter((warning) => warning.startsWith('The migration log was not written'))
    expect(mentions).toEqual([expect.stringContaining('"nowhere"."pgvector_migration_log"')])
  })
})
