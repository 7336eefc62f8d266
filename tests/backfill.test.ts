import type { Knex } from 'knex'

import {
  type BackfillEvent,
  type BackfillOptions,
  backfillVectors,
  ensurePgvector,
  estimateBackfill,
  vectorColumn,
} from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { rolledBack } from './support/rolled-back.ts'

interface Article {
  readonly title: string
  readonly body: string | null
}

const embedding = vectorColumn('articles', 'embedding', { dimensions: 3 })

/** A model that counts letters, so that a test can tell whose vector it sees. */
const embedText = ({ title, body }: Article): number[] => [title.length, body?.length ?? 0, 1]

const options: BackfillOptions<Article> = {
  read: ['title', 'body'],
  embed: (rows) => Promise.resolve(rows.map(embedText)),
  retryDelay: 0,
  logger: false,
}

async function createArticles(knex: Knex, rows: number): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(
    'create table articles (id bigserial primary key, title text not null, body text, embedding vector(3))',
  )
  await knex.raw(`insert into articles (title) select repeat('x', i) from generate_series(1, ${rows}) i`)
}

const unfilled = async (knex: Knex): Promise<number> => (await knex('articles').whereNull('embedding')).length
const vectors = (knex: Knex): Promise<string[]> => knex('articles').orderBy('id').pluck('embedding')

