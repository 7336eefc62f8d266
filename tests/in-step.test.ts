import { getEventListeners } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'

import type { Knex } from 'knex'

import {
  backfill,
  embedding,
  ensurePgvector,
  inStep,
  keepInStep,
  retryInStep,
  setUpInStep,
  vectorColumn,
  verifyInStep,
  type Embed,
  type KeepInStepOptions,
  type WorkEvent,
} from '../src/index.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { rolledBack } from './support/rolled-back.ts'

interface Article {
  readonly title: string
  readonly body: string | null
}

const column = vectorColumn('articles', 'embedding', { dimensions: 3 })
const articles = embedding('articles', { column, from: ['title', 'body'], model: 'small-3' })

/** A model that counts letters, so that a test can see what a vector was made of. */
const vectorOf = ({ title, body }: Article): number[] => [title.length, body?.length ?? 0, 1]
const embed: Embed<Article> = (rows) => Promise.resolve(rows.map(vectorOf))

const quiet = { logger: false, retryDelay: 1 } as const

async function createArticles(knex: Knex, rows: number): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(
    'create table articles (id bigint primary key, title text not null, body text, views int default 0, embedding vector(3))',
  )
  await knex.raw(`insert into articles (id, title) select i, repeat('x', i) from generate_series(1, ${rows}) i`)
  await setUpInStep(knex, articles, { logger: false })
}

/** How many vectors were not made of what their rows say. */
async function wrong(knex: Knex): Promise<number> {
  const rows = (await knex('articles').select('title', 'body', 'embedding')) as (Article & {
    embedding: string | null
  })[]
  return rows.filter((row) => row.embedding !== null && row.embedding !== `[${vectorOf(row).join(',')}]`).length
}

const isInStep = { stale: 0, missing: 0, failed: 0, oldest: null } as const

/** Runs a worker until the column is in step, or until the condition holds. */
async function untilInStep(
  knex: Knex,
  options: Partial<KeepInStepOptions<Article>>,
  isOver: () => Promise<boolean> | boolean = () => true,
  workers = 1,
): Promise<void> {
  const stop = new AbortController()
  const running = Array.from({ length: workers }, () =>
    keepInStep<Article>(knex, articles, { embed, ...quiet, settle: 0, poll: 10, signal: stop.signal, ...options }),
  )
  const ended = Promise.all(running)
  const over = (async () => {
    for (;;) {
      const { rows } = (await knex.raw(`select exists (select from articles__embedding__marks) or exists (
          select from articles a where embedding is null and not exists (
            select from articles__embedding__claims c where c.key_1 = a.id and c.due_at = 'infinity'
          )) as waiting`)) as { readonly rows: readonly { readonly waiting: boolean }[] }
      if (rows[0]?.waiting === false && (await isOver())) return
      // The embedded database answers without giving timers a turn.
      await nextTurn()
    }
  })()
  await Promise.race([over, ended])
  stop.abort()
  await ended
}

