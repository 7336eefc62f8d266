import type { Knex } from 'knex'

import {
  createVectorIndex,
  dropVectorIndex,
  ensurePgvector,
  repairVectorIndexes,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { sessionOf } from '../src/database/session.ts'
import { readIndexFacts } from '../src/indexes/look/read-facts.ts'
import { catalogOf } from './support/catalog.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { indexesOf } from './support/documents.ts'
import { expectError } from './support/expect-error.ts'
import { hold, phaseReached, startHeld } from './support/phases.ts'
import { recordingLogger } from './support/recorder.ts'
import { rolledBack } from './support/rolled-back.ts'

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
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({
      status: 'built',
      isUsed: true,
      name: index.name,
    })
    const all = await indexesOf(knex)
    expect(all.filter(({ isValid }) => isValid)).toHaveLength(5)
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({ status: 'kept' })
  })

  test('leaves the same catalog after up, down and up', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    const before = await catalogOf(knex)
    await createVectorIndex(knex, index, quiet)
    const built = await catalogOf(knex)
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
    expect(await catalogOf(knex)).toEqual(before)
    await createVectorIndex(knex, index, quiet)
    expect(await catalogOf(knex)).toEqual(built)
  })

  test('keeps its parts, of which PostgreSQL drops none by itself', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await createVectorIndex(knex, index, quiet)
    const built = await catalogOf(knex)
    const low = (await indexesOf(knex)).find(({ definition }) => definition.includes(' ON public.low '))
    const part = vectorIndex(vectorColumn('low', 'Embedding', { dimensions: 8 }), {
      method: 'hnsw',
      metric: 'l2',
      name: low?.name,
    })
    const error = await expectError('INDEX_DROP_FAILED', () => dropVectorIndex(knex, part, quiet))
    expect(error.message).toContain(`because index "${index.name}" requires it`)
    expect(await catalogOf(knex)).toEqual(built)
  })

  test('uses what is there already', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.raw('create index mine on low using hnsw ("Embedding" vector_l2_ops)')
    await knex.raw(`create index "${index.name}" on only documents using hnsw ("Embedding" vector_l2_ops)`)
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('built')
    const names = (await indexesOf(knex)).map(({ name }) => name)
    expect(names).toContain('mine')
    expect(names).toHaveLength(5)
  })

  test('is built at once in the transaction that makes the table', async () => {
    const { knex } = database()
    await knex.transaction(async (trx) => {
      await createPartitioned(trx)
      expect((await createVectorIndex(trx, index, quiet)).status).toBe('built')
    })
    expect(await indexesOf(knex)).toHaveLength(5)
  })

  describe('of ivfflat, where partitions have no rows', () => {
    const lists = vectorIndex(column, { method: 'ivfflat', metric: 'l2' })
    const partial = vectorIndex(column, { method: 'ivfflat', metric: 'l2', where: 'id < 250', name: 'partial' })

    async function createWithEmptyPartitions(knex: Knex): Promise<void> {
      await createPartitioned(knex)
      await knex.raw(`create table "why\\?" partition of documents for values from (1000) to (1100);
        delete from documents where id between 100 and 199`)
    }

    test('is refused before anything is built, and the error names them', async () => {
      const { knex } = database()
      await createWithEmptyPartitions(knex)
      const { details, message, hint } = await expectError('INDEX_NEEDS_ROWS', () =>
        createVectorIndex(knex, lists, quiet),
      )
      expect(details.partitions).toEqual(['public."higher one"', 'public."why?"'])
      expect(message).toContain('there are none in')
      expect(hint).toContain(`{ whenEmpty: 'build' }`)
      expect(await indexesOf(knex)).toEqual([])
    })

    test('is postponed as a whole where that was said, and the warning names them', async () => {
      const { knex } = database()
      await createWithEmptyPartitions(knex)
      const result = await createVectorIndex(knex, lists, { ...quiet, whenEmpty: 'postpone' })
      expect(result).toMatchObject({ status: 'postponed', name: null })
      expect(result.warnings).toEqual([expect.stringMatching(/none in public\."higher one", .* It was not built/)])
      expect(await indexesOf(knex)).toEqual([])
    })

    test('is built anyway if the options say so, and the next run keeps it', async () => {
      const { knex } = database()
      await createWithEmptyPartitions(knex)
      expect((await createVectorIndex(knex, lists, { ...quiet, whenEmpty: 'build' })).status).toBe('built')
      expect((await indexesOf(knex)).filter(({ isValid }) => isValid)).toHaveLength(6)
      expect((await createVectorIndex(knex, lists, quiet)).status).toBe('kept')
    })

    test('is built where those have their index already', async () => {
      const { knex } = database()
      await createWithEmptyPartitions(knex)
      await knex.raw(`create index on "higher one" using ivfflat ("Embedding" vector_l2_ops) with (lists = 1);
        create index on "why\\?" using ivfflat ("Embedding" vector_l2_ops) with (lists = 1)`)
      expect((await createVectorIndex(knex, lists, quiet)).status).toBe('built')
    })

    test('is refused where they have none that the condition takes', async () => {
      const { knex } = database()
      await createPartitioned(knex)
      await knex.raw('delete from documents where id between 200 and 249')
      const { details } = await expectError('INDEX_NEEDS_ROWS', () => createVectorIndex(knex, partial, quiet))
      expect(details.partitions).toEqual(['public.highest'])
    })

    test('is planned by the size of those whose rows are hidden', async () => {
      const { knex } = database()
      await createWithEmptyPartitions(knex)
      await rolledBack(knex, async (trx) => {
        await trx.raw(`
          create role test_owner;
          alter table low owner to test_owner;
          alter table low enable row level security;
          alter table low force row level security;
          alter table documents owner to test_owner;
          alter table highest owner to test_owner;
          alter table "higher one" owner to test_owner;
          alter table "why\\?" owner to test_owner;
          set local role test_owner`)
        const { emptyPartitions } = await readIndexFacts(sessionOf(trx), lists)
        expect(emptyPartitions).toEqual(['public."higher one"', 'public."why?"'])
      })
    })

    test('is refused in the transaction that makes the table too, and built where there are rows', async () => {
      const { knex } = database()
      await knex.transaction(async (trx) => {
        await createPartitioned(trx)
        expect(await createVectorIndex(trx, lists, quiet)).toMatchObject({ status: 'built', rows: 300 })
        await dropVectorIndex(trx, lists, quiet)
        await trx.raw('delete from low')
        const { details } = await expectError('INDEX_NEEDS_ROWS', () => createVectorIndex(trx, lists, quiet))
        expect(details.partitions).toEqual(['public.low'])
      })
    })
  })

  test('is refused in another transaction', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.transaction((trx) => expectError('INDEX_BUILD_FAILED', () => createVectorIndex(trx, index, quiet)))
    expect(await indexesOf(knex)).toEqual([])
  })
})

