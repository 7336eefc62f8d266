import type { Knex } from 'knex'

import { onServer, startServer, withDatabase } from './databases.ts'
import {
  copyVectors,
  createVectorIndex,
  ensurePgvector,
  ensureTenantIndexes,
  nearestRows,
  tenantRule,
  vectorColumn,
  vectorIndex,
} from './library.ts'
import { measure, median } from './measure.ts'
import { table } from './report.ts'

const ROWS = Number(process.env['BENCH_ROWS'] ?? 200_000)
const DIMENSIONS = 64
const CLUSTERS = 400
const LIMIT = 10
const QUERIES = 100
const ROUNDS = { warmUp: 30, counted: 200 }
const quiet = { logger: false } as const

// One tenant has 10 % of the rows, and 90 have 1 % each.
const LARGE = 0
const SMALL = 1
const tenantOf = (id: number): number => (id % 10 === 0 ? LARGE : 1 + ((id - Math.ceil(id / 10)) % 90))

const inWhole = vectorIndex(vectorColumn('whole', 'embedding', { dimensions: DIMENSIONS }), {
  method: 'hnsw',
  metric: 'cosine',
})
const inPartitions = vectorIndex(vectorColumn('parted', 'embedding', { dimensions: DIMENSIONS }), {
  method: 'hnsw',
  metric: 'cosine',
})
const rule = tenantRule(inWhole, { column: 'tenant', above: Math.round(ROWS / 150), atMost: 50 })

type Search = (query: readonly number[]) => Promise<readonly { readonly id: number }[]>

interface Measured {
  readonly what: string
  readonly times: readonly number[]
  readonly recall: number
}

async function main(): Promise<void> {
  const server = await startServer()
  try {
    await withDatabase(server, (url) => onServer(url, compare))
  } finally {
    await server.stop()
  }
}

async function compare(knex: Knex): Promise<void> {
  await load(knex)
  const queries = Array.from({ length: QUERIES }, (_, place) => vectorOf(ROWS + place))
  const whole =
    (tenant: number | null): Search =>
    async (query) => {
      const where = tenant === null ? {} : { tenant }
      return (await nearestRows<{ id: number }>(knex, inWhole, query, { limit: LIMIT, columns: ['id'], where })).rows
    }
  const parted =
    (tenant: number | null): Search =>
    async (query) => {
      const where = tenant === null ? {} : { tenant }
      return (await nearestRows<{ id: number }>(knex, inPartitions, query, { limit: LIMIT, columns: ['id'], where }))
        .rows
    }
  const exact =
    (tenant: number | null): Search =>
    (query) =>
      exactly(knex, tenant, query)
  const tenants = [
    { name: 'a tenant of 1 %', tenant: SMALL },
    { name: 'a tenant of 10 %', tenant: LARGE },
    { name: 'all tenants', tenant: null },
  ] as const
  const found = new Map<string, Measured[]>(tenants.map(({ name }) => [name, []]))
  const truth = new Map<string, readonly ReadonlySet<number>[]>()
  for (const { name, tenant } of tenants) truth.set(name, await answers(exact(tenant), queries))
  const take = async (what: string, search: (tenant: number | null) => Search, isForAll = true): Promise<void> => {
    for (const { name, tenant } of tenants) {
      if (tenant === null && !isForAll) continue
      found.get(name)?.push(await one(what, search(tenant), queries, truth.get(name) ?? []))
    }
  }
  await take('one index, iterative scan', whole)
  await knex.raw('create index whole_tenant_idx on whole (tenant); analyze whole')
  await take('exact scan of the tenant', exact, false)
  const started = performance.now()
  const { built } = await ensureTenantIndexes(knex, rule, quiet)
  const seconds = (performance.now() - started) / 1000
  await take(`partial index (one of ${built.length})`, whole)
  await partition(knex)
  await take('partition with its index', parted)
  const lines = tenants.flatMap(({ name }) => ['', name, ...(found.get(name) ?? []).map(lineOf)])
  process.stdout.write(
    `${ROWS} x ${DIMENSIONS}, limit ${LIMIT}; ${built.length} indexes built in ${seconds.toFixed(0)} s\n`,
  )
  process.stdout.write(`${lines.join('\n')}\n\n`)
  const [iterative, , partial] = found.get('a tenant of 1 %') ?? []
  const [before, after] = found.get('all tenants') ?? []
  if (iterative === undefined || partial === undefined || before === undefined || after === undefined) return
  const ofSmall = { milliseconds: partial.times, against: iterative.what, baseline: iterative.times }
  const ofAll = { milliseconds: after.times, against: 'without them', baseline: before.times }
  process.stdout.write(
    table('compared', [
      { what: 'partial index, a tenant of 1 %', ...ofSmall, target: { timesFaster: 10 } },
      { what: 'all tenants, with indexes of tenants', ...ofAll, target: null },
    ]),
  )
  process.stdout.write(`recall ${partial.recall.toFixed(3)} against ${iterative.recall.toFixed(3)}\n`)
}

