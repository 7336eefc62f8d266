import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

import { PostgreSqlContainer } from '@testcontainers/postgresql'
import Knex, { type Knex as KnexInstance } from 'knex'

import type { CreateIndexResult, IndexBuildEvent } from '../src/index.ts'
import { createDatabase, type Server } from './databases.ts'
import { chart } from './index-chart.ts'
import { compareWriters, type WritersOptions } from './index-writers.ts'
import { createVectorIndex, vectorColumn, vectorIndex } from './library.ts'
import { median } from './measure.ts'
import { table, type Comparison } from './report.ts'

const IMAGE = 'pgvector/pgvector:pg17'
const ROWS = Number(process.env['BENCH_ROWS'] ?? 50_000)
const DIMENSIONS = Number(process.env['BENCH_DIMENSIONS'] ?? 384)
const LOCK_TIMEOUT = 1000

// Of what is compared closely, and of what takes minutes.
const ROUNDS = 5
const STOCK_ROUNDS = 3
const WRITE_ROUNDS = 3

const column = vectorColumn('documents', 'embedding', { dimensions: DIMENSIONS })
const index = vectorIndex(column, { method: 'hnsw', metric: 'cosine' })

const PLAIN = `create index ${index.name} on documents using hnsw (embedding vector_cosine_ops)`
const grid = ['128MB', '256MB', '512MB'].flatMap((memory) => [0, 1, 2, 3].map((workers) => ({ memory, workers })))

async function main(): Promise<void> {
  const server = await startRoomyServer()
  try {
    const database = await createDatabase(server)
    const knex = Knex({ client: 'pg', connection: database.url, pool: { min: 1, max: 4 } })
    try {
      await load(knex)
      await compare(knex, database.url, server.name)
    } finally {
      await knex.destroy()
      await database.drop()
    }
  } finally {
    await server.stop()
  }
}

// Docker gives 64 MB to /dev/shm, which no parallel build with enough memory fits into.
async function startRoomyServer(): Promise<Server> {
  const url = process.env['BENCH_DATABASE_URL']
  if (url !== undefined && url !== '') return { name: 'BENCH_DATABASE_URL', url, stop: () => Promise.resolve() }
  const container = await new PostgreSqlContainer(IMAGE).withSharedMemorySize(1024 ** 3).start()
  return { name: IMAGE, url: container.getConnectionUri(), stop: () => container.stop() }
}

async function load(knex: KnexInstance): Promise<void> {
  await knex.raw(`create extension vector;
    create table documents (id serial primary key, note int, embedding vector(${DIMENSIONS}));
    alter table documents alter column embedding set storage plain`)
  const batch = 5000
  for (let from = 0; from < ROWS; from += batch) {
    const rows = Math.min(batch, ROWS - from)
    await knex.raw(`insert into documents (embedding) select l2_normalize(array_agg(random() - 0.5)::vector)
      from generate_series(1, ${DIMENSIONS} * ${rows}) i group by i % ${rows}`)
  }
  await knex.raw('vacuum analyze documents')
}

async function compare(knex: KnexInstance, url: string, name: string): Promise<void> {
  const best = await bestByHand(knex)
  const stockTimes: number[] = []
  const handTimes: number[] = []
  const ours: Built[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    // One after the other, so that what disturbs the machine disturbs them alike.
    ours.push(await timeOurs(knex))
    progress(`round ${round} of ${ROUNDS}, createVectorIndex`, ours.at(-1)?.milliseconds ?? Number.NaN)
    handTimes.push(await timePlain(knex, best.settings))
    progress(`round ${round} of ${ROUNDS}, ${best.label}`, handTimes.at(-1) ?? Number.NaN)
    if (round > STOCK_ROUNDS) continue
    stockTimes.push(await timePlain(knex, ''))
    progress(`round ${round} of ${ROUNDS}, stock settings`, stockTimes.at(-1) ?? Number.NaN)
  }
  const built = ours.map((one) => one.milliseconds)
  const writes = await compareWriters(url, writing(knex, 'a write beside it', WRITE_ROUNDS, {}))
  const besideMore = await compareWriters(url, writing(knex, 'a write beside workers: 1', 1, { workers: 1 }))
  const comparisons: Comparison[] = [
    {
      what: 'createVectorIndex',
      milliseconds: built,
      against: `best of the grid: ${best.label}`,
      baseline: handTimes,
      target: { atMost: 1.05 },
    },
    {
      what: 'createVectorIndex',
      milliseconds: built,
      against: 'create index, stock settings',
      baseline: stockTimes,
      target: { timesFaster: 4 },
    },
    {
      what: 'createVectorIndex, all but the build',
      milliseconds: ours.map((one) => one.overhead),
      against: 'what it may take',
      baseline: ours.map(() => 100),
      target: { atMost: 1 },
    },
    ...writes,
    ...besideMore,
  ]
  process.stdout.write(
    table(`${name}, ${ROWS} rows of ${DIMENSIONS} dimensions, ${availableParallelism()} cores`, comparisons),
  )
  const bars = [
    { label: 'create index, stock settings', seconds: median(stockTimes) / 1000 },
    { label: 'createVectorIndex(knex, index)', seconds: median(built) / 1000 },
    { label: `by hand, ${best.label}`, seconds: median(handTimes) / 1000 },
  ]
  await writeFile(
    join(__dirname, '..', 'docs', 'index-build.svg'),
    chart(`HNSW index of ${ROWS} × ${DIMENSIONS}`, bars),
  )
}

