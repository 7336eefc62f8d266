import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import Knex, { type Knex as KnexInstance } from 'knex'

import {
  changeModel,
  embedding,
  nearestText,
  setUpInStep,
  vectorColumn,
  type Embed,
  type NearestText,
} from '../src/index.ts'
import { backfill } from '../src/embeddings/backfill.ts'
import { describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { fastClock, skipPauses } from './support/fast-clock.ts'
import {
  articles,
  change,
  createArticles,
  embedArticles,
  embedQueries,
  large,
  objectsOf,
  quiet,
  vectorOf,
  type Article,
} from './support/two-models.ts'

const ROWS = 1500
const search = { embed: embedQueries, limit: 5, columns: ['title'] } as const
const titleOf = (length: number): string => 'x'.repeat(length)

/** The vectors that are not those of their row's title and their column's model. */
const wrongVectors = async (knex: KnexInstance): Promise<unknown[]> => {
  const { rows } = (await knex.raw(`select id from articles where embedding_large is distinct from
    format('[1,%s,1000]', length(title))::vector`)) as { readonly rows: readonly unknown[] }
  return [...rows]
}

afterEach(() => jest.restoreAllMocks())

describeOnServers('while old and new releases run during a change of model', (database) => {
  test('no search fails, is short or compares two models', async () => {
    const { knex, connect } = database()
    await createArticles(knex, ROWS)
    await knex.raw('analyze articles')
    const end = new AbortController()
    const endOfOld = new AbortController()
    const found: NearestText[] = []
    const problems: unknown[] = []
    const pass = fastClock()
    // What other processes remember of the registry is forgotten by then.
    const searchesUse = async (model: string): Promise<void> => {
      pass(3000)
      const before = found.length
      while (!found.slice(before).some((each) => each.model === model)) await sleep(5)
    }
    const read = async (embed: Partial<typeof embedQueries>, until: AbortSignal): Promise<void> => {
      const reader = connect({ pool: { min: 0, max: 1 } })
      while (!until.aborted) {
        // These rows are never edited, so one of them has the very vector of the query.
        const length = 1 + Math.floor(Math.random() * 50)
        const given = { ...search, embed: embed as typeof embedQueries }
        try {
          const result = await nearestText(reader, articles, titleOf(length), given)
          found.push(result)
          const [first] = result.rows as { readonly title: string; readonly distance: number }[]
          if (result.rows.length !== 5 || first?.title !== titleOf(length) || first.distance !== 0)
            problems.push(result)
        } catch (error) {
          problems.push(error)
        }
        await sleep(5)
      }
      await reader.destroy()
    }
    const write = async (): Promise<void> => {
      while (!end.signal.aborted) {
        const id = 100 + Math.floor(Math.random() * 1000)
        await knex('articles')
          .where({ id })
          .update({ title: titleOf(2000 + Math.floor(Math.random() * 500)) })
        await knex('articles').insert({ title: titleOf(3000) })
        await sleep(10)
      }
    }
    const work = { ...quiet, signal: end.signal, settle: 0, poll: 20 }
    const old = read({ 'small-3': embedQueries['small-3'] }, endOfOld.signal)
    const others = [read(embedQueries, end.signal), read(embedQueries, end.signal), write()]
    try {
      expect(await change.advance(knex, quiet)).toMatchObject({ phase: 'switch' })
      others.push(change.keepInStep(connect(), work))
      await change.switch(knex, quiet)
      await searchesUse('large-3')
      await change.back(knex, quiet)
      await searchesUse('small-3')
      await change.switch(knex, quiet)
      // The old release still searches the old column.
      const { details } = await expectError('MODEL_CHANGE_REFUSED', () =>
        change.contract(knex, { ...quiet, confirm: true, quiet: 4000 }),
      )
      expect(details.problems.join()).toMatch(/searches still use the index articles_small_idx: \d+ scans/)
    } finally {
      endOfOld.abort()
      await old
      end.abort()
      await Promise.all(others)
    }
    expect(problems).toEqual([])
    expect(new Set(found.map(({ model, column }) => `${model} ${column}`))).toEqual(
      new Set(['small-3 embedding', 'large-3 embedding_large']),
    )
    skipPauses()
    await change.contract(knex, { ...quiet, confirm: true })
    expect(await change.status(knex)).toMatchObject({ phase: 'done' })
    await backfill(knex, change.to, quiet)
    expect(await wrongVectors(knex)).toEqual([])
  }, 150_000)
})

describeOnServers('a change of model that is interrupted', (database) => {
  test('goes on in the phase in which its connections were killed', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 300)
    const slow: Embed<Article> = async (rows) => {
      await sleep(15)
      return embedArticles['large-3'](rows, { signal: new AbortController().signal })
    }
    const slowly = changeModel<Article>(articles, {
      to: { column: large, model: 'large-3', metric: 'l2' },
      embed: { 'large-3': slow },
    })
    const options = { ...quiet, batchSize: 20, lease: 200, wait: 2000 }
    const phases: string[] = []
    for (let kills = 0; kills < 12; kills++) {
      const victim = connect({ pool: { min: 0, max: 2 }, log: { warn: () => undefined, error: () => undefined } })
      const running = slowly
        .advance(victim, { ...options, onEvent: (event) => event.type === 'phase' && phases.push(event.phase) })
        .catch(() => undefined)
      await sleep(40 + 45 * kills)
      await knex.raw(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`)
      await running
      await victim.destroy()
    }
    await slowly.advance(knex, options)
    expect(await slowly.status(knex)).toMatchObject({ phase: 'switch', rows: { missing: 0, stale: 0, failed: 0 } })
    expect(await wrongVectors(knex)).toEqual([])
    const { rows } = (await knex.raw('select indexrelid::regclass from pg_index where not indisvalid')) as {
      readonly rows: readonly unknown[]
    }
    expect(rows).toEqual([])
    expect(new Set(phases).size).toBeGreaterThan(1)
    await slowly.back(knex, { ...quiet, to: 'expand' })
    expect((await objectsOf(knex)).filter((name) => name.includes('large'))).toEqual([])
  })

  test('stops at its signal, and the same command resumes it', async () => {
    const { knex } = database()
    await createArticles(knex, 100)
    const stop = new AbortController()
    let calls = 0
    const counting: Embed<Article> = (rows, given) => {
      if (++calls === 2) stop.abort()
      return embedArticles['large-3'](rows, given)
    }
    const counted = changeModel<Article>(articles, {
      to: { column: large, model: 'large-3', metric: 'l2' },
      embed: { 'large-3': counting },
    })
    const stopped = await counted.advance(knex, { ...quiet, batchSize: 20, signal: stop.signal })
    expect(stopped).toMatchObject({ phase: 'backfill', rows: { missing: 60 } })
    expect(await counted.advance(knex, { ...quiet, batchSize: 20 })).toMatchObject({ phase: 'switch' })
    // nothing was embedded twice
    expect(calls).toBe(5)
  })
})

describeOnServers('the table of a change of model', (database) => {
  test('is locked for no longer than lockTimeout while another session uses it', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 50)
    const waits: number[] = []
    const whileInUse = async (run: () => Promise<unknown>): Promise<void> => {
      const user = connect()
      const other = connect()
      const trx = await user.transaction()
      await trx('articles').where({ id: 1 }).select('id')
      const over = new AbortController()
      const reading = (async () => {
        while (!over.signal.aborted) {
          const started = performance.now()
          await other('articles').where({ id: 2 }).select('id')
          waits.push(performance.now() - started)
        }
      })()
      try {
        await expectError('TABLE_BUSY', run)
      } finally {
        over.abort()
        await reading
        await trx.rollback()
      }
    }
    const brief = { ...quiet, lockTimeout: 100, wait: 400 }
    await whileInUse(() => change.advance(knex, { ...brief, until: 'expand' }))
    await change.advance(knex, quiet)
    await change.switch(knex, quiet)
    skipPauses()
    await whileInUse(() => change.contract(knex, { ...brief, confirm: true }))
    expect(await change.status(knex)).toMatchObject({ phase: 'contract' })
    await change.contract(knex, { ...brief, confirm: true })
    expect(await change.status(knex)).toMatchObject({ phase: 'done' })
    // a shared machine pauses at times
    expect(Math.max(...waits)).toBeLessThan(100 + 200)
  })

  test('is switched and switched back while another session has it locked', async () => {
    const { knex, connect } = database()
    await createArticles(knex, 50)
    await change.advance(knex, quiet)
    const user = connect()
    await user.transaction(async (trx) => {
      await trx.raw('lock table articles in share row exclusive mode')
      expect(await change.switch(knex, quiet)).toMatchObject({ active: { model: 'large-3' } })
      expect(await change.back(knex, quiet)).toMatchObject({ active: { model: 'small-3' } })
    })
  })
})

describeOnServers('the roles of a change of model', (database) => {
  const passwords = 'test'
  const withRoles = async (
    names: readonly string[],
    run: (...roles: { readonly name: string; readonly knex: KnexInstance }[]) => Promise<void>,
  ): Promise<void> => {
    const { knex, url } = database()
    const ending = randomBytes(4).toString('hex')
    const roles = names.map((each) => {
      const name = `${each}_${ending}`
      const own = new URL(url ?? '')
      own.username = name
      own.password = passwords
      return { name, knex: Knex({ client: 'pg', connection: own.href, pool: { min: 0, max: 3 } }) }
    })
    for (const { name } of roles) await knex.raw(`create role ${name} login password '${passwords}'`)
    try {
      await run(...roles)
    } finally {
      await Promise.all(roles.map((role) => role.knex.destroy()))
      for (const { name } of roles) await knex.raw(`drop owned by ${name} cascade; drop role ${name}`)
    }
  }

  test('an application that may only read and write the table searches it throughout', async () => {
    const { knex } = database()
    const pass = fastClock()
    await withRoles(['owner', 'application'], async (owner, application) => {
      if (owner === undefined || application === undefined) throw new Error('there are two roles')
      await knex.raw('create extension vector')
      await knex.raw(`grant all on schema public to ${owner.name}; grant usage on schema public to ${application.name}`)
      await createArticles(owner.knex, 60)
      await owner.knex.raw(`grant select, insert, update on articles to ${application.name}`)
      const searched = async (): Promise<unknown> => {
        const { model, rows, warnings } = await nearestText(application.knex, articles, titleOf(7), search)
        return { model, warnings, first: rows[0]?.['title'] }
      }
      expect(await searched()).toEqual({ model: 'small-3', warnings: [], first: titleOf(7) })
      await change.advance(owner.knex, quiet)
      await application
        .knex('articles')
        .where({ id: 50 })
        .update({ title: titleOf(500) })
      await application.knex('articles').insert({ title: titleOf(600) })
      expect(await change.status(owner.knex)).toMatchObject({ phase: 'switch', rows: { missing: 1, stale: 1 } })
      await change.switch(owner.knex, quiet)
      pass(3000)
      expect(await searched()).toEqual({ model: 'large-3', warnings: [], first: titleOf(7) })
      expect(await wrongVectors(knex)).toEqual([])
      await expect(application.knex('pgvector_embeddings').update({ active: '{}' })).rejects.toThrow(
        'permission denied',
      )
    })
  })

  test('a registry of another role is reported and not believed', async () => {
    const { knex } = database()
    await createArticles(knex, 60)
    await withRoles(['mallory'], async (mallory) => {
      if (mallory === undefined) throw new Error('there is a role')
      await knex.raw(`grant create, usage on schema public to ${mallory.name}`)
      await mallory.knex.raw(`create table pgvector_embeddings (table_name text, column_name text, columns text[],
        active jsonb, source jsonb, target jsonb, compared jsonb, rows_per_second float8, switched_at timestamptz)`)
      const { model, warnings } = await nearestText(knex, articles, titleOf(7), search)
      expect(model).toBe('small-3')
      expect(warnings.join()).toMatch(/registry .*pgvector_embeddings is not trusted/)
      await expectError('TABLE_NOT_TRUSTED', () => change.advance(knex, quiet))
    })
  })
})

describeOnServers('a change of model with unusual names and a key of several columns', (database) => {
  test('goes through all phases', async () => {
    const { knex } = database()
    await knex.raw('create extension vector; create schema "odd schema"')
    await knex.raw(`create table "odd schema"."My ""Notes""\\?" (tenant int, "id.x" uuid default gen_random_uuid(),
      "Text\\?" text, "the vector" vector(3), primary key (tenant, "id.x"))`)
    await knex.raw(`insert into "odd schema"."My ""Notes""\\?" (tenant, "Text\\?")
      select i % 3, repeat('x', i) from generate_series(1, 60) i`)
    const place = { schema: 'odd schema', dimensions: 3 } as const
    const table = 'My "Notes"?'
    const rows =
      (model: keyof typeof vectorOf): Embed<{ readonly 'Text?': string }> =>
      (given) =>
        Promise.resolve(given.map((row) => vectorOf[model](row['Text?'])))
    const notes = embedding<{ readonly 'Text?': string }>(table, {
      column: vectorColumn(table, 'the vector', place),
      from: ['Text?'],
      model: "model 'one'?",
      embed: rows('small-3'),
    })
    await setUpInStep(knex, notes, quiet)
    await backfill(knex, notes, quiet)
    const odd = changeModel<{ readonly 'Text?': string }>(notes, {
      to: {
        column: vectorColumn(table, 'New "vector"?', { ...place, type: 'halfvec' }),
        model: 'two?',
        metric: 'cosine',
      },
      embed: { 'two?': rows('large-3') },
    })
    expect(await odd.advance(knex, quiet)).toMatchObject({ phase: 'switch' })
    await odd.switch(knex, quiet)
    const options = { embed: { 'two?': embedQueries['large-3'] }, limit: 2 }
    expect(await nearestText(knex, notes, titleOf(7), options)).toMatchObject({ model: 'two?', isComplete: true })
    skipPauses()
    await odd.contract(knex, { ...quiet, confirm: true })
    expect(await odd.status(knex)).toMatchObject({ phase: 'done', active: { column: 'New "vector"?' } })
  })
})