async function one(
  what: string,
  search: Search,
  queries: readonly (readonly number[])[],
  truth: readonly ReadonlySet<number>[],
): Promise<Measured> {
  let next = 0
  const run = (): Promise<unknown> => search(queries[next++ % queries.length] ?? [])
  const { times } = await measure({ times: { run } }, ROUNDS)
  const all = await answers(search, queries)
  const hits = all.map((ids, place) => [...ids].filter((id) => truth[place]?.has(id) === true).length)
  return { what, times, recall: hits.reduce((sum, each) => sum + each, 0) / (LIMIT * queries.length) }
}

async function answers(search: Search, queries: readonly (readonly number[])[]): Promise<ReadonlySet<number>[]> {
  const all: Set<number>[] = []
  for (const query of queries) all.push(new Set((await search(query)).map(({ id }) => id)))
  return all
}

async function exactly(
  knex: Knex,
  tenant: number | null,
  query: readonly number[],
): Promise<readonly { readonly id: number }[]> {
  const vector = JSON.stringify(query)
  return (
    knex('whole')
      .select('id')
      .where(tenant === null ? {} : { tenant })
      // No index has this expression.
      .orderByRaw('(embedding <=> ?) + 0', [vector])
      .limit(LIMIT)
  )
}

function lineOf({ what, times, recall }: Measured): string {
  const sorted = times.toSorted((left, right) => left - right)
  const late = sorted[Math.floor(sorted.length * 0.95)] ?? Number.NaN
  return `  ${what.padEnd(28)} median ${median(times).toFixed(2).padStart(7)} ms   95 % ${late.toFixed(2).padStart(7)} ms   recall ${recall.toFixed(3)}`
}

async function load(knex: Knex): Promise<void> {
  await ensurePgvector(knex, quiet)
  await knex.raw(`create table whole (id int, tenant int, embedding vector(${DIMENSIONS}))`)
  await copyVectors<Row>(knex, 'whole', ['id', 'tenant', 'embedding'], rows())
  await knex.raw('vacuum analyze whole')
  await createVectorIndex(knex, inWhole, { ...quiet, maxMemory: '1GB' })
}

interface Row {
  readonly id: number
  readonly tenant: number
  readonly embedding: number[]
}

function* rows(): Generator<Row> {
  for (let id = 0; id < ROWS; id++) yield { id, tenant: tenantOf(id), embedding: vectorOf(id) }
}

async function partition(knex: Knex): Promise<void> {
  await knex.raw(`create table parted (id int, tenant int, embedding vector(${DIMENSIONS})) partition by list (tenant)`)
  for (let tenant = 0; tenant <= 90; tenant++) {
    await knex.raw(`create table parted_${tenant} partition of parted for values in (${tenant})`)
  }
  await knex.raw('insert into parted select * from whole')
  await createVectorIndex(knex, inPartitions, { ...quiet, maxMemory: '1GB' })
  await knex.raw('vacuum analyze parted')
}

/** A point near the centre of a cluster; tenants have rows in all clusters. */
function vectorOf(id: number): number[] {
  const cluster = Math.floor(randomAt(id, -1) * CLUSTERS)
  return Array.from(
    { length: DIMENSIONS },
    (_, place) => randomAt(ROWS * 10 + cluster, place) - 0.5 + 0.6 * (randomAt(id, place) - 0.5),
  )
}

/** A number that looks random and is the same in every run (splitmix32). */
function randomAt(row: number, place: number): number {
  let state = (Math.imul(row + 1, 0x9e_37_79_b9) ^ Math.imul(place + 2, 0x85_eb_ca_6b)) >>> 0
  state = Math.imul(state ^ (state >>> 16), 0x21_f0_aa_ad)
  state = Math.imul(state ^ (state >>> 15), 0x73_5a_2d_97)
  return ((state ^ (state >>> 15)) >>> 0) / 2 ** 32
}

void main()