describeOnEveryDatabase('keepInStep', (database) => {
  test('makes vectors that are missing and that are stale, and the old ones stay searchable until then', async () => {
    const { knex } = database()
    await createArticles(knex, 5)
    expect(await backfill<Article>(knex, articles, { embed, ...quiet })).toMatchObject({
      ...isInStep,
      filled: 5,
      inUse: 0,
      isComplete: true,
    })
    await knex('articles').where({ id: 2 }).update({ body: 'edited' })
    await knex('articles').insert({ id: 6, title: 'inserted' })
    expect(await inStep(knex, articles)).toEqual({ stale: 1, missing: 1, failed: 0, oldest: expect.any(Date) as Date })
    expect(await knex('articles').where({ id: 2 }).first('embedding')).toEqual({ embedding: '[2,0,1]' })
    await untilInStep(knex, {})
    expect(await inStep(knex, articles)).toEqual(isInStep)
    expect(await wrong(knex)).toBe(0)
    expect(await knex('articles__embedding__claims')).toEqual([])
  })

  test('embeds several edits of a row once, and an edit that was taken back not at all', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    for (const body of ['a', 'ab', 'abc']) await knex('articles').where({ id: 1 }).update({ body })
    for (const title of ['other', 'xx']) await knex('articles').where({ id: 2 }).update({ title })
    const texts: Article[] = []
    await backfill<Article>(knex, articles, {
      ...quiet,
      embed: (rows) => {
        texts.push(...rows)
        return embed(rows, { signal: new AbortController().signal })
      },
    })
    expect(texts).toEqual([{ title: 'x', body: 'abc' }])
    expect(await inStep(knex, articles)).toEqual(isInStep)
    expect(await wrong(knex)).toBe(0)
  })

  test('lets a row rest after an edit before it is embedded', async () => {
    const { knex } = database()
    await createArticles(knex, 1)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    await knex('articles').update({ body: 'edited' })
    const stop = new AbortController()
    const events: WorkEvent[] = []
    const running = keepInStep<Article>(knex, articles, {
      ...quiet,
      embed,
      settle: '1h',
      poll: 5,
      signal: stop.signal,
      onEvent: (event) => events.push(event),
    })
    let claims = 0
    await new Promise<void>((resolve) => {
      knex.on('query', ({ sql }: { readonly sql: string }) => {
        if (sql.startsWith('with head') && ++claims === 3) resolve()
      })
    })
    stop.abort()
    expect(await running).toMatchObject({ filled: 0 })
    expect(events).toEqual([])
  })

  test('gives up the rows that the model refuses, embeds the others, and tries again after an edit or on request', async () => {
    const { knex } = database()
    await createArticles(knex, 20)
    const isPoisoned = ({ title }: Article): boolean => title.length === 7 || title.length === 13
    const refusing: Embed<Article> = (rows, options) =>
      rows.some(isPoisoned) ? Promise.reject(new Error('content policy')) : embed(rows, options)
    const events: WorkEvent[] = []
    const result = await backfill<Article>(knex, articles, {
      ...quiet,
      attempts: 2,
      embed: refusing,
      onEvent: (event) => events.push(event),
    })
    expect(result).toMatchObject({ filled: 18, failed: 2, missing: 2, stale: 0, isComplete: false })
    expect(events.filter(({ type }) => type === 'failed')).toEqual(
      expect.arrayContaining([
        { type: 'failed', key: ['7'], error: 'content policy' },
        { type: 'failed', key: ['13'], error: 'content policy' },
      ]),
    )
    await knex('articles').where({ id: 7 }).update({ title: 'harmless' })
    expect(await backfill<Article>(knex, articles, { ...quiet, embed: refusing })).toMatchObject({
      filled: 1,
      failed: 1,
    })
    expect(await retryInStep(knex, articles)).toEqual({ retried: 1 })
    expect(await backfill<Article>(knex, articles, { ...quiet, embed })).toMatchObject({ filled: 1, isComplete: true })
    expect(await wrong(knex)).toBe(0)
  })

  test.each([
    ['null', null, 'embed returned null'],
    ['a vector of another length', [1, 2], 'has 2 dimensions, but the column has 3'],
    ['NaN', [1, 2, Number.NaN], 'element 3 is NaN'],
  ])('leaves out a row for which the model returns %s, and is then not complete', async (_, value, error) => {
    const { knex } = database()
    await createArticles(knex, 4)
    const result = await backfill<Article>(knex, articles, {
      ...quiet,
      embed: (rows) => Promise.resolve(rows.map((row) => (row.title.length === 3 ? value : vectorOf(row)))),
    })
    expect(result).toMatchObject({ filled: 3, failed: 1, isComplete: false })
    expect(await knex('articles__embedding__claims').pluck('error')).toEqual([expect.stringContaining(error)])
    expect(await wrong(knex)).toBe(0)
  })

  test('gives up the row that the database refuses, and writes the others', async () => {
    const { knex } = database()
    await createArticles(knex, 6)
    await knex.raw('alter table articles add constraint unlucky check (embedding is null or id <> 4)')
    expect(await backfill<Article>(knex, articles, { embed, ...quiet })).toMatchObject({ filled: 5, failed: 1 })
    expect(await knex('articles__embedding__claims').pluck('error')).toEqual([expect.stringContaining('unlucky')])
  })

  test('waits as long as a rate limit asks, without giving anything up', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    const retries: WorkEvent[] = []
    let calls = 0
    const result = await backfill<Article>(knex, articles, {
      ...quiet,
      attempts: 1,
      embed: (rows, options) =>
        ++calls < 4 ? Promise.reject(Object.assign(new Error('429'), { retryAfter: 30 })) : embed(rows, options),
      onEvent: (event) => retries.push(event),
    })
    expect(result).toMatchObject({ filled: 3, isComplete: true })
    expect(retries.filter(({ type }) => type === 'retry')).toMatchObject([
      { milliseconds: 30 },
      { milliseconds: 30 },
      { milliseconds: 30 },
    ])
  })

  test('outlives a model that is down for every row, and gives nothing up', async () => {
    const { knex } = database()
    await createArticles(knex, 40)
    let calls = 0
    await untilInStep(knex, {
      attempts: 1,
      embed: (rows, options) => (++calls < 60 ? Promise.reject(new Error('503')) : embed(rows, options)),
    })
    expect(await inStep(knex, articles)).toEqual(isInStep)
    expect(await wrong(knex)).toBe(0)
  })

  test('ends a backfill with what the model said if it keeps failing', async () => {
    const { knex } = database()
    await createArticles(knex, 40)
    const error = await expectError('BACKFILL_FAILED', () =>
      backfill<Article>(knex, articles, { ...quiet, attempts: 2, embed: () => Promise.reject(new Error('401')) }),
    )
    expect(error.message).toContain('embed failed 2 times in a row, the last time with: 401')
    expect(await inStep(knex, articles)).toMatchObject({ missing: 40, failed: 0 })
  })

  test('abandons a call that does not answer in time', async () => {
    const { knex } = database()
    await createArticles(knex, 2)
    let calls = 0
    const result = await backfill<Article>(knex, articles, {
      ...quiet,
      timeout: 50,
      embed: (rows, options) => (++calls === 1 ? new Promise(() => undefined) : embed(rows, options)),
    })
    expect(result).toMatchObject({ filled: 2, isComplete: true })
    expect(calls).toBe(2)
  })

  test('adds no listener to the signal for each call, of which Node would warn', async () => {
    const { knex } = database()
    await createArticles(knex, 12)
    const { signal } = new AbortController()
    const listeners: number[] = []
    const counting: Embed<Article> = (rows, call) => {
      listeners.push(getEventListeners(signal, 'abort').length)
      return embed(rows, call)
    }
    await backfill<Article>(knex, articles, { embed: counting, ...quiet, batchSize: 2, concurrency: 4, signal })
    expect(listeners.length).toBeGreaterThan(3)
    expect(Math.max(...listeners)).toBe(0)
  })

  test('forgets the marks of rows that were deleted', async () => {
    const { knex } = database()
    await createArticles(knex, 3)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    await knex('articles').update({ body: 'edited' })
    await knex('articles').where({ id: 2 }).delete()
    expect(await backfill<Article>(knex, articles, { embed, ...quiet })).toMatchObject({ filled: 2, isComplete: true })
    expect(await knex('articles__embedding__marks')).toEqual([])
    expect(await knex('articles__embedding__claims')).toEqual([])
  })

  test('verifies what no trigger can see: silent edits, and vectors of another model', async () => {
    const { knex } = database()
    await createArticles(knex, 5)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    await knex('articles').where({ id: 5 }).update({ title: 'by hand', embedding: '[7,0,1]' })
    expect(await verifyInStep(knex, articles, { batchSize: 2 })).toEqual({
      checked: 5,
      wrong: 0,
      keys: [],
      stale: 0,
      unknown: 1,
      isComplete: true,
    })
    await knex.raw('alter table articles disable trigger articles__embedding__mark')
    await knex('articles').where({ id: 2 }).update({ title: 'silent' })
    await knex.raw('alter table articles enable trigger articles__embedding__mark')
    expect(await verifyInStep(knex, articles)).toMatchObject({ wrong: 1, keys: [['2']], stale: 0 })
    expect(await verifyInStep(knex, articles, { mark: true })).toMatchObject({ wrong: 1 })
    expect(await verifyInStep(knex, articles)).toMatchObject({ wrong: 0, stale: 1 })
    await backfill<Article>(knex, articles, { embed, ...quiet })
    expect(await wrong(knex)).toBe(0)
    const renamed = embedding('articles', { column, from: ['title', 'body'], model: 'small-4' })
    expect(await verifyInStep(knex, renamed)).toMatchObject({ checked: 5, wrong: 4, unknown: 1 })
  })

  test('hashes the same in sessions with other settings', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`create type mood as enum ('calm'); create table notes (id int primary key, at timestamptz, on_day date,
      ratio float8, data jsonb, mood mood, tags text[], embedding vector(3));
      insert into notes values (1, now(), '2026-01-02', 0.1, '{"a": 1}', 'calm', '{a,b}')`)
    const from = ['at', 'on_day', 'ratio', 'data', 'mood', 'tags']
    const notes = embedding('notes', {
      column: vectorColumn('notes', 'embedding', { dimensions: 3 }),
      from,
      model: 'm',
    })
    await setUpInStep(knex, notes, { logger: false })
    await backfill(knex, notes, { ...quiet, embed: (rows) => Promise.resolve(rows.map(() => [1, 2, 3])) })
    await rolledBack(knex, async (trx) => {
      await trx.raw(
        `set local timezone = 'Asia/Tokyo'; set local datestyle = 'German'; set local extra_float_digits = -5`,
      )
      expect(await verifyInStep(trx, notes)).toMatchObject({ checked: 1, wrong: 0, unknown: 0 })
    })
  })

  test('refuses to work where an edit would not be marked', async () => {
    const { knex } = database()
    await createArticles(knex, 1)
    await knex.raw('alter table articles disable trigger articles__embedding__mark')
    const { details } = await expectError('NOT_KEPT_IN_STEP', () =>
      backfill<Article>(knex, articles, { embed, ...quiet }),
    )
    expect(details.problems).toEqual(['trigger "articles__embedding__mark" is disabled'])
    await expectError('NOT_KEPT_IN_STEP', () => inStep(knex, articles))
  })

  test('needs a model from the embedding or from its options', async () => {
    const { knex } = database()
    await createArticles(knex, 1)
    await expectError('INVALID_OPTIONS', () => backfill(knex, articles, quiet))
    const own = embedding<Article>('articles', { column, from: ['title', 'body'], model: 'small-3', embed })
    expect(await backfill(knex, own, quiet)).toMatchObject({ filled: 1 })
  })
})

