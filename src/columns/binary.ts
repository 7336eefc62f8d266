import { PgvectorMigrationError } from '../core/errors.ts'
import { typeLimits, type VectorType } from '../pgvector/vector-types.ts'
import { isVectorColumn, type VectorColumn } from './column.ts'
import type { Elements, SparseVector } from './elements.ts'
import { columnLabel } from './facts.ts'
import type { QueryVector } from './read-elements.ts'
import { binaryOrThrow, checkedBinary } from './values.ts'
import { binaryText, decode } from './wire-format.ts'

/** What {@link fromBinary} returns for each type. */
export interface BinaryValues {
  readonly vector: Float32Array
  readonly halfvec: Float32Array
  readonly sparsevec: SparseVector
  /** The digits 0 and 1. */
  readonly bit: string
}

/**
 * Returns a vector in PostgreSQL's binary format, as a binding of Knex: in an insert, an update, a query or raw SQL. The
 * server stores it several times faster than text, and without rounding through decimal digits. It sends nothing.
 *
 * Use it where the type is known from the context: a column, an operator or a cast (`?::vector`). A migration's SQL script
 * contains the value as text.
 *
 * @param columnOrType A column, whose dimensions are checked, or a type.
 *
 * @example await knex('documents').insert({ id: 1, embedding: toBinary(embedding, numbers) })
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS, with every problem: another number of dimensions, NaN, infinity, a
 * number that the type cannot hold.
 */
export function toBinary(columnOrType: VectorColumn | VectorType, value: QueryVector): Buffer {
  const target = targetOf(columnOrType)
  return binaryOrThrow(checkedBinary(value, target), `the value for ${target.label}`)
}

/**
 * Returns the vector that PostgreSQL's binary format contains, the reverse of {@link toBinary}. In SQL, the type's send
 * function returns that format: `vector_send`, `halfvec_send`, `sparsevec_send` or `bit_send`.
 *
 * @example
 * ```ts
 * const { bytes } = await knex('documents').first(knex.raw('vector_send(embedding) as bytes'))
 * const numbers = fromBinary(embedding, bytes)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS if the bytes are not a value of that type.
 */
export function fromBinary<Type extends VectorType>(
  columnOrType: VectorColumn<Type> | Type,
  bytes: Uint8Array,
): BinaryValues[Type]
export function fromBinary(columnOrType: VectorColumn | VectorType, bytes: Uint8Array): BinaryValues[VectorType] {
  const { type, label } = targetOf(columnOrType)
  const given = ArrayBuffer.isView(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : null
  const elements = given === null ? null : decode(type, given)
  if (given === null || elements === null) {
    throw new PgvectorMigrationError('INVALID_OPTIONS', {
      problems: [`the bytes for ${label}: are not a ${type} in binary format`],
    })
  }
  return type === 'bit' ? binaryText(type, given) : valueOf(elements)
}

function valueOf({ values, places, length }: Elements): Float32Array | SparseVector {
  if (places === null) return values as Float32Array
  return { dimensions: length, indices: places, values: values as readonly number[] }
}

interface Target {
  readonly type: VectorType
  readonly dimensions: number | null
  readonly label: string
}

function targetOf(columnOrType: VectorColumn | VectorType): Target {
  if (isVectorType(columnOrType)) return { type: columnOrType, dimensions: null, label: `a ${columnOrType}` }
  if (!isVectorColumn(columnOrType)) {
    const types = Object.keys(typeLimits).join(', ')
    const problems = [`columnOrType: must be created by vectorColumn, or be one of ${types}`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  const { type, dimensions } = columnOrType
  return { type, dimensions, label: columnLabel(columnOrType) }
}

function isVectorType(value: unknown): value is VectorType {
  return typeof value === 'string' && Object.hasOwn(typeLimits, value)
}
