import fc from 'fast-check'
import { SparseVector as PackageSparseVector } from 'pgvector'

import { queryVector } from '../src/columns/values.ts'
import { binaryText } from '../src/columns/wire-format.ts'
import { ensurePgvector, type Metric, type QueryVector, toBinary, vectorColumn, type VectorType } from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

function textOf(query: unknown, type: VectorType = 'vector', dimensions?: number, metric: Metric = 'l2'): string {
  const column = vectorColumn('documents', 'embedding', { type, dimensions })
  return binaryText(type, queryVector(query as QueryVector, { column, type, metric }))
}

describe('a query vector', () => {
  test.each([
    [[1, -2.5, 1e-7], 'vector', '[1,-2.5,1e-7]'],
    [new Float32Array([0.5, 0.25]), 'halfvec', '[0.5,0.25]'],
    [new Float64Array([0.5, 0.25]), 'vector', '[0.5,0.25]'],
    ['[1, 2,3]', 'vector', '[1,2,3]'],
    [[0, 0.5, 0, -2], 'sparsevec', '{2:0.5,4:-2}/4'],
    [[0, 0], 'sparsevec', '{}/2'],
    ['[0,3]', 'sparsevec', '{2:3}/2'],
    ['{2:0.5,4:-2}/4', 'sparsevec', '{2:0.5,4:-2}/4'],
    [{ toPostgres: (): string => '{2:0.5}/4' }, 'sparsevec', '{2:0.5}/4'],
    ['{}/4', 'sparsevec', '{}/4'],
    [{ dimensions: 4, indices: [1], values: [0.5] }, 'sparsevec', '{2:0.5}/4'],
    [
      new PackageSparseVector(
        new Map([
          [3, -2],
          [1, 0.5],
        ]),
        4,
      ),
      'sparsevec',
      '{2:0.5,4:-2}/4',
    ],
    ['{4:-2, 2:0.5, 3:0}/4', 'sparsevec', '{2:0.5,4:-2}/4'],
    [toBinary('vector', [0.5, 0.1]), 'halfvec', '[0.5,0.1]'],
    [[1, 0, 1], 'bit', '101'],
    ['101', 'bit', '101'],
  ] as const)('%j is read as a %s', (query, type, text) => {
    expect(textOf(query, type)).toBe(text)
  })

  test.each([
    [[1, 2], 'has 2 dimensions, but the column has 3'],
    ['[1,2,3,4]', 'has 4 dimensions, but the column has 3'],
    [[1, Number.NaN, 3], 'element 2 is NaN, which a vector cannot hold'],
    [new Float32Array([1, 2, Number.POSITIVE_INFINITY]), 'element 3 is Infinity, which a vector cannot hold'],
    [[1, 2, -3.5e38], 'element 3 is -3.5e+38, which a vector cannot hold'],
    ['[1,2,NaN]', 'must be a list of numbers, or text like [1,2,3]'],
    ['[1,2,0x10]', 'must be a list of numbers, or text like [1,2,3]'],
    ['', 'must be a list of numbers, or text like [1,2,3]'],
    ['[]', 'must be a list of numbers, or text like [1,2,3]'],
    [[], 'must be a list of numbers, or text like [1,2,3]'],
    [['1', '2', '3'], 'must be a list of numbers, or text like [1,2,3]'],
    [null, 'must be a list of numbers, or text like [1,2,3]'],
    [undefined, 'must be a list of numbers, or text like [1,2,3]'],
    [{ toPostgres: (): string => '{2:0.5}/4' }, 'must be a list of numbers, or text like [1,2,3]'],
    [{ 0: 1, length: 3 }, 'must be a list of numbers, or text like [1,2,3]'],
    [Buffer.from([0, 3, 0, 0]), 'must be a list of numbers, or text like [1,2,3]'],
    [toBinary('bit', '101'), 'must be a list of numbers, or text like [1,2,3]'],
    ['{1:1}/3', 'must be a list of numbers, or text like [1,2,3]'],
  ])('%j is refused for a vector(3)', async (query, problem) => {
    const { details } = await expectError('INVALID_OPTIONS', async () => textOf(query, 'vector', 3))
    expect(details.problems).toEqual([`the query for documents.embedding: ${problem}`])
  })

  test.each([
    ['halfvec', [65_520], 'element 1 is 65520, which a halfvec cannot hold'],
    ['halfvec', [65_519.999], 'element 1 is 65519.999, which a halfvec cannot hold'],
    ['vector', new Float32Array(16_001), 'has 16001 dimensions, and a vector has 1 to 16000'],
    ['sparsevec', '{}/0', 'has 0 dimensions, and a sparsevec has 1 to 1000000000'],
    ['sparsevec', '{5:1}/4', 'element 5 is not one of its 4'],
    ['sparsevec', '{0:1}/4', 'element 0 is not one of its 4'],
    ['sparsevec', '{2:1,2:3}/4', 'element 2 is given twice'],
    ['sparsevec', { dimensions: 4, indices: [1.5], values: [1] }, 'element 2.5 is not one of its 4'],
    ['sparsevec', '{2:1e39}/4', 'element 2 is 1e+39, which a sparsevec cannot hold'],
    ['bit', [0, 1, 2], 'element 3 is 2, which a bit cannot hold'],
    ['bit', '012', 'must be a list of 0 and 1, or text like 0101'],
    ['sparsevec', '{1:1}', 'must be a list of numbers, or text like {1:0.5,7:2}/30000'],
    [
      'sparsevec',
      Array.from({ length: 16_001 }, () => 1),
      'has 16001 elements that are not zero, and a sparsevec holds at most 16000',
    ],
  ] as const)('of %s is refused for what the type cannot hold', async (type, query, problem) => {
    const { details } = await expectError('INVALID_OPTIONS', async () => textOf(query, type))
    expect(details.problems).toEqual([`the query for documents.embedding: ${problem}`])
  })

  test('is refused with every problem at once', async () => {
    const { details } = await expectError('INVALID_OPTIONS', async () => textOf([Number.NaN, 2], 'vector', 3))
    expect(details.problems).toHaveLength(2)
  })

  test('without a direction is refused for the cosine distance, of which there would be none', async () => {
    await expectError('INVALID_OPTIONS', async () => textOf([0, 0], 'vector', 2, 'cosine'))
    await expectError('INVALID_OPTIONS', async () => textOf('{}/2', 'sparsevec', 2, 'cosine'))
    expect(textOf([0, 0], 'vector', 2, 'innerProduct')).toBe('[0,0]')
  })
})

