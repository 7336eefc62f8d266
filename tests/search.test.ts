import { SparseVector } from 'pgvector'

import {
  cosineDistance,
  ensurePgvector,
  hammingDistance,
  innerProduct,
  jaccardDistance,
  l1Distance,
  l2Distance,
  nearest,
  type QueryVector,
  type Metric,
  REQUIRED_DIMENSIONS,
  type VectorColumn,
  vectorColumn,
  vectorIndex,
  type VectorIndex,
} from '../src/index.ts'
import { indexDefinition } from '../src/indexes/vector-index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { rolledBack } from './support/rolled-back.ts'
import { createWithIndex, planOf } from './support/vector-tables.ts'

const unitVector = (length: number): number[] => Array.from({ length }, (_, index) => (index === 0 ? 1 : 0))
const vector = (dimensions: number): VectorColumn<'vector'> => vectorColumn('documents', 'embedding', { dimensions })
const halfvec = (dimensions: number): VectorColumn<'halfvec'> =>
  vectorColumn('documents', 'embedding', { type: 'halfvec', dimensions })
const sparsevec = vectorColumn('documents', 'embedding', { type: 'sparsevec', dimensions: 30_000 })
const bit = vectorColumn('documents', 'embedding', { type: 'bit', dimensions: 64 })

const indexes: readonly (readonly [string, VectorIndex])[] = [
  ...REQUIRED_DIMENSIONS.flatMap((dimensions) =>
    (['hnsw', 'ivfflat'] as const).map(
      (method) => [`vector(${dimensions})`, vectorIndex(vector(dimensions), { method, metric: 'cosine' })] as const,
    ),
  ),
  ...(['l2', 'innerProduct', 'l1'] as const).map(
    (metric) => ['vector(384)', vectorIndex(vector(384), { method: 'hnsw', metric })] as const,
  ),
  ['vector(384) cast to halfvec', vectorIndex(vector(384), { method: 'hnsw', metric: 'l2', storage: 'halfvec' })],
  ['vector(384) in signs', vectorIndex(vector(384), { method: 'hnsw', metric: 'cosine', storage: 'binary' })],
  ['vector(8000) in signs', vectorIndex(vector(8000), { method: 'ivfflat', metric: 'innerProduct' })],
  ['halfvec(3072)', vectorIndex(halfvec(3072), { method: 'hnsw', metric: 'cosine' })],
  ['halfvec(5000) in signs', vectorIndex(halfvec(5000), { method: 'hnsw', metric: 'cosine' })],
  ['sparsevec(30000)', vectorIndex(sparsevec, { method: 'hnsw', metric: 'innerProduct' })],
  ['bit(64)', vectorIndex(bit, { method: 'hnsw', metric: 'jaccard' })],
  ['bit(64)', vectorIndex(bit, { method: 'ivfflat', metric: 'hamming' })],
]

describeOnEveryDatabase('a query of your own', (database) => {
  test('uses the index with nearest, of every kind and wherever the extension is', async () => {
    const { knex } = database()
    const { schema } = await ensurePgvector(knex, { schema: 'My "ext"', createSchema: true, logger: false })
    for (const [title, index] of indexes) {
      await rolledBack(knex, async (trx) => {
        await createWithIndex(trx, index, schema)
        const near = nearest(index, unitVector(index.column.dimensions ?? 0), { schema })
        const plan = await planOf(trx, trx(index.column.table).select('id').modify(near).limit(5))
        expect(`${title}: ${plan}`).toContain(`Index Scan using ${index.name}`)
      })
    }
  })

  test('selects, filters and orders by a distance, with joins and other conditions', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const index = vectorIndex(vector(3), { method: 'hnsw', metric: 'l2' })
    await createWithIndex(knex, index, 'public')
    await knex('documents').insert([1, 2, 3].map((id) => ({ id, embedding: `[${id},0,0]` })))
    const near = l2Distance(vector(3), [2.25, 0, 0], { alias: 'd' })
    const rows = await knex('documents as d')
      .join('documents as other', 'other.id', 'd.id')
      .where(near, '<', 1)
      .andWhere('d.id', '>', 1)
      .select('d.id', { 'how far': near })
      .orderBy(near)
    expect(rows).toEqual([
      { id: 2, 'how far': 0.25 },
      { id: 3, 'how far': 0.75 },
    ])
    const found = await knex('documents as d')
      .where('d.id', '>', 1)
      .select('d.id')
      .modify(nearest(index, [2.25, 0, 0], { alias: 'd' }))
    expect(found).toEqual([{ id: 2 }, { id: 3 }])
  })

  test('searches the rows of a partial index with nearest', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const index = vectorIndex(vector(3), { method: 'hnsw', metric: 'l2', where: `id > 1 and '{"a": 1}'::jsonb ? 'a'` })
    await createWithIndex(knex, index, 'public')
    await knex('documents').insert([1, 2, 3].map((id) => ({ id, embedding: `[${id},0,0]` })))
    expect(
      await knex('documents')
        .modify(nearest(index, [0, 0, 0]))
        .pluck('id'),
    ).toEqual([2, 3])
  })

  test('finds the operators where ensurePgvector found the extension, off the search path', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { schema: 'elsewhere', createSchema: true, logger: false })
    await knex.raw('create table documents (id int, embedding elsewhere.vector(3))')
    await knex('documents').insert([1, 2].map((id) => ({ id, embedding: `[${id},0,0]` })))
    const query = knex('documents')
      .orderBy(l2Distance(vector(3), [2, 0, 0]))
      .pluck('id')
    expect(await query).toEqual([2, 1])
    expect(
      await knex.transaction((trx) =>
        trx('documents')
          .modify(nearest(near, [2, 0, 0]))
          .pluck('id'),
      ),
    ).toEqual([2, 1])
  })

  test('is found in a large table by the planner itself', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const index = vectorIndex(vector(64), { method: 'hnsw', metric: 'cosine', m: 4, efConstruction: 8 })
    await knex.raw(`
      create table documents (id int, embedding vector(64));
      insert into documents select row, array_agg(random()) from generate_series(1, 64 * 3000) i, lateral (select i % 3000 as row) r group by row;
      create index near on documents ${indexDefinition(index, 'public').replace('on "documents" ', '')};
      analyze documents`)
    const near = cosineDistance(vector(64), unitVector(64))
    const { rows } = await knex.raw('explain ?', [knex('documents').select('id').orderBy(near).limit(5)])
    expect(rows.map((row: { 'QUERY PLAN': string }) => row['QUERY PLAN']).join('\n')).toContain('Index Scan using near')
  })
})

