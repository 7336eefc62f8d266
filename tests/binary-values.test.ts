import fc from 'fast-check'
import { SparseVector as PackageSparseVector } from 'pgvector'

import { binaryArray } from '../src/columns/binary-array.ts'
import {
  ensurePgvector,
  fromBinary,
  type QueryVector,
  type SparseVector,
  toBinary,
  vectorColumn,
  type VectorType,
} from '../src/index.ts'
import { describeOnEveryDatabase } from './support/databases.ts'
import { expectError } from './support/expect-error.ts'

describe('toBinary', () => {
  test('writes what the receive functions of the types read', () => {
    expect(toBinary('vector', [1, -2]).toString('hex')).toBe('000200003f800000c0000000')
    expect(toBinary('halfvec', [1, -2]).toString('hex')).toBe('000200003c00c000')
    expect(toBinary('sparsevec', [0, 1, 0]).toString('hex')).toBe('000000030000000100000000000000013f800000')
    expect(toBinary('bit', '10000000011').toString('hex')).toBe('0000000b8060')
  })

  test('reads arrays, typed arrays, text and the types of the package pgvector alike', () => {
    const same = (type: VectorType, values: readonly QueryVector[]): Set<string> =>
      new Set(values.map((value) => toBinary(type, value).toString('hex')))
    const numbers = [0.5, 0, -2]
    const dense = [numbers, new Float32Array(numbers), new Float64Array(numbers), '[0.5,0,-2]']
    expect(same('vector', dense).size).toBe(1)
    expect(same('halfvec', dense).size).toBe(1)
    const sparse = [
      '{1:0.5,3:-2}/3',
      new PackageSparseVector(numbers, 3),
      { dimensions: 3, indices: [0, 2], values: [0.5, -2] },
    ]
    expect(same('sparsevec', [...dense, ...sparse]).size).toBe(1)
    expect(same('bit', ['101', [1, 0, 1], new Float32Array([1, 0, 1])]).size).toBe(1)
  })

  test('checks the dimensions of a column, and names it with every problem', async () => {
    const column = vectorColumn('documents', 'embedding', { dimensions: 3, schema: 'search' })
    const { details } = await expectError('INVALID_OPTIONS', () => toBinary(column, [1, Number.NaN]))
    expect(details.problems).toEqual([
      'the value for search.documents.embedding: has 2 dimensions, but the column has 3',
      'the value for search.documents.embedding: element 2 is NaN, which a vector cannot hold',
    ])
  })

  test('refuses a number that the type cannot hold', async () => {
    const refused = await expectError('INVALID_OPTIONS', () => toBinary('halfvec', [1, 65_520]))
    expect(refused.details.problems).toEqual([
      'the value for a halfvec: element 2 is 65520, which a halfvec cannot hold',
    ])
    await expectError('INVALID_OPTIONS', () => toBinary('vector', [1e39]))
    await expectError('INVALID_OPTIONS', () => toBinary('vector', [Number.NEGATIVE_INFINITY]))
    await expectError('INVALID_OPTIONS', () => toBinary('bit', [0, 2]))
  })

  test('refuses a list with a hole in it', async () => {
    // oxlint-disable-next-line no-sparse-arrays
    await expectError('INVALID_OPTIONS', () => toBinary('vector', [1, , 3] as number[]))
  })

  test('refuses what is neither a column nor a type', async () => {
    await expectError('INVALID_OPTIONS', () => toBinary('varchar' as 'vector', [1]))
    await expectError('INVALID_OPTIONS', () => toBinary(null as never, [1]))
  })
})

describe('fromBinary', () => {
  test('returns what toBinary was given', () => {
    expect(fromBinary('vector', toBinary('vector', [0.5, -2]))).toEqual(new Float32Array([0.5, -2]))
    expect(fromBinary('halfvec', toBinary('halfvec', [0.5, -2]))).toEqual(new Float32Array([0.5, -2]))
    expect(fromBinary('bit', toBinary('bit', '10011'))).toBe('10011')
    const sparse: SparseVector = fromBinary('sparsevec', toBinary('sparsevec', [0, 0.5, 0]))
    expect(sparse).toEqual({ dimensions: 3, indices: [1], values: [0.5] })
  })

  test.each([
    ['vector', '0002'],
    ['vector', '000200003f800000'],
    ['halfvec', '000200003c00'],
    ['sparsevec', '00000003000000010000000000000001'],
    ['bit', '0000000b80'],
  ] as const)('refuses bytes that are no %s', async (type, hex) => {
    const { details } = await expectError('INVALID_OPTIONS', () => fromBinary(type, Buffer.from(hex, 'hex')))
    expect(details.problems).toEqual([`the bytes for a ${type}: are not a ${type} in binary format`])
  })

  test('refuses what are no bytes', async () => {
    await expectError('INVALID_OPTIONS', () => fromBinary('vector', '[1,2]' as never))
  })
})