describeOnEveryDatabase('backfillVectors', (database) => {
  test('fills every row without a vector, batch by batch, and leaves those that have one', async () => {
    const { knex } = database()
    await createArticles(knex, 25)
    await knex('articles').where({ id: 3 }).update({ embedding: '[9,9,9]' })
    const sizes: number[] = []
    const embed: BackfillOptions<Article>['embed'] = (rows) => {
      sizes.push(rows.length)
      return Promise.resolve(rows.map(embedText))
    }
    const result = await backfillVectors<Article>(knex, embedding, { ...options, embed, batchSize: 10 })
    expect(result).toMatchObject({ filled: 24, leftOut: 0, inUse: 0, isComplete: true, warnings: [] })
    expect(sizes).toEqual([10, 10, 4])
    expect((await vectors(knex)).slice(0, 4)).toEqual(['[1,0,1]', '[2,0,1]', '[9,9,9]', '[4,0,1]'])
    expect(await unfilled(knex)).toBe(0)
  })

  test('asks no model where every row has its vector', async () => {
    const { knex } = database()
    await createArticles(knex, 0)
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      embed: () => Promise.reject(new Error('asked')),
    })
    expect(result).toMatchObject({ filled: 0, isComplete: true })
  })

  test('tells after each batch how far it is', async () => {
    const { knex } = database()
    await createArticles(knex, 5)
    const events: BackfillEvent[] = []
    await backfillVectors<Article>(knex, embedding, {
      ...options,
      batchSize: 2,
      onEvent: (event) => events.push(event),
    })
    expect(events).toEqual(
      [2, 4, 5].map((filled) => ({
        type: 'progress',
        filled,
        total: 5,
        rowsPerSecond: expect.any(Number) as number,
        secondsLeft: expect.any(Number) as number,
      })),
    )
  })

  test('fills only the rows of a condition, question marks and all', async () => {
    const { knex } = database()
    await createArticles(knex, 4)
    await knex('articles').where({ id: 2 }).update({ title: 'why?' })
    const where = `articles.title like '%?' or id = 4`
    expect(await backfillVectors<Article>(knex, embedding, { ...options, where })).toMatchObject({
      filled: 2,
      isComplete: true,
    })
    expect(await knex('articles').whereNull('embedding').orderBy('id').pluck('id')).toEqual(['1', '3'])
  })

  test('leaves out a row for which the model returns null, and says how many', async () => {
    const { knex } = database()
    await createArticles(knex, 5)
    const embed: BackfillOptions<Article>['embed'] = (rows) =>
      Promise.resolve(rows.map((row) => (row.title.length === 3 ? null : embedText(row))))
    const result = await backfillVectors<Article>(knex, embedding, { ...options, embed, batchSize: 1 })
    expect(result).toMatchObject({ filled: 4, leftOut: 1, isComplete: false })
    expect(await knex('articles').whereNull('embedding').pluck('id')).toEqual(['3'])
  })

  test('asks a model again that fails now and then', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    const events: BackfillEvent[] = []
    let calls = 0
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      embed: (rows) => {
        calls++
        return calls < 3 ? Promise.reject(new Error('429 Too Many Requests')) : Promise.resolve(rows.map(embedText))
      },
      onEvent: (event) => events.push(event),
    })
    expect(result.filled).toBe(3)
    expect(events.filter(({ type }) => type === 'retry')).toMatchObject([{ attempt: 2 }, { attempt: 3 }])
  })

  test('ends with the error of the model if it keeps failing, keeps what is filled, and continues the next time', async () => {
    const { knex } = database()
    await createArticles(knex, 6)
    const embed: BackfillOptions<Article>['embed'] = (rows) => {
      if (rows.some(({ title }) => title.length === 5)) throw new Error('401 Unauthorized')
      return Promise.resolve(rows.map(embedText))
    }
    const error = await expectError('BACKFILL_FAILED', () =>
      backfillVectors<Article>(knex, embedding, { ...options, embed, batchSize: 2, attempts: 2 }),
    )
    expect(error.message).toBe(
      'The backfill of articles.embedding stopped: embed failed 2 times in a row, the last time with: 401 Unauthorized',
    )
    expect(error.details).toMatchObject({ column: 'articles.embedding', filled: 4 })
    expect(await unfilled(knex)).toBe(2)
    expect(await backfillVectors<Article>(knex, embedding, options)).toMatchObject({ filled: 2, isComplete: true })
  })

  test.each([
    ['a vector of another length', [1, 2], 'has 2 dimensions, but the column has 3'],
    ['no number', [1, 2, Number.NaN], 'element 3 is NaN, which a vector cannot hold'],
    ['no vector', 'hello', 'must be a list of numbers, or text like [1,2,3]'],
  ])('sends nothing where the model returns %s', async (_, value, problem) => {
    const { knex } = database()
    await createArticles(knex, 2)
    const error = await expectError('BACKFILL_FAILED', () =>
      backfillVectors<Article>(knex, embedding, { ...options, embed: () => Promise.resolve([[1, 2, 3], value]) }),
    )
    expect(error.message).toContain(`the vector that embed returned for the row with id 2 ${problem}`)
    expect(await unfilled(knex)).toBe(2)
  })

  test('sends nothing where the model returns fewer vectors than rows', async () => {
    const { knex } = database()
    await createArticles(knex, 2)
    const error = await expectError('BACKFILL_FAILED', () =>
      backfillVectors<Article>(knex, embedding, { ...options, embed: () => Promise.resolve([[1, 2, 3]]) }),
    )
    expect(error.message).toContain('embed returned 1 values for 2 rows')
    expect(await unfilled(knex)).toBe(2)
  })

  test('shows what the server refused, without the megabytes that it was sent', async () => {
    const { knex } = database()
    await createArticles(knex, 2)
    await knex.raw('alter table articles add constraint unlucky check (embedding is null or id <> 2)')
    const error = await expectError('BACKFILL_FAILED', () => backfillVectors<Article>(knex, embedding, options))
    expect(error.message).toContain('violates check constraint "unlucky"')
    expect(error.sqlState).toBe('23514')
    expect((error.cause as Error).message).not.toContain('json_to_recordset')
  })

  test('stops at a signal after writing the current batch, and reports that it is not complete', async () => {
    const { knex } = database()
    await createArticles(knex, 10)
    const stop = new AbortController()
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      batchSize: 2,
      signal: stop.signal,
      embed: (rows, { signal }) => {
        expect(signal.aborted).toBe(false)
        if (rows.some(({ title }) => title.length === 3)) stop.abort()
        return Promise.resolve(rows.map(embedText))
      },
    })
    expect(result).toMatchObject({ filled: 4, isComplete: false })
    expect(await unfilled(knex)).toBe(6)
  })

  test.each([
    ['vector', 3, [0.5, 0, 1], '[0.5,0,1]'],
    ['halfvec', 3, '[1,2,3]', '[1,2,3]'],
    ['sparsevec', 5, '{1:0.5,5:2}/5', '{1:0.5,5:2}/5'],
    ['bit', 4, [1, 0, 1, 1], '1011'],
  ] as const)('backfills a column of type %s', async (type, dimensions, value, stored) => {
    const { knex } = database()
    await createArticles(knex, 1)
    await knex.raw(`alter table articles add column other ${type}(${dimensions})`)
    await backfillVectors<Article>(knex, vectorColumn('articles', 'other', { type, dimensions }), {
      ...options,
      embed: () => Promise.resolve([value]),
    })
    expect(await knex('articles').pluck('other')).toEqual([stored])
  })

  test('works with names that must be quoted, a key of several columns, partitions and the extension elsewhere', async () => {
    const { knex } = database()
    await knex.raw('create schema "Ext?"; create schema "My Schema"'.replaceAll('?', '\\?'))
    await ensurePgvector(knex, { schema: 'Ext?', logger: false })
    await knex.raw(
      `create table "My Schema"."Mixed?" ("Tenant" text, day date, "Title?" text, e "Ext?".vector(3),
        primary key ("Tenant", day)) partition by range (day);
      create table "My Schema".first partition of "My Schema"."Mixed?" for values from ('2026-01-01') to ('2026-02-01');
      create table "My Schema".rest partition of "My Schema"."Mixed?" default;
      insert into "My Schema"."Mixed?" select t, d, t from unnest(array['a', 'b''', 'c\\?']) t,
        generate_series('2026-01-30'::date, '2026-02-02', '1 day') d`.replaceAll(/(?<!\\)\?/g, '\\?'),
    )
    const column = vectorColumn('Mixed?', 'e', { schema: 'My Schema', dimensions: 3 })
    const result = await backfillVectors<{ readonly 'Title?': string }>(knex, column, {
      read: ['Title?'],
      embed: (rows) => Promise.resolve(rows.map((row) => [row['Title?'].length, 0, 0])),
      batchSize: 5,
      logger: false,
    })
    expect(result).toMatchObject({ filled: 12, isComplete: true })
  })

  test('copies the vectors of another column into one of another type', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    await knex('articles').whereNot({ id: 2 }).update({ embedding: '[0.5,2,-3]' })
    await knex.raw('alter table articles add column half halfvec(3)')
    const half = vectorColumn('articles', 'half', { type: 'halfvec', dimensions: 3 })
    const result = await backfillVectors<{ readonly embedding: string | null }>(knex, half, {
      read: ['embedding'],
      embed: (rows) => Promise.resolve(rows.map((row) => row.embedding)),
      logger: false,
    })
    expect(result).toMatchObject({ filled: 2, leftOut: 1, isComplete: false })
    expect(await knex('articles').orderBy('id').pluck('half')).toEqual(['[0.5,2,-3]', null, '[0.5,2,-3]'])
  })

  test('takes a unique index where there is no primary key, and refuses where nothing tells rows apart', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    await knex.raw(`alter table articles drop constraint articles_pkey, add column code int, add unique (code)`)
    const error = await expectError('BACKFILL_FAILED', () => backfillVectors<Article>(knex, embedding, options))
    expect(error.message).toContain('has neither a primary key nor a unique index of NOT NULL columns')
    await knex.raw('create unique index on articles (id) include (title)')
    expect(await backfillVectors<Article>(knex, embedding, options)).toMatchObject({ filled: 3, isComplete: true })
  })

  test('leaves the rows of tables that inherit from it, whose keys may be the same', async () => {
    const { knex } = database()
    await createArticles(knex, 2)
    await knex.raw(`create table drafts () inherits (articles); insert into drafts (id, title) values (1, 'draft')`)
    expect(await backfillVectors<Article>(knex, embedding, options)).toMatchObject({ filled: 2, isComplete: true })
    expect(await knex('drafts').pluck('embedding')).toEqual([null])
  })

  test('refuses a column to read that there is not', async () => {
    const { knex } = database()
    await createArticles(knex, 1)
    const { details } = await expectError('INVALID_OPTIONS', () =>
      backfillVectors<Article>(knex, embedding, { ...options, read: ['title', 'titel' as 'title'] }),
    )
    expect(details.problems).toEqual(['read: the table has no column titel'])
  })

  test('refuses a table, a column or a type that differs from the declaration', async () => {
    const { knex } = database()
    await createArticles(knex, 1)
    const other = (table: string, name: string, dimensions: number): Promise<unknown> =>
      backfillVectors<Article>(knex, vectorColumn(table, name, { dimensions }), options)
    await expectError('RELATION_NOT_FOUND', () => other('absent', 'embedding', 3))
    await expectError('RELATION_NOT_FOUND', () => other('articles', 'absent', 3))
    const error = await expectError('COLUMN_DIFFERS', () => other('articles', 'embedding', 4))
    expect(error.details).toEqual({ column: 'articles.embedding', existing: 'vector(3)', wanted: 'vector(4)' })
  })

  test('estimates how many rows there are and how long their texts, also for a role that may only read', async () => {
    const { knex } = database()
    await createArticles(knex, 4)
    await knex('articles')
      .where({ id: 4 })
      .update({ body: 'x'.repeat(10) })
    await knex('articles').where({ id: 3 }).update({ embedding: '[1,2,3]' })
    const read = ['title', 'body'] as const
    await rolledBack(knex, async (trx) => {
      await trx.raw('create role test_looker; grant select on articles to test_looker; set local role test_looker')
      const where = 'id <> 1'
      expect(await estimateBackfill<Article>(trx, embedding, { read })).toEqual({ rows: 3, charactersPerRow: 6 })
      expect(await estimateBackfill<Article>(trx, embedding, { read, where })).toEqual({ rows: 2, charactersPerRow: 8 })
    })
    await knex('articles').update({ embedding: '[1,2,3]' })
    expect(await estimateBackfill<Article>(knex, embedding, { read })).toEqual({ rows: 0, charactersPerRow: null })
  })

  test('goes on within a transaction, and what it filled goes with it', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    const trx = await knex.transaction()
    expect(await backfillVectors<Article>(trx, embedding, options)).toMatchObject({ filled: 3, isComplete: true })
    await trx.rollback()
    expect(await unfilled(knex)).toBe(3)
  })
})

