import type { Knex } from 'knex'

import type { VectorType } from '../pgvector/vector-types.ts'
import { nameOption } from '../core/options.ts'
import { fragment, named } from '../database/fragment.ts'
import type { Database } from '../database/session.ts'
import { lazySchema, parseOptions } from '../core/parse-options.ts'
import { identifier } from '../core/sql.ts'
import { metrics, operatorClass, type DistanceFor, type Metric } from '../pgvector/index-methods.ts'
import { assertColumn, inExtension, typeSql, type VectorColumn } from '../columns/column.ts'
import { knownSchema } from '../extension/known-schema.ts'
import { queryVectorText, type QueryVector } from '../columns/values.ts'
import { indexedExpression, isVectorIndex, type VectorIndex } from '../indexes/vector-index.ts'

/** Options of {@link distance} for a query that an index serves. */
export interface DistanceOptions {
  /**
   * The schema of the extension; default: where `ensurePgvector` found it with this Knex configuration, or else the
   * search path.
   */
  readonly schema?: string | undefined
  /** The alias of the table in the query; default: the table's own name. */
  readonly alias?: string | undefined
  /** The name of the result's column, for `select` only. */
  readonly as?: string | undefined
}

/** Options of {@link distance} for a query without an index. */
export interface ColumnDistanceOptions<Type extends VectorType = VectorType> extends DistanceOptions {
  /** The metric. */
  readonly metric: DistanceFor<Type>
}

export const distanceOptions = lazySchema((z) =>
  z.strictObject({
    schema: nameOption().optional(),
    alias: nameOption().optional(),
    as: nameOption().optional(),
  }),
)

const columnDistanceOptions = perType((type) =>
  lazySchema((z) => {
    const known = (Object.keys(metrics) as readonly Metric[]).filter((metric) => operatorClass(type, 'hnsw', metric))
    const problem = `must be one of ${known.join(', ')}, which compare ${type}`
    return distanceOptions().extend({ metric: z.enum(known, problem) })
  }),
)

function perType<Value>(make: (type: VectorType) => Value): Readonly<Record<VectorType, Value>> {
  return { vector: make('vector'), halfvec: make('halfvec'), sparsevec: make('sparsevec'), bit: make('bit') }
}

/**
 * How far each row is from a vector, as an expression for Knex: in `select`, `orderByRaw`, `whereRaw` and `raw`. The
 * nearest is always the smallest: of innerProduct it is the negative, of l1, l2, hamming and jaccard the distance, of
 * cosine 1 minus the cosine.
 *
 * From an index it is what the index keeps, in its very words, so that a query ordered by it uses the index: with a cast
 * to halfvec where the index has one, and the number of signs that differ where the index keeps signs (see
 * {@link nearestRows}). From a column it is exact.
 *
 * @example
 * ```ts
 * const near = distance(knex, index, embedding, { schema })
 * await knex('documents').select('id').orderByRaw(near).limit(10)
 * ```
 * @throws {PgvectorMigrationError} INVALID_OPTIONS: a vector of another length than the column's, or with an element
 * that is no finite number of the column's type.
 */
export function distance<Type extends VectorType>(
  knex: Database,
  index: VectorIndex<Type>,
  query: QueryVector,
  options?: DistanceOptions,
): Knex.Raw<number>
export function distance<Type extends VectorType>(
  knex: Database,
  column: VectorColumn<Type>,
  query: QueryVector,
  options: ColumnDistanceOptions<Type>,
): Knex.Raw<number>
export function distance(
  knex: Database,
  target: VectorIndex | VectorColumn,
  query: QueryVector,
  options: DistanceOptions | ColumnDistanceOptions = {},
): Knex.Raw<number> {
  if (isVectorIndex(target)) {
    const { as, schema = knownSchema(knex), alias } = parseOptions(distanceOptions, options)
    return named(indexedDistance(knex, target, query, schema, alias ?? target.column.table), as)
  }
  assertColumn(target)
  const { as, schema = knownSchema(knex), alias, metric } = parseOptions(columnDistanceOptions[target.type], options)
  return named(exactDistance(knex, target, metric, query, schema, alias ?? target.table), as)
}

/** Returns what the index measures, with the same expression as its definition. */
export function indexedDistance(
  knex: Database,
  index: VectorIndex,
  query: QueryVector,
  schema: string | null,
  alias: string,
): Knex.Raw<number> {
  const { column, metric, storage } = index
  const isQuantized = storage.expression === 'binary quantization'
  const type = isQuantized ? column.type : storage.type
  const parameter = parameterOf(type, column.dimensions, schema)
  const compared = isQuantized ? `${inExtension('binary_quantize', schema)}(${parameter})` : parameter
  return fragment(
    knex,
    `(${indexedExpression(index, schema, alias)} ${operatorOf(storage.metric, schema)} ${compared})`,
    [queryVectorText(query, { column, type, metric })],
  )
}

/** Returns the distance by the column's own values. */
export function exactDistance(
  knex: Database,
  column: VectorColumn,
  metric: Metric,
  query: QueryVector,
  schema: string | null,
  alias: string,
): Knex.Raw<number> {
  const { name, type, dimensions } = column
  const compared = parameterOf(type, dimensions, schema)
  return fragment(knex, `(${identifier(alias)}.${identifier(name)} ${operatorOf(metric, schema)} ${compared})`, [
    queryVectorText(query, { column, type, metric }),
  ])
}

// The length was checked already, and a cast with a length would make the server check it again. A plain bit, however,
// is a single bit.
function parameterOf(type: VectorType, dimensions: number | null, schema: string | null): string {
  return `?::${typeSql(type, type === 'bit' ? dimensions : null, schema)}`
}

function operatorOf(metric: Metric, schema: string | null): string {
  const { operator } = metrics[metric]
  return schema === null ? operator : `operator(${identifier(schema)}.${operator})`
}
