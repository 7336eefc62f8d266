import type { Knex } from 'knex'

import { embedding, ensurePgvector, nearestText, setUpInStep, vectorColumn } from '../src/index.ts'
import { changeModel, type ModelChange } from '../src/index.ts'
import { backfill } from '../src/embeddings/backfill.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { skipPauses } from './support/fast-clock.ts'
import { articles, change, createArticles, embedArticles, embedQueries, quiet, vectorOf } from './support/two-models.ts'

const ROWS = 40
const titleOf = (length: number): string => 'x'.repeat(length)
const search = { embed: embedQueries, limit: 3, columns: ['title'] } as const

afterEach(() => jest.restoreAllMocks())

const wrongVectors = async (knex: Knex): Promise<unknown[]> => {
  const rows: readonly { readonly title: string; readonly vector: string | null }[] = await knex('articles').select(
    'title',
    knex.raw('embedding_large::text as vector'),
  )
  return rows.filter(({ title, vector }) => vector !== `[${vectorOf['large-3'](title).join(',')}]`)
}

/** Runs the whole change, with edits between its steps. */
const runThrough = async (knex: Knex, changed: ModelChange = change): Promise<void> => {
  await changed.advance(knex, { ...quiet, until: 'index' })
  await knex('articles')
    .where({ id: 30 })
    .update({ title: titleOf(500) })
  await knex('articles').insert({ id: 1000, title: titleOf(600) })
  expect(await changed.advance(knex, quiet)).toMatchObject({
    phase: 'switch',
    comparison: { source: { recall: 1 }, target: { recall: 1 } },
  })
  await changed.switch(knex, quiet)
  expect(await nearestText(knex, articles, titleOf(7), search)).toMatchObject({
    model: 'large-3',
    isComplete: true,
    rows: [{ title: titleOf(7), distance: 0 }, {}, {}],
  })
  expect(await wrongVectors(knex)).toEqual([])
}

const prepare = async (knex: Knex, table: string): Promise<void> => {
  await ensurePgvector(knex, quiet)
  await knex.raw(table)
  await knex.raw(`insert into articles (id, title) select i, repeat('x', i) from generate_series(1, ${ROWS}) i`)
  await setUpInStep(knex, articles, quiet)
  await backfill(knex, articles, quiet)
  await knex.raw('create index on articles using hnsw (embedding vector_l2_ops)')
}

describeOnEveryDatabase('a change of model of a partitioned table', (database) => {
  test('goes through all phases, and back', async () => {
    const { knex } = database()
    await prepare(
      knex,
      `create table articles (id bigint primary key, title text not null, embedding vector(3)) partition by range (id);
      create table articles_low partition of articles for values from (0) to (20);
      create table articles_high partition of articles for values from (20) to (2000)`,
    )
    await runThrough(knex)
    skipPauses()
    expect(await change.back(knex, { ...quiet, to: 'expand' })).toMatchObject({ phase: 'expand' })
    await knex('articles').where({ id: 1000 }).delete()
    await runThrough(knex)
    await change.contract(knex, { ...quiet, confirm: true })
    expect(await change.status(knex)).toMatchObject({ phase: 'done' })
  })
})

describeOnEveryDatabase('a change of model of a table with 50 columns', (database) => {
  test('leaves dropped, generated and other columns as they are, and refuses to contract under a view', async () => {
    const { knex } = database()
    const many = Array.from({ length: 45 }, (_, place) => `c${place} int default ${place}`)
    await prepare(
      knex,
      `create table articles (gone vector(7), id bigint primary key, ${many.join(', ')}, also_gone text,
        title text not null, length int generated always as (pg_catalog.length(title)) stored, embedding vector(3));
      alter table articles drop column gone; alter table articles drop column also_gone, drop column c7;
      create view titles as select id, title, length from articles;
      create view vectors as select id, embedding from articles`,
    )
    await runThrough(knex)
    skipPauses()
    const { details } = await expectError('COLUMN_IN_USE', () => change.contract(knex, { ...quiet, confirm: true }))
    expect(JSON.stringify(details)).toContain('view vectors')
    expect(await change.status(knex)).toMatchObject({ phase: 'contract', active: { model: 'large-3' } })
    await knex.raw('drop view vectors')
    await change.contract(knex, { ...quiet, confirm: true })
    expect(await change.status(knex)).toMatchObject({ phase: 'done' })
    expect(await knex('titles').where({ id: 1000 })).toMatchObject([{ length: 600 }])
    expect(await knex('articles').where({ id: 30 }).first('c0', 'c44', 'length')).toEqual({
      c0: 0,
      c44: 44,
      length: 500,
    })
  })
})

