import Knex, { type Knex as KnexInstance } from 'knex'

import { startServer, withDatabase } from './databases.ts'
import { backfill, embedding, inStep, keepInStep, removeInStep, setUpInStep, vectorColumn } from './library.ts'
import { measure, median } from './measure.ts'

const DIMENSIONS = 384
const ROWS = Number(process.env['BENCH_ROWS'] ?? 5000)
const EDITS = Number(process.env['BENCH_EDITS'] ?? 10_000)
const ROUNDS = { warmUp: 1, counted: 7 }
const quiet = { logger: false, log: false } as const

const column = vectorColumn('docs', 'embedding', { dimensions: DIMENSIONS })
const docs = embedding('docs', { column, from: ['body'], model: 'bench' })

const vector = (seed: number): Float32Array =>
  Float32Array.from({ length: DIMENSIONS }, (_, place) => Math.sin(seed + place))
const seedOf = ({ body }: { readonly body: string }): number => Number(body.replaceAll(/\D/g, '')) % 10_007

async function main(): Promise<void> {
  const server = await startServer()
  try {
    await withDatabase(server, async (url) => {
      const knex = Knex({ client: 'pg', connection: url, pool: { min: 1, max: 20 } })
      try {
        await create(knex)
        await edits(knex)
        await copies(knex)
        await throughput(knex)
        await claims(knex)
        await crowd(knex)
      } finally {
        await knex.destroy()
      }
    })
  } finally {
    await server.stop()
  }
}

async function create(knex: KnexInstance): Promise<void> {
  await knex.raw(`create extension vector;
    create table docs (id bigint primary key, body text, embedding vector(${DIMENSIONS})) with (fillfactor = 60);
    insert into docs select i, 'body ' || i, (select array_agg(sin(i + j)) from generate_series(1, ${DIMENSIONS}) j)::vector
      from generate_series(1, ${ROWS}) i;
    create index on docs using hnsw (embedding vector_cosine_ops)`)
}

function share([all = 0, some = 0]: readonly number[]): string {
  return `${Math.round((100 * some) / all)} %`
}

async function edits(knex: KnexInstance): Promise<void> {
  let edit = 0
  const hot: Record<'with' | 'without', readonly [number, number]> = { without: [0, 0], with: [0, 0] }
  const run = async (): Promise<void> => {
    for (let count = 0; count < 500; count++) {
      await knex.raw('update docs set body = ? where id = ?', [`edit ${++edit}`, 1 + ((edit * 37) % ROWS)])
    }
  }
  const updates = async (): Promise<readonly [number, number]> => {
    await knex.raw('select pg_stat_force_next_flush()')
    const { rows } = (await knex.raw(
      `select n_tup_upd::int as all, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'docs'`,
    )) as { readonly rows: readonly { readonly all: number; readonly hot: number }[] }
    return [rows[0]?.all ?? 0, rows[0]?.hot ?? 0]
  }
  const counted = async (name: 'with' | 'without'): Promise<void> => {
    const before = await updates()
    await run()
    const after = await updates()
    hot[name] = [hot[name][0] + after[0] - before[0], hot[name][1] + after[1] - before[1]]
  }
  const times = await measure(
    {
      without: {
        prepare: () => removeInStep(knex, docs, { ...quiet, onlyOurs: false }),
        run: () => counted('without'),
      },
      with: { prepare: () => setUpInStep(knex, docs, quiet), run: () => counted('with') },
    },
    ROUNDS,
  )
  report('an edit with the trigger, HNSW present', median(times.with) / median(times.without), 'at most 1.6')
  console.log(`  HOT updates: ${share(hot.without)} without, ${share(hot.with)} with`)
}

async function copies(knex: KnexInstance): Promise<void> {
  const copy = `copy docs (id, body) from program 'seq -f "%.0f" 1000001 1050000 | sed "s/.*/&\\tbody &/"'`
  const clear = (): Promise<unknown> => knex.raw('delete from docs where id > 1000000')
  const times = await measure(
    {
      without: {
        prepare: () => removeInStep(knex, docs, { ...quiet, onlyOurs: false }),
        run: () => knex.raw(copy),
        cleanUp: clear,
      },
      with: { prepare: () => setUpInStep(knex, docs, quiet), run: () => knex.raw(copy), cleanUp: clear },
    },
    { warmUp: 1, counted: 3 },
  )
  report('COPY of 50,000 rows', median(times.with) / median(times.without), 'at most 1.6')
}

