import type { Knex } from 'knex'

import type { CreateIndexResult, VectorIndex } from '../src/index.ts'
import { onServer, startServer, withDatabase } from './databases.ts'
import { createVectorIndex, forecastBuild, vectorColumn, vectorIndex } from './library.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? 100_000)
const DIMENSIONS = 128

const column = vectorColumn('items', 'embedding', { dimensions: DIMENSIONS })
const lists = Math.max(2, Math.round(ROWS / 1000))

/** What is built; each with as much memory as it needs, except one. */
const builds: readonly { readonly what: string; readonly index: VectorIndex; readonly maxMemory: string }[] = [
  { what: 'hnsw', index: vectorIndex(column, { method: 'hnsw', metric: 'l2' }), maxMemory: '2GB' },
  {
    what: 'hnsw, m = 8',
    index: vectorIndex(column, { method: 'hnsw', metric: 'l2', m: 8, efConstruction: 32, name: 'fewer' }),
    maxMemory: '2GB',
  },
  {
    what: 'hnsw, halfvec',
    index: vectorIndex(column, { method: 'hnsw', metric: 'cosine', storage: 'halfvec' }),
    maxMemory: '2GB',
  },
  {
    what: 'hnsw, binary',
    index: vectorIndex(column, { method: 'hnsw', metric: 'cosine', storage: 'binary' }),
    maxMemory: '2GB',
  },
  {
    what: 'hnsw, a third',
    index: vectorIndex(column, { method: 'hnsw', metric: 'l2', where: 'id % 3 = 0' }),
    maxMemory: '2GB',
  },
  {
    what: 'hnsw, spilled',
    index: vectorIndex(column, { method: 'hnsw', metric: 'innerProduct' }),
    // Half of what the graph needs.
    maxMemory: `${Math.max(1, Math.round((ROWS * 1180) / 2 / 1024 ** 2))}MB`,
  },
  {
    what: `ivfflat, ${lists}`,
    index: vectorIndex(column, { method: 'ivfflat', metric: 'l2', lists }),
    maxMemory: '2GB',
  },
  {
    what: `ivfflat, halfvec, ${lists * 3}`,
    index: vectorIndex(column, { method: 'ivfflat', metric: 'cosine', lists: lists * 3, storage: 'halfvec' }),
    maxMemory: '2GB',
  },
]

/** Prints each forecast divided by what was measured: 1.00 is right. */
async function main(): Promise<void> {
  const server = await startServer()
  try {
    process.stdout.write(`${server.name}, ${ROWS} rows of ${DIMENSIONS} dimensions: forecast / measured\n`)
    process.stdout.write(
      `${cells(['', 'size', 'WAL', 'spill', 'processor', 'elapsed', 'within range', 'pilot / build'])}\n`,
    )
    await withDatabase(server, (url) =>
      onServer(url, async (knex) => {
        await load(knex)
        for (const build of builds) process.stdout.write(`${cells(await compare(knex, build))}\n`)
      }),
    )
  } finally {
    await server.stop()
  }
}

async function load(knex: Knex): Promise<void> {
  await knex.raw(`create extension vector; create table items (id int, embedding vector(${DIMENSIONS}))`)
  const batch = 10_000
  for (let from = 0; from < ROWS; from += batch) {
    await knex.raw(`insert into items select ${from} + i, (
        select array_agg(sin((i % 97) * 12.9898 + place * 78.233) + random() - 0.5)
        from generate_series(1, ${DIMENSIONS}) place where i > 0
      )::vector(${DIMENSIONS}) from generate_series(1, ${Math.min(batch, ROWS - from)}) i`)
  }
  await knex.raw('vacuum analyze items')
}

async function compare(knex: Knex, { what, index, maxMemory }: (typeof builds)[number]): Promise<string[]> {
  const limits = { maxMemory, workers: 0 } as const
  const forecast = await forecastBuild(knex, index, { ...limits, maxPilotTime: '10m' })
  await knex.raw('checkpoint')
  const before = await position(knex)
  const result = await createVectorIndex(knex, index, { ...limits, logger: false })
  const after = await position(knex)
  const { bytes } = await one<{ bytes: string }>(knex, `select pg_relation_size('"${index.name}"') as bytes`)
  await knex.raw(`drop index "${index.name}"`)
  const likely = forecast.seconds?.likely ?? Number.NaN
  const used = (after.processor - before.processor) / 1000
  const { low, high } = forecast.seconds ?? { low: Number.NaN, high: Number.NaN }
  return [
    what,
    ratio(forecast.bytes / Number(bytes)),
    ratio(forecast.walBytes / (after.wal - before.wal)),
    ratio((forecast.settings.spillsAfter ?? Number.NaN) / spilledAfter(result)),
    ratio(likely / used),
    ratio(likely / (result.milliseconds / 1000)),
    used >= low && used <= high ? 'yes' : `no: ${low.toFixed(1)}–${high.toFixed(1)} s, was ${used.toFixed(1)}`,
    ratio((forecast.pilot?.milliseconds ?? Number.NaN) / result.milliseconds),
  ]
}

interface Position {
  readonly wal: number
  /** The milliseconds of a processor that the backend has used. */
  readonly processor: number
}

async function position(knex: Knex): Promise<Position> {
  const { wal, processor } = await one<{ wal: string; processor: string }>(
    knex,
    `select pg_current_wal_insert_lsn() - '0/0' as wal,
      split_part(pg_read_file('/proc/self/schedstat', 0, 200), ' ', 1)::bigint / 1e6 as processor`,
  )
  return { wal: Number(wal), processor: Number(processor) }
}

async function one<Row>(knex: Knex, sql: string): Promise<Row> {
  const { rows } = await knex.raw<{ rows: [Row] }>(sql)
  return rows[0]
}

/** The row after which the server said that the graph no longer fits. */
function spilledAfter({ warnings }: CreateIndexResult): number {
  const found = warnings.map((warning) => /did not fit into memory after (\d+) rows/.exec(warning)?.[1])
  return Number(found.find((row) => row !== undefined) ?? Number.NaN)
}

function ratio(value: number): string {
  return Number.isNaN(value) ? '–' : value.toFixed(3)
}

function cells([first = '', ...others]: readonly string[]): string {
  return [first.padEnd(24), ...others.map((each) => each.padStart(12))].join(' ')
}

void main()