describeOnEveryDatabase('a change of model that cannot be made', (database) => {
  test('is refused before anything is written where vectors could not be kept in step', async () => {
    const { knex } = database()
    await ensurePgvector(knex, quiet)
    await knex.raw('create table articles (id bigint, title text not null, embedding vector(3))')
    await expectError('IN_STEP_NOT_POSSIBLE', () => change.advance(knex, quiet))
    expect(await knex.schema.hasColumn('articles', 'embedding_large')).toBe(false)
    expect(await knex.schema.hasTable('pgvector_embeddings')).toBe(false)
  })

  test('is refused before anything is written where the new column exists with other dimensions', async () => {
    const { knex } = database()
    await createArticles(knex, 5)
    await knex.raw('alter table articles add column embedding_large vector(4)')
    await expectError('COLUMN_DIFFERS', () => change.advance(knex, quiet))
    expect(await knex.schema.hasTable('pgvector_embeddings')).toBe(false)
  })

  test('stores no vector that the column cannot store, and refuses the switch that would lose their rows', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    const wrong = new Map<number, number[]>([
      [3, [1, 2]],
      [4, [1, Number.NaN, 3]],
    ])
    const poor = changeModel<{ readonly title: string }>(articles, {
      to: { column: change.to.column, model: 'large-3', metric: 'l2' },
      embed: {
        'large-3': (rows) =>
          Promise.resolve(rows.map(({ title }) => wrong.get(title.length) ?? vectorOf['large-3'](title))),
      },
    })
    expect(await poor.advance(knex, quiet)).toMatchObject({ phase: 'switch', rows: { missing: 2, failed: 2 } })
    const { details } = await expectError('MODEL_CHANGE_REFUSED', () => poor.switch(knex, quiet))
    expect(details.problems.join()).toContain('2 rows that have a vector of small-3 have none of large-3')
    expect((await nearestText(knex, articles, titleOf(7), search)).model).toBe('small-3')
  })

  test('stops with the reason where the model always returns too few vectors, and leaves no row claimed', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    const none = changeModel<{ readonly title: string }>(articles, {
      to: { column: change.to.column, model: 'large-3', metric: 'l2' },
      embed: { 'large-3': () => Promise.resolve([]) },
    })
    const { details } = await expectError('BACKFILL_FAILED', () => none.advance(knex, quiet))
    expect(details.problem).toMatch(/embed returned 0 values for \d+ rows/)
    expect(await none.status(knex)).toMatchObject({ phase: 'backfill', rows: { missing: ROWS, failed: 0 } })
    expect(await knex('articles__embedding_large__claims')).toEqual([])
    // with a model that works
    expect(await change.advance(knex, quiet)).toMatchObject({ phase: 'switch', rows: { missing: 0 } })
  })

  test('asks the model again, in halves, after it returned too few vectors', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    let calls = 0
    const few = changeModel<{ readonly title: string }>(articles, {
      to: { column: change.to.column, model: 'large-3', metric: 'l2' },
      embed: {
        'large-3': (rows) =>
          Promise.resolve(rows.slice(calls++ === 0 ? 1 : 0).map(({ title }) => vectorOf['large-3'](title))),
      },
    })
    expect(await few.advance(knex, quiet)).toMatchObject({ phase: 'switch', rows: { missing: 0, failed: 0 } })
    expect(calls).toBe(3)
    expect(await wrongVectors(knex)).toEqual([])
  })
})

describeOnServers('a table that is renamed during a change of model', (database) => {
  test('is refused with what to do, and its searches stay right', async () => {
    const { knex, connect } = database()
    await createArticles(knex, ROWS)
    await change.advance(knex, quiet)
    await change.switch(knex, quiet)
    await knex.raw('alter table articles rename to essays')
    const renamed = embedding<{ readonly title: string }>('essays', {
      column: vectorColumn('essays', 'embedding', { dimensions: 3 }),
      from: ['title'],
      model: 'small-3',
      embed: embedArticles['small-3'],
    })
    const continued = changeModel<{ readonly title: string }>(renamed, {
      to: { column: vectorColumn('essays', 'embedding_large', { dimensions: 3 }), model: 'large-3', metric: 'l2' },
      embed: embedArticles,
    })
    const { details } = await expectError('MODEL_CHANGE_REFUSED', () => continued.advance(knex, quiet))
    expect(details.problems.join()).toContain('articles')
    const found = await nearestText(connect(), renamed, titleOf(7), search)
    expect(found).toMatchObject({ model: 'small-3', rows: [{ title: titleOf(7), distance: 0 }, {}, {}] })
    await knex.raw('alter table essays rename to articles')
    expect(await change.status(knex)).toMatchObject({ phase: 'contract' })
  })
})

describeOnEveryDatabase('a change of model of a published table', (database) => {
  test('says before anything is written what stops a subscriber, and what to do there', async () => {
    const { knex } = database()
    await createArticles(knex, 5)
    expect((await change.status(knex)).warnings).toEqual([])
    await knex.raw('create publication articles_only for table articles')
    const [warning] = (await change.status(knex)).warnings
    expect(warning).toMatch(
      /^public\.articles is published by articles_only: a subscriber without the new columns stops/,
    )
    expect(warning).toContain(
      'alter table "public"."articles" add column "embedding_large" "public"."vector"(3), add column "embedding_large__hash" bytea;',
    )
    const warned: string[] = []
    const logger = { info: () => undefined, warn: (message: string) => warned.push(message) }
    await change.advance(knex, { logger, until: 'expand' })
    expect(warned).toContain(warning)
    expect((await change.status(knex)).warnings).toEqual([])
    await change.back(knex, quiet)
    await knex.raw('drop publication articles_only; create publication everything for all tables')
    expect((await change.status(knex)).warnings).toEqual([
      expect.stringContaining('also create public.articles__embedding_large__marks'),
    ])
  })
})