async function throughput(knex: KnexInstance): Promise<void> {
  await removeInStep(knex, docs, { ...quiet, onlyOurs: false })
  await knex.raw(`drop table docs; create table docs (id bigint primary key, body text, embedding vector(${DIMENSIONS}));
    insert into docs select i, 'body ' || i from generate_series(1, ${ROWS}) i`)
  await setUpInStep(knex, docs, quiet)
  const empty = (): Promise<unknown> => knex.raw('update docs set embedding = null')
  const times = await measure(
    {
      worker: {
        prepare: empty,
        run: () =>
          backfill<{ readonly body: string }>(knex, docs, {
            embed: (rows) => Promise.resolve(rows.map((row) => vector(seedOf(row)))),
            batchSize: 500,
            concurrency: 2,
            logger: false,
          }),
      },
      'JSON by hand': {
        prepare: empty,
        run: async () => {
          const rows = (await knex('docs').whereNull('embedding').select('id', 'body')) as {
            id: string
            body: string
          }[]
          for (const row of rows) {
            await knex('docs')
              .where({ id: row.id })
              .update({ embedding: JSON.stringify([...vector(seedOf(row))]) })
          }
        },
      },
    },
    { warmUp: 0, counted: 3 },
  )
  report(
    'rows per second against JSON updates by hand',
    median(times['JSON by hand']) / median(times.worker),
    'at least 4',
  )
  console.log(
    `  ${Math.round(ROWS / (median(times.worker) / 1000))} rows/s; RSS ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`,
  )
}

async function claims(knex: KnexInstance): Promise<void> {
  const marks = (count: number) => async (): Promise<void> => {
    await knex.raw(`truncate docs__embedding__marks, docs__embedding__claims`)
    await knex.raw(
      `insert into docs__embedding__marks (key_1) select 1 + i % ${ROWS} from generate_series(1, ${count}) i`,
    )
    // Otherwise, no row would need to be embedded.
    await knex.raw('update docs set embedding__hash = null; analyze docs__embedding__marks')
  }
  // A worker whose only batch never ends: its first claim is what is measured.
  const claim = async (): Promise<void> => {
    const stop = new AbortController()
    await keepInStep(knex, docs, {
      embed: () => {
        stop.abort()
        return Promise.reject(new Error('stopped'))
      },
      settle: 0,
      signal: stop.signal,
      logger: false,
    })
  }
  const times = await measure(
    { few: { prepare: marks(5000), run: claim }, many: { prepare: marks(500_000), run: claim } },
    { warmUp: 1, counted: 3 },
  )
  report('claim and read at 500,000 marks against 5,000', median(times.many) / median(times.few), 'at most 3')
  await knex.raw(`truncate docs__embedding__marks, docs__embedding__claims`)
}

async function crowd(knex: KnexInstance): Promise<void> {
  const stop = new AbortController()
  const call = 200
  const texts: string[] = []
  let longest = 0
  const workers = Array.from({ length: 4 }, () =>
    keepInStep<{ readonly body: string }>(knex, docs, {
      embed: async (rows) => {
        texts.push(...rows.map(({ body }) => body))
        await new Promise((resolve) => setTimeout(resolve, call))
        return rows.map((row) => vector(seedOf(row)))
      },
      settle: 0,
      poll: 20,
      signal: stop.signal,
      logger: false,
    }),
  )
  const writer = async (number: number): Promise<void> => {
    for (let edit = 0; edit < EDITS / 8; edit++) {
      const started = performance.now()
      await knex('docs')
        .where({ id: 1 + ((edit * 37 + number * 251) % 2000) })
        .update({ body: `w${number} e${edit}` })
      longest = Math.max(longest, performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: 8 }, (_, number) => writer(number)))
  for (;;) {
    const { stale, missing } = await inStep(knex, docs)
    if (stale + missing === 0) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  stop.abort()
  await Promise.all(workers)
  report(`texts embedded against distinct ones, ${EDITS} edits`, texts.length / new Set(texts).size, 'at most 1.02')
  report('the longest write against the call of the model', longest / call, 'at most 0.1')
}

function report(what: string, ratio: number, target: string): void {
  console.log(`${what}: ${ratio.toFixed(2)} (${target})`)
}

void main()
