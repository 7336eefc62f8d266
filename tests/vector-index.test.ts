import { ensurePgvector, vectorColumn, type VectorColumnOptions, vectorIndex, type VectorIndex } from '../src/index.ts'
import { indexDefinition } from '../src/indexes/vector-index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

const embedding = vectorColumn('documents', 'embedding', { dimensions: 384 })

describe('vectorColumn', () => {
  test('describes a vector column that may be null, unless told otherwise', () => {
    expect(embedding).toEqual({
      schema: null,
      table: 'documents',
      name: 'embedding',
      type: 'vector',
      dimensions: 384,
      notNull: false,
    })
    expect(vectorColumn('t', 'c', { type: 'bit', schema: 'app', notNull: true })).toMatchObject({
      schema: 'app',
      type: 'bit',
      dimensions: null,
      notNull: true,
    })
  })

  test('reports every problem of its options together', async () => {
    const options = { type: 'halfvec', dimensions: 16_001, schema: 'x'.repeat(64), notNull: 'yes' }
    const { details } = await expectError('INVALID_OPTIONS', async () =>
      vectorColumn('', 'a\0b', options as unknown as VectorColumnOptions),
    )
    expect(details.problems).toEqual([
      'table: must not be empty',
      'name: must not contain a zero byte',
      'schema: must be at most 63 bytes long',
      'notNull: must be true or false',
      'dimensions: must be at most 16000, the limit of a halfvec column',
    ])
  })

  test.each([0, -1, 1.5, Number.NaN, 16_001])('refuses %d dimensions', async (dimensions) => {
    await expectError('INVALID_OPTIONS', async () => vectorColumn('documents', 'embedding', { dimensions }))
  })
})

describe('vectorIndex', () => {
  test('reports every problem of its options together', async () => {
    const options = { method: 'hnsw', metric: 'manhattan', name: '', m: 101, efConstruction: 3, lists: 5, where: ' ' }
    const { details } = await expectError('INVALID_OPTIONS', async () => vectorIndex(embedding, options as never))
    expect(details.problems).toEqual([
      'metric: must be one of l2, innerProduct, cosine, l1, hamming, jaccard',
      'name: must not be empty',
      'm: must be a whole number from 2 to 100',
      'efConstruction: must be a whole number from 4 to 1000',
      'where: must not be empty',
      'lists: is a parameter of ivfflat',
      'efConstruction: must be at least twice m, which is 101',
    ])
  })

  test.each([
    [{ m: 33 }, 'efConstruction: must be at least twice m, which is 33'],
    [{ efConstruction: 31 }, 'efConstruction: must be at least twice m, which is 16'],
    [{ m: 2.5 }, 'm: must be a whole number from 2 to 100'],
    [{ where: String.raw`note ~ '\?'` }, 'where: must not contain a backslash before a question mark'],
    [{ storage: 'sparse' as 'binary' }, 'storage: must be column, halfvec or binary'],
  ])('refuses %j', async (options, problem) => {
    const { details } = await expectError('INVALID_OPTIONS', async () =>
      vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', ...options }),
    )
    expect(details.problems).toEqual([expect.stringContaining(problem)])
  })

  test('refuses parameters of hnsw for ivfflat, and names both', async () => {
    const { details } = await expectError('INVALID_OPTIONS', async () =>
      vectorIndex(embedding, { method: 'ivfflat', metric: 'l2', m: 40, efConstruction: 64 }),
    )
    expect(details.problems).toEqual(['m: is a parameter of hnsw', 'efConstruction: is a parameter of hnsw'])
  })
})

describe('the name of an index', () => {
  const nameOf = (table: string, column: string): string =>
    vectorIndex(vectorColumn(table, column, { dimensions: 3 }), { method: 'hnsw', metric: 'innerProduct' }).name

  test('tells the table, the column, the method and the metric', () => {
    expect(nameOf('documents', 'embedding')).toBe('documents_embedding_hnsw_innerproduct_idx')
    expect(nameOf('My "docs"', 'Em')).toBe('My "docs"_Em_hnsw_innerproduct_idx')
  })

  test('is the one that is given', () => {
    expect(vectorIndex(embedding, { method: 'hnsw', metric: 'l2', name: 'Near me' }).name).toBe('Near me')
  })

  test('contains the storage and the condition, so that two indexes on a column have two names', () => {
    const named = (options: object): string =>
      vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', ...options }).name
    const names = [
      named({}),
      named({ storage: 'halfvec' }),
      named({ storage: 'binary' }),
      named({ where: 'tenant = 1' }),
      named({ where: 'tenant = 2' }),
      named({ storage: 'halfvec', where: 'tenant = 2' }),
    ]
    expect(new Set(names).size).toBe(names.length)
    expect(names[1]).toMatch(/_hnsw_cosine_halfvec_idx$/)
    expect(names[3]).toMatch(/_hnsw_cosine_[0-9a-f]{8}_idx$/)
    expect(named({ where: ' tenant = 1 ' })).toBe(names[3])
  })

  test('fits into 63 bytes, and differs for another column', () => {
    const long = 'ä'.repeat(31)
    const names = [nameOf(long, `${long}1`), nameOf(long, `${long}2`), nameOf(`${long}1`, long)]
    expect(new Set(names).size).toBe(3)
    for (const name of names) {
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63)
      expect(name).toMatch(/^ä+_[0-9a-f]{8}_idx$/)
    }
  })
})

describe('the definition of an index', () => {
  const inPublic = (index: VectorIndex): string => indexDefinition(index, 'public')

  test('is on the column where the index can keep its values', () => {
    expect(inPublic(vectorIndex(embedding, { method: 'hnsw', metric: 'cosine', m: 8, efConstruction: 32 }))).toBe(
      'on "documents" using hnsw ("embedding" "public"."vector_cosine_ops") with (m = 8, ef_construction = 32)',
    )
  })

  test('casts to halfvec, or uses binary quantization, if the dimensions need it', () => {
    const of = (dimensions: number): string =>
      inPublic(vectorIndex(vectorColumn('d', 'e', { dimensions }), { method: 'hnsw', metric: 'cosine' }))
    expect(of(3072)).toBe('on "d" using hnsw (("e"::"public"."halfvec"(3072)) "public"."halfvec_cosine_ops")')
    expect(of(4001)).toBe('on "d" using hnsw (("public"."binary_quantize"("e")::bit(4001)) "public"."bit_hamming_ops")')
  })
})

describeOnEveryDatabase('an index with difficult names', (database) => {
  test('is made on a table in another schema, with the extension in a third', async () => {
    const { knex } = database()
    const { schema } = await ensurePgvector(knex, { schema: 'My "ext"?', createSchema: true, logger: false })
    const options = { dimensions: 5000, schema: 'App "one"' }
    const column = vectorColumn('Order? items', 'Em"bed?ding', options)
    const index = vectorIndex(column, { method: 'hnsw', metric: 'cosine', where: `meta ? 'text'` })
    await knex.raw(
      String.raw`
      create schema "App ""one""";
      create table "App ""one"""."Order\? items" ("Em""bed\?ding" "My ""ext""\?".vector(5000), meta jsonb);
      create index ?? ${indexDefinition(index, schema).replaceAll('?', '\\?')}`,
      [index.name],
    )
    const { rows } = await knex.raw(
      'select pg_get_indexdef(indexrelid) as made from pg_index where indisvalid and indpred is not null',
    )
    expect(rows).toEqual([{ made: expect.stringContaining(`WHERE (meta ? 'text'::text)`) }])
  })
})
