import type { Knex } from 'knex'

import {
  AddVectorColumn,
  createVectorIndex,
  CreateVectorIndex,
  dropVectorIndex,
  dropPgvector,
  ensurePgvector,
  migration,
  upgradePgvector,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { createMigrator } from '../src/migrator.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnServers } from './support/databases.ts'
import { createDocuments, embedding, indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { hasPgBouncer, plainFiles, startPgBouncer, type RunningPgBouncer } from './support/pgbouncer.ts'

const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const
const testWithPgBouncer = hasPgBouncer || process.env['CI'] === 'true' ? test : test.skip

describeOnServers('an index through PgBouncer', (database) => {
  let opened: { readonly pooler: RunningPgBouncer; readonly knex: Knex } | undefined

  // The lines are put in the place of `pool_mode = transaction`.
  async function connectThrough(lines: string): Promise<Knex> {
    const { url, connect } = database()
    const pooler = await startPgBouncer(url ?? '', (place) => ({
      'pgbouncer.ini': plainFiles(place)['pgbouncer.ini'].replace('pool_mode = transaction', lines),
    }))
    const knex = connect({ connection: pooler.url })
    opened = { pooler, knex }
    return knex
  }

  afterEach(async () => {
    await opened?.knex.destroy()
    await opened?.pooler.stop()
    opened = undefined
  })

  describe.each([
    ['in transaction mode', 'pool_mode = transaction'],
    ['in transaction mode, each connection in its turn,', 'pool_mode = transaction\nserver_round_robin = 1'],
  ])('%s', (_, mode) => {
    testWithPgBouncer('is not built, and nothing stays behind on the connections of others', async () => {
      const { knex } = database()
      await createDocuments(knex, 50)
      const pooled = await connectThrough(mode)
      const before = await connectionsOf(pooled)
      const { hint } = await expectError('SESSION_SHARED', () => createVectorIndex(pooled, index, quiet))
      expect(hint).toContain('session mode')
      expect(await connectionsOf(pooled)).toEqual(before)
      expect(await indexesOf(knex)).toEqual([])
    })

    testWithPgBouncer('is not dropped', async () => {
      const { knex } = database()
      await createDocuments(knex, 50)
      await createVectorIndex(knex, index, quiet)
      const pooled = await connectThrough(mode)
      await expectError('SESSION_SHARED', () => dropVectorIndex(pooled, index, quiet))
      expect(await indexesOf(knex)).toHaveLength(1)
    })
  })

  testWithPgBouncer(
    'in statement mode is refused, like all that needs a transaction, and what reads goes on',
    async () => {
      const { knex } = database()
      await createDocuments(knex, 50)
      await createVectorIndex(knex, index, quiet)
      const before = await catalogOf(knex)
      const pooled = await connectThrough('pool_mode = statement')
      const migrationSource: Knex.MigrationSource<string> = {
        getMigrations: () => Promise.resolve(['001']),
        getMigrationName: (name) => name,
        getMigration: () => Promise.resolve({ up: () => Promise.resolve(), down: () => Promise.resolve() }),
      }
      const other = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
      for (const run of [
        () => createVectorIndex(pooled, other, quiet),
        () => dropVectorIndex(pooled, index, quiet),
        () => dropPgvector(pooled, quiet),
        () => createMigrator(pooled, { migrationSource }).up(),
      ]) {
        const { hint } = await expectError('SESSION_SHARED', run)
        expect(hint).toContain('nothing was changed')
      }
      expect((await ensurePgvector(pooled, quiet)).status).toBe('unchanged')
      expect((await createVectorIndex(pooled, index, quiet)).status).toBe('kept')
      expect(await catalogOf(knex)).toEqual(before)
    },
  )

  testWithPgBouncer('in transaction mode is not rebuilt, and the error says what was changed before', async () => {
    const { knex, pgvector } = database()
    await createDocuments(knex, 50)
    await createVectorIndex(knex, index, quiet)
    await knex.raw(`update pg_extension set extversion = '0.8.0' where extname = 'vector'`)
    const pooled = await connectThrough('pool_mode = transaction')
    const upgrade = (): Promise<unknown> => upgradePgvector(pooled, { ...quiet, reindex: true })
    // A server that has 0.8.0 itself has nothing to update to.
    if (pgvector === '0.8.0') {
      expect(await upgrade()).toMatchObject({ status: 'unchanged' })
      return
    }
    const { hint } = await expectError('SESSION_SHARED', upgrade)
    expect(hint).toContain(`before that, pgvector was updated from 0.8.0 to ${pgvector}`)
    expect(hint).not.toContain('nothing was changed')
  })

  testWithPgBouncer('in transaction mode is not built, and the error names what its migration did before', async () => {
    const { knex } = database()
    await createDocuments(knex, 50)
    const pooled = await connectThrough('pool_mode = transaction')
    const other = vectorColumn('documents', 'other', { dimensions: 3 })
    const { up } = migration([
      new AddVectorColumn(other, quiet),
      new CreateVectorIndex(other, { method: 'hnsw', metric: 'l2' }, quiet),
    ])
    const { hint } = await expectError('SESSION_SHARED', () => up(pooled))
    expect(hint).toContain('before that, this migration ran "add column documents.other "vector"(3)", which stays.')
    expect(await knex('documents').columnInfo()).toHaveProperty('other')
  })

  testWithPgBouncer('in transaction mode is kept where it is there', async () => {
    const { knex } = database()
    await createDocuments(knex, 50)
    await createVectorIndex(knex, index, quiet)
    const pooled = await connectThrough('pool_mode = transaction')
    expect((await createVectorIndex(pooled, index, quiet)).status).toBe('kept')
  })

  testWithPgBouncer('in transaction mode is built in the transaction that makes the table', async () => {
    const pooled = await connectThrough('pool_mode = transaction')
    await pooled.transaction(async (trx) => {
      await createDocuments(trx, 50)
      expect((await createVectorIndex(trx, index, quiet)).status).toBe('built')
    })
    expect(await indexesOf(database().knex)).toEqual([expect.objectContaining({ isValid: true })])
  })

  testWithPgBouncer('in session mode is built beside writers, and dropped', async () => {
    const { knex } = database()
    await createDocuments(knex, 50)
    const pooled = await connectThrough('pool_mode = session')
    expect((await createVectorIndex(pooled, index, quiet)).status).toBe('built')
    expect(await indexesOf(knex)).toEqual([expect.objectContaining({ name: index.name, isValid: true })])
    expect((await dropVectorIndex(pooled, index, quiet)).status).toBe('dropped')
  })
})

// Several at once, so that the pooler has to give each of them another connection of the server.
async function connectionsOf(pooled: Knex): Promise<unknown[]> {
  const transactions = await Promise.all(Array.from({ length: 4 }, () => pooled.transaction()))
  const seen = await Promise.all(
    transactions.map(async (trx) => {
      const { rows } = await trx.raw(`
        select pg_backend_pid() as process,
          array(select name || '=' || setting from pg_settings where source = 'session' order by name) as settings,
          array(select objid from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`)
      return rows[0] as { process: number }
    }),
  )
  await Promise.all(transactions.map((trx) => trx.rollback()))
  return seen.toSorted((left, right) => left.process - right.process)
}