interface ByHand {
  readonly label: string
  readonly settings: string
}

/** The memory and the workers of the grid that built fastest, each tried once. */
async function bestByHand(knex: KnexInstance): Promise<ByHand> {
  const tried: (ByHand & { readonly milliseconds: number })[] = []
  for (const { memory, workers } of grid) {
    const settings = `set local maintenance_work_mem = '${memory}'; set local max_parallel_maintenance_workers = ${workers}`
    const milliseconds = await timePlain(knex, settings)
    const label = `${memory}, ${workers} worker${workers === 1 ? '' : 's'}`
    progress(`by hand, ${label}`, milliseconds)
    tried.push({ label, settings, milliseconds })
  }
  return tried.reduce((best, one) => (one.milliseconds < best.milliseconds ? one : best))
}

function writing(
  knex: KnexInstance,
  label: string,
  rounds: number,
  options: { readonly workers?: number },
): WritersOptions {
  const beside = (validates: () => void): Promise<unknown> => {
    const onEvent = (event: IndexBuildEvent): void => {
      if (event.type === 'progress' && event.phase.includes('validation')) validates()
    }
    return build(knex, { ...options, onEvent })
  }
  return { label, rounds, lockTimeout: LOCK_TIMEOUT, build: beside, drop: () => dropIndex(knex) }
}

function progress(what: string, milliseconds: number): void {
  process.stdout.write(`${what}: ${(milliseconds / 1000).toFixed(1)} s\n`)
}

const isBuild = ({ sql }: { readonly sql: string }): boolean => sql.startsWith('create index')

interface Built {
  readonly milliseconds: number
  /** All of it but the statement that builds. */
  readonly overhead: number
}

async function timeOurs(knex: KnexInstance): Promise<Built> {
  let sent = 0
  let built = 0
  const started = (query: { readonly sql: string }): void => void (isBuild(query) && (sent = performance.now()))
  const ended = (_: unknown, query: { readonly sql: string }): void =>
    void (isBuild(query) && (built = performance.now() - sent))
  knex.on('query', started).on('query-response', ended)
  const { milliseconds } = await build(knex, {})
  knex.removeListener('query', started).removeListener('query-response', ended)
  await dropIndex(knex)
  return { milliseconds, overhead: milliseconds - built }
}

function build(
  knex: KnexInstance,
  options: { readonly workers?: number; readonly onEvent?: (event: IndexBuildEvent) => void },
): Promise<CreateIndexResult> {
  return createVectorIndex(knex, index, { logger: false, lockTimeout: LOCK_TIMEOUT, ...options })
}

async function dropIndex(knex: KnexInstance): Promise<void> {
  await knex.raw(`drop index ${index.name}`)
}

async function timePlain(knex: KnexInstance, settings: string): Promise<number> {
  return knex.transaction(async (trx) => {
    if (settings !== '') await trx.raw(settings)
    const started = performance.now()
    await trx.raw(PLAIN)
    const milliseconds = performance.now() - started
    await dropIndex(trx)
    return milliseconds
  })
}

void main()
