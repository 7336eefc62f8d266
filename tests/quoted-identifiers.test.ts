import type { Knex } from 'knex'

import {
  addVectorColumn,
  createVectorIndex,
  diffVectors,
  dropVectorIndex,
  dropPgvector,
  dropVectorColumn,
  ensurePgvector,
  findDependents,
  listVectorIndexes,
  repairVectorIndexes,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { createMigrator } from '../src/migrator.ts'
import { describeOnServers, type TestDatabase } from './support/databases.ts'

const quiet = { logger: false } as const
const ours = { logger: false, onlyOurs: true } as const

const columns = [3, 3072, 5000].map((dimensions) => vectorColumn('documents', `of_${dimensions}`, { dimensions }))
const [small, large, huge] = columns as [(typeof columns)[0], (typeof columns)[0], (typeof columns)[0]]
const indexes = [
  vectorIndex(small, { method: 'hnsw', metric: 'l2' }),
  vectorIndex(small, { method: 'hnsw', metric: 'l2', name: 'some', where: `note = 'a' collate "C" and id in (1, 2)` }),
  // On a cast, and on binary_quantize.
  vectorIndex(large, { method: 'hnsw', metric: 'cosine' }),
  vectorIndex(huge, { method: 'hnsw', metric: 'cosine' }),
]

const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: () => Promise.resolve(['001_notes']),
  getMigrationName: (name) => name,
  getMigration: () =>
    Promise.resolve({
      up: (knex) => knex.raw('create table notes (id int primary key, embedding vector(3))'),
      down: (knex) => knex.raw('drop table notes'),
    }),
}

/** Everything that compares or prints names and definitions; what it returns holds no number of the catalog. */
async function doEverything(knex: Knex): Promise<unknown[]> {
  const seen: unknown[] = []
  await ensurePgvector(knex, quiet)
  seen.push((await ensurePgvector(knex, quiet)).schema)
  await knex.raw('create table documents (id int, note text)')
  for (const column of [...columns, ...columns]) seen.push((await addVectorColumn(knex, column, quiet)).status)
  for (const index of [...indexes, ...indexes]) seen.push((await createVectorIndex(knex, index, quiet)).status)
  seen.push(await diffVectors(knex, { columns, indexes }), await findDependents(knex))
  seen.push((await listVectorIndexes(knex)).map(({ name, table, definition }) => ({ name, table, definition })))
  const migrator = createMigrator(knex, { migrationSource })
  await migrator.up()
  seen.push(
    await migrator.losses({ steps: 1 }),
    (await migrator.status()).map(({ state }) => state),
  )
  seen.push((await diagnose(knex, { migrationSource })).map(({ level, message, next }) => ({ level, message, next })))
  await migrator.down({ steps: 1 })
  await knex.raw(`update pg_index set indisvalid = false where indexrelid = 'some'::regclass`)
  seen.push(await repairVectorIndexes(knex, quiet))
  for (const index of indexes) seen.push((await dropVectorIndex(knex, index, ours)).status)
  for (const column of columns) seen.push((await dropVectorColumn(knex, column, ours)).status)
  seen.push((await dropPgvector(knex, quiet)).status, await knex('pgvector_migration_log').orderBy('id').pluck('event'))
  return seen
}

describeOnServers('a database that quotes all identifiers', (database) => {
  const connectTo = async ({ knex, connect }: TestDatabase, setting: 'on' | 'off'): Promise<Knex> => {
    await knex.raw(
      `do $$ begin execute format('alter database %I set quote_all_identifiers = ${setting}', current_database()); end $$`,
    )
    return connect()
  }

  test('gets the same answers, the same comparisons and the same log as another one', async () => {
    const usual = await doEverything(await connectTo(database(), 'off'))
    await database().knex.raw('drop table documents, pgvector_migration_log')
    expect(await doEverything(await connectTo(database(), 'on'))).toEqual(usual)
    expect(usual.slice(1, 15)).toEqual(
      ['added', 'kept', 'built', 'kept'].flatMap((each, place) => Array(place < 2 ? 3 : 4).fill(each)),
    )
    expect(usual).toContain('dropped')
  })

  test('keeps the setting in a transaction of its caller', async () => {
    const { knex } = database()
    await ensurePgvector(knex, quiet)
    await knex.transaction(async (trx) => {
      await trx.raw('set local quote_all_identifiers = on')
      await listVectorIndexes(trx)
      expect((await trx.raw('show quote_all_identifiers')).rows).toEqual([{ quote_all_identifiers: 'on' }])
    })
    expect((await knex.raw('show quote_all_identifiers')).rows).toEqual([{ quote_all_identifiers: 'off' }])
  })
})