describeOnServers('keepInStep with other sessions', (database) => {
  test('keeps up with writers, with several workers: nothing wrong, nothing left, each text embedded once', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 200)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    let writing = 4
    const texts: string[] = []
    let edits = 0
    const writer = async (number: number): Promise<void> => {
      const own = connect({ pool: { min: 0, max: 1 } })
      for (let edit = 0; edit < 100; edit++) {
        const id = 1 + ((edit * 37 + number * 53) % 200)
        const edited = await own('articles')
          .where({ id })
          .update({ body: 'b'.repeat(1 + number * 100 + edit) })
        edits += edited
      }
      writing--
    }
    const writers = Promise.all([0, 1, 2, 3].map(writer))
    await untilInStep(
      knex,
      {
        batchSize: 10,
        concurrency: 2,
        embed: async (rows) => {
          texts.push(...rows.map(({ title, body }) => `${title} ${body}`))
          await nextTurn()
          return rows.map(vectorOf)
        },
      },
      () => writing === 0,
      3,
    )
    await writers
    expect(edits).toBe(400)
    expect(await wrong(knex)).toBe(0)
    expect(await verifyInStep(knex, articles)).toMatchObject({ checked: 200, wrong: 0, stale: 0, unknown: 0 })
    expect(await inStep(knex, articles)).toEqual(isInStep)
    expect(await knex('articles__embedding__claims')).toEqual([])
    expect(texts.length).toBeLessThanOrEqual(new Set(texts).size * 1.02)
  })

  test('blocks no writer while the model works', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 3)
    const editor = connect()
    const result = await backfill<Article>(knex, articles, {
      ...quiet,
      embed: async (rows) => {
        await editor.transaction(async (trx) => {
          await trx.raw(`set local lock_timeout = '1ms'`)
          await trx('articles')
            .where({ id: 2 })
            .update({ body: `${rows.length}` })
        })
        return rows.map(vectorOf)
      },
    })
    expect(result).toMatchObject({ isComplete: true })
    expect(await wrong(knex)).toBe(0)
  })

  test('renews its lease while the model takes longer, so that no other worker embeds the row', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 1)
    let calls = 0
    const slow: Embed<Article> = async (rows) => {
      calls++
      await connect().raw('select pg_sleep(1)')
      return rows.map(vectorOf)
    }
    await untilInStep(knex, { embed: slow, lease: 200 }, () => true, 2)
    expect(calls).toBe(1)
  })

  test('takes over from a worker that was killed when its lease is over', async () => {
    const { knex } = database()
    await createArticles(knex, 4)
    await knex.raw(`insert into articles__embedding__claims (key_1, due_at, holder)
      values (2, now() + interval '0.3 s', gen_random_uuid())`)
    expect(await backfill<Article>(knex, articles, { embed, ...quiet, lease: 500 })).toMatchObject({
      filled: 4,
      isComplete: true,
    })
  })

  test('writes nothing over a vector that the application brought with its text', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 2)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    await knex('articles').where({ id: 1 }).update({ body: 'first' })
    const editor = connect()
    let calls = 0
    await untilInStep(knex, {
      embed: async (rows) => {
        if (calls++ === 0) await editor('articles').where({ id: 1 }).update({ body: 'second!', embedding: '[1,7,1]' })
        return rows.map(vectorOf)
      },
    })
    expect(await wrong(knex)).toBe(0)
  })

  test('writes the vector of a row that another session had locked, without paying twice', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 2)
    const holder = await connect().transaction()
    await holder('articles').where({ id: 2 }).forUpdate()
    let texts = 0
    const result = await backfill<Article>(knex, articles, {
      ...quiet,
      embed: (rows) => {
        texts += rows.length
        return Promise.resolve(rows.map(vectorOf))
      },
      onEvent: ({ type }) => {
        if (type === 'progress') void holder.rollback()
      },
    })
    expect(result).toMatchObject({ filled: 2, isComplete: true })
    expect(texts).toBe(2)
  })

  test('continues after its connection was cut', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 6)
    const own = connect()
    let calls = 0
    await untilInStep(own, {
      batchSize: 2,
      lease: 300,
      embed: async (rows) => {
        if (++calls === 2) {
          await knex.raw(`select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()`)
        }
        return rows.map(vectorOf)
      },
    }).catch(() => undefined)
    await untilInStep(knex, { lease: 300 })
    expect(await inStep(knex, articles)).toEqual(isInStep)
    expect(await wrong(knex)).toBe(0)
  })

  test('is woken by NOTIFY where that was set up', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 1)
    await backfill<Article>(knex, articles, { embed, ...quiet })
    await setUpInStep(knex, articles, { logger: false, notify: true })
    const editor = connect()
    const listens = new Promise<void>((resolve) => {
      knex.on('query', ({ sql }: { readonly sql: string }) => {
        if (sql.startsWith('with head')) resolve()
      })
    })
    let isEdited = false
    const edit = async (): Promise<void> => {
      await listens
      await editor.raw('select pg_sleep(0.2)')
      await editor('articles').update({ body: 'edited' })
      isEdited = true
    }
    const edited = edit()
    await untilInStep(knex, { listen: true, poll: '1h' }, () => isEdited)
    await edited
    expect(await wrong(knex)).toBe(0)
  })

  test('refuses a role that does not see every row, because it would take the others for deleted', async () => {
    const { knex } = database()
    await createArticles(knex, 2)
    await rolledBack(knex, async (trx) => {
      await trx.raw(`create role test_tenant; grant all on all tables in schema public to test_tenant;
        alter table articles enable row level security; set local role test_tenant`)
      const { details } = await expectError('IN_STEP_NOT_POSSIBLE', () => inStep(trx, articles))
      expect(details.problems).toEqual([expect.stringContaining('row security hides rows')])
    })
  })
})
