import fc from 'fast-check'

import { createVectorIndex, dropVectorIndex, ensurePgvector, vectorColumn, vectorIndex } from '../src/index.ts'
import { graphMemory, rowsInMemory, type Graph } from '../src/pgvector/graph-memory.ts'
import { describeOnServers } from './support/databases.ts'

const MEBIBYTE = 1024 * 1024
const GIBIBYTE = 1024 * MEBIBYTE

const vector = (dimensions: number, m: number, isParallel: boolean, major: number): Graph => ({
  type: 'vector',
  dimensions,
  m,
  isParallel,
  major,
})

describe('the memory of an HNSW graph', () => {
  // What PostgreSQL said in "hnsw graph no longer fits into maintenance_work_mem after … tuples".
  test.each([
    { memory: 32, graph: vector(128, 16, false, 15), measured: 25_963 },
    { memory: 32, graph: vector(128, 4, false, 15), measured: 36_369 },
    { memory: 65, graph: vector(128, 16, true, 15), measured: 53_552 },
    { memory: 64, graph: vector(128, 40, true, 15), measured: 32_079 },
    { memory: 32, graph: vector(128, 16, false, 18), measured: 27_335 },
  ])('is within 0.1 % of the $measured rows that $memory MB held', ({ memory, graph, measured }) => {
    const predicted = rowsInMemory(memory * MEBIBYTE, graph)
    expect(Math.abs(predicted / measured - 1)).toBeLessThan(0.001)
  })

  test.each([
    { type: 'vector', dimensions: 384, m: 16, gibibytes: 2.07 },
    { type: 'vector', dimensions: 768, m: 16, gibibytes: 3.5 },
    { type: 'vector', dimensions: 1536, m: 16, gibibytes: 6.36 },
    { type: 'vector', dimensions: 1536, m: 32, gibibytes: 6.84 },
    { type: 'halfvec', dimensions: 1536, m: 16, gibibytes: 3.5 },
    { type: 'halfvec', dimensions: 3072, m: 16, gibibytes: 6.36 },
    { type: 'bit', dimensions: 1536, m: 16, gibibytes: 0.82 },
  ] as const)('of a million rows of $type($dimensions) with m = $m is $gibibytes GiB', ({ gibibytes, ...shape }) => {
    const bytes = graphMemory(1_000_000, { ...shape, isParallel: true, major: 17 })
    expect(bytes / GIBIBYTE).toBeCloseTo(gibibytes, 2)
  })

  test('is enough for the rows it was asked for, and for hardly any more', () => {
    const graphs = fc.record({
      type: fc.constantFrom('vector', 'halfvec', 'bit'),
      dimensions: fc.integer({ min: 1, max: 4000 }),
      m: fc.integer({ min: 2, max: 100 }),
      isParallel: fc.boolean(),
      major: fc.integer({ min: 14, max: 18 }),
    })
    fc.assert(
      fc.property(graphs, fc.integer({ min: 0, max: 1e8 }), (graph, rows) => {
        const memory = graphMemory(rows, graph)
        expect(rowsInMemory(memory, graph)).toBeGreaterThanOrEqual(rows)
        expect(rowsInMemory(memory - 2 * MEBIBYTE, graph)).toBeLessThanOrEqual(rows)
      }),
      // Where a rounding error would cost the last row.
      { examples: [[{ type: 'vector', dimensions: 1, m: 7, isParallel: true, major: 14 }, 49_247_412]] },
    )
  })
})

describeOnServers('a build that runs out of memory', (database) => {
  test('reports it at the planned row, for values that differ in length and are stored out of line', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`
      create table documents (id int, "Em bed" sparsevec(100000));
      insert into documents select i, (
        select '{' || string_agg(z * 90 || ':' || random() + 0.1, ',') || '}/100000'
        from generate_series(1, case when random() < 0.5 then 400 else 1000 end) z
        where i > 0
      )::sparsevec from generate_series(1, 2500) i;
      insert into documents select 0, null from generate_series(1, 2500);
      analyze documents`)
    const column = vectorColumn('documents', 'Em bed', { type: 'sparsevec', dimensions: 100_000 })
    const options = { method: 'hnsw', metric: 'cosine', m: 4, efConstruction: 8, where: 'id > 0' } as const
    const index = vectorIndex(column, options)
    const { settings, warnings } = await createVectorIndex(knex, index, { logger: false, maxMemory: '6MB' })
    const said = warnings.join().match(/did not fit into memory after (\d+) rows/)
    expect(Number(settings?.spillsAfter) / Number(said?.[1])).toBeCloseTo(1, 1)
    const again = vectorIndex(column, { ...options, name: 'with enough' })
    await dropVectorIndex(knex, index, { logger: false })
    expect(await createVectorIndex(knex, again, { logger: false, maxMemory: '1GB' })).toMatchObject({ warnings: [] })
  })

  test('says so at the row that was computed', async () => {
    const { major, connect } = database()
    const notices: string[] = []
    const knex = connect({
      pool: {
        min: 1,
        max: 1,
        afterCreate: (connection: Connection, done: (error: Error | null, connection: Connection) => void) => {
          connection.on('notice', ({ message }) => notices.push(message ?? ''))
          done(null, connection)
        },
      },
    })
    await ensurePgvector(knex, { logger: false })
    const predicted = rowsInMemory(4 * MEBIBYTE, { type: 'vector', dimensions: 16, m: 4, isParallel: false, major })
    const rows = Math.ceil(predicted * 1.05)
    await knex.raw(`
      create table documents (embedding vector(16));
      insert into documents select array_agg(random()) from generate_series(1, 16 * ${rows}) i group by i % ${rows};
      set maintenance_work_mem = '4MB';
      create index on documents using hnsw (embedding vector_l2_ops) with (m = 4, ef_construction = 8)`)
    const said = notices.join().match(/no longer fits into maintenance_work_mem after (\d+) tuples/)
    expect(Math.abs(predicted / Number(said?.[1]) - 1)).toBeLessThan(0.02)
  })
})

interface Connection {
  on(event: 'notice', listener: (notice: { readonly message?: string }) => void): unknown
}
