import type { Knex } from 'knex'
import { fromSql, toSql } from 'pgvector/knex'

import {
  distance,
  ensurePgvector,
  nearestRows,
  type NearestRowsOptions,
  vectorColumn,
  vectorIndex,
  type VectorIndex,
  withSearchOptions,
} from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'
import { unconnected } from './support/unconnected.ts'
import { createWithIndex, planOf } from './support/vector-tables.ts'

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
    const { metric } = index
    const found = await knex.transaction((trx) =>
      withSearchOptions(trx, { efSearch: ROWS }, () =>
        nearestRows<{ id: number }>(trx, index, query, { limit: 10, candidates: ROWS, columns: ['id'] }),
      ),
    )
    const measured = distance(knex, embedding, query, {
      metric: metric === 'cosine' ? 'cosine' : 'innerProduct',
      as: 'distance',
    })
    const exact = await knex('documents').select('id', measured).orderBy('distance').limit(10)
    expect(found.map(({ id }) => id)).toEqual(exact.map(({ id }: { id: number }) => id))
    for (const [place, row] of found.entries())
      expect(row.distance).toBeCloseTo((exact[place] as typeof row).distance, 2)
  })

  test.each(Object.entries(kept))('use an index that keeps %s', async (_title, index) => {
    const knex = await fill(index)
    const isQuantized = index.storage.reRank
    await knex.transaction(async (trx) => {
      const plan = await planOf(trx, nearestRows(trx, index, query, { limit: 3 }))
      expect(plan).toContain(`Index Scan using ${index.name}`)
      // Signs are ordered again, and what the index keeps whole is not.
      expect(plan.includes('Sort')).toBe(isQuantized)
      const again = await planOf(trx, nearestRows(trx, index, query, { limit: 3, candidates: 30 }))
      expect(again).toContain(`Index Scan using ${index.name}`)
      expect(again.includes('Sort')).toBe(index.storage.expression !== 'column')
    })
  })

  test.each(Object.entries(kept))('are looked for among those of a condition: %s', async (_title, index) => {
    const knex = await fill(index)
    const searched = async (where: NearestRowsOptions['where']): Promise<number[]> => {
      const rows = await nearestRows<{ id: number }>(knex, index, query, { limit: 3, candidates: 30, where })
      return rows.map(({ id }) => id)
    }
    expect(await searched({ id: 17 })).toEqual([17])
    const few = await searched((builder) => builder.whereIn('id', [3, 4]).orWhere('id', 5))
    expect(new Set(few)).toEqual(new Set([3, 4, 5]))
  })

  test('come with every column, or with those that are asked for and the distance by another name', async () => {
    const knex = await fill(kept['the signs'], 3)
    const [whole] = await nearestRows(knex, kept['the signs'], query, { limit: 1 })
    expect(Object.keys(whole ?? {}).toSorted()).toEqual(['distance', 'embedding', 'id'])
    const [named] = await nearestRows<{ id: number }, 'far'>(knex, kept['the values'], query, {
      limit: 1,
      columns: ['id'],
      as: 'far',
    })
    expect(named).toEqual({ id: expect.any(Number), far: expect.any(Number) })
  })

  test('of a partial index are looked for among its rows, and it is used', async () => {
    const index = vectorIndex(embedding, {
      method: 'hnsw',
      metric: 'l2',
      where: `'{"few": 1}'::jsonb ? 'few' and id < 5`,
    })
    const knex = await fill(index)
    const rows = await nearestRows<{ id: number }>(knex, index, query, { limit: 10 })
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([0, 1, 2, 3, 4]))
    await knex.transaction(async (trx) => {
      expect(await planOf(trx, nearestRows(trx, index, query, { limit: 3 }))).toContain(
        `Index Scan using ${index.name}`,
      )
    })
  })

  test('have the largest inner product first, whose negative is the distance', async () => {
    const index = vectorIndex(embedding, { method: 'hnsw', metric: 'innerProduct' })
    const knex = await fill(index)
    const [first] = await nearestRows<{ id: number }>(knex, index, query, { limit: 1 })
    const products = Array.from({ length: ROWS }, (_, id) =>
      vectorAt(id).reduce((sum, value, place) => sum + value * (query[place] ?? 0), 0),
    )
    expect(first?.distance).toBeCloseTo(-Math.max(...products), 4)
    expect(first?.id).toBe(products.indexOf(Math.max(...products)))
  })

  test('are as many as efSearch says, though the limit asks for more', async () => {
    const index = kept['the values']
    const knex = await fill(index)
    await knex.transaction(async (trx) => {
      await trx.raw('set local enable_seqscan = off')
      const found = (): PromiseLike<unknown[]> => nearestRows(trx, index, query, { limit: ROWS })
      expect(await found()).toHaveLength(40)
      expect(await withSearchOptions(trx, { efSearch: ROWS }, found)).toHaveLength(ROWS)
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
    const ours = await nearestRows<{ id: number; embedding: string }>(knex, kept['the values'], toSql(query), {
      limit: 2,
    })
    expect(ours.map(({ id }) => id)).toEqual(theirs.map(({ id }: { id: number }) => id))
    const first = ours[0]
    expect(fromSql(first?.embedding ?? null)).toHaveLength(DIMENSIONS)
    const same = await nearestRows(knex, kept['the values'], fromSql(first?.embedding ?? null), { limit: 1 })
    expect(same[0]?.distance).toBeCloseTo(0, 6)
  })
})

describe('the nearest rows', () => {
  test('of signs come from ten times as many candidates, and from more where more are asked for', () => {
    const knex = unconnected()
    const index = kept['the signs']
    expect(nearestRows(knex, index, query, { limit: 4 }).toQuery()).toContain('limit 40')
    expect(nearestRows(knex, index, query, { limit: 4, candidates: 7 }).toQuery()).toContain('limit 7')
    expect(nearestRows(knex, kept['half the precision'], query, { limit: 4 }).toQuery()).not.toContain('limit 40')
  })

  test('are refused with every problem of the options', async () => {
    const options = { limit: 0, candidates: 1.5, columns: 'id', where: 7, as: '', alias: 'd' }
    const { details } = await expectError('INVALID_OPTIONS', async () =>
      nearestRows(unconnected(), kept['the values'], query, options as unknown as NearestRowsOptions),
    )
    expect(details.problems).toEqual([
      'as: must not be empty',
      'limit: must be at least 1',
      'candidates: must be a whole number',
      'where: must be an object or a function',
      'columns: must be a list of columns',
      'Unrecognized key: "alias"',
    ])
  })

  test('are refused for fewer candidates than the limit, and for a vector of another length', async () => {
    const search = (vector: readonly number[], candidates: number): Promise<unknown> =>
      expectError('INVALID_OPTIONS', async () =>
        nearestRows(unconnected(), kept['the signs'], vector, { limit: 5, candidates }),
      )
    expect(await search(query, 4)).toMatchObject({ details: { problems: ['candidates: must be at least the limit'] } })
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
