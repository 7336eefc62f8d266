import type { Knex } from 'knex'
import { fromSql, toSql } from 'pgvector/knex'

import {
  cosineDistance,
  ensurePgvector,
  innerProduct,
  nearest,
  nearestRows,
  type NearestRowsOptions,
  vectorColumn,
  vectorIndex,
  type VectorIndex,
} from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { unconnected } from './support/unconnected.ts'
import { createWithIndex, planOfSearch } from './support/vector-tables.ts'

const DIMENSIONS = 8
const ROWS = 60
const query = [0.9, -0.4, 0.3, 0.2, -0.1, 0.5, -0.6, 0.7]

const embedding = vectorColumn('documents', 'embedding', { dimensions: DIMENSIONS })
const kept = {
  'the values': vectorIndex(embedding, { method: 'hnsw', metric: 'cosine' }),
  'half the precision': vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'halfvec' }),
  'the signs': vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', storage: 'binary' }),
  'the signs, for the inner product': vectorIndex(embedding, {
    method: 'hnsw',
    metric: 'innerProduct',
    storage: 'binary',
  }),
}

/** Numbers that look random and are the same in every run. */
const numberAt = (row: number, place: number): number => Math.sin(row * 12.9898 + place * 78.233)
const vectorAt = (row: number): number[] => Array.from({ length: DIMENSIONS }, (_, place) => numberAt(row, place))

/** Candidates, of an index that has some. */
const candidatesOf = (index: VectorIndex, candidates: number): Pick<NearestRowsOptions, 'candidates'> =>
  index.storage.expression === 'column' ? {} : { candidates }

