import { activeModel, ChangeModel, changeModel, migration, nearestText, nearestTo } from '../src/index.ts'
import { diagnose } from '../src/doctor.ts'
import { isPinned } from '../src/database/search-path.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { fastClock, skipPauses } from './support/fast-clock.ts'
import { statementsOf } from './support/recorder.ts'
import {
  articles,
  change,
  createArticles,
  embedQueries,
  large,
  objectsOf,
  quiet,
  vectorOf,
  type Article,
} from './support/two-models.ts'
import { unqualifiedNames } from './support/unqualified.ts'

const ROWS = 40
const search = { embed: embedQueries, limit: 3, columns: ['title'] } as const
const titleOf = (length: number): string => 'x'.repeat(length)

afterEach(() => jest.restoreAllMocks())

describeOnEveryDatabase('a change of model', (database) => {
  test('goes through its phases, and searches use the new column and model from the switch on', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    expect(await change.status(knex)).toMatchObject({
      phase: 'expand',
      rows: null,
      next: 'npx knex-pgvector model advance',
    })

    const expanded = await change.advance(knex, { ...quiet, until: 'expand' })
    expect(expanded).toMatchObject({
      phase: 'backfill',
      rows: { missing: ROWS, stale: 0, failed: 0 },
      cost: { texts: ROWS, bytes: ((ROWS + 1) * ROWS) / 2 },
    })
    await knex('articles')
      .where({ id: 1 })
      .update({ title: titleOf(100) })
    expect(await change.advance(knex, { ...quiet, until: 'backfill' })).toMatchObject({ phase: 'index' })
    expect(await change.advance(knex, { ...quiet, until: 'index' })).toMatchObject({ phase: 'compare' })
    const compared = await change.advance(knex, quiet)
    expect(compared).toMatchObject({
      phase: 'switch',
      active: { column: 'embedding', model: 'small-3', metric: 'l2' },
      comparison: { queries: ROWS, source: { recall: 1 }, target: { recall: 1 } },
      next: 'npx knex-pgvector model switch',
    })
    const before = await nearestText(knex, articles, titleOf(7), search)
    expect(before).toMatchObject({ model: 'small-3', column: 'embedding', isComplete: true })

    expect(await change.switch(knex, quiet)).toMatchObject({ phase: 'contract', active: { model: 'large-3' } })
    const after = await nearestText(knex, articles, titleOf(7), search)
    expect(after).toMatchObject({ model: 'large-3', column: 'embedding_large', isComplete: true, warnings: [] })
    expect(after.rows[0]).toEqual({ title: titleOf(7), distance: 0 })
    const order = await nearestTo(knex, articles, titleOf(9), { embed: embedQueries })
    expect(await knex('articles').modify(order).limit(1).pluck('title')).toEqual([titleOf(9)])
  })

  test('goes back from each phase to the state before it', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    const before = await objectsOf(knex)
    await change.advance(knex, quiet)
    await change.switch(knex, quiet)
    expect(await change.back(knex, quiet)).toMatchObject({ phase: 'switch', active: { model: 'small-3' } })
    expect((await nearestText(knex, articles, titleOf(7), search)).model).toBe('small-3')
    expect(await change.back(knex, quiet)).toMatchObject({ phase: 'index' })
    expect(await change.back(knex, quiet)).toMatchObject({ phase: 'expand', rows: null })
    expect(await objectsOf(knex)).toEqual(before)
    expect(await knex('pgvector_embeddings')).toEqual([])
    // and forward again
    await change.advance(knex, quiet)
    expect(await change.switch(knex, quiet)).toMatchObject({ phase: 'contract' })
  })

  test('drops the old column with everything that kept it in step, and searches go on', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    await change.advance(knex, quiet)
    await expectError('MODEL_CHANGE_REFUSED', () => change.contract(knex, { ...quiet, confirm: true }))
    await change.switch(knex, quiet)
    skipPauses()
    await change.contract(knex, { ...quiet, confirm: true })
    expect(await change.status(knex)).toMatchObject({ phase: 'done', active: { model: 'large-3' }, next: null })
    expect((await objectsOf(knex)).filter((name) => /embedding(?!_large)/.test(name))).toEqual([])
    // a release that still declares the old column
    expect((await nearestText(knex, articles, titleOf(7), search)).model).toBe('large-3')
    expect((await activeModel(knex, articles)).column.name).toBe('embedding_large')
    await expectError('MODEL_CHANGE_REFUSED', () => change.back(knex, quiet))
  })

  test('searches a ready-made vector only in the column of its model', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    await change.advance(knex, quiet)
    const vector = vectorOf['large-3'](titleOf(7))
    const { details } = await expectError('MODEL_NOT_SEARCHABLE', () =>
      nearestText(knex, articles, { vector, model: 'large-3' }, { limit: 1 }),
    )
    expect(details).toEqual({ embedding: 'articles.embedding', model: 'large-3', searchable: ['small-3'], embeds: [] })
    await change.switch(knex, quiet)
    const found = await nearestText(knex, articles, { vector, model: 'large-3' }, { limit: 1 })
    expect(found).toMatchObject({ model: 'large-3', rows: [{ title: titleOf(7), distance: 0 }] })
    // the old column stays in step until the contraction
    const old = { vector: vectorOf['small-3'](titleOf(7)), model: 'small-3' }
    expect(await nearestText(knex, articles, old, { limit: 1 })).toMatchObject({
      model: 'small-3',
      column: 'embedding',
    })
  })

  test('that another process switched is searched at most three seconds later', async () => {
    const { knex } = database()
    const pass = fastClock()
    await createArticles(knex, ROWS)
    await change.advance(knex, quiet)
    const model = async (): Promise<string> => (await nearestText(knex, articles, titleOf(7), search)).model
    expect(await model()).toBe('small-3')
    await knex.raw('update pgvector_embeddings set active = target')
    expect(await model()).toBe('small-3')
    pass(3000)
    expect(await model()).toBe('large-3')
  })

  test('lets a release that knows only the old model search the old column after the switch', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    await change.advance(knex, quiet)
    await change.switch(knex, quiet)
    const old = { ...search, embed: { 'small-3': embedQueries['small-3'] } }
    expect(await nearestText(knex, articles, titleOf(7), old)).toMatchObject({
      model: 'small-3',
      rows: [{ title: titleOf(7), distance: 0 }, {}, {}],
    })
    const { details } = await expectError('MODEL_NOT_SEARCHABLE', () =>
      nearestText(knex, articles, 'x', { ...search, embed: { 'other-1': embedQueries['small-3'] } }),
    )
    expect(details).toMatchObject({ model: 'large-3', searchable: ['large-3', 'small-3'], embeds: ['other-1'] })
  })
})

