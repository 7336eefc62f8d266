import type { Knex } from 'knex'

import {
  createVectorIndex,
  ensurePgvector,
  forecastBuild,
  vectorColumn,
  vectorIndex,
  type BuildForecast,
  type VectorIndex,
} from '../src/index.ts'
import { runPilot } from '../src/indexes/forecast/pilot.ts'
import { readIndexFacts } from '../src/indexes/look/read-facts.ts'
import { isPinned } from '../src/database/search-path.ts'
import { sessionOf } from '../src/database/session.ts'
import { describeOnEveryDatabase, describeOnOneServer, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { statementsOf } from './support/recorder.ts'
import { unqualifiedNames } from './support/unqualified.ts'

const ROWS = 1500
const WITHOUT_PILOT = { pilot: false } as const

const columns = {
  vector: vectorColumn('items', 'whole', { dimensions: 200 }),
  halfvec: vectorColumn('items', 'half', { type: 'halfvec', dimensions: 200 }),
  bit: vectorColumn('items', 'bits', { type: 'bit', dimensions: 200 }),
  sparsevec: vectorColumn('items', 'sparse', { type: 'sparsevec', dimensions: 1000 }),
} as const

const graphs: readonly (readonly [string, VectorIndex])[] = [
  ['vector', vectorIndex(columns.vector, { method: 'hnsw', metric: 'l2' })],
  ['vector with m = 5', vectorIndex(columns.vector, { method: 'hnsw', metric: 'l1', m: 5, efConstruction: 20 })],
  ['halfvec with m = 24', vectorIndex(columns.halfvec, { method: 'hnsw', metric: 'cosine', m: 24 })],
  ['bit', vectorIndex(columns.bit, { method: 'hnsw', metric: 'hamming' })],
  ['sparsevec', vectorIndex(columns.sparsevec, { method: 'hnsw', metric: 'l2' })],
  ['vector as halfvec', vectorIndex(columns.vector, { method: 'hnsw', metric: 'l2', storage: 'halfvec' })],
  ['binary quantization', vectorIndex(columns.vector, { method: 'hnsw', metric: 'cosine', storage: 'binary' })],
  ['part of the rows', vectorIndex(columns.vector, { method: 'hnsw', metric: 'l2', where: 'id % 2 = 0' })],
]

const lists: readonly (readonly [string, VectorIndex])[] = [
  ['vector', vectorIndex(columns.vector, { method: 'ivfflat', metric: 'l2', lists: 4 })],
  ['halfvec', vectorIndex(columns.halfvec, { method: 'ivfflat', metric: 'l2', lists: 2 })],
  ['vector as halfvec', vectorIndex(columns.vector, { method: 'ivfflat', metric: 'l2', lists: 3, storage: 'halfvec' })],
]

async function fill(knex: Knex): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table items as
    select id, v::vector(200) as whole, v::halfvec(200) as half, binary_quantize(v)::bit(200) as bits,
      ('{1:' || id || ',2:1,7:' || id % 13 + 1 || '}/1000')::sparsevec(1000) as sparse
    from (
      select id, (select array_agg(random() - 0.5) from generate_series(1, 200) where id > 0)::vector(200) as v
      from generate_series(1, ${ROWS}) id
    ) as made;
    analyze items`)
}

async function measured(knex: Knex, index: VectorIndex): Promise<{ forecast: BuildForecast; bytes: number }> {
  const forecast = await forecastBuild(knex, index, WITHOUT_PILOT)
  await createVectorIndex(knex, index, { logger: false })
  const { rows } = await knex.raw<{ rows: [{ bytes: string }] }>('select pg_relation_size(?::regclass) as bytes', [
    `"${index.name}"`,
  ])
  return { forecast, bytes: Number(rows[0].bytes) }
}

describeOnServers('the forecast size of an index', (database) => {
  test('is within 1 % of an HNSW index of every type and quantization', async () => {
    const { knex } = database()
    await fill(knex)
    const off: unknown[] = []
    for (const [what, index] of graphs) {
      const { forecast, bytes } = await measured(knex, index)
      // One page of so few is more than 1 %.
      if (Math.abs(forecast.bytes - bytes) > Math.max(8192, 0.01 * bytes))
        off.push({ what, forecast: forecast.bytes, bytes })
    }
    expect(off).toEqual([])
  })

  test('is within 2 % of an IVFFlat index of every type', async () => {
    const { knex } = database()
    await fill(knex)
    const off: unknown[] = []
    for (const [what, index] of lists) {
      const { forecast, bytes } = await measured(knex, index)
      if (Math.abs(forecast.bytes / bytes - 1) > 0.02) off.push({ what, forecast: forecast.bytes, bytes })
    }
    expect(off).toEqual([])
  })
})

const small = vectorColumn('documents', 'embedding', { dimensions: 3 })
const byDistance = vectorIndex(small, { method: 'hnsw', metric: 'l2', m: 4, efConstruction: 8 })
const MANY = 10_500

async function fillMany(knex: Knex): Promise<void> {
  await ensurePgvector(knex, { logger: false })
  await knex.raw(`create table documents as select i as id, array[sin(i), cos(i), i % 7]::vector(3) as embedding
      from generate_series(1, ${MANY}) i;
    analyze documents`)
}

const relations = async (knex: Knex): Promise<unknown> => {
  const { rows } = await knex.raw<{ rows: unknown[] }>('select relname from pg_class order by relname')
  return rows
}

describeOnEveryDatabase('a forecast', (database) => {
  test('measures the time with a pilot of which nothing is left', async () => {
    const { knex } = database()
    await fillMany(knex)
    const before = await relations(knex)
    for (const index of [byDistance, vectorIndex(small, { method: 'ivfflat', metric: 'l2' })]) {
      const { rows, pilot, seconds, basis } = await forecastBuild(knex, index, { maxPilotTime: '30s' })
      expect(rows).toBe(MANY)
      // The number of rows of the sampled pages varies.
      expect(pilot?.rows).toBeGreaterThan(index.method === 'hnsw' ? 700 : 3000)
      // A server that others use may be too busy.
      const isKnown = seconds !== null && seconds.low < seconds.high
      expect(isKnown || basis.includes('so the server is too busy')).toBe(true)
    }
    expect(await relations(knex)).toEqual(before)
  })

  test('is the same in a transaction, and does not end it', async () => {
    const { knex } = database()
    await fillMany(knex)
    await knex.transaction(async (trx) => {
      const { bytes, pilot } = await forecastBuild(trx, byDistance, { maxPilotTime: '30s' })
      expect(pilot).not.toBeNull()
      await trx.raw('create table after ()')
      expect(bytes).toBe((await forecastBuild(trx, byDistance, WITHOUT_PILOT)).bytes)
    })
    expect(await knex.schema.hasTable('after')).toBe(true)
  })

  test('ends a pilot that takes too long, and says so', async () => {
    const { knex } = database()
    await fillMany(knex)
    const { seconds, basis, bytes } = await forecastBuild(knex, byDistance, { maxPilotTime: 1 })
    expect(seconds).toBeNull()
    expect(basis).toMatch(
      /^The time is unknown: the (pilot took too long|server ended the pilot \(canceling statement .*\))\.$/,
    )
    expect(bytes).toBeGreaterThan(1_000_000)
  })

  test('is of all partitions together, and of an index that exists', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`create table documents (id int, embedding vector(3)) partition by range (id);
      create table documents_1 partition of documents for values from (0) to (300);
      create table documents_2 partition of documents for values from (300) to (1000);
      insert into documents select i, array[sin(i), cos(i), i % 7]::vector(3) from generate_series(1, 800) i`)
    const whole = await forecastBuild(knex, byDistance, WITHOUT_PILOT)
    expect(whole.rows).toBe(800)
    await createVectorIndex(knex, byDistance, { logger: false })
    expect(await forecastBuild(knex, byDistance, WITHOUT_PILOT)).toEqual(whole)
    const { rows } = await knex.raw<{ rows: [{ bytes: string }] }>(
      `select sum(pg_relation_size(relid)) as bytes from pg_partition_tree('${byDistance.name}')`,
    )
    expect(whole.bytes / Number(rows[0].bytes)).toBeCloseTo(1, 1)
  })

  test('needs no pilot for few rows, and no WAL for an unlogged table', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`create unlogged table documents as select array[1, 2, i]::vector(3) as embedding
      from generate_series(1, 100) i`)
    expect(await forecastBuild(knex, byDistance)).toMatchObject({
      rows: 100,
      seconds: null,
      pilot: null,
      walBytes: 0,
      basis: 'The time is unknown: 100 rows are too few for a pilot: the build takes seconds.',
    })
  })

  test('is refused for a column that differs', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw('create table documents (embedding vector(4))')
    await expectError('COLUMN_DIFFERS', () => forecastBuild(knex, byDistance))
  })

  test('sends a pilot whose names mean the same on every search path', async () => {
    const { knex } = database()
    await fillMany(knex)
    const index = vectorIndex(small, { method: 'hnsw', metric: 'l2', storage: 'halfvec', where: 'id > 5' })
    const session = sessionOf(knex)
    const facts = await readIndexFacts(session, index)
    const { table } = facts
    if (table === null) throw new Error('the table is there')
    const plan = { rows: 5000, runs: [{ rows: 100, lists: 0 }], measuresDistance: true }
    const sent = await statementsOf(knex, () => runPilot(session, index, { ...facts, table }, plan, 60_000))
    const ours = sent.filter((each) => !isPinned(each)).map((sql) => sql.replaceAll('and (id > 5)', ''))
    expect(ours.some((sql) => sql.includes('create index'))).toBe(true)
    expect((await Promise.all(ours.map((sql) => unqualifiedNames(sql)))).flat()).toEqual([])
  })
})

describeOnOneServer('a role that may only select', (database) => {
  test('gets a forecast without a pilot, and so does a session that may not write', async () => {
    const { knex, connect } = database()
    await fillMany(knex)
    await knex.raw(`grant select on documents to pg_monitor;
      do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$`)
    const reader = connect({ pool: { min: 1, max: 1 } })
    await reader.raw('set role pg_monitor')
    const needs = async (): Promise<string> => (await forecastBuild(reader, byDistance)).basis
    expect(await needs()).toBe('The time is unknown: a pilot needs the privilege TEMPORARY on the database.')
    await reader.raw('set default_transaction_read_only = on')
    expect(await needs()).toBe('The time is unknown: a pilot needs a session that can write.')
  })
})