const distances = {
  l2: l2Distance,
  innerProduct,
  cosine: cosineDistance,
  l1: l1Distance,
  hamming: hammingDistance,
  jaccard: jaccardDistance,
} as const

const near = vectorIndex(vector(3), { method: 'hnsw', metric: 'l2' })

describeOnEveryDatabase('the distance of a column', (database) => {
  test.each([
    ['l2', Math.sqrt(27)],
    ['innerProduct', -32],
    ['cosine', 1 - 32 / Math.sqrt(14 * 77)],
    ['l1', 9],
  ] as const)('by %s is %d, and the nearest is the smallest', async (metric, expected) => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const measure = distanceOf(knex)
    for (const type of ['vector', 'halfvec', 'sparsevec'] as const) {
      const column = vectorColumn('documents', 'embedding', { type, dimensions: 3 })
      const text = type === 'sparsevec' ? '{1:4,2:5,3:6}/3' : '[4,5,6]'
      expect(await measure(column, metric, text, [1, 2, 3])).toBeCloseTo(expected, 5)
    }
  })

  test.each([
    ['hamming', 2],
    ['jaccard', 0.5],
  ] as const)('of bits by %s is %d, with or without a length', async (metric, expected) => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const measure = distanceOf(knex)
    for (const dimensions of [8, undefined]) {
      const column = vectorColumn('documents', 'embedding', { type: 'bit', dimensions })
      expect(await measure(column, metric, '11110000', '11000000')).toBe(expected)
      expect(await measure(column, metric, '11110000', [1, 1, 0, 0, 0, 0, 0, 0])).toBe(expected)
    }
  })

  test('is the same for every way to tell a vector', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const measure = distanceOf(knex)
    const dense = vectorColumn('documents', 'embedding', { dimensions: 3 })
    const sparse = vectorColumn('documents', 'embedding', { type: 'sparsevec', dimensions: 3 })
    const queries = [
      [0.1, 0, 1e-7],
      new Float32Array([0.1, 0, 1e-7]),
      new Float64Array([0.1, 0, 1e-7]),
      '[0.1,0,1e-7]',
      ' [ .1, 0, +1.0E-7 ] ',
    ]
    for (const query of queries) {
      expect(await measure(dense, 'l2', '[0.1,0,0]', query)).toBeCloseTo(1e-7, 12)
      expect(await measure(sparse, 'l2', '{1:0.1}/3', query)).toBeCloseTo(1e-7, 12)
    }
    for (const query of ['{1:0.1,3:1e-7}/3', new SparseVector([0.1, 0, 1e-7], undefined)]) {
      expect(await measure(sparse, 'l2', '{1:0.1}/3', query)).toBeCloseTo(1e-7, 12)
    }
    expect(await measure(sparse, 'l1', '{1:3}/3', [0, 0, 0])).toBe(3)
  })

  function distanceOf(knex: ReturnType<typeof database>['knex']) {
    return async (
      { type, dimensions }: VectorColumn,
      metric: Metric,
      text: string,
      query: QueryVector,
    ): Promise<number> => {
      const stored = type === 'bit' ? 'varbit' : type
      const column = vectorColumn('documents', 'embedding', { type, dimensions: dimensions ?? undefined })
      const [row] = await knex
        .select({ measured: distances[metric](column as never, query) })
        .from(knex.raw(`(select ?::${stored} as embedding) as documents`, [text]))
      return (row as { measured: number }).measured
    }
  }
})
