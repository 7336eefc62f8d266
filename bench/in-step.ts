import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import Knex, { type Knex as KnexInstance } from 'knex'

import { startServer, withDatabase } from './databases.ts'
import type { WritersOrder, WritersReport } from './in-step-writers.ts'
import {
  backfill,
  embedding,
  inStep,
  keepInStep,
  removeInStep,
  setUpInStep,
  vectorColumn,
  verifyInStep,
} from './library.ts'
import { measure, median } from './measure.ts'

const DIMENSIONS = 384
const ROWS = Number(process.env['BENCH_ROWS'] ?? 5000)
const EDITS = Number(process.env['BENCH_EDITS'] ?? 10_000)
const WORKERS = 4
const WRITERS = 8
const EDITED_ROWS = 2000
// What one call of the model takes, in milliseconds.
const CALL = 200
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
        await knex.raw('create extension vector')
        await create(knex, true)
        await edits(knex)
        await copies(knex)
        await throughput(knex)
        await claims(knex)
        await crowd(knex, url)
      } finally {
        await knex.destroy()
      }
    })
  } finally {
    await server.stop()
  }
}

async function create(knex: KnexInstance, isIndexed: boolean): Promise<void> {
  await knex.raw(`create table docs (id bigint primary key, body text, embedding vector(${DIMENSIONS})) with (fillfactor = 60);
    insert into docs select i, 'body ' || i, (select array_agg(sin(i + j)) from generate_series(1, ${DIMENSIONS}) j)::vector
      from generate_series(1, ${ROWS}) i`)
  if (isIndexed) await knex.raw('create index on docs using hnsw (embedding vector_cosine_ops)')
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

/** Edits with workers and without, once without an HNSW index and once with one, which makes each write slower. */
async function crowd(knex: KnexInstance, url: string): Promise<void> {
  for (const isIndexed of [false, true]) {
    console.log(`${EDITS} edits by ${WRITERS} writers, ${isIndexed ? 'with an HNSW index' : 'without an index'}`)
    await removeInStep(knex, docs, { ...quiet, onlyOurs: false })
    await knex.raw('drop table docs')
    await create(knex, isIndexed)
    await setUpInStep(knex, docs, quiet)
    const alone = await writeInProcess(url, 'alone')
    await knex.raw('truncate docs__embedding__marks')
    await crowded(knex, url, alone)
  }
}

async function crowded(knex: KnexInstance, url: string, alone: WritersReport): Promise<void> {
  const stop = new AbortController()
  const texts: string[] = []
  const workers = Array.from({ length: WORKERS }, () =>
    keepInStep<{ readonly body: string }>(knex, docs, {
      embed: async (rows) => {
        texts.push(...rows.map(({ body }) => body))
        await new Promise((resolve) => setTimeout(resolve, CALL))
        return rows.map((row) => vector(seedOf(row)))
      },
      settle: 0,
      poll: 20,
      signal: stop.signal,
      logger: false,
    }),
  )
  const beside = await writeInProcess(url, 'beside')
  const started = performance.now()
  for (;;) {
    const { stale, missing } = await inStep(knex, docs)
    if (stale + missing === 0) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const inStepAfter = performance.now() - started
  stop.abort()
  await Promise.all(workers)
  const { wrong } = await verifyInStep(knex, docs)
  report('  texts embedded against distinct ones', texts.length / new Set(texts).size, 'at most 1.02')
  console.log(`  wrong vectors: ${wrong} (0); all in step ${Math.round(inStepAfter)} ms after the last edit`)
  console.log(
    `  writes that waited more than ${CALL / 10} ms for a lock, a tenth of the model's call: ${beside.waited} with workers (0), ${alone.waited} without`,
  )
  console.log(`  a write, median / p99 / longest: ${timesOf(beside)} ms with workers, ${timesOf(alone)} without`)
}

function timesOf({ times }: WritersReport): string {
  return [0.5, 0.99, 1].map((part) => percentile(times, part).toFixed(1)).join(' / ')
}

async function writeInProcess(url: string, label: string): Promise<WritersReport> {
  const child = fork(join(__dirname, 'in-step-writers.ts'), { execArgv: ['-r', 'sucrase/register/ts'] })
  const order: WritersOrder = { url, writers: WRITERS, edits: EDITS, rows: EDITED_ROWS, label, patience: CALL / 10 }
  child.send(order)
  const [written] = (await once(child, 'message')) as [WritersReport]
  return written
}

function percentile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

function report(what: string, ratio: number, target: string): void {
  console.log(`${what}: ${ratio.toFixed(2)} (${target})`)
}

void main()
