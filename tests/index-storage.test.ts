import fc from 'fast-check'

import { sqlStateOf } from '../src/core/errors.ts'
import { typeLimits } from '../src/pgvector/vector-types.ts'
import {
  ensurePgvector,
  type IndexMethod,
  type Metric,
  type VectorColumn,
  vectorColumn,
  type VectorType,
} from '../src/index.ts'
import type { IndexStorage, StorageChoice } from '../src/indexes/storage.ts'
import { metrics } from '../src/pgvector/index-methods.ts'
import { planIndexStorage } from '../src/indexes/storage.ts'
import { indexDefinition } from '../src/indexes/vector-index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

const vector = (dimensions?: number): VectorColumn => vectorColumn('documents', 'embedding', { dimensions })

describe('what an index keeps', () => {
  test.each([
    { dimensions: 384, type: 'vector', expression: 'column', reRank: false },
    { dimensions: 768, type: 'vector', expression: 'column', reRank: false },
    { dimensions: 1536, type: 'vector', expression: 'column', reRank: false },
    { dimensions: 2000, type: 'vector', expression: 'column', reRank: false },
    { dimensions: 2001, type: 'halfvec', expression: 'cast', reRank: false },
    { dimensions: 3072, type: 'halfvec', expression: 'cast', reRank: false },
    { dimensions: 4000, type: 'halfvec', expression: 'cast', reRank: false },
    { dimensions: 4001, type: 'bit', expression: 'binary quantization', reRank: true },
    { dimensions: 16_000, type: 'bit', expression: 'binary quantization', reRank: true },
  ])('of $dimensions dimensions is $type by $expression', ({ dimensions, ...storage }) => {
    expect(planIndexStorage(vector(dimensions), 'hnsw', 'cosine')).toMatchObject(storage)
    expect(planIndexStorage(vector(dimensions), 'ivfflat', 'innerProduct')).toMatchObject(storage)
  })

  test('of a halfvec column is never a cast', () => {
    const halfvec = (dimensions: number): VectorColumn => vectorColumn('d', 'e', { type: 'halfvec', dimensions })
    expect(planIndexStorage(halfvec(4000), 'hnsw', 'l1')).toMatchObject({ type: 'halfvec', expression: 'column' })
    expect(planIndexStorage(halfvec(4001), 'hnsw', 'cosine')).toMatchObject({ type: 'bit', metric: 'hamming' })
  })

  test('is what was chosen, also where more would fit', () => {
    expect(planIndexStorage(vector(384), 'hnsw', 'cosine', 'halfvec')).toMatchObject({ type: 'halfvec' })
    expect(planIndexStorage(vector(384), 'hnsw', 'cosine', 'binary')).toMatchObject({ type: 'bit', reRank: true })
  })

  test('is reported with its reason', () => {
    const reason = (dimensions: number, choice?: StorageChoice): string =>
      planIndexStorage(vector(dimensions), 'hnsw', 'cosine', choice).reason
    expect([reason(3), reason(3072), reason(5000), reason(3, 'halfvec'), reason(3, 'binary')]).toEqual([
      'the index stores the vector values unchanged',
      'the index stores the values cast to halfvec, with half the precision: hnsw takes at most 2000 dimensions of vector',
      'the index uses binary quantization (binary_quantize), so its results need reranking: ' +
        'hnsw takes at most 4000 dimensions of halfvec',
      'the index stores the values cast to halfvec, with half the precision: as requested, which takes half the memory',
      'the index uses binary quantization (binary_quantize), so its results need reranking: ' +
        'as requested, which takes a fraction of the memory',
    ])
  })
})