// Of a part of the whole, which cannot be dropped by itself: CREATE INDEX attaches whatever it finds on a partition.
async function createWithInvalidPart(knex: Knex): Promise<void> {
  await createPartitioned(knex)
  const release = await hold(knex, 'insert into "higher one" (id) values (100)')
  const ended = knex
    .raw('create index concurrently "a part" on "higher one" using hnsw ("Embedding" vector_l2_ops)')
    .catch(String)
  const processId = await phaseReached(knex, 'waiting for writers before build', '"higher one"')
  await knex.raw(`select pg_terminate_backend(${processId})`)
  expect(await ended).toContain('terminating connection')
  await release()
  await knex.raw(`create index "${index.name}" on documents using hnsw ("Embedding" vector_l2_ops)`)
  const invalid = (await indexesOf(knex)).filter(({ isValid }) => !isValid).map(({ name }) => name)
  expect(invalid).toEqual(['Hi.gh_Embedding_idx', 'a part', index.name])
}

describeOnServers('an index of a partitioned table', (database) => {
  test('that has an invalid part is repaired by building that part', async () => {
    const { knex } = database()
    await createWithInvalidPart(knex)
    const logger = recordingLogger()
    expect(await createVectorIndex(knex, index, { logger })).toMatchObject({
      status: 'built',
      isUsed: true,
      name: index.name,
    })
    expect(logger.infos[0]).toBe(
      '"public"."a part" is part of a partitioned index and was left by an interrupted build; it is rebuilt',
    )
    expect((await indexesOf(knex)).map(({ isValid }) => isValid)).toEqual([true, true, true, true, true])
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({ status: 'kept' })
  })

  test('that has an invalid part is repaired if another index of that partition is valid', async () => {
    const { knex } = database()
    await createWithInvalidPart(knex)
    await knex.raw('create index "another" on "higher one" using hnsw ("Embedding" vector_l2_ops)')
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({ status: 'built', isUsed: true })
    expect((await indexesOf(knex)).every(({ isValid }) => isValid)).toBe(true)
  })

  test('that has an invalid part is repaired by the next run if the repair was interrupted', async () => {
    const { knex } = database()
    await createWithInvalidPart(knex)
    const { build, release } = await startHeld(
      knex,
      'insert into "higher one" (id) values (100)',
      () => expectError('CONNECTION_LOST', () => createVectorIndex(knex, index, quiet)),
      '"higher one"',
    )
    const processId = await phaseReached(knex, 'waiting for writers before build', '"higher one"')
    await knex.raw(`select pg_terminate_backend(${processId})`)
    await build
    await release()
    expect((await indexesOf(knex)).map(({ name }) => name)).toContain('a part_ccnew')
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('built')
    const all = await indexesOf(knex)
    expect(all.map(({ isValid }) => isValid)).toEqual([true, true, true, true, true])
  })

  test('that has an invalid part is repaired as a whole', async () => {
    const { knex } = database()
    await createWithInvalidPart(knex)
    const { rebuilt, left } = await repairVectorIndexes(knex, quiet)
    expect(left).toEqual([])
    expect(rebuilt).toEqual(['public."a part"', 'public."Hi.gh_Embedding_idx"', `public."${index.name}"`])
    expect((await indexesOf(knex)).every(({ isValid }) => isValid)).toBe(true)
    expect((await createVectorIndex(knex, index, quiet)).status).toBe('kept')
  })

  test('is left by a repair where a partition lacks its index, with what to do', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.raw(`create index "${index.name}" on only documents using hnsw ("Embedding" vector_l2_ops)`)
    expect(await repairVectorIndexes(knex, quiet)).toMatchObject({
      rebuilt: [],
      left: [
        { name: `public."${index.name}"`, reason: expect.stringContaining('build it again with createVectorIndex') },
      ],
    })
  })

  test('is finished by the next run where one was cut off in the middle', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    const { build, release } = await startHeld(
      knex,
      'insert into highest (id) values (900)',
      () => expectError('CONNECTION_LOST', () => createVectorIndex(knex, index, quiet)),
      'highest',
    )
    const processId = await phaseReached(knex, 'waiting for writers before build', 'highest')
    await knex.raw(`select pg_terminate_backend(${processId})`)
    await build
    await release()
    expect((await indexesOf(knex)).some(({ isValid }) => !isValid)).toBe(true)
    expect(await createVectorIndex(knex, index, quiet)).toMatchObject({ status: 'built', isUsed: true })
    const all = await indexesOf(knex)
    expect(all.filter(({ isValid }) => isValid)).toHaveLength(5)
    expect(all).toHaveLength(5)
  })

  test('covers a partition that was attached while it was built', async () => {
    const { knex } = database()
    await createPartitioned(knex)
    await knex.raw(`create table late (like documents);
      insert into late select id + 1000, note, "Embedding" from documents`)
    const { build, release } = await startHeld(
      knex,
      'insert into highest (id) values (900)',
      () => createVectorIndex(knex, index, quiet),
      'highest',
    )
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
    const { build, release } = await startHeld(
      knex,
      'insert into highest (id) values (900)',
      () => expectError('CONNECTION_LOST', () => createVectorIndex(knex, index, quiet)),
      'highest',
    )
    const processId = await phaseReached(knex, 'waiting for writers before build', 'highest')
    await knex.raw(`select pg_terminate_backend(${processId})`)
    await build
    await release()
    expect((await dropVectorIndex(knex, index, quiet)).status).toBe('dropped')
    expect(await indexesOf(knex)).toEqual([])
  })
})
