import {
  CreateVectorIndex,
  DropVectorIndex,
  hammingDistance,
  l2Distance,
  vectorColumn,
  vectorIndex,
} from '../src/index.ts'
import { expectError } from './support/expect-error.ts'

const vector = vectorColumn('documents', 'embedding', { dimensions: 3 })
const halfvec = vectorColumn('documents', 'half', { type: 'halfvec', dimensions: 3 })
const sparsevec = vectorColumn('documents', 'sparse', { type: 'sparsevec', dimensions: 3 })
const bit = vectorColumn('documents', 'bits', { type: 'bit', dimensions: 3 })

// Each line that must not compile is held by `npm run types`; without the compiler the call is refused just the same.
describe('an index that pgvector does not have does not compile, and is refused at run time:', () => {
  test.each([
    // @ts-expect-error ivfflat takes no sparsevec
    ['sparsevec by ivfflat', () => vectorIndex(sparsevec, { method: 'ivfflat', metric: 'l2' })],
    // @ts-expect-error ivfflat measures no l1
    ['l1 by ivfflat', () => vectorIndex(vector, { method: 'ivfflat', metric: 'l1' })],
    // @ts-expect-error ivfflat measures no l1
    ['l1 of halfvec by ivfflat', () => vectorIndex(halfvec, { method: 'ivfflat', metric: 'l1' })],
    // @ts-expect-error ivfflat measures no jaccard
    ['jaccard by ivfflat', () => vectorIndex(bit, { method: 'ivfflat', metric: 'jaccard' })],
    // @ts-expect-error hamming is for bits
    ['hamming of vector', () => vectorIndex(vector, { method: 'hnsw', metric: 'hamming' })],
    // @ts-expect-error hamming is for bits
    ['hamming of sparsevec', () => vectorIndex(sparsevec, { method: 'hnsw', metric: 'hamming' })],
    // @ts-expect-error cosine is not for bits
    ['cosine of bit', () => vectorIndex(bit, { method: 'hnsw', metric: 'cosine' })],
  ])('%s', async (_title, make) => {
    await expectError('INDEX_NOT_POSSIBLE', async () => make())
  })
})

describe('an index that pgvector does not have is no operation of a migration either:', () => {
  test.each([
    // @ts-expect-error ivfflat takes no sparsevec
    ['sparsevec by ivfflat', () => new CreateVectorIndex(sparsevec, { method: 'ivfflat', metric: 'l2' })],
    // @ts-expect-error ivfflat measures no l1
    ['l1 by ivfflat', () => new CreateVectorIndex(vector, { method: 'ivfflat', metric: 'l1' })],
    // @ts-expect-error hamming is for bits
    ['hamming of vector', () => new DropVectorIndex(vector, { method: 'hnsw', metric: 'hamming' })],
  ])('%s', async (_title, make) => {
    await expectError('INDEX_NOT_POSSIBLE', async () => make())
  })
})

describe('what is no option at all does not compile, and is refused at run time:', () => {
  test.each([
    // @ts-expect-error there is no such type
    ['another type', () => vectorColumn('documents', 'embedding', { type: 'float' })],
    // @ts-expect-error there is no such option
    ['a misspelt option', () => vectorColumn('documents', 'embedding', { dimension: 3 })],
    // @ts-expect-error there is no such method
    ['another method', () => vectorIndex(vector, { method: 'flat', metric: 'l2' })],
    // @ts-expect-error there is no such metric
    ['another metric', () => vectorIndex(vector, { method: 'hnsw', metric: 'euclid' })],
    // @ts-expect-error hamming is for bits
    ['a distance of another type', () => hammingDistance(vector, [1, 2, 3])],
    // @ts-expect-error bits have no Euclidean distance
    ['a distance of bits', () => l2Distance(bit, '0101')],
  ])('%s', async (_title, make) => {
    await expectError('INVALID_OPTIONS', async () => make())
  })
})

test('what pgvector has does compile', () => {
  const made = [
    vectorIndex(vector, { method: 'hnsw', metric: 'l1' }),
    vectorIndex(halfvec, { method: 'ivfflat', metric: 'innerProduct', lists: 10 }),
    vectorIndex(sparsevec, { method: 'hnsw', metric: 'l1', m: 8 }),
    vectorIndex(bit, { method: 'hnsw', metric: 'jaccard' }),
    vectorIndex(bit, { method: 'ivfflat', metric: 'hamming' }),
  ]
  expect(made.map(({ storage }) => storage.operatorClass.name)).toEqual([
    'vector_l1_ops',
    'halfvec_ip_ops',
    'sparsevec_l1_ops',
    'bit_jaccard_ops',
    'bit_hamming_ops',
  ])
})
