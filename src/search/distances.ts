import type { Knex } from 'knex'

import { PgvectorMigrationError } from '../core/errors.ts'
import { nameOption } from '../core/options.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { assertColumn, type VectorColumn } from '../columns/column.ts'
import type { QueryVector } from '../columns/read-elements.ts'
import { operatorClass, type DistanceFor, type Metric } from '../pgvector/index-methods.ts'
import type { VectorType } from '../pgvector/vector-types.ts'
import { exactDistance } from './expressions.ts'

/** Options of the distances, and of {@link nearest}. */
export interface DistanceOptions {
  /** The alias of the table in the query; default: the table's own name. */
  readonly alias?: string | undefined
  /** The schema of the extension; default: where this Knex instance found it, or else the search path. */
  readonly schema?: string | undefined
}

/** @internal */
export const distanceOptions = lazySchema((z) =>
  z.strictObject({ alias: nameOption().optional(), schema: nameOption().optional() }),
)

/** The columns whose values can be compared by a metric. */
type ColumnFor<Measure extends Metric> = VectorColumn<
  { readonly [Type in VectorType]: Measure extends DistanceFor<Type> ? Type : never }[VectorType]
>

/**
 * The cosine distance of each row from a vector: 1 minus the cosine, as an expression for Knex. A query that is ordered by
 * it can use an index on the column; it may then return fewer rows than its limit (see {@link nearestRows}).
 *
 * @example await knex('documents').orderBy(cosineDistance(embedding, query)).limit(10)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function cosineDistance(
  column: ColumnFor<'cosine'>,
  query: QueryVector,
  options: DistanceOptions = {},
): Knex.Raw<number> {
  return distanceBy('cosine', column, query, options)
}

/**
 * The Euclidean distance of each row from a vector, as {@link cosineDistance}.
 *
 * @example await knex('documents').where(l2Distance(embedding, query), '<', 0.5)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function l2Distance(
  column: ColumnFor<'l2'>,
  query: QueryVector,
  options: DistanceOptions = {},
): Knex.Raw<number> {
  return distanceBy('l2', column, query, options)
}

/**
 * The negative inner product of each row and a vector, so that the largest product comes first, as {@link cosineDistance}.
 *
 * @example await knex('documents').orderBy(innerProduct(embedding, query)).limit(10)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function innerProduct(
  column: ColumnFor<'innerProduct'>,
  query: QueryVector,
  options: DistanceOptions = {},
): Knex.Raw<number> {
  return distanceBy('innerProduct', column, query, options)
}

/**
 * The taxicab distance of each row from a vector, as {@link cosineDistance} (pgvector 0.7.0).
 *
 * @example await knex('documents').orderBy(l1Distance(embedding, query)).limit(10)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function l1Distance(
  column: ColumnFor<'l1'>,
  query: QueryVector,
  options: DistanceOptions = {},
): Knex.Raw<number> {
  return distanceBy('l1', column, query, options)
}

/**
 * The number of bits in which each row differs from a bit string, as {@link cosineDistance} (pgvector 0.7.0).
 *
 * @example await knex('images').orderBy(hammingDistance(hash, '0101')).limit(10)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function hammingDistance(
  column: ColumnFor<'hamming'>,
  query: QueryVector,
  options: DistanceOptions = {},
): Knex.Raw<number> {
  return distanceBy('hamming', column, query, options)
}

/**
 * The Jaccard distance of each row from a bit string: 1 minus the share of set bits that both have, as
 * {@link cosineDistance} (pgvector 0.7.0).
 *
 * @example await knex('images').orderBy(jaccardDistance(hash, '0101')).limit(10)
 *
 * @throws {PgvectorMigrationError} INVALID_OPTIONS
 */
export function jaccardDistance(
  column: ColumnFor<'jaccard'>,
  query: QueryVector,
  options: DistanceOptions = {},
): Knex.Raw<number> {
  return distanceBy('jaccard', column, query, options)
}

function distanceBy(
  metric: Metric,
  column: VectorColumn,
  query: QueryVector,
  options: DistanceOptions,
): Knex.Raw<number> {
  assertColumn(column)
  const { alias = column.table, schema } = parseOptions(distanceOptions, options)
  if (operatorClass(column.type, 'hnsw', metric) === null) {
    const problems = [`column: ${column.type} has no ${metric} distance`]
    throw new PgvectorMigrationError('INVALID_OPTIONS', { problems })
  }
  return exactDistance(column, metric, query, { alias, schema })
}
