import type { Knex } from 'knex'

import { ensurePgvector } from '../src/index.ts'
import { buildIndex } from '../src/vectors/build-index.ts'
import { vectorColumn } from '../src/vectors/column.ts'
import { dropIndex } from '../src/vectors/drop-index.ts'
import { vectorIndex } from '../src/vectors/vector-index.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { hold, phaseReached } from './support/phases.ts'

const column = vectorColumn('documents', 'Embedding', { dimensions: 8 })
const index = vectorIndex(column, { method: 'hnsw', metric: 'l2' })
const quiet = { logger: false } as const

// "low" is a table, "Hi.gh" is partitioned again.
async function createPartitioned(knex: Knex): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`
    create table documents (id int, note text, "Embedding" vector(8)) partition by range (id);
    create table low partition of documents for values from (0) to (100);
    create table "Hi.gh" partition of documents for values from (100) to (1000) partition by range (id);
    create table "higher one" partition of "Hi.gh" for values from (100) to (200);
    create table highest partition of "Hi.gh" for values from (200) to (1000);
    insert into documents (id, "Embedding")
      select i % 300, array_agg(random()) from generate_series(0, 2399) i group by i % 300`)
}

describeOnEveryDatabase('an index of a partitioned table', (database) => {
  test('is built for each partition and put together', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    expect(await buildIndex(knex, index, quiet)).toMatchObject({ status: 'built', isUsed: true, name: index.name })
    const all = await indexesOf(knex)
    expect(all.filter(({ isValid }) => isValid)).toHaveLength(5)
    expect(await buildIndex(knex, index, quiet)).toMatchObject({ status: 'kept' })
  })

  test('leaves the same catalog after up, down and up', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    const before = await catalogOf(knex)
    await buildIndex(knex, index, quiet)
    const built = await catalogOf(knex)
    expect((await dropIndex(knex, index, { ...quiet, onlyOurs: true })).status).toBe('dropped')
    expect(await catalogOf(knex)).toEqual(before)
    await buildIndex(knex, index, quiet)
    expect(await catalogOf(knex)).toEqual(built)
  })

  test('uses what is there already', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.raw('create index mine on low using hnsw ("Embedding" vector_l2_ops)')
    await knex.raw(`create index "${index.name}" on only documents using hnsw ("Embedding" vector_l2_ops)`)
    expect((await buildIndex(knex, index, quiet)).status).toBe('built')
    const names = (await indexesOf(knex)).map(({ name }) => name)
    expect(names).toContain('mine')
    expect(names).toHaveLength(5)
  })

  test('is built at once in the transaction that makes the table', async () => {
    const { knex } = database()
    await knex.transaction(async (trx) => {
      await createPartitioned(trx)
      expect((await buildIndex(trx, index, quiet)).status).toBe('built')
    })
    expect(await indexesOf(knex)).toHaveLength(5)
  })

  test('is refused in another transaction', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.transaction((trx) => expectError('INDEX_BUILD_FAILED', () => buildIndex(trx, index, quiet)))
    expect(await indexesOf(knex)).toEqual([])
  })
})

describeOnServers('an index of a partitioned table', (database) => {
  test('is finished by the next run where one was cut off in the middle', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    const release = await hold(knex, 'insert into highest (id) values (900)')
    const build = expectError('INDEX_BUILD_FAILED', () => buildIndex(knex, index, quiet))
    const processId = await phaseReached(knex, 'waiting for writers before build', 'highest')
    await knex.raw(`select pg_terminate_backend(${processId})`)
    await build
    await release()
    expect((await indexesOf(knex)).some(({ isValid }) => !isValid)).toBe(true)
    expect(await buildIndex(knex, index, quiet)).toMatchObject({ status: 'built', isUsed: true })
    const all = await indexesOf(knex)
    expect(all.filter(({ isValid }) => isValid)).toHaveLength(5)
    expect(all).toHaveLength(5)
  })

  test('covers a partition that was attached while it was built', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.raw(`create table late (like documents);
      insert into late select id + 1000, note, "Embedding" from documents`)
    const release = await hold(knex, 'insert into highest (id) values (900)')
    const build = buildIndex(knex, index, quiet)
    await phaseReached(knex, 'waiting for writers before build', 'highest')
    await knex.raw('alter table documents attach partition late for values from (1000) to (2000)')
    await release()
    expect(await build).toMatchObject({ status: 'built', isUsed: true })
    const all = await indexesOf(knex)
    expect(all.filter(({ isValid }) => isValid)).toHaveLength(6)
    expect(all).toHaveLength(6)
  })

  test('can be dropped where its build was cut off in the middle', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    const release = await hold(knex, 'insert into highest (id) values (900)')
    const build = expectError('INDEX_BUILD_FAILED', () => buildIndex(knex, index, quiet))
    const processId = await phaseReached(knex, 'waiting for writers before build', 'highest')
    await knex.raw(`select pg_terminate_backend(${processId})`)
    await build
    await release()
    expect((await dropIndex(knex, index, quiet)).status).toBe('dropped')
    expect(await indexesOf(knex)).toEqual([])
  })
})