describeOnEveryDatabase('the nearest rows', (database) => {
  const fill = async (index: VectorIndex, rows = ROWS): Promise<Knex> => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await createWithIndex(knex, index, 'public')
    await knex('documents').insert(Array.from({ length: rows }, (_, id) => ({ id, embedding: toSql(vectorAt(id)) })))
    return knex
  }

  test.each(Object.entries(kept))('of an index that keeps %s are in the exact order', async (_title, index) => {
    const knex = await fill(index)
    const options = { limit: 10, columns: ['id'], ...candidatesOf(index, ROWS) }
    const { rows, isComplete, warnings } = await nearestRows<{ id: number }>(knex, index, query, options)
    const measured = index.metric === 'cosine' ? cosineDistance(embedding, query) : innerProduct(embedding, query)
    const exact = await knex('documents').select('id', { distance: measured }).orderBy('distance').limit(10)
    expect({ isComplete, warnings }).toEqual({ isComplete: true, warnings: [] })
    expect(rows.map(({ id }) => id)).toEqual(exact.map(({ id }: { id: number }) => id))
    for (const [place, row] of rows.entries())
      expect(row.distance).toBeCloseTo((exact[place] as typeof row).distance, 2)
  })

  test.each(Object.entries(kept))('use an index that keeps %s', async (_title, index) => {
    const knex = await fill(index)
    const isQuantized = index.storage.reRank
    expect(await planOfSearch(knex, () => nearestRows(knex, index, query, { limit: 3 }))).toContain(
      `Index Scan using ${index.name}`,
    )
    await knex.transaction(async (trx) => {
      const plan = await planOfSearch(trx, () => nearestRows(trx, index, query, { limit: 3 }))
      expect(plan).toContain(`Index Scan using ${index.name}`)
      // What comes from signs is ordered twice: by the exact distance, and in the end.
      expect(plan.split('Sort Key')).toHaveLength(isQuantized ? 3 : 2)
      const candidates = candidatesOf(index, 30)
      const again = await planOfSearch(trx, () => nearestRows(trx, index, query, { limit: 3, ...candidates }))
      expect(again).toContain(`Index Scan using ${index.name}`)
      expect(again.split('Sort Key')).toHaveLength(index.storage.expression === 'column' ? 2 : 3)
    })
  })

  test.each(Object.entries(kept))('are looked for among those of a condition: %s', async (_title, index) => {
    const knex = await fill(index)
    const searched = async (where: NearestRowsOptions['where']): Promise<number[]> => {
      const { rows } = await nearestRows<{ id: number }>(knex, index, query, {
        limit: 3,
        where,
        ...candidatesOf(index, 30),
      })
      return rows.map(({ id }) => id)
    }
    expect(await searched({ id: 17 })).toEqual([17])
    const few = await searched((builder) => builder.whereIn('id', [3, 4]).orWhere('id', 5))
    expect(new Set(few)).toEqual(new Set([3, 4, 5]))
  })

  test('come with every column but those of vectors, or with those that are asked for', async () => {
    const index = kept['the signs']
    const knex = await fill(index, 3)
    await knex.raw('alter table documents add title text, add short halfvec(3), add many vector(3)[]')
    const options = { limit: 1, columns: ['id', 'embedding'], as: 'far' } as const
    const { rows } = await nearestRows(knex, index, query, { limit: 1 })
    expect(Object.keys(rows[0] ?? {}).toSorted()).toEqual(['distance', 'id', 'title'])
    const named = await nearestRows<{ id: number; embedding: string }, 'far'>(knex, index, query, options)
    expect(named.rows).toEqual([{ id: expect.any(Number), embedding: expect.any(String), far: expect.any(Number) }])
  })

  test('of a table with a column called distance are ordered by ours, and name it in a warning', async () => {
    const index = kept['the values']
    const knex = await fill(index, 5)
    await knex.raw(`alter table documents add distance text default 'far'`)
    const { rows, warnings } = await nearestRows<{ id: number }>(knex, index, query, { limit: 5 })
    expect(rows[0]).toEqual({ id: expect.any(Number), distance: expect.any(Number) })
    expect(rows.map(({ distance }) => distance)).toEqual(rows.map(({ distance }) => distance).toSorted((a, b) => a - b))
    expect(warnings).toEqual([expect.stringContaining('documents has a column distance of its own')])
    const both = await nearestRows<{ id: number; distance: string }, 'near'>(knex, index, query, {
      limit: 1,
      as: 'near',
    })
    expect(both).toMatchObject({ rows: [{ distance: 'far', near: rows[0]?.distance }], warnings: [] })
    const own = { limit: 1, columns: ['distance'] } as const
    await expectError('INVALID_OPTIONS', () => nearestRows(knex, index, query, own))
    const composed = await knex('documents').orderBy(cosineDistance(embedding, query)).limit(1)
    expect(composed[0]).toMatchObject({ id: rows[0]?.id, distance: 'far' })
  })

  test('skip an offset, and are complete where no more rows match', async () => {
    const index = kept['the values']
    const knex = await fill(index)
    const all = await nearestRows<{ id: number }>(knex, index, query, { limit: ROWS })
    const end = await nearestRows<{ id: number }>(knex, index, query, { limit: 10, offset: ROWS - 4 })
    expect(end.rows).toEqual(all.rows.slice(ROWS - 4))
    expect(end).toMatchObject({ isComplete: true, warnings: [] })
    expect(await nearestRows(knex, index, query, { limit: 10, offset: ROWS })).toEqual({
      rows: [],
      isComplete: true,
      warnings: [],
    })
  })

  test('are not complete where the index gives up before them, and say what to raise', async () => {
    const index = kept['the values']
    const knex = await fill(index)
    const few = { limit: 30, efSearch: 10, iterativeScan: 'off' } as const
    await knex.transaction(async (trx) => {
      await trx.raw('set local enable_seqscan = off')
      const { rows, isComplete, warnings } = await nearestRows(trx, index, query, few)
      expect({ found: rows.length, isComplete }).toEqual({ found: 10, isComplete: false })
      expect(warnings).toEqual(['Found 10 of 30 rows. 60 rows match. Turn iterativeScan on, or raise efSearch.'])
    })
  })

  test('leave the settings of a transaction as they were', async () => {
    const index = kept['the values']
    const knex = await fill(index)
    await knex.transaction(async (trx) => {
      await trx.raw('set local hnsw.ef_search = 17')
      await nearestRows(trx, index, query, { limit: ROWS })
      const { rows } = await trx.raw('show hnsw.ef_search')
      expect(rows).toEqual([{ 'hnsw.ef_search': '17' }])
    })
  })

  test('take a single round trip where their columns are named', async () => {
    const index = kept['the values']
    const knex = await fill(index)
    const search = () => nearestRows(knex, index, query, { limit: 3, columns: ['id'] })
    await search()
    const sent: string[] = []
    knex.on('query', ({ sql }: { sql: string }) => sent.push(sql))
    await search()
    expect(sent).toHaveLength(1)
  })

  test('of a partial index are looked for among its rows, and it is used', async () => {
    const index = vectorIndex(embedding, {
      method: 'hnsw',
      metric: 'l2',
      where: `'{"few": 1}'::jsonb ? 'few' and id < 5`,
    })
    const knex = await fill(index)
    const { rows, isComplete } = await nearestRows<{ id: number }>(knex, index, query, { limit: 10 })
    expect(isComplete).toBe(true)
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([0, 1, 2, 3, 4]))
    const plan = await planOfSearch(knex, () => nearestRows(knex, index, query, { limit: 3 }))
    expect(plan).toContain(`Index Scan using ${index.name}`)
  })

  test('of a binary index come from ten times as many candidates, and from more if more are asked for', async () => {
    const index = kept['the signs']
    const knex = await fill(index)
    const limits: unknown[] = []
    knex.on('query', ({ sql, bindings }: { sql: string; bindings: unknown[] }) => {
      if (sql.includes('knex_pgvector_found')) limits.push(bindings.filter((value) => typeof value === 'number'))
    })
    await nearestRows(knex, index, query, { limit: 2, offset: 2 })
    await nearestRows(knex, index, query, { limit: 4, candidates: 7 })
    expect(limits).toEqual([
      [40, 2, 2],
      [7, 4],
    ])
  })

  test('have the largest inner product first, whose negative is the distance', async () => {
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'innerProduct' })
    const knex = await fill(index)
    const { rows } = await nearestRows<{ id: number }>(knex, index, query, { limit: 1 })
    const [first] = rows
    const products = Array.from({ length: ROWS }, (_, id) =>
      vectorAt(id).reduce((sum, value, place) => sum + value * (query[place] ?? 0), 0),
    )
    expect(first?.distance).toBeCloseTo(-Math.max(...products), 4)
    expect(first?.id).toBe(products.indexOf(Math.max(...products)))
  })

  test('are as many as the limit asks for, beyond what the index finds by default', async () => {
    const index = kept['the values']
    const knex = await fill(index)
    await knex.transaction(async (trx) => {
      await trx.raw('set local enable_seqscan = off')
      expect(await trx('documents').modify(nearest(index, query)).limit(ROWS)).toHaveLength(40)
      const { rows, isComplete } = await nearestRows(trx, index, query, { limit: ROWS })
      expect({ found: rows.length, isComplete }).toEqual({ found: ROWS, isComplete: true })
    })
  })

  test('go together with pgvector/knex: its columns, its values and its distances', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await knex.schema.createTable('documents', (table) => {
      table.increments('id')
      ;(table as unknown as PatchedTable).vector('embedding', { dimensions: DIMENSIONS })
    })
    await knex('documents').insert([{ embedding: toSql(vectorAt(1)) }, { embedding: toSql(vectorAt(2)) }])
    const theirs = await knex('documents')
      .orderBy((knex as unknown as PatchedKnex).cosineDistance('embedding', query))
      .limit(2)
    const { rows: ours } = await nearestRows<{ id: number; embedding: string }>(
      knex,
      kept['the values'],
      toSql(query),
      {
        limit: 2,
        columns: ['id', 'embedding'],
      },
    )
    expect(ours.map(({ id }) => id)).toEqual(theirs.map(({ id }: { id: number }) => id))
    const first = ours[0]
    expect(fromSql(first?.embedding ?? null)).toHaveLength(DIMENSIONS)
    const same = await nearestRows(knex, kept['the values'], fromSql(first?.embedding ?? null), { limit: 1 })
    expect(same.rows[0]?.distance).toBeCloseTo(0, 6)
  })
})