describe('an index that is not possible', () => {
  const problemsOf = async (
    column: VectorColumn,
    method: IndexMethod,
    metric: Metric,
    choice?: StorageChoice,
  ): Promise<readonly string[]> => {
    const { details } = await expectError('INDEX_NOT_POSSIBLE', async () =>
      planIndexStorage(column, method, metric, choice),
    )
    return details.problems
  }

  test('is refused with the reason of each way', async () => {
    expect(await problemsOf(vector(5000), 'hnsw', 'l2')).toEqual([
      'hnsw takes at most 2000 dimensions of vector',
      'hnsw takes at most 4000 dimensions of halfvec',
      'binary quantization keeps only signs, which do not approximate the l2 distance',
    ])
  })

  test('is refused once where one reason is that of every way', async () => {
    expect(await problemsOf(vector(), 'hnsw', 'cosine')).toEqual([
      'an index needs a column with a fixed number of dimensions',
    ])
  })

  test('says what to do', async () => {
    const plan = (column: VectorColumn): Promise<{ message: string; hint: string }> =>
      expectError('INDEX_NOT_POSSIBLE', async () => planIndexStorage(column, 'hnsw', 'l2'))
    expect((await plan(vector())).hint).toMatch(/^Declare the number of dimensions of the column/)
    const { message, hint } = await plan(vector(5000))
    expect(message).toMatch(
      /^pgvector has no hnsw index for the l2 distance of documents\.embedding \(vector\(5000\)\)/,
    )
    expect(hint).toMatch(/^Choose another type, method or metric/)
  })

  test.each([
    ['halfvec', 'sparsevec', 'only a vector column can be cast to halfvec for an index, and this one is sparsevec'],
    ['binary', 'sparsevec', 'binary_quantize does not accept sparsevec'],
    ['halfvec', 'halfvec', 'only a vector column can be cast to halfvec for an index, and this one is halfvec'],
  ] as const)('is refused as %s of %s', async (choice, type, problem) => {
    const column = vectorColumn('d', 'e', { type, dimensions: 3 })
    expect(await problemsOf(column, 'hnsw', 'cosine', choice)).toEqual([problem])
  })
})

// A statement that is not even read tells nothing about the index.
const SYNTAX_ERROR = '42601'

const cases = fc
  .record({
    type: fc.constantFrom(...(Object.keys(typeLimits) as VectorType[])),
    method: fc.constantFrom<IndexMethod[]>('hnsw', 'ivfflat'),
    metric: fc.constantFrom(...(Object.keys(metrics) as Metric[])),
    choice: fc.constantFrom<(StorageChoice | undefined)[]>(undefined, undefined, 'column', 'halfvec', 'binary'),
    dimensions: fc.oneof(
      fc.constantFrom(1, 2, 2000, 2001, 4000, 4001, 16_000, 64_000, 64_001, undefined),
      fc.integer({ min: 1, max: 5000 }),
    ),
  })
  .filter(({ type, dimensions = 1 }) => dimensions <= typeLimits[type].column)

describeOnEveryDatabase('the plan of an index', (database) => {
  test('is what the server accepts on an empty table, and what it refuses the server refuses too', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    await fc.assert(
      fc.asyncProperty(cases, async ({ type, method, metric, choice, dimensions }) => {
        const column = vectorColumn('documents', 'embedding', { type, dimensions })
        const storage = planned(column, method, metric, choice)
        const statements =
          storage === null
            ? naiveIndexes(column, method, metric, choice)
            : [indexDefinition({ column, name: 'i', method, metric, storage, parameters: {}, where: null }, 'public')]
        for (const definition of statements) {
          const state = await answer(column, definition)
          expect({ definition, isAccepted: state === null }).toEqual({ definition, isAccepted: storage !== null })
          expect(state).not.toBe(SYNTAX_ERROR)
        }
      }),
      { numRuns: 150 },
    )
  })

  async function answer({ type, dimensions }: VectorColumn, definition: string): Promise<string | null> {
    const trx = await database().knex.transaction()
    try {
      const unsized = type === 'bit' ? 'varbit' : type
      await trx.raw(
        `create table documents (embedding ${dimensions === null ? unsized : `${type}(${dimensions})`});
        create index ${definition}`,
      )
      return null
    } catch (error) {
      return sqlStateOf(error) ?? String(error)
    } finally {
      await trx.rollback()
    }
  }
})

function planned(
  column: VectorColumn,
  method: IndexMethod,
  metric: Metric,
  choice: StorageChoice | undefined,
): IndexStorage | null {
  try {
    return planIndexStorage(column, method, metric, choice)
  } catch {
    return null
  }
}

const suffixes = { l2: 'l2', innerProduct: 'ip', cosine: 'cosine', l1: 'l1', hamming: 'hamming', jaccard: 'jaccard' }

/** What somebody would try who does not know our table; only what makes sense of the metric. */
function naiveIndexes(
  { type, dimensions }: VectorColumn,
  method: IndexMethod,
  metric: Metric,
  choice: StorageChoice | undefined,
): string[] {
  const length = dimensions === null ? '' : `(${dimensions})`
  const ways = {
    column: `embedding ${type}_${suffixes[metric]}_ops`,
    ...(type === 'vector' && { halfvec: `(embedding::halfvec${length}) halfvec_${suffixes[metric]}_ops` }),
    ...((metric === 'cosine' || metric === 'innerProduct') && {
      binary: `(binary_quantize(embedding)::${dimensions === null ? 'varbit' : `bit${length}`}) bit_hamming_ops`,
    }),
  }
  return Object.entries(ways)
    .filter(([way]) => choice === undefined || way === choice)
    .map(([, way]) => `on documents using ${method} (${way})`)
}
