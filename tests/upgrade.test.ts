import type { Knex } from 'knex'

import { ensurePgvector, migration, upgradePgvector, UpgradePgvector } from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { recordingLogger } from './support/recorder.ts'

const silent = { logger: false } as const

/** As it is where the package was updated and nobody ran ALTER EXTENSION since: 0.8.0 has scripts to later versions. */
async function installOldVersion(knex: Knex): Promise<void> {
  await ensurePgvector(knex, silent)
  await knex.raw(`update pg_extension set extversion = '0.8.0' where extname = 'vector'`)
  await knex.raw(`
    create table documents (id int, embedding vector(3));
    insert into documents select n, array[n, 1, 2] from generate_series(1, 50) n;
    create index documents_hnsw on documents using hnsw (embedding vector_l2_ops);
    create index documents_ivfflat on documents using ivfflat (embedding vector_l2_ops) with (lists = 1);
  `)
}

const oidOf = async (knex: Knex, index: string): Promise<number> =>
  (await knex.raw(`select '${index}'::regclass::oid::int as oid`)).rows[0].oid

describeOnEveryDatabase('upgradePgvector', (database) => {
  test('changes nothing if the server has nothing newer, and reports the problems of the version', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    const result = await upgradePgvector(knex, silent)
    expect(result).toMatchObject({ status: 'unchanged', version: pgvector, brings: [], ended: [], toRebuild: [] })
    expect(result.remaining.some(({ id }) => id === 'CVE-2026-3172')).toBe(pgvector === '0.8.0')
    expect(await knex('pgvector_migration_log').pluck('event')).toEqual(['enabled'])
  })

  test('refuses to go back, with the reason', async () => {
    const { knex, pgvector } = database()
    await ensurePgvector(knex, silent)
    const error = await expectError('PGVECTOR_DOWNGRADE', () => upgradePgvector(knex, { ...silent, to: '0.5.0' }))
    expect(error.message).toBe(`pgvector ${pgvector} cannot be downgraded to 0.5.0: pgvector has no downgrade scripts`)
  })

  test('refuses a version that the server has no files of', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await expectError('PGVECTOR_NO_UPDATE_PATH', () => upgradePgvector(knex, { ...silent, to: '99.0.0' }))
  })

  test('says that the extension is not enabled, where it is not', async () => {
    await expectError('PGVECTOR_NOT_ENABLED', () => upgradePgvector(database().knex, silent))
  })

  test('refuses to rebuild indexes inside a transaction', async () => {
    const { knex } = database()
    await ensurePgvector(knex, silent)
    await knex.transaction((trx) =>
      expectError('INVALID_OPTIONS', () => upgradePgvector(trx, { ...silent, reindex: true })),
    )
  })
})

describeOnEveryDatabase('an update of an old version', (database) => {
  // A server that has 0.8.0 itself has nothing to update to.
  const onNewServer = async (work: (knex: Knex, pgvector: string) => Promise<void>): Promise<void> => {
    const { knex, pgvector } = database()
    if (pgvector !== '0.8.0') await work(knex, pgvector)
    expect(pgvector).toMatch(/^0\.8\./)
  }

  test('reports what it ends and what must be rebuilt, and changes no index', async () =>
    onNewServer(async (knex, pgvector) => {
      await installOldVersion(knex)
      const before = await oidOf(knex, 'documents_hnsw')
      const logger = recordingLogger()
      const result = await upgradePgvector(knex, { logger })
      expect(result).toMatchObject({
        status: 'updated',
        versionBefore: '0.8.0',
        version: pgvector,
        toRebuild: ['public.documents_hnsw'],
        rebuilt: [],
      })
      expect(result.ended.map(({ id }) => id)).toContain('CVE-2026-3172')
      expect(logger.infos).toContain(`pgvector updated from 0.8.0 to ${pgvector}`)
      expect(logger.warnings).toContain('Needs a rebuild: REINDEX INDEX CONCURRENTLY public.documents_hnsw;')
      expect(await oidOf(knex, 'documents_hnsw')).toBe(before)
    }))

  test('is remembered: the next call rebuilds what was left, once', async () =>
    onNewServer(async (knex) => {
      await installOldVersion(knex)
      await upgradePgvector(knex, silent)
      expect(await upgradePgvector(knex, { ...silent, reindex: true })).toMatchObject({
        status: 'unchanged',
        rebuilt: ['public.documents_hnsw'],
        toRebuild: [],
      })
      expect(await upgradePgvector(knex, { ...silent, reindex: true })).toMatchObject({ rebuilt: [], toRebuild: [] })
      expect(await knex('pgvector_migration_log').orderBy('id').pluck('event')).toEqual([
        'enabled',
        'updated',
        'index rebuilt',
      ])
    }))

  test('as a migration runs outside a transaction only to rebuild, and stays when it is undone', async () =>
    onNewServer(async (knex, pgvector) => {
      await installOldVersion(knex)
      expect(migration([new UpgradePgvector(silent)]).config).toEqual({ transaction: true })
      const { up, down, config } = migration([new UpgradePgvector({ ...silent, reindex: true })])
      expect(config).toEqual({ transaction: false })
      await up(knex)
      await down(knex)
      expect(await upgradePgvector(knex, silent)).toMatchObject({ version: pgvector, toRebuild: [] })
    }))
})

describeOnServers('a rebuild that was interrupted', (database) => {
  test('leaves an index that the next one replaces', async () => {
    const { knex, pgvector } = database()
    expect(pgvector).toMatch(/^0\.8\./)
    if (pgvector === '0.8.0') return
    await installOldVersion(knex)
    await upgradePgvector(knex, silent)
    // What PostgreSQL leaves of a concurrent rebuild that was cut off: an index of that name that nobody may use.
    await knex.raw('create index documents_hnsw_ccnew on documents using hnsw (embedding vector_l2_ops)')
    await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'documents_hnsw_ccnew'::regclass`)
    await upgradePgvector(knex, { ...silent, reindex: true })
    const { rows } = await knex.raw(`select indexrelid::regclass::text as name, indisvalid from pg_index
      where indrelid = 'documents'::regclass order by 1`)
    expect(rows).toEqual([
      { name: 'documents_hnsw', indisvalid: true },
      { name: 'documents_ivfflat', indisvalid: true },
    ])
  })
})