describeOnEveryDatabase('the operation ChangeModel', (database) => {
  test('adds the column in a migration, and down returns to the state before', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    const before = await objectsOf(knex)
    const { up, down, config } = migration([new ChangeModel(change, quiet)])
    expect(config).toEqual({ transaction: false })
    await up(knex)
    expect(await change.status(knex)).toMatchObject({ phase: 'backfill', active: { model: 'small-3' } })
    await down(knex)
    expect(await objectsOf(knex)).toEqual(before)
    await up(knex)
    expect(await change.status(knex)).toMatchObject({ phase: 'backfill' })
  })

  test('switches at once where the table has no rows', async () => {
    const { knex } = database()
    await createArticles(knex, 0)
    await migration([new ChangeModel(change, quiet)]).up(knex)
    expect(await change.status(knex)).toMatchObject({ phase: 'contract', active: { model: 'large-3' } })
  })
})

describeOnEveryDatabase('the statements of a change of model', (database) => {
  test('name the schema of everything that others could have put on the search path', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    const sent = await statementsOf(knex, async () => {
      await change.advance(knex, quiet)
      await change.status(knex)
      await change.switch(knex, quiet)
      await nearestText(knex, articles, titleOf(7), search)
      await change.back(knex, quiet)
      await change.back(knex, { ...quiet, to: 'expand' })
    })
    const ours = sent.filter((sql) => !isPinned(sql))
    const found = await Promise.all(ours.map(async (sql) => ({ sql, names: await unqualifiedNames(sql) })))
    // The table of the user, and an alias in FOR UPDATE OF.
    const isForeign = (name: string): boolean => !/^relation (articles|m)$/.test(name)
    expect(found.filter(({ names }) => names.some(isForeign))).toEqual([])
  })
})

describeOnEveryDatabase('a running change of model', (database) => {
  test('has a line in a diagnosis with its phase and the next command', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    const lines = async (): Promise<unknown> =>
      (await diagnose(knex, {}))
        .filter(({ message }) => message.includes('change of'))
        .map(({ level, message, next }) => [level, message.split(': ').at(-1), next])
    expect(await lines()).toEqual([])
    for (const until of ['expand', 'backfill', 'index', 'compare'] as const) {
      const { phase, next } = await change.advance(knex, { ...quiet, until })
      expect(await lines()).toEqual([['ok', `the next phase is ${phase}`, next]])
    }
    await change.switch(knex, quiet)
    expect(await lines()).toEqual([['ok', 'the next phase is contract', 'npx knex-pgvector model contract']])
    await knex.raw('alter table articles rename to essays')
    expect(await lines()).toEqual([
      ['warning', expect.stringContaining('the table public.articles does not exist'), expect.any(String)],
    ])
    await knex.raw('alter table essays rename to articles')
    skipPauses()
    await change.contract(knex, { ...quiet, confirm: true })
    expect(await lines()).toEqual([])
  })
})

describeOnEveryDatabase('the comparison of a change of model', (database) => {
  test('passes over rows whose vectors have no direction', async () => {
    const { knex } = database()
    await createArticles(knex, ROWS)
    // Some models return zeros for a text without a known word.
    const zeros = changeModel<Article>(articles, {
      to: { column: large, model: 'large-3', metric: 'cosine' },
      embed: {
        'large-3': (rows) =>
          Promise.resolve(rows.map(({ title }) => (title.length % 2 === 0 ? [0, 0, 0] : [1, title.length, 5]))),
      },
    })
    const { phase, comparison } = await zeros.advance(knex, quiet)
    expect({ phase, queries: comparison?.queries }).toEqual({ phase: 'switch', queries: ROWS / 2 })
  })
})