describe('the nearest rows', () => {
  test('are refused with every problem of the options', async () => {
    const options = { limit: 0, candidates: 1.5, columns: 'id', where: 7, as: '', alias: 'd' }
    const { details } = await expectError('INVALID_OPTIONS', async () =>
      nearestRows(unconnected(), kept['the values'], query, options as unknown as NearestRowsOptions),
    )
    expect(details.problems).toEqual([
      'limit: must be at least 1',
      'where: must be an object or a function',
      'columns: must be a list of columns',
      'as: must not be empty',
      'candidates: must be a whole number',
      'Unrecognized key: "alias"',
    ])
  })

  test('are refused for fewer candidates than the limit, and for a vector of another length', async () => {
    const search = (vector: readonly number[], candidates: number): Promise<unknown> =>
      expectError('INVALID_OPTIONS', async () =>
        nearestRows(unconnected(), kept['the signs'], vector, { limit: 5, candidates }),
      )
    expect(await search(query, 4)).toMatchObject({
      details: { problems: ['candidates: must be at least limit and offset together'] },
    })
    expect(await search([1, 2], 5)).toMatchObject({
      details: { problems: ['the query for documents.embedding: has 2 dimensions, but the column has 8'] },
    })
  })
})

// pgvector/knex adds methods to Knex and declares none of them.
interface PatchedTable {
  vector(name: string, options: { readonly dimensions: number }): void
}

interface PatchedKnex {
  cosineDistance(column: string, value: readonly number[]): Knex.Raw
}