describeOnEveryDatabase('a query vector', (database) => {
  test('that is accepted here is accepted by the server, and what is out of range is refused by both', async () => {
    const { knex } = database()
    await ensurePgvector(knex, { logger: false })
    const element = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ min: -70_000, max: 70_000, noNaN: true }),
      fc.constantFrom(65_519, 65_519.999, 65_520, -65_520, 3.4e38, 3.41e38, 1e-40, -0),
    )
    const cases = fc.record({
      type: fc.constantFrom('vector', 'halfvec', 'sparsevec'),
      query: fc.array(element, { minLength: 1, maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ type, query }) => {
        const made = attempt(query, type)
        const server = await knex.raw(`select ?::${type}`, [made ?? naive(query, type)]).then(
          () => 'accepted',
          () => 'refused',
        )
        expect({ type, query, server }).toEqual({ type, query, server: made === null ? 'refused' : 'accepted' })
      }),
      { numRuns: 200 },
    )
  })
})

function attempt(query: readonly number[], type: VectorType): Buffer | null {
  try {
    return toBinary(type, query)
  } catch {
    return null
  }
}

function naive(query: readonly number[], type: VectorType): string {
  if (type !== 'sparsevec') return `[${query.join(',')}]`
  return `{${query.map((value, index) => `${index + 1}:${value}`).join(',')}}/${query.length}`
}