describeOnServers('backfillVectors with other sessions at work', (database) => {
  test('never stores the vector of a text that was changed while the model worked', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 6)
    const editor = connect()
    let edits = 0
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      batchSize: 3,
      embed: async (rows) => {
        if (edits++ === 0) await editor('articles').where({ id: 2 }).update({ body: 'changed' })
        return rows.map(embedText)
      },
    })
    expect(result).toMatchObject({ filled: 6, isComplete: true })
    expect((await vectors(knex))[1]).toBe('[2,7,1]')
  })

  test('leaves a vector that the application wrote meanwhile', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 3)
    const writer = connect()
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      embed: async (rows) => {
        await writer('articles').where({ id: 2 }).update({ embedding: '[7,7,7]' })
        return rows.map(embedText)
      },
    })
    expect(result).toMatchObject({ filled: 2, isComplete: true })
    expect((await vectors(knex))[1]).toBe('[7,7,7]')
  })

  test('skips rows that are locked, fills the others, and reports how many are left', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 4)
    const holder = await connect().transaction()
    await holder('articles').where({ id: 2 }).update({ body: 'under way' })
    const events: BackfillEvent[] = []
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      onEvent: (event) => events.push(event),
    })
    await holder.commit()
    expect(result).toMatchObject({ filled: 3, inUse: 1, isComplete: false })
    expect(await backfillVectors<Article>(knex, embedding, options)).toMatchObject({ filled: 1, isComplete: true })
    expect((await vectors(knex))[1]).toBe('[2,9,1]')
  })

  test('fills rows whose other columns change all the time, and pays for each text once', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 5)
    await knex.raw('alter table articles add column views int default 0')
    const counter = connect()
    let texts = 0
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      embed: async (rows) => {
        texts += rows.length
        await counter('articles').increment('views', 1)
        return rows.map(embedText)
      },
    })
    expect(result).toMatchObject({ filled: 5, inUse: 0, isComplete: true })
    expect(texts).toBe(5)
  })

  test('pays once for a row that is locked for a while, and writes its vector later', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 3)
    const holder = await connect().transaction()
    await holder('articles').where({ id: 2 }).forUpdate()
    let texts = 0
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      embed: (rows) => {
        texts += rows.length
        return Promise.resolve(rows.map(embedText))
      },
      onEvent: ({ type }) => {
        if (type === 'progress') void holder.rollback()
      },
    })
    expect(result).toMatchObject({ filled: 3, inUse: 0, isComplete: true })
    expect(texts).toBe(3)
  })

  test('warns where row security hides rows, and is then not complete', async () => {
    const { knex } = database()
    await createArticles(knex, 4)
    await rolledBack(knex, async (trx) => {
      await trx.raw(`create role test_tenant; grant select, update on articles to test_tenant;
        alter table articles enable row level security; create policy p on articles using (id < 3); set local role test_tenant`)
      const result = await backfillVectors<Article>(trx, embedding, options)
      expect(result).toMatchObject({ filled: 2, isComplete: false })
      expect(result.warnings).toEqual([expect.stringContaining('Row security hides rows')])
    })
  })

  test('asks the model several times at once, each row once', async () => {
    const { knex } = database()
    await createArticles(knex, 40)
    let calls = 0
    let atOnce = 0
    let most = 0
    let start: () => void = () => undefined
    const started = new Promise<void>((resolve) => (start = resolve))
    const seen: number[] = []
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      batchSize: 5,
      concurrency: 4,
      embed: async (rows) => {
        most = Math.max(most, ++atOnce)
        seen.push(...rows.map(({ title }) => title.length))
        // The first call ends when the fourth has begun.
        if (++calls === 4) start()
        await started
        atOnce--
        return rows.map(embedText)
      },
    })
    expect(result).toMatchObject({ filled: 40, isComplete: true })
    expect(most).toBe(4)
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, place) => place + 1))
  })

  test('fills what is added while it runs', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 4)
    const writer = connect()
    let calls = 0
    const result = await backfillVectors<Article>(knex, embedding, {
      ...options,
      batchSize: 2,
      embed: async (rows) => {
        if (calls++ === 1) await writer('articles').insert({ id: -1, title: 'before all others' })
        return rows.map(embedText)
      },
    })
    expect(result).toMatchObject({ filled: 5, isComplete: true })
  })

  test('reports a lost connection, and the next run continues with the remaining rows', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 6)
    await knex.raw(`create function cut() returns trigger language plpgsql as
        'begin perform pg_terminate_backend(pg_backend_pid()); return new; end';
      create trigger cut before update on articles for each row when (new.id = 3) execute function cut()`)
    const error = await expectError('BACKFILL_FAILED', () =>
      backfillVectors<Article>(connect(), embedding, { ...options, batchSize: 2 }),
    )
    expect(error.details.filled).toBe(2)
    await knex.raw('drop trigger cut on articles')
    expect(await backfillVectors<Article>(knex, embedding, options)).toMatchObject({ filled: 4, isComplete: true })
  })

  test('refuses a role that may not write the column', async () => {
    const { knex } = database()
    await createArticles(knex, 1)
    await rolledBack(knex, async (trx) => {
      await trx.raw(`create role test_looker; grant select on articles to test_looker;
        grant update (title) on articles to test_looker; set local role test_looker`)
      const { details } = await expectError('INSUFFICIENT_PRIVILEGE', () =>
        backfillVectors<Article>(trx, embedding, options),
      )
      expect(details).toEqual({ statement: 'UPDATE "embedding" of "public"."articles"', role: 'test_looker' })
    })
  })

  test('refuses a database that is read only', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 1)
    await knex.raw(`do $$ begin
      execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$`)
    await expectError('READ_ONLY', () => backfillVectors<Article>(connect(), embedding, options))
  })

  test('warns that rows go into an index one by one where there are many', async () => {
    const { knex } = database()
    await createArticles(knex, 10_001)
    await knex.raw('create index articles_idx on articles using hnsw (embedding vector_l2_ops)')
    const stop = new AbortController()
    const embed: BackfillOptions<Article>['embed'] = (rows) => {
      stop.abort()
      return Promise.resolve(rows.map(embedText))
    }
    const { warnings } = await backfillVectors<Article>(knex, embedding, { ...options, embed, signal: stop.signal })
    expect(warnings).toEqual([expect.stringContaining('articles.embedding has the index articles_idx')])
  })
})
