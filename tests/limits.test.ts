import { typeLimits } from '../src/pgvector/vector-types.ts'
import { planStorage } from '../src/pgvector/storage.ts'
import { ensurePgvector, type VectorType } from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'

const operatorClasses: Readonly<Record<VectorType, string>> = {
  vector: 'vector_l2_ops',
  halfvec: 'halfvec_l2_ops',
  sparsevec: 'sparsevec_l2_ops',
  bit: 'bit_hamming_ops',
}

describeOnEveryDatabase('the table of limits', (database) => {
  const isAccepted = async (sql: string): Promise<boolean> => {
    const trx = await database().knex.transaction()
    try {
      await trx.raw(sql)
      return true
    } catch {
      return false
    } finally {
      await trx.rollback()
    }
  }

  test.each(Object.keys(typeLimits) as VectorType[])('is what the server says of a column of %s', async (type) => {
    await ensurePgvector(database().knex, { logger: false })
    const { column } = typeLimits[type]
    expect(await isAccepted(`create table t (e ${type}(${column}))`)).toBe(true)
    expect(await isAccepted(`create table t (e ${type}(${column + 1}))`)).toBe(false)
  })

  test.each(
    (Object.keys(typeLimits) as VectorType[]).flatMap((type) =>
      (['hnsw', 'ivfflat'] as const).flatMap((method) => {
        const limit = typeLimits[type][method]
        return limit === null ? [] : [{ type, method, limit }]
      }),
    ),
  )('is what the server says of an $method index on $type', async ({ type, method, limit }) => {
    await ensurePgvector(database().knex, { logger: false })
    const index = (dimensions: number): string =>
      `create table t (e ${type}(${dimensions})); create index on t using ${method} (e ${operatorClasses[type]})`
    expect(await isAccepted(index(limit))).toBe(true)
    expect(await isAccepted(index(limit + 1))).toBe(false)
  })

  test('leads to storage that the server accepts, for each of the required dimensions', async () => {
    const { knex, pgvector } = database()
    const { dimensions } = await ensurePgvector(knex, { logger: false })
    expect(dimensions).toEqual(planStorage([384, 768, 1536, 3072], pgvector))
    for (const { dimensions: count, index } of dimensions) {
      const expression = index === 'vector' ? 'e vector_l2_ops' : `(e::${index}(${count})) ${index}_l2_ops`
      expect(
        await isAccepted(`create table t (e vector(${count})); create index on t using hnsw (${expression})`),
      ).toBe(true)
    }
  })
})

describe('the storage of a dimension', () => {
  test('has no index in releases before halfvec', () => {
    expect(planStorage([2000, 2001], '0.6.2').map(({ index }) => index)).toEqual(['vector', null])
  })

  test('goes from full to half precision to bits as the dimensions grow', () => {
    expect(planStorage([2000, 2001, 4000, 4001, 16_000], '0.8.0').map(({ index }) => index)).toEqual([
      'vector',
      'halfvec',
      'halfvec',
      'bit',
      'bit',
    ])
  })
})
