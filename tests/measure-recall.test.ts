import type { Knex } from 'knex'

import { ensurePgvector, measureRecall, vectorColumn, vectorIndex, type VectorIndex } from '../src/index.ts'
import { exactDistances } from '../src/search/recall/exact.ts'
import { readTableSize, sampleRows } from '../src/search/recall/sample.ts'
import { sessionOf } from '../src/database/session.ts'
import { describeOnEveryDatabase, describeOnServers } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

const ROWS = 2000
const DIMENSIONS = 16
const embedding = vectorColumn('documents', 'embedding', { dimensions: DIMENSIONS })

const vectorOf = (seed: number): number[] => Array.from({ length: DIMENSIONS }, (_, place) => Math.cos(seed + place))

const operators = { l2: '<->', innerProduct: '<#>', cosine: '<=>', l1: '<+>' } as const

describeOnEveryDatabase('a measured recall', (database) => {
  const fill = async (index: VectorIndex): Promise<Knex> => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.raw(`create table documents as select i as id, array(
        select sin(i * 12.9898 + place * 78.233 + (i * place % 37) ^ 2)::real from generate_series(1, ${DIMENSIONS}) place
      )::vector(${DIMENSIONS}) as embedding from generate_series(1, ${ROWS}) i`)
    const { metric } = index
    const operatorClass = metric === 'innerProduct' ? 'ip' : metric
    await knex.raw(`create index on documents using hnsw (embedding vector_${operatorClass}_ops); analyze documents`)
    return knex
  }

  test.each(['l2', 'innerProduct', 'cosine', 'l1'] as const)(
    'by %s compares with the same neighbours as brute force',
    async (metric) => {
      const index = vectorIndex(embedding, { method: 'hnsw', metric })
      const knex = await fill(index)
      const session = sessionOf(knex)
      const size = await readTableSize(session, index)
      if (size === null) throw new Error('the table is there')
      const queries = await sampleRows(session, index, size, 25)
      expect(queries).toHaveLength(25)
      const bounds = queries.map((query, place) => ({ ...query, bound: place % 2 === 0 ? null : 1e9 }))
      const bounded = <Result>(work: (trx: typeof session) => Promise<Result>): Promise<Result> =>
        session.transaction(work)
      const exact = await exactDistances(bounded, index, 'public', bounds, { k: 7, pages: size.pages, aim: 0 })
      for (const [place, { self, vector }] of queries.entries()) {
        const rows: readonly { readonly d: number }[] = await knex('documents')
          .select({ d: knex.raw(`embedding ${operators[metric]} '${vector}'`) })
          .whereRaw(`ctid <> '${self}'`)
          .orderByRaw(`(embedding ${operators[metric]} '${vector}') + 0`)
          .limit(7)
        expect(exact[place]).toEqual(rows.map(({ d }) => d))
      }
    },
  )

  test('finds the smallest setting that reaches the target', async () => {
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
    const knex = await fill(index)
    const measured = await measureRecall(knex, index, { sample: 150 })
    expect(measured).toMatchObject({ n: 150, verdict: 'reached', sampled: 'rows' })
    const reached = measured.points.find(({ setting }) => setting === measured.smallest)
    expect(reached?.low).toBeGreaterThanOrEqual(0.95)
  })

  test('is that of given queries, and stops at its signal', async () => {
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
    const knex = await fill(index)
    const queries = Array.from({ length: 150 }, (_, i) =>
      Float32Array.from({ length: DIMENSIONS }, (_each, place) => Math.cos(i + place * 3)),
    )
    const measured = await measureRecall(knex, index, { queries })
    expect(measured).toMatchObject({ n: 150, sampled: 'queries', warnings: [] })
    expect(measured.points.every(({ recall }) => recall > 0.5 && recall <= 1)).toBe(true)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(measureRecall(knex, index, { queries, signal })).rejects.toThrow('enough')
  })

  test('is refused for queries that the index cannot be asked, or that are too few', async () => {
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
    const problemsOf = async (queries: number[][]): Promise<readonly string[]> =>
      (await expectError('INVALID_OPTIONS', () => measureRecall(database().knex, index, { queries }))).details.problems
    expect(await problemsOf([[1, 2]])).toEqual([`queries[0]: has 2 dimensions, but the column has ${DIMENSIONS}`])
    expect(await problemsOf([vectorOf(1)])).toEqual(['queries: must be at least 146 for the target 0.95'])
  })

  test('is refused for a sample that could show nothing', async () => {
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' })
    const { details } = await expectError('INVALID_OPTIONS', () =>
      measureRecall(database().knex, index, { sample: 100, target: 0.98 }),
    )
    expect(details.problems).toEqual(['sample: must be at least 377 for the target 0.98'])
  })
})

describeOnServers('a role that may only select', (database) => {
  test('measures a recall, and writes nothing', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'l2' })
    await knex.raw(`create table documents as select i as id, array(
        select sin(i * 12.9898 + place * 78.233)::real from generate_series(1, ${DIMENSIONS}) place
      )::vector(${DIMENSIONS}) as embedding from generate_series(1, 500) i`)
    await knex.raw(
      'create index on documents using hnsw (embedding vector_l2_ops); grant select on documents to pg_monitor',
    )
    const reader = database().connect({ pool: { min: 1, max: 1 } })
    await reader.raw('set role pg_monitor; set default_transaction_read_only = on')
    expect(await measureRecall(reader, index, { sample: 150 })).toMatchObject({ n: 150, verdict: 'reached' })
  })
})