const float = fc.oneof(
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e-40, 2 ** -149, 3.4e38).map(Math.fround),
)
const half = fc.oneof(
  fc.float({ min: -65_504, max: 65_504, noNaN: true }),
  fc.float({ min: Math.fround(-1e-4), max: Math.fround(1e-4), noNaN: true }),
  fc.constantFrom(65_519, 2 ** -24, 2 ** -25, 3 * 2 ** -25, 1 + 2 ** -11, 1 + 3 * 2 ** -11),
)
const numbers = (element: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
  fc.array(element, { minLength: 1, maxLength: 9 })
const list = (values: readonly number[]): string =>
  `[${values.map((value) => (Object.is(value, -0) ? '-0' : value)).join(',')}]`

/** For each type, values with the text that a user would write. */
const written: Readonly<Record<VectorType, fc.Arbitrary<readonly [QueryVector, string]>>> = {
  vector: numbers(float).map((values) => [values, list(values)]),
  halfvec: numbers(half).map((values) => [values, list(values)]),
  // The server refuses the text of a number so small that it is not stored as a normal one.
  sparsevec: numbers(
    fc.oneof(
      float.filter((value) => Math.abs(value) >= 2 ** -126),
      fc.constant(0),
    ),
  ).map((values) => [
    values,
    `{${values.flatMap((value, at) => (value === 0 ? [] : [`${at + 1}:${value}`])).join(',')}}/${values.length}`,
  ]),
  bit: fc.array(fc.constantFrom(0, 1), { minLength: 1, maxLength: 40 }).map((values) => [values, values.join('')]),
}
const types = Object.keys(written) as readonly VectorType[]
const castOf = { vector: 'vector', halfvec: 'halfvec', sparsevec: 'sparsevec', bit: 'varbit' } as const

describeOnEveryDatabase('a value in binary format', (database) => {
  beforeEach(async () => {
    await ensurePgvector(database().knex, { logger: false })
  })

  test.each(types)('of %s is stored like its text, and read back like it', async (type) => {
    const { knex } = database()
    const cast = castOf[type]
    const send = `${cast}_send`
    await fc.assert(
      fc.asyncProperty(written[type], async ([value, text]) => {
        const binary = toBinary(type, value)
        const { rows } = await knex.raw(
          `select binary_in::text as binary_in, text_in::text as text_in, ${send}(binary_in) as bytes, ${send}(text_in) as same
          from (select ?::${cast} as binary_in, ?::${cast} as text_in) as v`,
          [binary, text],
        )
        const [{ binary_in: binaryIn, text_in: textIn, bytes, same }] = rows
        expect(binaryIn).toBe(textIn)
        expect(Buffer.from(bytes)).toEqual(Buffer.from(same))
        expect(fromBinary(type, bytes)).toEqual(fromBinary(type, binary))
      }),
      { numRuns: 60 },
    )
  })

  test.each(types)('of %s is an ordinary binding of an insert, an update, a condition and raw SQL', async (type) => {
    const { knex } = database()
    const column = vectorColumn('documents', 'embedding', { type, dimensions: 3 })
    await knex.raw(`create table documents (id int primary key, embedding ${type}(3))`)
    const [first, second] = [toBinary(column, [1, 0, 1]), toBinary(column, [0, 0, 1])]
    await knex('documents').insert([
      { id: 1, embedding: first },
      { id: 2, embedding: first },
    ])
    await knex('documents').where({ id: 2 }).update({ embedding: second })
    expect(await knex('documents').where({ embedding: second }).pluck('id')).toEqual([2])
    const found = await knex.raw('select id from documents where embedding = ?', [first])
    expect(found.rows).toEqual([{ id: 1 }])
  })

  test.each(types)('of %s travels in an array, with nulls', async (type) => {
    const { knex } = database()
    const column = vectorColumn('documents', 'embedding', { type, dimensions: 3 })
    const values = [toBinary(column, [1, 0, 1]), null, toBinary(column, [0, 1, 1])]
    const { rows } = await knex.raw(`select unnest(?::${type}(3)[])::text as value`, [binaryArray(column, values)])
    const texts = values.map((value) => (value === null ? null : textOf(type, value)))
    expect(rows).toEqual(texts.map((value) => ({ value })))
    const none = await knex.raw(`select unnest(?::${type}(3)[]) as value`, [binaryArray(column, [])])
    expect(none.rows).toEqual([])
  })
})

function textOf(type: VectorType, value: Buffer): string {
  const numbersOf = fromBinary(type, value)
  if (typeof numbersOf === 'string') return numbersOf
  if (!('indices' in numbersOf)) return `[${numbersOf.join(',')}]`
  return `{${numbersOf.indices.map((at, place) => `${at + 1}:${numbersOf.values[place]}`).join(',')}}/${numbersOf.dimensions}`
}
